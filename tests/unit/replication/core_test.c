/* SPDX-License-Identifier: Apache-2.0 */
/* The core as transcripts: given events, the actions expected, one letter or word each. */
#include "replication/core.h"
#include "base/crypt.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const uint8_t instances[2 * WIRE_INSTANCE_LEN] = "tenant-one";
static struct core *core;
static struct core_actions actions;
static uint64_t now_ms = 1000000;
static char transcript[2000];
static uint16_t peer_node = 2;
static uint8_t peer_version = 3;

static const char *const frame_names[] = { "", "HELLO", "DATA", "ACK", "PING", "GRANT", "BEGIN",
	"SNAP", "END", "BYE", "DIGEST", "DIFFER", "REPAIR", "AS_OF" };

static void note(const char *text, unsigned long long value)
{
	size_t used = strlen(transcript);

	(void) snprintf(transcript + used, sizeof(transcript) - used, "%s:%llu ", text, value);
}

static void name(const char *text)
{
	size_t used = strlen(transcript);

	(void) snprintf(transcript + used, sizeof(transcript) - used, "%s ", text);
}

static unsigned long long frame_number(const struct wire_frame *frame)
{
	switch (frame->type) {
	case WIRE_DATA:
		return frame->data.seq * 100 + frame->data.record.len;
	case WIRE_ACK:
	case WIRE_SNAP_BEGIN:
	case WIRE_SNAP_END:
	case WIRE_AS_OF:
		return frame->position.seq;
	case WIRE_DIGEST:
		return frame->digest.first * 10u + frame->digest.last;
	case WIRE_DIFFER:
		return frame->differ.first * 10000u + frame->differ.sure * 1000u +
		       frame->differ.bits.data[0];
	case WIRE_SNAP:
	case WIRE_REPAIR:
		return frame->snap.record_count;
	case WIRE_BYE:
		return frame->bye.code;
	default:
		return 0;
	}
}

/* Timers are left out: they follow from all else. */
static const char *step(struct core_event *event)
{
	event->now_ms = now_ms;
	transcript[0] = '\0';
	core_step(core, event, &actions);
	for (size_t i = 0; i < actions.count; i++) {
		const struct core_action *action = &actions.items[i];

		if (action->kind == CORE_ACTION_STATE)
			name(core_state_name(action->move.state));
		else if (action->kind == CORE_ACTION_SEND)
			note(frame_names[action->frame.type], frame_number(&action->frame));
		else if (action->kind == CORE_ACTION_CLOSE)
			note("close", action->close.slow);
		else if (action->kind == CORE_ACTION_PAUSE)
			note("pause", action->pause);
		else if (action->kind == CORE_ACTION_MERGE && action->merge.has_seen)
			note("seen", action->merge.seen.seq);
		else if (action->kind == CORE_ACTION_MERGE)
			note("merge", action->merge.record_count);
		else if (action->kind == CORE_ACTION_READ_LOG)
			note("log", action->log_first);
		else if (action->kind == CORE_ACTION_READ_SNAPSHOT)
			note("snapshot", action->cursor.kind);
		else if (action->kind == CORE_ACTION_READ_DIGEST)
			note("digest", action->buckets.first);
		else if (action->kind == CORE_ACTION_READ_BUCKET)
			note("bucket", action->buckets.first * 10u + action->buckets.cursor.kind);
		else if (action->kind == CORE_ACTION_TRIM)
			note("trim", action->trim.count);
		else if (action->kind == CORE_ACTION_COMPARED)
			note("compared", action->differing);
		else if (action->kind == CORE_ACTION_NEW_INCARNATION)
			name("renew");
		else if (action->kind == CORE_ACTION_RELEASE)
			name("release");
		else if (action->kind == CORE_ACTION_SCOPE)
			note("scope", action->scope.count);
		else if (action->kind == CORE_ACTION_VOUCH)
			note("vouch", action->until_ms);
	}
	return transcript;
}

#define EXPECT(event, text) cr_assert_str_eq(step(event), (text))

static struct wire_position place(uint8_t incarnation, uint64_t seq)
{
	struct wire_position position = { .seq = seq };

	position.incarnation[0] = incarnation;
	position.hash[0] = (uint8_t) seq;
	return position;
}

static struct core_event kind_of(enum core_event_kind kind)
{
	return (struct core_event){ .kind = kind, .why = "test" };
}

static struct core_event frame_of(const struct wire_frame *frame)
{
	struct core_event event = { .kind = CORE_EVENT_FRAME };

	event.frame.frame = frame;
	event.frame.own = place(1, 10);
	return event;
}

static struct wire_frame peer_hello(void)
{
	struct wire_frame frame = { .type = WIRE_HELLO };

	frame.hello.version_min = 1;
	frame.hello.version_max = peer_version;
	frame.hello.node = peer_node;
	frame.hello.cluster = slice_text("c");
	frame.hello.own = place(2, 20);
	frame.hello.instances = slice_of(instances, WIRE_INSTANCE_LEN);
	return frame;
}

static void setup(void)
{
	struct core_options options = {
		.cluster = "c",
		.software = "t",
		.node = (uint16_t) (3 - peer_node),
		.peer_node = peer_node,
		.ack_wait_ms = 50,
		.instances = slice_of(instances, WIRE_INSTANCE_LEN),
	};

	now_ms = 1000000;
	options.now_ms = now_ms;
	cr_assert_eq(crypt_start(), ERR_OK);
	cr_assert_eq(core_new(&core, &options), ERR_OK);
}

static void teardown(void)
{
	core_free(core);
}

static void link_up(void)
{
	struct core_event event = { .kind = CORE_EVENT_LINK_UP };

	event.up.own = place(1, 10);
	EXPECT(&event, "hello HELLO:0 ");
}

static const uint8_t *scope(void)
{
	static uint8_t hash[32];

	cr_assert_eq(crypt_sha256(hash, slice_of(instances, WIRE_INSTANCE_LEN)), ERR_OK);
	return hash;
}

static struct core_event merged_of_no_link(bool good)
{
	struct core_event event = { .kind = CORE_EVENT_MERGED };

	event.merged.ok = good;
	event.merged.has_position = true;
	return event;
}

/* Own 10 was applied there, and nothing newer was seen. */
static struct wire_frame peer_hello_at_ten(void)
{
	struct wire_frame frame = peer_hello();

	frame.hello.applied.position = place(1, 10);
	bytes_copy(frame.hello.applied.scope, scope(), 32);
	if (peer_version >= WIRE_VERSION_AS_OF)
		frame.hello.seen = place(1, 10);
	return frame;
}

static void renew(struct wire_position incarnation)
{
	struct core_event renewed = { .kind = CORE_EVENT_INCARNATION };

	renewed.incarnation = incarnation;
	EXPECT(&renewed, "");
}

/* Everything is exchanged once. The new incarnation keeps its name and place, for ease. */
static void expect_unproven(struct core_event *greeted)
{
	struct core_event forgotten = merged_of_no_link(true);

	EXPECT(greeted, "down close:0 merge:0 renew ");
	cr_assert_not(actions.items[3].rolled_back);
	EXPECT(&forgotten, "");
	renew(place(1, 10));
	link_up();
}

/* Both ways up to date: own 10 applied there, theirs 20 here by a snapshot. */
static void stream(void)
{
	const bool tells = peer_version >= WIRE_VERSION_AS_OF;
	struct wire_frame frame = peer_hello_at_ten();
	struct core_event event = frame_of(&frame);
	struct core_event log = { .kind = CORE_EVENT_LOG_READ };
	struct core_event merged = { .kind = CORE_EVENT_MERGED };
	const struct wire_position ten = place(1, 10);

	link_up();
	event.frame.hash_at = ten.hash;
	if (!tells)
		expect_unproven(&event);
	EXPECT(&event, "catching-up PING:0 log:11 ");
	log.log.own = ten;
	EXPECT(&log, tells ? "AS_OF:10 " : "");
	frame = (struct wire_frame){ .type = WIRE_SNAP_BEGIN, .position = place(2, 20) };
	event = frame_of(&frame);
	EXPECT(&event, "");
	frame.type = WIRE_SNAP_END;
	EXPECT(&event, "merge:0 ");
	merged.merged.link = tells ? 1 : 2;
	merged.merged.ok = merged.merged.has_position = true;
	merged.merged.position = place(2, 20);
	EXPECT(&merged, "ACK:20 ");
	frame = (struct wire_frame){ .type = WIRE_PING, .ping_ms = 5 };
	EXPECT(&event, "GRANT:0 ");
	frame = (struct wire_frame){ .type = WIRE_GRANT, .grant = { now_ms, 2000 } };
	EXPECT(&event, "scope:1 vouch:1002000 streaming ");
}

TestSuite(core, .init = setup, .fini = teardown);

/* A peer of another cluster, number or version is told so and not tried again soon. */
Test(core, refuses_strangers)
{
	struct wire_frame frame = peer_hello();
	struct core_event event = frame_of(&frame);

	link_up();
	frame.hello.cluster = slice_text("other");
	EXPECT(&event, "BYE:1 refused close:1 ");
	link_up();
	frame = peer_hello();
	frame.hello.node = 3;
	EXPECT(&event, "BYE:1 refused close:1 ");
	link_up();
	frame = peer_hello();
	frame.hello.version_min = frame.hello.version_max = 9;
	EXPECT(&event, "BYE:1 refused close:1 ");
}

/* Nothing but HELLO comes first, and it comes once. */
Test(core, hello_comes_first_and_once)
{
	struct wire_frame frame = { .type = WIRE_PING };
	struct core_event event = frame_of(&frame);

	link_up();
	EXPECT(&event, "down close:0 ");
	link_up();
	frame = peer_hello();
	EXPECT(&event, "catching-up PING:0 snapshot:2 ");
	EXPECT(&event, "down close:0 ");
}

/* The peer knows later changes of ours: a new incarnation, and a full exchange both ways. */
Test(core, rollback)
{
	struct wire_frame frame = peer_hello();
	struct core_event event = frame_of(&frame);
	struct core_event up = { .kind = CORE_EVENT_LINK_UP };
	struct core_event forgotten = merged_of_no_link(true);

	link_up();
	frame.hello.applied.position = place(1, 11);
	EXPECT(&event, "down close:0 merge:0 renew ");
	cr_assert(actions.items[3].rolled_back);
	cr_assert_eq(actions.items[2].merge.applied.scope[0], 0);
	cr_assert_eq(actions.items[2].merge.link, 0);
	EXPECT(&up, "hello down close:0 ");
	EXPECT(&forgotten, "");
	EXPECT(&up, "hello down close:0 ");
	renew(place(9, 0));
	up.up.own = place(9, 0);
	up.up.applied.position = place(2, 20);
	EXPECT(&up, "hello HELLO:0 ");
	cr_assert_eq(actions.items[1].frame.hello.applied.position.seq, 20);
	cr_assert_eq(actions.items[1].frame.hello.applied.scope[0], 0);
}

/* The same number with another hash is a rollback as well. */
Test(core, rollback_by_hash)
{
	struct wire_frame frame = peer_hello();
	struct core_event event = frame_of(&frame);
	uint8_t other[32] = { 99 };

	link_up();
	frame.hello.applied.position = place(1, 7);
	event.frame.hash_at = other;
	EXPECT(&event, "down close:0 merge:0 renew ");
}

/* The peer knows changes of another incarnation of ours, perhaps a later one than our disk's:
 * everything is exchanged, and what is older than that now is of another incarnation. */
Test(core, rollback_to_another_incarnation)
{
	struct wire_frame frame = peer_hello();
	struct core_event event = frame_of(&frame);
	struct core_event up = { .kind = CORE_EVENT_LINK_UP };
	struct core_event failed = merged_of_no_link(false), forgotten = merged_of_no_link(true);

	link_up();
	frame.hello.applied.position = place(9, 3);
	event.frame.hash_at = NULL;
	EXPECT(&event, "down close:0 merge:0 renew ");
	renew(place(10, 0));
	/* No link before it is durable that nothing was applied; after a failure the next one tries
	 * again. */
	EXPECT(&up, "hello down close:0 ");
	EXPECT(&failed, "");
	EXPECT(&up, "hello down close:0 merge:0 ");
	EXPECT(&forgotten, "");
	up.up.own = place(1, 10);
	up.up.applied.position = place(2, 20);
	EXPECT(&up, "hello HELLO:0 ");
	cr_assert_eq(actions.items[1].frame.hello.applied.position.seq, 20);
	cr_assert_eq(actions.items[1].frame.hello.applied.scope[0], 0);
}

/* The peer has records that are later than all that this node remembers, though it applied less: a
 * rollback, by the number or by the hash. */
Test(core, rollback_by_what_was_seen)
{
	struct wire_frame frame = peer_hello_at_ten();
	struct core_event event = frame_of(&frame);
	struct core_event forgotten = merged_of_no_link(true);
	const struct wire_position ten = place(1, 10);
	uint8_t other[32] = { 99 };

	event.frame.hash_at = ten.hash;
	link_up();
	frame.hello.seen = place(1, 11);
	EXPECT(&event, "down close:0 merge:0 renew ");
	EXPECT(&forgotten, "");
	renew(place(1, 10));
	link_up();
	frame.hello.applied.position = place(1, 8);
	frame.hello.seen = place(1, 9);
	event.frame.seen_hash_at = other;
	EXPECT(&event, "down close:0 merge:0 renew ");
}

/* How far the peer's records reach can be told by its log place, by what it applied since, or by
 * this node's own life, in which everything was taken once; else everything is asked for. */
Test(core, reach_is_proven)
{
	struct wire_frame frame = peer_hello_at_ten();
	struct core_event event = frame_of(&frame);
	struct core_event down = kind_of(CORE_EVENT_LINK_DOWN);
	const struct wire_position ten = place(1, 10);

	event.frame.hash_at = ten.hash;
	link_up();
	frame.hello.seen = place(9, 10);
	expect_unproven(&event);
	(void) step(&down);
	core_free(core);
	setup();
	link_up();
	frame.hello.applied.position = place(1, 8);
	event.frame.hash_at = frame.hello.applied.position.hash;
	frame.hello.seen = place(1, 9);
	expect_unproven(&event);
	(void) step(&down);
	core_free(core);
	setup();
	link_up();
	event.frame.seen_hash_at = frame.hello.seen.hash;
	EXPECT(&event, "catching-up PING:0 log:9 ");
	core_free(core);
	setup();
	stream();
	(void) step(&down);
	link_up();
	frame = peer_hello_at_ten();
	event.frame.hash_at = ten.hash;
	frame.hello.seen = (struct wire_position){ 0 };
	EXPECT(&event, "catching-up PING:0 log:11 ");
}

/* Another incarnation, in which nothing was changed yet, is none of this disk's either. */
Test(core, rollback_to_before_an_empty_incarnation)
{
	struct wire_frame frame = peer_hello();
	struct core_event event = frame_of(&frame);

	link_up();
	frame.hello.applied.position = frame.hello.seen = place(9, 0);
	expect_unproven(&event);
	EXPECT(&event, "catching-up PING:0 snapshot:2 ");
	core_free(core);
	setup();
	/* Not even the snapshot was taken whole. */
	link_up();
	frame.hello.applied.position = (struct wire_position){ 0 };
	expect_unproven(&event);
	core_free(core);
	setup();
	link_up();
	frame.hello.applied.position = frame.hello.seen = place(1, 0);
	EXPECT(&event, "catching-up PING:0 snapshot:2 ");
}

static struct core_event log_to(uint64_t own, const struct core_log_entry *entries, size_t count)
{
	struct core_event log = { .kind = CORE_EVENT_LOG_READ };

	log.log.own = place(1, own);
	log.log.entries = entries;
	log.log.entry_count = count;
	return log;
}

/* Before records that may be later than their places in the stream the peer is told how far they
 * reach; a single change tells it itself. */
Test(core, tells_how_far_records_reach)
{
	struct core_event committed = kind_of(CORE_EVENT_COMMITTED);
	const struct core_log_entry entries[] = { { .seq = 11 }, { .seq = 12 }, { .seq = 13 } };
	struct core_event log = log_to(11, entries, 1);

	stream();
	EXPECT(&committed, "log:11 ");
	EXPECT(&log, "DATA:1100 ");
	EXPECT(&committed, "log:12 ");
	log = log_to(13, entries + 1, 2);
	EXPECT(&log, "AS_OF:13 DATA:1200 DATA:1300 ");
	EXPECT(&committed, "log:14 ");
	log = log_to(13, NULL, 0);
	EXPECT(&log, "");
}

/* What is told is stored ahead of the records; of another incarnation than HELLO's it ends the
 * link, as it does before version 3. */
Test(core, keeps_how_far_records_reach)
{
	struct wire_frame frame = { .type = WIRE_AS_OF, .position = place(2, 25) };
	struct core_event event = frame_of(&frame);

	stream();
	EXPECT(&event, "seen:25 ");
	cr_assert_eq(actions.items[0].merge.record_count, 0);
	cr_assert_not(actions.items[0].merge.has_position);
	frame.position = place(3, 25);
	EXPECT(&event, "down close:0 ");
	core_free(core);
	setup();
	peer_version = 2;
	stream();
	frame.position = place(2, 25);
	EXPECT(&event, "down close:0 ");
	peer_version = 3;
}

/* HELLO says what has been seen; that is known only when all that earlier links brought is stored.
 */
Test(core, link_waits_for_merges)
{
	struct wire_frame frame = { .type = WIRE_AS_OF, .position = place(2, 25) };
	struct core_event event = frame_of(&frame);
	struct core_event down = kind_of(CORE_EVENT_LINK_DOWN);
	struct core_event up = { .kind = CORE_EVENT_LINK_UP };
	struct core_event merged = { .kind = CORE_EVENT_MERGED };

	stream();
	EXPECT(&event, "seen:25 ");
	EXPECT(&down, "down ");
	EXPECT(&up, "hello down close:0 ");
	merged.merged.link = 1;
	merged.merged.ok = true;
	EXPECT(&merged, "");
	up.up.seen = place(2, 25);
	EXPECT(&up, "hello HELLO:0 ");
	cr_assert_eq(actions.items[1].frame.hello.seen.seq, 25);
}

/* What was merged is acknowledged also when the last merge under way has no place in the stream. */
Test(core, acknowledges_behind_a_repair)
{
	struct wire_frame frame = { .type = WIRE_DATA, .data = { .seq = 21, .hash = { 21 } } };
	struct core_event event = frame_of(&frame);
	struct core_event merged = { .kind = CORE_EVENT_MERGED };

	stream();
	EXPECT(&event, "merge:0 ");
	frame = (struct wire_frame){ .type = WIRE_REPAIR };
	EXPECT(&event, "merge:0 ");
	merged.merged.link = 1;
	merged.merged.ok = merged.merged.has_position = true;
	merged.merged.position = place(2, 21);
	EXPECT(&merged, "");
	merged.merged.has_position = false;
	EXPECT(&merged, "ACK:21 ");
}

/* A snapshot, and behind it the stream from where it began. */
Test(core, snapshot)
{
	struct wire_frame frame = peer_hello();
	struct core_event event = frame_of(&frame);
	struct core_event read = { .kind = CORE_EVENT_SNAPSHOT_READ };
	struct core_record records[2] = { { SLICE_LITERAL("a"), { "tenant-one" } },
		{ SLICE_LITERAL("b"), { "tenant-two" } } };

	link_up();
	EXPECT(&event, "catching-up PING:0 snapshot:2 ");
	read.snapshot.own = place(1, 10);
	read.snapshot.at.kind = RECORD_OBJECT;
	EXPECT(&read, "BEGIN:10 AS_OF:10 snapshot:1 ");
	read.snapshot.own = place(1, 12);
	read.snapshot.records = records;
	read.snapshot.record_count = 2;
	read.snapshot.end = true;
	/* One of the two is of an instance that the peer does not have. */
	EXPECT(&read, "AS_OF:12 SNAP:1 END:10 log:11 ");
}

/* A grant waits for the merges that were started before it came. */
Test(core, grant_behind_merge)
{
	struct wire_frame data = { .type = WIRE_DATA, .data = { .seq = 21, .hash = { 21 } } };
	struct wire_frame grant = { .type = WIRE_GRANT };
	struct core_event event = frame_of(&data);
	struct core_record record = { SLICE_LITERAL("r"), { "tenant-one" } };
	struct core_event merged = { .kind = CORE_EVENT_MERGED };
	struct core_event timer = kind_of(CORE_EVENT_TIMER);

	stream();
	now_ms += 250;
	EXPECT(&timer, "PING:0 ");
	data.data.record = record.bytes;
	event.frame.records = &record;
	event.frame.record_count = 1;
	EXPECT(&event, "merge:1 ");
	grant.grant = (struct wire_grant){ now_ms, 2000 };
	event = frame_of(&grant);
	EXPECT(&event, "");
	merged.merged.link = 1;
	merged.merged.ok = merged.merged.has_position = true;
	merged.merged.position = place(2, 21);
	EXPECT(&merged, "ACK:21 vouch:1002250 ");
}

/* No grant leaves between a commit and its DATA. */
Test(core, grant_behind_data)
{
	struct core_event committed = kind_of(CORE_EVENT_COMMITTED);
	struct wire_frame ping = { .type = WIRE_PING };
	struct core_event event = frame_of(&ping);
	struct core_log_entry entry = {
		.seq = 11, .hash = { 11 }, .record = { SLICE_LITERAL("record"), { "tenant-one" } }
	};
	struct core_event log = { .kind = CORE_EVENT_LOG_READ };

	stream();
	EXPECT(&committed, "log:11 ");
	EXPECT(&event, "");
	log.log.entries = &entry;
	log.log.entry_count = 1;
	log.log.own = place(1, 11);
	EXPECT(&log, "DATA:1106 GRANT:0 ");
}

static void hold(struct keystore_hold *one, enum keystore_gate_class class, const char *text)
{
	struct core_event event = { .kind = CORE_EVENT_HOLD, .hold = one };

	*one = (struct keystore_hold){ .seq = 11, .class = class };
	EXPECT(&event, text);
}

/* With the link down a Create goes at once; a change waits for the lease that may have been
 * granted just before the start, and later ones wait no more. */
Test(core, gate_without_peer)
{
	struct keystore_hold create, change, later;
	struct core_event timer = kind_of(CORE_EVENT_TIMER);

	hold(&create, KEYSTORE_GATE_CREATE, "release ");
	cr_assert_eq(core_take_released(core), &create);
	hold(&change, KEYSTORE_GATE_CHANGE, "");
	now_ms += 2089;
	EXPECT(&timer, "");
	now_ms += 1;
	EXPECT(&timer, "release ");
	cr_assert_eq(core_take_released(core), &change);
	hold(&later, KEYSTORE_GATE_CHANGE, "release ");
	core_cancel(core, &later);
	cr_assert_null(core_take_released(core));
}

/* After a new incarnation the log is empty, and a change that is in no log is with the peer only
 * when the full exchange is acknowledged; with the link down it waits for the lease as any other.
 */
Test(core, gate_before_the_log)
{
	struct wire_frame hello = peer_hello(), ack = { .type = WIRE_ACK, .position = place(1, 0) };
	struct core_event greeted = frame_of(&hello), acked = frame_of(&ack);
	struct core_event read = { .kind = CORE_EVENT_SNAPSHOT_READ };
	struct core_event log = { .kind = CORE_EVENT_LOG_READ };
	struct keystore_hold change = { .class = KEYSTORE_GATE_CHANGE };
	struct core_event event = { .kind = CORE_EVENT_HOLD, .hold = &change };

	EXPECT(&event, "");
	link_up();
	greeted.frame.own = place(1, 0);
	EXPECT(&greeted, "catching-up PING:0 snapshot:2 ");
	read.snapshot.own = place(1, 0);
	read.snapshot.end = true;
	EXPECT(&read, "BEGIN:0 AS_OF:0 END:0 log:1 ");
	log.log.own = place(1, 0);
	EXPECT(&log, "");
	EXPECT(&acked, "release ");
	cr_assert_eq(core_take_released(core), &change);
}

/* With the peer there: an acknowledgement, or ack-wait for a Create. */
Test(core, gate_with_peer)
{
	struct keystore_hold create, change;
	struct core_event timer = kind_of(CORE_EVENT_TIMER);
	struct core_log_entry entry = { .seq = 11, .hash = { 11 } };
	struct core_event log = { .kind = CORE_EVENT_LOG_READ };
	struct wire_frame ack = { .type = WIRE_ACK, .position = place(1, 11) };
	struct core_event event = frame_of(&ack);

	stream();
	hold(&create, KEYSTORE_GATE_CREATE, "log:11 ");
	hold(&change, KEYSTORE_GATE_CHANGE, "");
	log.log.entries = &entry;
	log.log.entry_count = 1;
	log.log.own = place(1, 11);
	/* The change came while the log was being read. */
	EXPECT(&log, "DATA:1100 log:12 ");
	now_ms += 50;
	EXPECT(&timer, "release ");
	cr_assert_eq(core_take_released(core), &create);
	EXPECT(&event, "release ");
	cr_assert_eq(core_take_released(core), &change);
}

/* A charge waits for the acknowledgement, and then for a lease that is asked for after it: what the
 * peer had logged by then is merged. */
Test(core, gate_of_a_charge)
{
	struct keystore_hold charge;
	struct core_event timer = kind_of(CORE_EVENT_TIMER);
	struct core_log_entry entry = { .seq = 11, .hash = { 11 } };
	struct core_event log = { .kind = CORE_EVENT_LOG_READ };
	struct core_event merged = { .kind = CORE_EVENT_MERGED };
	struct wire_frame ack = { .type = WIRE_ACK, .position = place(1, 11) };
	struct wire_frame data = { .type = WIRE_DATA, .data = { .seq = 21, .hash = { 21 } } };
	struct wire_frame grant = { .type = WIRE_GRANT };
	struct core_event acked = frame_of(&ack), came = frame_of(&data),
			  granted = frame_of(&grant);

	stream();
	hold(&charge, KEYSTORE_GATE_CHARGE, "log:11 ");
	log.log.entries = &entry;
	log.log.entry_count = 1;
	log.log.own = place(1, 11);
	EXPECT(&log, "DATA:1100 ");
	/* The question of this millisecond was asked before. */
	EXPECT(&acked, "");
	now_ms += 1;
	EXPECT(&timer, "PING:0 ");
	EXPECT(&came, "merge:0 ");
	grant.grant = (struct wire_grant){ now_ms, 2000 };
	EXPECT(&granted, "");
	merged.merged.link = 1;
	merged.merged.ok = merged.merged.has_position = true;
	merged.merged.position = place(2, 21);
	EXPECT(&merged, "ACK:21 vouch:1002001 release ");
	cr_assert_eq(core_take_released(core), &charge);
}

static void link_up_again(struct core_event *down)
{
	EXPECT(down, "down ");
	link_up();
}

/* A charge is not answered for want of patience while the peer is there; without a link it is, when
 * the peer's lease is over. */
Test(core, charge_alone)
{
	struct keystore_hold charge;
	struct core_event timer = kind_of(CORE_EVENT_TIMER);
	struct core_event down = kind_of(CORE_EVENT_LINK_DOWN);
	struct core_log_entry entry = { .seq = 11, .hash = { 11 } };
	struct core_event log = { .kind = CORE_EVENT_LOG_READ };
	struct wire_frame ack = { .type = WIRE_ACK, .position = place(1, 11) };
	struct core_event acked = frame_of(&ack);

	stream();
	hold(&charge, KEYSTORE_GATE_CHARGE, "log:11 ");
	log.log.entries = &entry;
	log.log.entry_count = 1;
	log.log.own = place(1, 11);
	EXPECT(&log, "DATA:1100 ");
	now_ms += 1;
	EXPECT(&acked, "PING:0 ");
	cr_assert_eq(charge.behind_ms, now_ms);
	now_ms += 900;
	(void) step(&timer);
	cr_assert_null(core_take_released(core));
	link_up_again(&down);
	cr_assert_eq(charge.behind_ms, 0, "that was noted on another link");
	EXPECT(&down, "down ");
	now_ms += 1188;
	EXPECT(&timer, "");
	now_ms += 1;
	EXPECT(&timer, "release ");
	cr_assert_eq(core_take_released(core), &charge);
	hold(&charge, KEYSTORE_GATE_CHARGE, "release ");
	cr_assert_eq(core_take_released(core), &charge);
}

/* While the peer is there, and renews its lease, its log is waited for, however long that takes. */
Test(core, charge_waits_for_a_linked_peer)
{
	struct keystore_hold charge;
	struct wire_frame ping = { .type = WIRE_PING };
	struct core_event pinged = frame_of(&ping);

	stream();
	hold(&charge, KEYSTORE_GATE_CHARGE, "log:11 ");
	for (int i = 0; i < 10; i++) {
		now_ms += 400;
		ping.ping_ms = now_ms;
		(void) step(&pinged);
		cr_assert_null(core_take_released(core));
	}
	cr_assert_leq(charge.deadline_ms, now_ms, "the lease of that time is over");
}

/* Silence, an acknowledgement of what was not sent, and changes out of order end the link. */
Test(core, link_ends)
{
	struct core_event timer = kind_of(CORE_EVENT_TIMER);
	struct wire_frame frame = { .type = WIRE_ACK, .position = place(1, 12) };
	struct core_event event = frame_of(&frame);

	stream();
	EXPECT(&event, "down close:0 ");
	core_free(core);
	setup();
	stream();
	frame = (struct wire_frame){ .type = WIRE_DATA, .data = { .seq = 22 } };
	EXPECT(&event, "down close:0 ");
	core_free(core);
	setup();
	stream();
	now_ms += 1000;
	EXPECT(&timer, "down close:0 ");
}

static struct core_status standing(void)
{
	struct core_status status;

	core_status(core, now_ms, &status);
	return status;
}

/* A peer that the operator knows to be off is not waited for; that ends when it is heard again, and
 * cannot be said of one that is heard. */
Test(core, fence)
{
	struct keystore_hold change, later;
	struct core_event fence = kind_of(CORE_EVENT_FENCE);
	struct core_event down = kind_of(CORE_EVENT_LINK_DOWN);
	struct core_event up = kind_of(CORE_EVENT_LINK_UP);

	stream();
	EXPECT(&fence, "");
	cr_assert_eq(standing().fenced_ms, 0);
	EXPECT(&down, "down ");
	hold(&change, KEYSTORE_GATE_CHANGE, "");
	EXPECT(&fence, "release ");
	cr_assert_eq(core_take_released(core), &change);
	cr_assert_eq(standing().fenced_ms, now_ms);
	hold(&later, KEYSTORE_GATE_CHANGE, "release ");
	cr_assert_eq(core_take_released(core), &later);
	up.up.own = place(1, 10);
	EXPECT(&up, "hello HELLO:0 ");
	cr_assert_eq(standing().fenced_ms, 0);
	EXPECT(&fence, "");
	cr_assert_eq(standing().fenced_ms, 0);
}

/* A node that stopped serving is linked again when it resumes, and vouches for nothing before. */
Test(core, resume)
{
	struct core_event stop = kind_of(CORE_EVENT_STOP);
	struct core_event resume = kind_of(CORE_EVENT_RESUME);
	struct core_event up = kind_of(CORE_EVENT_LINK_UP);

	stream();
	EXPECT(&stop, "vouch:0 BYE:0 down close:0 ");
	EXPECT(&up, "hello down close:0 ");
	EXPECT(&stop, "vouch:0 ");
	EXPECT(&resume, "");
	EXPECT(&up, "hello HELLO:0 ");
}

/* What is told of the gate and of the lag: each wait, whether it was acknowledged, and how old the
 * oldest change is that the peer does not have. */
Test(core, standing)
{
	struct keystore_hold create, change;
	struct core_event timer = kind_of(CORE_EVENT_TIMER);
	struct core_event committed = { .kind = CORE_EVENT_COMMITTED, .committed_seq = 11 };
	struct core_log_entry entry = { .seq = 11, .hash = { 11 } };
	struct core_event log = { .kind = CORE_EVENT_LOG_READ };
	struct wire_frame ack = { .type = WIRE_ACK, .position = place(1, 11) };
	struct core_event event = frame_of(&ack);

	stream();
	cr_assert_eq(standing().lag_ms, 0);
	cr_assert_eq(standing().snapshot_received.ended_ms, now_ms);
	cr_assert_eq(standing().snapshot_sent.began_ms, 0);
	EXPECT(&committed, "log:11 ");
	log.log.entries = &entry;
	log.log.entry_count = 1;
	log.log.own = place(1, 11);
	EXPECT(&log, "DATA:1100 ");
	hold(&create, KEYSTORE_GATE_CREATE, "");
	now_ms += 20;
	hold(&change, KEYSTORE_GATE_CHANGE, "");
	now_ms += 30;
	EXPECT(&timer, "release ");
	cr_assert_eq(standing().lag_ms, 50);
	now_ms += 10;
	EXPECT(&event, "release ");
	cr_assert_eq(standing().lag_ms, 0);
	cr_assert_eq(standing().waits.count, 2);
	cr_assert_eq(standing().waits.unacknowledged, 1);
	cr_assert_eq(standing().waits.last_ms, 40);
	cr_assert_eq(standing().waits.max_ms, 50);
}

/* More changes than are marked one by one: the lag is that of the oldest, and ends with the last.
 */
Test(core, lag_of_many)
{
	struct core_event committed = { .kind = CORE_EVENT_COMMITTED };
	struct wire_frame hello = peer_hello_at_ten();
	struct core_event event = frame_of(&hello);

	for (uint64_t seq = 1; seq <= 10; seq++)
		for (unsigned i = 0; i < 10; i++, now_ms++) {
			committed.committed_seq = 10 * seq + i;
			(void) step(&committed);
		}
	cr_assert_eq(standing().lag_ms, 100);
	link_up();
	event.frame.hash_at = hello.hello.applied.position.hash;
	EXPECT(&event, "catching-up PING:0 log:11 ");
	cr_assert_eq(standing().lag_ms, 99);
}

/* A peer that stops gives its lease back: nobody waits for it. */
Test(core, bye)
{
	struct keystore_hold change;
	struct wire_frame bye = { .type = WIRE_BYE, .bye = { .code = WIRE_BYE_STOP } };
	struct core_event event = frame_of(&bye);

	stream();
	hold(&change, KEYSTORE_GATE_CHANGE, "log:11 ");
	EXPECT(&event, "down close:0 release ");
	cr_assert_eq(core_take_released(core), &change);
}

/* Stopping drops the own lease before the peer is told. */
Test(core, stop)
{
	struct core_event event = kind_of(CORE_EVENT_STOP);

	stream();
	EXPECT(&event, "vouch:0 BYE:0 down close:0 ");
}

/* Log entries from first on, with a mebibyte of records, and more behind them. */
static void read_bulk(uint64_t first)
{
	static const uint8_t bytes[1048576 / CORE_LOG_ENTRIES_MAX];
	static struct core_log_entry entries[CORE_LOG_ENTRIES_MAX];
	struct core_event log = { .kind = CORE_EVENT_LOG_READ };

	for (size_t i = 0; i < CORE_LOG_ENTRIES_MAX; i++) {
		entries[i].seq = first + i;
		entries[i].record =
			(struct core_record){ slice_of(bytes, sizeof(bytes)), { "tenant-one" } };
	}
	log.log.entries = entries;
	log.log.entry_count = CORE_LOG_ENTRIES_MAX;
	log.log.own = place(1, 5000);
	log.log.more = true;
	(void) step(&log);
	cr_assert_null(strstr(transcript, "log:"), "%s", transcript);
}

/* So much of the log is on its way that a question for a lease would stand behind it: no more is
 * read before one was answered, and one is asked at once; but a peer that answers none is not
 * waited for longer than its lease would last. */
Test(core, bulk_waits_for_an_answer)
{
	struct core_event committed = kind_of(CORE_EVENT_COMMITTED);
	struct core_event timer = kind_of(CORE_EVENT_TIMER);
	struct wire_frame frame = { .type = WIRE_GRANT };
	struct core_event event = frame_of(&frame);

	stream();
	EXPECT(&committed, "log:11 ");
	read_bulk(11);
	now_ms++;
	EXPECT(&timer, "PING:0 ");
	EXPECT(&timer, "");
	frame.grant = (struct wire_grant){ now_ms - 1, 2000 };
	EXPECT(&event, "");
	frame.grant.asked_ms = now_ms;
	EXPECT(&event, "vouch:1002001 log:75 ");
	read_bulk(75);
	frame = (struct wire_frame){ .type = WIRE_PING };
	for (unsigned i = 0; i < 2; i++) {
		now_ms += 999;
		EXPECT(&event, "PING:0 ");
	}
	now_ms += 2;
	EXPECT(&timer, "log:139 ");
}

/* The link is not read beyond the limit of merges. */
Test(core, backpressure)
{
	struct wire_frame data = { .type = WIRE_DATA };
	struct core_event event = frame_of(&data);
	struct core_event merged = { .kind = CORE_EVENT_MERGED };

	stream();
	for (uint64_t i = 0; i < CORE_MERGES_MAX; i++) {
		data.data.seq = 21 + i;
		EXPECT(&event, i + 1 < CORE_MERGES_MAX ? "merge:0 " : "merge:0 pause:1 ");
	}
	merged.merged.link = 1;
	merged.merged.ok = merged.merged.has_position = true;
	merged.merged.position = place(2, 21);
	EXPECT(&merged, "pause:0 ");
}

/* ---- what a lease speaks for ---- */

static uint8_t two_instances[2 * WIRE_INSTANCE_LEN];

static void have_two_instances(void)
{
	bytes_copy(two_instances, "tenant-one", 10);
	bytes_copy(two_instances + WIRE_INSTANCE_LEN, "tenant-two", 10);
	core_set_instances(core, slice_of(two_instances, sizeof(two_instances)));
}

/* An instance that the peer gets is spoken for by the first lease that follows the full exchange,
 * and by none that was granted before; one that it has otherwise now is not spoken for from then
 * on, although the lease is still held. */
Test(core, lease_of_a_differing_instance)
{
	struct wire_frame hello = peer_hello(), frame = { .type = WIRE_SNAP_BEGIN };
	struct core_event greeted = frame_of(&hello), event = frame_of(&frame);
	struct core_event down = kind_of(CORE_EVENT_LINK_DOWN);
	struct core_event merged = { .kind = CORE_EVENT_MERGED };

	have_two_instances();
	/* The peer has the first one only. */
	stream();
	EXPECT(&down, "down ");
	now_ms += 10;
	link_up();
	hello.hello.instances = slice_of(two_instances, sizeof(two_instances));
	EXPECT(&greeted, "catching-up PING:0 snapshot:2 ");
	frame.position = place(2, 20);
	EXPECT(&event, "");
	frame.type = WIRE_SNAP_END;
	EXPECT(&event, "merge:0 ");
	merged.merged.link = 2;
	merged.merged.ok = merged.merged.has_position = true;
	merged.merged.position = place(2, 20);
	EXPECT(&merged, "ACK:20 ");
	frame = (struct wire_frame){ .type = WIRE_GRANT, .grant = { now_ms, 2000 } };
	EXPECT(&event, "scope:2 vouch:1002010 ");
	EXPECT(&down, "down ");
	link_up();
	hello.hello.instances = slice_of(two_instances + WIRE_INSTANCE_LEN, WIRE_INSTANCE_LEN);
	EXPECT(&greeted, "scope:1 catching-up PING:0 ");
	cr_assert(slice_equal_text(slice_cut(actions.items[0].scope.ids[0], 0, 10), "tenant-two"));
}

/* ---- comparing ---- */

enum { FIRST_COMPARE_MS = CORE_COMPARE_MS / CORE_COMPARE_FIRST };

static struct cache_digest digest;

/* One record in bucket 1; the rest is empty. */
static struct core_event digest_read(uint16_t first, uint8_t content)
{
	struct core_event event = { .kind = CORE_EVENT_DIGEST_READ };

	digest = (struct cache_digest){ .first = first, .count = CACHE_DIGEST_BUCKETS_MAX };
	digest.hashes[1][0] = content;
	digest.cut = 1000;
	event.digest.digest = &digest;
	event.digest.own = place(1, 10);
	event.digest.applied = place(2, 20);
	return event;
}

/* The link stays up until the first comparison is due. */
static const char *wait_for_comparison(void)
{
	struct core_event timer = kind_of(CORE_EVENT_TIMER);
	struct wire_frame ping = { .type = WIRE_PING };
	struct core_event event = frame_of(&ping);

	for (unsigned waited = 0; waited < FIRST_COMPARE_MS; waited += CORE_PING_MS) {
		now_ms += CORE_PING_MS;
		(void) step(&event);
	}
	return step(&timer);
}

static struct core_event differ_of(struct wire_frame *frame, uint8_t bits, bool sure)
{
	static uint8_t differing[CACHE_DIGEST_BUCKETS_MAX / 8];

	differing[0] = bits;
	*frame = (struct wire_frame){ .type = WIRE_DIFFER };
	frame->differ.first = digest.first;
	frame->differ.count = CACHE_DIGEST_BUCKETS_MAX;
	frame->differ.sure = sure;
	frame->differ.cut = 900;
	frame->differ.bits = slice_of(differing, sizeof(differing));
	return frame_of(frame);
}

/* The lower number asks; what differs is sent, and the next stretch follows. */
Test(core, compare_asks_and_repairs)
{
	struct wire_frame frame;
	struct core_event read, event, bucket = { .kind = CORE_EVENT_BUCKET_READ };
	struct core_record record = { SLICE_LITERAL("r"), { "tenant-one" } };

	stream();
	(void) wait_for_comparison();
	read = digest_read(0, 7);
	EXPECT(&read, "DIGEST:0 ");
	event = differ_of(&frame, 2, true);
	EXPECT(&event, "digest:256 ");
	read = digest_read(256, 0);
	EXPECT(&read, "DIGEST:2560 bucket:12 ");
	bucket.snapshot.at.kind = RECORD_OBJECT;
	EXPECT(&bucket, "bucket:11 ");
	bucket.snapshot.records = &record;
	bucket.snapshot.record_count = 1;
	bucket.snapshot.end = true;
	EXPECT(&bucket, "REPAIR:1 ");
	for (uint16_t first = 256; first < 4096 - 256; first = (uint16_t) (first + 256)) {
		event = differ_of(&frame, 0, true);
		(void) step(&event);
		read = digest_read((uint16_t) (first + 256), 0);
		(void) step(&read);
	}
	event = differ_of(&frame, 0, true);
	EXPECT(&event, "compared:1 ");
}

/* A difference that changes under way may explain is asked for again, at last insisting. */
Test(core, compare_doubts)
{
	struct wire_frame frame;
	struct core_event read, event, timer = kind_of(CORE_EVENT_TIMER);

	stream();
	(void) wait_for_comparison();
	for (unsigned tries = 1; tries < CORE_COMPARE_TRIES_MAX; tries++) {
		read = digest_read(0, 7);
		EXPECT(&read, "DIGEST:0 ");
		event = differ_of(&frame, 2, false);
		EXPECT(&event, "");
		now_ms += CORE_COMPARE_PAUSE_MS;
		(void) step(&timer);
	}
	read = digest_read(0, 7);
	EXPECT(&read, "DIGEST:1 ");
	event = differ_of(&frame, 2, false);
	EXPECT(&event, "digest:256 ");
}

/* Only what agrees and is old by both clocks may be trimmed. */
Test(core, compare_trims)
{
	struct wire_frame frame;
	struct core_event read, event;

	stream();
	(void) wait_for_comparison();
	read = digest_read(0, 7);
	digest.grave_count = 4;
	digest.graves[0] = (struct cache_grave){ .date = 899, .bucket = 0 };
	digest.graves[1] = (struct cache_grave){ .date = 900, .bucket = 0 };
	digest.graves[2] = (struct cache_grave){ .date = 1, .bucket = 1 };
	digest.graves[3] = (struct cache_grave){ .date = 2, .bucket = 255 };
	EXPECT(&read, "DIGEST:0 ");
	event = differ_of(&frame, 2, true);
	EXPECT(&event, "trim:2 digest:256 ");
	cr_assert_eq(actions.items[0].trim.graves[0].date, 899);
	cr_assert_eq(actions.items[0].trim.graves[1].bucket, 255);
}

/* Answers that were not asked for, questions to the one that asks, and frames of a version that was
 * not agreed on end the link. */
Test(core, compare_out_of_turn)
{
	struct wire_frame frame;
	struct core_event event, read;
	uint8_t one[WIRE_DIGEST_LEN] = { 1 };

	stream();
	event = differ_of(&frame, 0, true);
	EXPECT(&event, "down close:0 ");
	core_free(core);
	setup();
	stream();
	frame = (struct wire_frame){ .type = WIRE_DIGEST };
	frame.digest.digests = slice_of(one, sizeof(one));
	event = frame_of(&frame);
	EXPECT(&event, "down close:0 ");
	core_free(core);
	setup();
	stream();
	(void) wait_for_comparison();
	read = digest_read(0, 7);
	EXPECT(&read, "DIGEST:0 ");
	event = differ_of(&frame, 0, true);
	frame.differ.first = 256;
	EXPECT(&event, "down close:0 ");
	core_free(core);
	setup();
	peer_version = 1;
	stream();
	frame = (struct wire_frame){ .type = WIRE_REPAIR };
	event = frame_of(&frame);
	EXPECT(&event, "down close:0 ");
	peer_version = 3;
}

/* With a peer of version 1 nothing is compared. */
Test(core, compare_needs_version_2)
{
	peer_version = 1;
	stream();
	cr_assert_null(strstr(wait_for_comparison(), "digest"));
	peer_version = 3;
}

/* The higher number answers behind the merges that were started before the question. */
Test(core, compare_answers)
{
	struct wire_frame frame = { .type = WIRE_DATA, .data = { .seq = 21, .hash = { 21 } } };
	struct core_event event = frame_of(&frame), read;
	struct core_event merged = { .kind = CORE_EVENT_MERGED };
	uint8_t digests[CACHE_DIGEST_BUCKETS_MAX * WIRE_DIGEST_LEN] = { 0 };

	core_free(core);
	peer_node = 1;
	setup();
	stream();
	EXPECT(&event, "merge:0 ");
	digests[WIRE_DIGEST_LEN] = 6;
	frame = (struct wire_frame){ .type = WIRE_DIGEST };
	frame.digest.own = place(2, 21);
	frame.digest.applied = place(1, 10);
	frame.digest.digests = slice_of(digests, sizeof(digests));
	EXPECT(&event, "");
	merged.merged.link = 1;
	merged.merged.ok = merged.merged.has_position = true;
	merged.merged.position = place(2, 21);
	EXPECT(&merged, "ACK:21 digest:0 ");
	read = digest_read(0, 7);
	/* Its merge was not seen by this transaction: what differs is in doubt. */
	EXPECT(&read, "DIFFER:2 ");
	EXPECT(&event, "digest:0 ");
	read = digest_read(0, 7);
	read.digest.applied = place(2, 21);
	EXPECT(&read, "DIFFER:1002 bucket:12 ");
	peer_node = 2;
}
