/* SPDX-License-Identifier: Apache-2.0 */
/* The shell around a core: clock, connection, reads, the keeper's commits. Mirrors
 * replication/replication_step.c, replication_store.c and keystore/commit.c. */
#include <stdlib.h>
#include "replication/lease.h"
#include "tests/simulation/world.h"

enum { NODE_ARENA_LEN = 8 * 1048576, NODE_GAP_MS = 250, NODE_COMPARE_MS = 4000 };

/* By variant: the digest of the second tenant differs. */
static const uint8_t instances[2][WORLD_TENANTS * WIRE_INSTANCE_LEN] = {
	"tenant-one\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
	"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0tenant-two\0\0\0\0\0\0"
	"1",
	"tenant-one\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
	"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0tenant-two\0\0\0\0\0\0"
	"2",
};

uint64_t node_now(const struct world_node *node)
{
	int64_t now = (int64_t) node->world->now;

	return (uint64_t) (node->offset + now + now * node->drift_permille / 1000);
}

uint64_t node_wall_ms(const struct world_node *node)
{
	int64_t wall_ms = 1700000000000 + (int64_t) node->world->now * WORLD_WALL_SPEED;

	return (uint64_t) (wall_ms + node->wall_offset);
}

bool node_is_vouched(const struct world_node *node, size_t slot)
{
	return node->core != NULL && node->leased[disk_tenant(slot)] &&
	       node->vouch_until > node_now(node);
}

struct world_node *node_peer(struct world_node *node)
{
	return &node->world->nodes[node->number == 1 ? 1 : 0];
}

/* ---- the link ---- */

static bool is_bulk(const struct wire_frame *frame)
{
	return frame->type == WIRE_SNAP || frame->type == WIRE_REPAIR;
}

/* `covered`: how far the peer is told that records reach. */
static void check_sent(struct world_node *from, struct slice bytes, uint64_t covered)
{
	struct record record;

	if (record_glance(&record, bytes) != ERR_OK)
		world_fail(from->world, "a damaged record was sent");
	else if (from->version >= WIRE_VERSION_AS_OF && from->peer_version >= WIRE_VERSION_AS_OF &&
		 from->disk.changed[disk_slot_of(&record)] > covered)
		world_fail(from->world, "a record was sent that is newer than the peer is told");
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Changes leave one by one, as they were logged (a grant behind them all, as far as they were
 * sent). */
static void note_sent(struct world_node *from, const struct wire_frame *frame)
{
	struct world_node *to = node_peer(from);
	const struct world_disk *disk = &from->disk;
	const struct wire_data *data = &frame->data;

	if (frame->type == WIRE_DATA && data->record.len > 0)
		check_sent(from, data->record, later(data->seq, from->told));
	for (size_t i = 0; is_bulk(frame) && i < frame->snap.record_count; i++)
		check_sent(from, frame->snap.records[i], from->told);
	if (frame->type == WIRE_HELLO) {
		from->sent = (struct wire_position){ 0 };
		from->told = 0;
	} else if (frame->type == WIRE_AS_OF) {
		from->told = frame->position.seq;
	} else if (frame->type == WIRE_SNAP_END) {
		from->sent = frame->position;
	} else if (frame->type == WIRE_GRANT) {
		to->grants[to->grant_next++ % WORLD_GRANTS] =
			(struct world_grant){ frame->grant.asked_ms, from->sent };
	} else if (frame->type == WIRE_DATA) {
		if (data->seq > disk->seq ||
			(from->sent.seq != 0 && data->seq != from->sent.seq + 1) ||
			!slice_equal(
				slice_of(data->hash, 32), slice_of(disk->log_hash[data->seq], 32)))
			world_fail(from->world,
				"a change was sent that is not in the log, or out of turn");
		from->sent = disk_position(disk);
		from->sent.seq = data->seq;
	}
}

/* A lease is taken when what was sent before its grant is durable. */
static void check_lease(struct world_node *node, uint64_t until_ms)
{
	const struct wire_position *reached = &node->disk.reached;

	for (size_t i = 0; i < WORLD_GRANTS; i++) {
		const struct world_grant *grant = &node->grants[i];

		if (grant->asked_ms + LEASE_LENGTH_MS == until_ms &&
			wire_incarnation_equal(reached, &grant->sent) &&
			reached->seq < grant->sent.seq)
			world_fail(node->world, "a lease was taken before what came ahead of it");
	}
}

/* As a release to come may: a HELLO is longer, and known only in its beginning. */
static void append_later_fields(struct world *world, struct buf *bytes)
{
	size_t more = world_random(world, 40);

	ASSERT(buf_append_zeros(bytes, more) == ERR_OK);
	buf_patch_be32(bytes, 0, (uint32_t) (buf_slice(bytes).len - WIRE_HEAD_LEN));
}

static void frame_push(struct world_node *from, const struct wire_frame *frame)
{
	struct world *world = from->world;
	struct world_node *to = node_peer(from);
	uint64_t due = world->now + 1 + world_random(world, 5);
	struct world_frame *entry;
	struct buf bytes;

	if (from->conn <= world->conn_severed || to->in_count == WORLD_FRAMES)
		return;
	to->wake = 0;
	if (to->in_count > 0) {
		entry = &to->in[(to->in_first + to->in_count - 1) % WORLD_FRAMES];
		due = due > entry->due ? due : entry->due;
	}
	entry = &to->in[(to->in_first + to->in_count++) % WORLD_FRAMES];
	*entry = (struct world_frame){ .due = due, .conn = from->conn };
	if (frame == NULL)
		return;
	if (to->version < wire_since(frame->type) && to->conn == from->conn)
		world_fail(world, "a frame was sent that the older release does not know");
	buf_init(&bytes, WIRE_BODY_MAX + WIRE_HEAD_LEN);
	ASSERT(wire_encode(&bytes, frame) == ERR_OK);
	if (frame->type == WIRE_HELLO && world->kind == WORLD_VERSIONS)
		append_later_fields(world, &bytes);
	entry->len = buf_slice(&bytes).len;
	entry->bytes = malloc(entry->len);
	ASSERT(entry->bytes != NULL);
	bytes_copy(entry->bytes, buf_slice(&bytes).data, entry->len);
	buf_free(&bytes);
	to->in_bytes += entry->len;
}

void node_drop_frames(struct world_node *node)
{
	for (; node->in_count > 0; node->in_count--) {
		free(node->in[node->in_first].bytes);
		node->in_first = (node->in_first + 1) % WORLD_FRAMES;
	}
	node->in_bytes = 0;
}

/* ---- actions ---- */

struct world_job *node_add_job(struct world_node *node)
{
	struct world_job *last =
		&node->jobs[(node->job_first + node->job_count + WORLD_JOBS - 1) % WORLD_JOBS];
	uint64_t due = node->world->now + 1 + world_random(node->world, 8);
	struct world_job *job;

	if (node->slow_until > node->world->now)
		due += world_random(node->world, 400);
	node->wake = 0;
	ASSERT(node->job_count < WORLD_JOBS);
	if (node->job_count > 0 && last->due > due)
		due = last->due;
	job = &node->jobs[(node->job_first + node->job_count++) % WORLD_JOBS];
	*job = (struct world_job){ .due = due };
	return job;
}

static void note_snapshot(struct world_node *node, const struct wire_frame *frame)
{
	if (frame->type == WIRE_SNAP_BEGIN) {
		node->in_snapshot = true;
		bytes_zero(node->snapshot_has, sizeof(node->snapshot_has));
	}
	if (frame->type == WIRE_SNAP_END)
		node->world->counts.snapshots++;
}

static void perform_merge(struct world_node *node, const struct core_merge *action)
{
	struct world_job *job = node_add_job(node);
	struct record record;
	size_t len = 0;

	job->link = action->link;
	job->count = action->record_count;
	job->has_position = action->has_position;
	job->is_snapshot_end = action->has_position && node->in_snapshot;
	job->applied = action->applied;
	job->has_seen = action->has_seen;
	job->seen = action->seen;
	job->fails = world_chance(node->world, 500);
	node->in_snapshot &= !action->has_position;
	for (size_t i = 0; i < action->record_count; i++) {
		ASSERT(record_decode(&record, node->arena, action->records[i]) == ERR_OK);
		flow_see(node, &record);
		len += 2 + action->records[i].len;
	}
	job->stamp = node->clock.last;
	job->bytes = malloc(len + 1);
	ASSERT(job->bytes != NULL);
	len = 0;
	for (size_t i = 0; i < action->record_count; i++) {
		be16_put(job->bytes + len, (uint16_t) action->records[i].len);
		bytes_copy(job->bytes + len + 2, action->records[i].data, action->records[i].len);
		len += 2 + action->records[i].len;
	}
}

static void perform_send(struct world_node *node, const struct wire_frame *frame)
{
	const struct wire_position *durable = &node->disk.reached;

	note_sent(node, frame);
	if (frame->type == WIRE_ACK && (!wire_incarnation_equal(&frame->position, durable) ||
					       frame->position.seq > durable->seq))
		world_fail(node->world, "acknowledged what is not durable");
	if (node->conn != 0)
		frame_push(node, frame);
}

static void perform_close(struct world_node *node, const char *why)
{
	world_say(node->world, node, "closes %llu: %s", (unsigned long long) node->conn, why);
	if (node->conn != 0)
		frame_push(node, NULL);
	node->conn = 0;
}

static void perform_trim(struct world_node *node, const struct core_action *action)
{
	struct world_job *job;

	if (node->trimming)
		return;
	node->trimming = true;
	job = node_add_job(node);
	job->is_trim = true;
	job->count = action->trim.count;
	job->bytes = malloc(action->trim.count * sizeof(struct cache_grave));
	ASSERT(job->bytes != NULL);
	bytes_copy(
		job->bytes, action->trim.graves, action->trim.count * sizeof(struct cache_grave));
}

static void perform_scope(struct world_node *node, const struct core_action *action)
{
	for (size_t tenant = 0; tenant < WORLD_TENANTS; tenant++) {
		struct slice id = slice_of(world_tenants[tenant].text, INSTANCE_ID_LEN_MAX);

		node->leased[tenant] = false;
		for (size_t i = 0; i < action->scope.count; i++)
			node->leased[tenant] |= slice_equal(action->scope.ids[i], id);
	}
}

static void perform_vouch(struct world_node *node, uint64_t until_ms)
{
	if (!MUTANT(stop_keeps_vouch) || until_ms != 0)
		node->vouch_until = until_ms;
	check_lease(node, until_ms);
	if (until_ms != 0)
		node->disk.met = (int64_t) (node_wall_ms(node) / 1000);
}

static void perform(struct world_node *node, const struct core_action *action)
{
	switch (action->kind) {
	case CORE_ACTION_STATE:
		world_say(node->world, node, "%s: %s", core_state_name(action->move.state),
			action->move.why);
		node->state = action->move.state;
		break;
	case CORE_ACTION_SEND:
		perform_send(node, &action->frame);
		break;
	case CORE_ACTION_CLOSE:
		perform_close(node, action->close.why);
		break;
	case CORE_ACTION_PAUSE:
		node->paused = action->pause;
		break;
	case CORE_ACTION_MERGE:
		perform_merge(node, &action->merge);
		break;
	case CORE_ACTION_READ_LOG:
	case CORE_ACTION_READ_SNAPSHOT:
	case CORE_ACTION_READ_DIGEST:
	case CORE_ACTION_READ_BUCKET:
		node->read = *action;
		node->reading = true;
		break;
	case CORE_ACTION_TRIM:
		perform_trim(node, action);
		break;
	case CORE_ACTION_COMPARED:
		world_say(node->world, node, "compared: %llu buckets differ",
			(unsigned long long) action->differing);
		node->world->counts.comparisons++;
		node->world->counts.repairs += action->differing;
		break;
	case CORE_ACTION_NEW_INCARNATION:
		node_add_job(node)->is_renewal = true;
		break;
	case CORE_ACTION_SCOPE:
		perform_scope(node, action);
		break;
	case CORE_ACTION_RELEASE:
		node->releasing = true;
		break;
	case CORE_ACTION_VOUCH:
		perform_vouch(node, action->until_ms);
		break;
	case CORE_ACTION_TIMER:
		node->timer_at = action->at_ms;
		break;
	}
}

void node_step(struct world_node *node, struct core_event *event)
{
	struct core_actions *actions = &node->actions;
	uint64_t stalled_until = node->world->stalled_until;

	node->wake = 0;
	event->now_ms = node_now(node);
	event->unsent = stalled_until > node->world->now ? node_peer(node)->in_bytes : 0;
	core_step(node->core, event, actions);
	for (size_t i = 0; i < actions->count && !node->dying; i++) {
		node->dying = world_chance(node->world, 20000);
		if (!node->dying)
			perform(node, &actions->items[i]);
	}
}

void node_step_kind(struct world_node *node, enum core_event_kind kind)
{
	struct core_event event = { .kind = kind };

	node_step(node, &event);
}

void node_link_up(struct world_node *node)
{
	struct core_event event = { .kind = CORE_EVENT_LINK_UP };

	node->conn = node->world->conn_last;
	node->paused = false;
	event.up.own = disk_position(&node->disk);
	event.up.applied = node->disk.applied;
	event.up.seen = node->disk.seen;
	node_step(node, &event);
}

/* ---- commits ---- */

static void finish_merge(struct world_node *node, const struct world_job *job)
{
	struct core_event event = { .kind = CORE_EVENT_MERGED };

	if (job->fails)
		world_say(node->world, node, "a merge failed");
	else
		disk_merged(node, job);
	event.merged.link = job->link;
	event.merged.ok = !job->fails;
	event.merged.has_position = job->has_position;
	event.merged.position = job->applied.position;
	node_step(node, &event);
}

static void finish_renewal(struct world_node *node)
{
	struct core_event event = { .kind = CORE_EVENT_INCARNATION };

	node->last_seq = 0;
	event.incarnation = disk_position(&node->disk);
	node_step(node, &event);
}

/* Nothing but a damaged record stops a write. */
static void fail_flow(struct world_node *node, struct world_flow *flow, enum err err)
{
	ASSERT(err == ERR_CORRUPT);
	flow->troubled = true;
	if (flow->kind == FLOW_BACKGROUND)
		background_again(node, flow);
	else
		flow_end(node, flow, ERR_UNAVAILABLE);
}

static void finish_flow(struct world_node *node, struct world_flow *flow, enum err err, bool logged)
{
	struct core_event event = { .kind = CORE_EVENT_COMMITTED, .committed_seq = node->disk.seq };
	bool first = world_random(node->world, 2) == 0;

	if (logged && first)
		node_step(node, &event);
	if (!node->dying && err != ERR_OK)
		fail_flow(node, flow, err);
	else if (!node->dying)
		flow_on_job(node, flow);
	if (logged && !first && !node->dying)
		node_step(node, &event);
}

static bool is_merge(const struct world_job *job)
{
	return !job->is_renewal && !job->is_trim && job->flow == NULL;
}

/* One after the other, each once: none is kept behind one that failed. */
static void judge_merge(struct world_node *node, struct world_job *job)
{
	if (job->link != 0 && job->link <= node->broken_chain && !MUTANT(chain_not_broken))
		job->fails = true;
	if (job->fails && job->link > node->broken_chain)
		node->broken_chain = job->link;
	/* What makes a merge fail often ends the process, too. */
	if (job->fails && node->exit_at == 0 && world_chance(node->world, 3))
		node->exit_at = node->world->now + 1 + world_random(node->world, 40);
}

/* What is done here is durable; who waits for it hears of it unless the node dies before. */
static void store_job(struct world_node *node, struct world_job *job, enum err *err)
{
	uint64_t seq = node->disk.seq;

	arena_reset(node->arena);
	judge_merge(node, job);
	if (job->is_renewal)
		disk_new_incarnation(node);
	else if (job->is_trim)
		disk_trim(node, job);
	else if (job->flow != NULL)
		*err = job->flow->apply(node, job->flow);
	else if (!job->fails)
		ASSERT(disk_merge(node, job) == ERR_OK);
	if (!job->is_renewal && node->disk.seq != seq)
		node->last_seq = node->disk.seq;
	node->dying = world_chance(node->world, 3000);
}

static void finish_job(struct world_node *node, struct world_job *job, enum err err, bool logged)
{
	if (job->is_renewal)
		finish_renewal(node);
	else if (job->is_trim)
		node->trimming = false;
	else if (job->flow != NULL)
		finish_flow(node, job->flow, err, logged);
	else
		finish_merge(node, job);
}

/* A merge may be made durable on another thread: everybody sees it before the node hears of it, and
 * what is behind it waits. */
static bool hears_later(struct world_node *node, struct world_job *job)
{
	job->stored = true;
	if (!is_merge(job) || !world_chance(node->world, 3))
		return false;
	job->due = node->world->now + 1 + world_random(node->world, 20);
	return true;
}

/* False: it is to be looked at again. */
static bool run_job(struct world_node *node, struct world_job *job)
{
	uint64_t seq = node->disk.seq;
	enum err err = ERR_OK;

	if (!job->stored) {
		store_job(node, job, &err);
		if (node->dying || hears_later(node, job))
			return false;
	}
	finish_job(node, job, err, node->disk.seq != seq);
	return true;
}

static void tick_jobs(struct world_node *node)
{
	while (!node->dying && node->job_count > 0 &&
		node->jobs[node->job_first].due <= node->world->now) {
		struct world_job job = node->jobs[node->job_first];

		node->job_first = (node->job_first + 1) % WORLD_JOBS;
		node->job_count--;
		if (run_job(node, &job)) {
			free(job.bytes);
			continue;
		}
		node->job_first = (node->job_first + WORLD_JOBS - 1) % WORLD_JOBS;
		node->job_count++;
		node->jobs[node->job_first] = job;
	}
}

/* ---- frames ---- */

static struct slice *note_records(
	struct world_node *node, struct core_event *event, struct slice *parts)
{
	const struct wire_frame *frame = event->frame.frame;

	note_snapshot(node, frame);
	if (frame->type == WIRE_DATA && frame->data.record.len > 0) {
		parts[0] = frame->data.record;
		event->frame.record_count = 1;
	} else if (frame->type == WIRE_SNAP || frame->type == WIRE_REPAIR) {
		event->frame.record_count = frame->snap.record_count;
	}
	return parts;
}

static const uint8_t *hash_at(const struct world_disk *disk, const struct wire_position *at)
{
	const struct wire_position own = disk_position(disk);

	return at->seq > disk->log_base && at->seq <= disk->seq && wire_incarnation_equal(at, &own)
		       ? disk->log_hash[at->seq]
		       : NULL;
}

static void note_hello(struct world_node *node, struct core_event *event)
{
	const struct wire_hello *hello = &event->frame.frame->hello;

	node->peer_version = hello->version_max;
	event->frame.own = disk_position(&node->disk);
	event->frame.hash_at = hash_at(&node->disk, &hello->applied.position);
	event->frame.seen_hash_at = hash_at(&node->disk, &hello->seen);
}

static void take_records(struct world_node *node, struct core_event *event,
	struct core_record *records, const struct slice *parts)
{
	struct record record;

	arena_reset(node->arena);
	for (size_t i = 0; i < event->frame.record_count; i++) {
		ASSERT(record_decode(&record, node->arena, parts[i]) == ERR_OK);
		records[i] = (struct core_record){ parts[i],
			world_tenants[disk_tenant(disk_slot_of(&record))] };
		node->snapshot_has[disk_slot_of(&record)] = true;
	}
}

static void take_frame(struct world_node *node, const struct world_frame *entry)
{
	struct core_event event = { .kind = CORE_EVENT_LINK_DOWN, .why = "closed" };
	struct slice parts[WIRE_RECORDS_MAX];
	struct core_record records[WIRE_RECORDS_MAX];
	struct wire_frame frame;
	struct slice body;
	size_t len;
	uint8_t type;

	if (entry->bytes == NULL) {
		node->conn = 0;
		node_step(node, &event);
		return;
	}
	ASSERT(wire_split(slice_of(entry->bytes, entry->len), &type, &body, &len) == ERR_OK);
	ASSERT(wire_decode(&frame, parts, type, body) == ERR_OK);
	event = (struct core_event){ .kind = CORE_EVENT_FRAME };
	event.frame.frame = &frame;
	event.frame.records = records;
	if (type == WIRE_HELLO)
		note_hello(node, &event);
	else
		take_records(node, &event, records, note_records(node, &event, parts));
	node_step(node, &event);
}

/* Frames of the connection that is not up here yet wait; those of an older one are gone. */
static bool must_wait(const struct world_node *node, const struct world_frame *entry)
{
	const struct world *world = node->world;

	if (entry->due > world->now || world->stalled_until > world->now)
		return true;
	if (entry->conn == world->conn_last && world->conn_due[node->number - 1] != 0)
		return true;
	return entry->conn == node->conn && node->paused;
}

static void tick_frames(struct world_node *node)
{
	while (!node->dying && node->in_count > 0 && !must_wait(node, &node->in[node->in_first])) {
		struct world_frame entry = node->in[node->in_first];

		node->in_first = (node->in_first + 1) % WORLD_FRAMES;
		node->in_count--;
		node->in_bytes -= entry.len;
		if (entry.conn == node->conn)
			take_frame(node, &entry);
		free(entry.bytes);
	}
}

/* ---- time ---- */

static void tick_releases(struct world_node *node)
{
	struct keystore_hold *hold;

	if (!node->releasing)
		return;
	node->releasing = false;
	while (!node->dying && (hold = core_take_released(node->core)) != NULL)
		flow_release(node, (struct world_flow *) hold);
}

/* It stood still for longer than it may. */
static void tick_gap(struct world_node *node)
{
	uint64_t froze_at = node->froze_at;

	node->froze_at = 0;
	if (froze_at != 0 && node_now(node) > froze_at + NODE_GAP_MS)
		node_step_kind(node, CORE_EVENT_GAP);
}

static void (*const ticks[])(struct world_node *node) = {
	tick_gap,
	tick_jobs,
	tick_frames,
	flow_tick,
	read_tick,
	tick_releases,
};

/* By the world's clock; a millisecond or two early does no harm. */
static uint64_t timer_due(const struct world_node *node)
{
	int64_t left;

	if (node->timer_at == UINT64_MAX)
		return UINT64_MAX;
	left = (int64_t) (node->timer_at - node_now(node));
	return node->world->now + (left > 2 ? (uint64_t) (left * 1000 / 1020 - 1) : 1);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t frame_due(const struct world_node *node)
{
	const struct world_frame *entry = &node->in[node->in_first];
	uint64_t stalled_until = node->world->stalled_until;

	if (node->in_count == 0 || (entry->conn == node->conn && node->paused))
		return UINT64_MAX;
	return entry->due > stalled_until ? entry->due : stalled_until;
}

/* When there is something to do, unless something comes before. */
static uint64_t next_wake(const struct world_node *node)
{
	uint64_t at = earlier(timer_due(node), flow_due(node));

	at = earlier(at, frame_due(node));
	if (node->job_count > 0)
		at = earlier(at, node->jobs[node->job_first].due);
	if (node->exit_at != 0)
		at = earlier(at, node->exit_at);
	if (node->resume_at != 0)
		at = earlier(at, node->resume_at);
	if (node->reading || node->releasing)
		at = 0;
	return at > node->world->now ? at : node->world->now + 1;
}

static void resume(struct world_node *node)
{
	world_say(node->world, node, "serves again");
	node->resume_at = 0;
	node->stopping = false;
	node_step_kind(node, CORE_EVENT_RESUME);
}

static void run(struct world_node *node)
{
	if (node->resume_at != 0 && node->world->now >= node->resume_at)
		resume(node);
	for (size_t i = 0; i < sizeof(ticks) / sizeof(ticks[0]) && !node->dying; i++)
		ticks[i](node);
	if (!node->dying && node_now(node) >= node->timer_at) {
		node->timer_at = UINT64_MAX;
		node_step_kind(node, CORE_EVENT_TIMER);
	}
	if (node->dying || (node->exit_at != 0 && node->world->now >= node->exit_at))
		node_crash(node);
}

void node_tick(struct world_node *node)
{
	uint64_t now = node->world->now;

	if (node->core == NULL && now >= node->restart_at)
		node_start(node);
	else if (node->core != NULL && node->frozen_until <= now)
		run(node);
	if (node->core == NULL)
		node->wake = node->restart_at;
	else if (node->frozen_until > now)
		node->wake = node->frozen_until;
	else
		node->wake = next_wake(node);
}

/* ---- life ---- */

/* A disk that heard of nothing for so long may hold keys whose tombstones are gone. */
static bool is_too_old(const struct world_node *node)
{
	int64_t age = (int64_t) (node_wall_ms(node) / 1000) - node->disk.met;

	return node->world->kind == WORLD_OLD_DISKS && node->disk.incarnation[0] != 0 &&
	       age > WORLD_DISK_AGE_S && !MUTANT(old_disk_kept);
}

/* Looked at, not taken: what the world does next stays what it was. */
static uint64_t new_salt(struct world *world)
{
	uint64_t random = world->random, salt = world_random(world, UINT64_MAX);

	world->random = random;
	return MUTANT(stamps_unsalted) ? 0 : salt;
}

static bool is_damaged(const struct world_disk *disk)
{
	for (size_t i = 0; i < MODEL_SLOTS; i++)
		if (disk->slots[i].damaged)
			return true;
	return false;
}

static void discard(struct world_node *node)
{
	static const struct world_disk empty;

	model_on_loss(node, &empty);
	node->disk = empty;
	node->unjudged = MODEL_ALL_SLOTS;
	node->world->counts.discards++;
	world_say(node->world, node, "discards its disk");
}

void node_check_age(struct world_node *node)
{
	if (node->core != NULL && node->frozen_until <= node->world->now && is_too_old(node))
		node_crash(node);
}

void node_start(struct world_node *node)
{
	struct core_options options = {
		.cluster = "simulated",
		.software = "sim",
		.node = (uint16_t) node->number,
		.peer_node = (uint16_t) (3 - node->number),
		.ack_wait_ms = 50,
		.instances = slice_of(instances[node->variant], sizeof(instances[0])),
		.version_max = node->version,
		.compare_ms = NODE_COMPARE_MS,
		.now_ms = node_now(node),
	};

	if (node->arena == NULL)
		ASSERT(arena_new(&node->arena, NODE_ARENA_LEN) == ERR_OK);
	if (is_too_old(node) || is_damaged(&node->disk))
		discard(node);
	if (node->disk.incarnation[0] == 0) {
		disk_new_incarnation(node);
		node->disk.met = (int64_t) (node_wall_ms(node) / 1000);
	}
	ASSERT(core_new(&node->core, &options) == ERR_OK);
	stamp_clock_init(
		&node->clock, (uint16_t) node->number, node->disk.stamp, new_salt(node->world));
	node->last_seq = node->disk.seq;
	node->timer_at = UINT64_MAX;
	node->state = CORE_DOWN;
	node->wake = 0;
	world_say(node->world, node, "starts");
	background_start(node);
}

void node_crash(struct world_node *node)
{
	struct world *world = node->world;

	world_say(world, node, "is gone");
	for (size_t i = 0; i < WORLD_FLOWS; i++)
		node->flows[i].state = FLOW_FREE;
	node->active = 0;
	core_free(node->core);
	node->core = NULL;
	for (; node->job_count > 0; node->job_count--) {
		free(node->jobs[node->job_first].bytes);
		node->job_first = (node->job_first + 1) % WORLD_JOBS;
	}
	node->reading = node->releasing = node->paused = node->in_snapshot = false;
	node->trimming = false;
	node->broken_chain = 0;
	node->dying = node->listed = node->stopping = false;
	node->vouch_until = node->exit_at = node->frozen_until = node->froze_at = 0;
	node->resume_at = 0;
	node->wake = 0;
	bytes_zero(node->leased, sizeof(node->leased));
	bytes_zero(node->grants, sizeof(node->grants));
	bytes_zero(node->resident, sizeof(node->resident));
	if (node->conn != 0 && world_random(world, 2) == 0)
		frame_push(node, NULL);
	node->conn = 0;
	node->restart_at = world->now + 50 + world_random(world, 3000);
	if (world_random(world, 6) == 0 && !world->calm)
		node->restart_at += 3000 + world_random(world, 5000);
}
