/* SPDX-License-Identifier: Apache-2.0 */
/* The stream to the peer: tail or snapshot (design D20), and the grants that follow it (D19). */
#include "replication/core_private.h"
#include "replication/mutant.h"

static void start_snapshot(struct feed *feed)
{
	feed->has_base = false;
	feed->mode = FEED_SNAPSHOT;
	feed->snapshot_begun = false;
	/* Registrations first: they are few, and without them nobody is served. */
	feed->cursor = (struct core_cursor){ .kind = RECORD_CLIENT };
	feed->snapshots++;
}

static bool may_resume(const struct core *core, const struct core_event *event)
{
	const struct wire_applied *applied = &event->frame.frame->hello.applied;

	if (!wire_incarnation_equal(&applied->position, &event->frame.own) &&
		!MUTANT(incarnation_not_compared))
		return false;
	if (!slice_equal(slice_of(applied->scope, 32), slice_of(core->scope, 32)))
		return false;
	return applied->position.seq == 0 || event->frame.hash_at != NULL ||
	       MUTANT(incarnation_not_compared) || MUTANT(rollback_not_noticed);
}

void feed_start(struct core *core, const struct core_event *event)
{
	struct feed *feed = &core->feed;
	const struct wire_position *applied = &event->frame.frame->hello.applied.position;

	feed->own = event->frame.own;
	feed->grant_owed = false;
	feed->granted = false;
	feed->acked_seq = 0;
	feed->told = false;
	feed->has_base = false;
	feed->dirty = true;
	if (!may_resume(core, event)) {
		start_snapshot(feed);
		return;
	}
	feed->mode = FEED_TAIL;
	feed->sent = *applied;
	/* Applied is durable there: as good as an acknowledgement. */
	feed->acked_seq = applied->seq;
	feed->has_base = true;
	lag_on_acked(core, applied->seq);
}

void feed_stop(struct core *core)
{
	core->feed.mode = FEED_NONE;
	core->feed.stale_read = core->feed.reading;
	core->feed.grant_owed = false;
	core->feed.granted = false;
}

/* A grant promises that all changes that it must not contradict went before it. */
static void send_grant_if_due(struct core *core)
{
	struct feed *feed = &core->feed;
	struct wire_frame *frame;

	if (!feed->grant_owed || feed->mode != FEED_TAIL)
		return;
	if ((feed->reading || feed->dirty) && !MUTANT(grant_overtakes_log))
		return;
	ASSERT(feed->sent.seq == feed->own.seq || MUTANT(grant_overtakes_log) ||
		MUTANT(rollback_not_noticed) || MUTANT(incarnation_not_compared));
	frame = core_send(core, WIRE_GRANT);
	frame->grant = (struct wire_grant){ feed->grant_asked_ms, LEASE_LENGTH_MS };
	lease_grant(&core->lease, core->now_ms);
	feed->grant_owed = false;
	feed->granted = true;
	core_on_granted(core);
}

void feed_poke(struct core *core)
{
	struct feed *feed = &core->feed;

	if (!core_is_up(core) || feed->reading)
		return;
	send_grant_if_due(core);
	if (core->unsent >= CORE_UNSENT_MAX || pace_is_full(core))
		return;
	if (feed->mode == FEED_SNAPSHOT) {
		core_add(core, CORE_ACTION_READ_SNAPSHOT)->cursor = feed->cursor;
		feed->reading = true;
	} else if (feed->mode == FEED_TAIL && feed->dirty) {
		core_add(core, CORE_ACTION_READ_LOG)->log_first = feed->sent.seq + 1;
		feed->reading = true;
		feed->dirty = false;
	} else if (feed->mode == FEED_TAIL) {
		compare_poke(core);
	}
}

void feed_on_ping(struct core *core, uint64_t asked_ms)
{
	core->feed.grant_owed = !core->stopping;
	core->feed.grant_asked_ms = asked_ms;
}

void feed_on_ack(struct core *core, const struct wire_position *position)
{
	struct feed *feed = &core->feed;
	bool wrong_hash = position->seq == feed->sent.seq &&
			  !slice_equal(slice_of(position->hash, 32), slice_of(feed->sent.hash, 32));

	if (!wire_incarnation_equal(position, &feed->own) || feed->mode != FEED_TAIL ||
		position->seq > feed->sent.seq || wrong_hash) {
		core_close(core, "the peer acknowledged what was not sent");
		return;
	}
	if (position->seq > feed->acked_seq)
		feed->acked_seq = position->seq;
	feed->has_base |= position->seq >= feed->base.seq;
	lag_on_acked(core, position->seq);
}

bool feed_finish_read(struct feed *feed)
{
	bool stale = feed->stale_read;

	ASSERT(feed->reading);
	feed->reading = false;
	feed->stale_read = false;
	return !stale && feed->mode != FEED_NONE;
}

void feed_tell_reach(struct core *core, const struct wire_position *own)
{
	struct feed *feed = &core->feed;

	if (core->version < WIRE_VERSION_AS_OF || MUTANT(reach_not_told) ||
		(feed->told && own->seq <= feed->told_seq))
		return;
	core_send(core, WIRE_AS_OF)->position = *own;
	feed->told = true;
	feed->told_seq = own->seq;
}

void feed_on_log(struct core *core, const struct core_event *event)
{
	struct feed *feed = &core->feed;

	if (!feed_finish_read(feed)) {
		feed->dirty = true;
		return;
	}
	feed->own = event->log.own;
	if (event->log.trimmed && MUTANT(trimmed_skipped)) {
		feed->sent = event->log.own;
		return;
	}
	if (event->log.trimmed) {
		start_snapshot(feed);
		return;
	}
	ASSERT(event->log.entry_count <= CORE_LOG_ENTRIES_MAX);
	/* A single entry's own place says it; the first time it is said all the same, so that the
	 * peer keeps it. */
	if (!feed->told || feed->own.seq > feed->sent.seq + 1)
		feed_tell_reach(core, &feed->own);
	for (size_t i = 0; i < event->log.entry_count; i++) {
		const struct core_log_entry *entry = &event->log.entries[i];
		struct wire_data *data = &core_send(core, WIRE_DATA)->data;

		ASSERT(entry->seq == feed->sent.seq + 1);
		data->seq = entry->seq;
		bytes_copy(data->hash, entry->hash, sizeof(data->hash));
		if (core_is_common(core, &entry->record.instance))
			data->record = entry->record.bytes;
		pace_on_sent(core, data->record.len);
		feed->sent.seq = entry->seq;
		bytes_copy(feed->sent.hash, entry->hash, sizeof(feed->sent.hash));
	}
	if (event->log.more)
		feed->dirty = true;
}

size_t feed_send_records(struct core *core, enum wire_type type, const struct core_event *event)
{
	struct wire_frame *frame;
	size_t count = 0;

	ASSERT(event->snapshot.record_count <= WIRE_RECORDS_MAX);
	for (size_t i = 0; i < event->snapshot.record_count; i++)
		if (core_is_common(core, &event->snapshot.records[i].instance)) {
			core->record_bytes[count++] = event->snapshot.records[i].bytes;
			pace_on_sent(core, event->snapshot.records[i].bytes.len);
		}
	if (count == 0)
		return 0;
	frame = core_send(core, type);
	frame->snap = (struct wire_snap){ core->record_bytes, count };
	return count;
}

void feed_on_snapshot(struct core *core, const struct core_event *event)
{
	struct feed *feed = &core->feed;

	if (!feed_finish_read(feed) || feed->mode != FEED_SNAPSHOT)
		return;
	if (!feed->snapshot_begun) {
		/* Read in the same transaction as the first records: all others are newer. */
		feed->base = event->snapshot.own;
		feed->snapshot_begun = true;
		feed->snapshot = (struct core_snapshot){ .began_ms = core->now_ms };
		core_send(core, WIRE_SNAP_BEGIN)->position = feed->base;
	}
	feed_tell_reach(core, &event->snapshot.own);
	feed->snapshot.record_count += feed_send_records(core, WIRE_SNAP, event);
	feed->cursor = event->snapshot.at;
	if (!event->snapshot.end)
		return;
	if (MUTANT(snapshot_base_late))
		feed->base = event->snapshot.own;
	core_send(core, WIRE_SNAP_END)->position = feed->base;
	feed->snapshot.ended_ms = core->now_ms;
	feed->mode = FEED_TAIL;
	feed->sent = feed->base;
	feed->own = event->snapshot.own;
	feed->dirty = true;
}
