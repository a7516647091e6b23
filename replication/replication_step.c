/* SPDX-License-Identifier: Apache-2.0 */
/* The shell: events in, actions out. It decides nothing (design D21). */
#include "replication/replication_private.h"
#include "base/clock.h"
#include "base/log.h"

static void perform(struct replication *replication, const struct core_action *action);

void replication_step(struct replication *replication, struct core_event *event)
{
	/* Not the loop's time, which may be a turn old: a grant that leaves now must count from
	 * now. */
	event->now_ms = clock_boot_ms();
	event->unsent = link_unsent(replication->link);
	core_step(replication->core, event, &replication->actions);
	for (size_t i = 0; i < replication->actions.count; i++)
		perform(replication, &replication->actions.items[i]);
}

void replication_drop_link(struct replication *replication, const char *why)
{
	struct core_event event = { .kind = CORE_EVENT_LINK_DOWN, .why = why };

	log_warning("peer-link-dropped", "why=%s", log_quoted(slice_text(why)));
	link_close(replication->link, false);
	replication_step(replication, &event);
}

void replication_release(void *ctx)
{
	struct replication *replication = ctx;
	struct keystore_hold *hold;

	while ((hold = core_take_released(replication->core)) != NULL)
		hold->on_release(hold->ctx);
}

/* ---- actions ---- */

static void perform_send(struct replication *replication, const struct wire_frame *frame)
{
	enum err err;

	buf_clear(&replication->frame);
	TRY(wire_encode(&replication->frame, frame));
	TRY(link_send(replication->link, buf_slice(&replication->frame)));
out:
	/* A connection that is gone is told by on_down. After any other error the silence that
	 * follows brings the link down at both ends. */
	if (err != ERR_OK && err != ERR_STATE && err != ERR_CLOSED) {
		log_warning("peer-send-failed", "error=%s", err_name(err));
		link_close(replication->link, false);
	}
}

static void perform_timer(struct replication *replication, uint64_t at_ms)
{
	uint64_t now_ms = clock_boot_ms();

	if (at_ms == UINT64_MAX)
		loop_timer_stop(replication->timer);
	else
		loop_timer_set(replication->timer, at_ms > now_ms ? at_ms - now_ms : 0);
}

void replication_tell_leased(struct replication *replication, const struct slice *ids, size_t count)
{
	struct slice own = buf_slice(&replication->instances);

	for (size_t at = 0; at < own.len; at += WIRE_INSTANCE_LEN) {
		struct slice id = slice_cut(own, at, INSTANCE_ID_LEN_MAX);
		struct instance_id instance = { 0 };
		bool leased = false;

		for (size_t i = 0; i < count && !leased; i++)
			leased = slice_equal(ids[i], id);
		bytes_copy(instance.text, id.data, id.len);
		replication->options.on_leased(replication->options.ctx, &instance, leased);
	}
}

static void log_compared(uint64_t differing)
{
	if (differing == 0)
		log_debug("peer-compared", "differing=0");
	else
		log_warning("peer-differed", "buckets=%llu of=%d effect=\"being repaired\"",
			(unsigned long long) differing, WIRE_BUCKETS);
}

static enum keystore_peer expected_of(enum core_state state)
{
	switch (state) {
	case CORE_STREAMING:
	case CORE_REFUSED:
		return KEYSTORE_PEER_NONE;
	case CORE_CATCHING_UP:
		return KEYSTORE_PEER_BRINGS;
	default:
		return KEYSTORE_PEER_EXPECTED;
	}
}

static void perform(struct replication *replication, const struct core_action *action)
{
	switch (action->kind) {
	case CORE_ACTION_STATE:
		sm_move(&replication->sm, (int) action->move.state, action->move.why);
		if (action->move.state == CORE_STREAMING)
			link_settle(replication->link);
		keystore_set_peer(replication->options.keystore, expected_of(action->move.state));
		break;
	case CORE_ACTION_SEND:
		perform_send(replication, &action->frame);
		break;
	case CORE_ACTION_CLOSE:
		link_close(replication->link, action->close.slow);
		break;
	case CORE_ACTION_PAUSE:
		link_pause(replication->link, action->pause);
		break;
	case CORE_ACTION_MERGE:
		replication_store_merge(replication, &action->merge);
		break;
	case CORE_ACTION_READ_LOG:
	case CORE_ACTION_READ_SNAPSHOT:
	case CORE_ACTION_READ_DIGEST:
	case CORE_ACTION_READ_BUCKET:
		replication->read = *action;
		loop_defer(replication->options.loop, &replication->read_task);
		break;
	case CORE_ACTION_TRIM:
		replication_store_trim(replication, action->trim.graves, action->trim.count);
		break;
	case CORE_ACTION_COMPARED:
		log_compared(action->differing);
		break;
	case CORE_ACTION_NEW_INCARNATION:
		replication_store_renew(replication, action->rolled_back);
		break;
	case CORE_ACTION_RELEASE:
		loop_defer(replication->options.loop, &replication->release_task);
		break;
	case CORE_ACTION_SCOPE:
		replication_tell_leased(replication, action->scope.ids, action->scope.count);
		break;
	case CORE_ACTION_VOUCH:
		replication->options.on_vouch(replication->options.ctx, action->until_ms);
		break;
	case CORE_ACTION_TIMER:
		perform_timer(replication, action->at_ms);
		break;
	}
}

/* ---- the link's events ---- */

void replication_step_kind(struct replication *replication, enum core_event_kind kind)
{
	struct core_event event = { .kind = kind };

	replication_step(replication, &event);
}

static void link_on_connecting(void *ctx)
{
	replication_step_kind(ctx, CORE_EVENT_CONNECTING);
}

static void link_on_drained(void *ctx)
{
	replication_step_kind(ctx, CORE_EVENT_DRAINED);
}

static void link_on_up(void *ctx)
{
	struct replication *replication = ctx;
	struct core_event event = { .kind = CORE_EVENT_LINK_UP };
	enum err err = reader_up(
		keystore_cache(replication->options.keystore), &replication->facts, &event);

	if (err != ERR_OK) {
		log_error("peer-position-failed", "error=%s", err_name(err));
		replication_drop_link(replication, "the cache cannot be read");
		return;
	}
	replication_step(replication, &event);
}

static void link_on_down(void *ctx, const char *why)
{
	struct core_event event = { .kind = CORE_EVENT_LINK_DOWN, .why = why };

	replication_step(ctx, &event);
}

static void log_differing(const struct replication *replication, struct slice theirs)
{
	struct slice own = buf_slice(&replication->instances);

	for (size_t at = 0; at < own.len; at += WIRE_INSTANCE_LEN) {
		struct slice one = slice_cut(own, at, WIRE_INSTANCE_LEN);
		bool found = false;

		for (size_t i = 0; i < theirs.len && !found; i += WIRE_INSTANCE_LEN)
			found = slice_equal(slice_cut(theirs, i, WIRE_INSTANCE_LEN), one);
		if (!found)
			log_warning(
				"peer-instance-differs", "instance=%.16s", (const char *) one.data);
	}
}

/* Clients would be refused by one node what the other one does. */
static void judge_settings(struct replication *replication, const struct wire_hello *hello)
{
	struct slice own = buf_slice(&replication->instances);
	struct slice settings = buf_slice(&replication->settings);
	size_t count = own.len / WIRE_INSTANCE_LEN;

	replication->differing_settings = 0;
	if (hello->settings.len == 0)
		return;
	for (size_t i = 0; i < hello->instances.len / WIRE_INSTANCE_LEN; i++) {
		struct slice one =
			slice_cut(hello->instances, i * WIRE_INSTANCE_LEN, WIRE_INSTANCE_LEN);
		struct slice told =
			slice_cut(hello->settings, i * WIRE_SETTINGS_LEN, WIRE_SETTINGS_LEN);

		for (size_t at = 0; at < count; at++) {
			if (!slice_equal(one,
				    slice_cut(own, at * WIRE_INSTANCE_LEN, WIRE_INSTANCE_LEN)) ||
				slice_equal(told, slice_cut(settings, at * WIRE_SETTINGS_LEN,
							  WIRE_SETTINGS_LEN)))
				continue;
			replication->differing_settings++;
			log_warning("peer-settings-differ", "instance=%.16s what=algorithm-policy",
				(const char *) one.data);
		}
	}
}

/* What the core needs to know beside the frame's own bytes. */
static enum err complete_frame(struct replication *replication, struct core_event *event)
{
	const struct wire_frame *frame = event->frame.frame;
	enum err err = ERR_OK;

	if (frame->type == WIRE_HELLO) {
		log_differing(replication, frame->hello.instances);
		judge_settings(replication, &frame->hello);
		return reader_hello(
			keystore_cache(replication->options.keystore), replication->arena, event);
	}
	event->frame.records = replication->records;
	if (frame->type == WIRE_DATA && frame->data.record.len > 0) {
		event->frame.record_count = 1;
		return reader_record(&replication->records[0], frame->data.record);
	}
	if (frame->type != WIRE_SNAP && frame->type != WIRE_REPAIR)
		return ERR_OK;
	event->frame.record_count = frame->snap.record_count;
	for (size_t i = 0; i < frame->snap.record_count; i++)
		TRY(reader_record(&replication->records[i], frame->snap.records[i]));
out:
	return err;
}

static void link_on_frame(void *ctx, uint8_t type, struct slice body)
{
	struct replication *replication = ctx;
	struct wire_frame frame;
	struct core_event event = { .kind = CORE_EVENT_FRAME };
	enum err err = wire_decode(&frame, replication->wire_records, type, body);

	event.frame.frame = &frame;
	if (err == ERR_OK)
		err = complete_frame(replication, &event);
	if (err == ERR_OK)
		replication_step(replication, &event);
	else
		replication_drop_link(replication, "a frame of the peer cannot be taken");
	arena_reset(replication->arena);
}

/* ---- the keystore's events ---- */

void replication_on_logged(void *ctx, uint64_t last_seq)
{
	struct core_event event = { .kind = CORE_EVENT_COMMITTED, .committed_seq = last_seq };

	replication_step(ctx, &event);
}

void replication_on_hold(void *ctx, struct keystore_hold *hold)
{
	struct core_event event = { .kind = CORE_EVENT_HOLD, .hold = hold };

	replication_step(ctx, &event);
}

void replication_on_cancel(void *ctx, struct keystore_hold *hold)
{
	core_cancel(((struct replication *) ctx)->core, hold);
}

void replication_on_timer(void *ctx)
{
	replication_step_kind(ctx, CORE_EVENT_TIMER);
}

static void link_on_closed(void *ctx)
{
	struct replication *replication = ctx;

	if (replication->on_stopped != NULL)
		loop_defer(replication->options.loop, &replication->stopped_task);
}

const struct link_handler replication_link_handler = {
	.on_connecting = link_on_connecting,
	.on_up = link_on_up,
	.on_frame = link_on_frame,
	.on_drained = link_on_drained,
	.on_down = link_on_down,
	.on_closed = link_on_closed,
};
