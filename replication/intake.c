/* SPDX-License-Identifier: Apache-2.0 */
/* The stream from the peer: in order, merged, durable, acknowledged (design D17, D20). */
#include "replication/core_private.h"
#include "replication/mutant.h"

void intake_start(struct core *core, const struct wire_position *applied)
{
	struct intake *intake = &core->intake;

	*intake = (struct intake){
		.started = intake->started,
		.done = intake->done,
		.forget_due = intake->forget_due,
		.forgetting = intake->forgetting,
		.snapshot = intake->snapshot,
		.received = *applied,
		.merged = *applied,
	};
}

static void start_merge(struct core *core, size_t record_count, bool has_position)
{
	struct core_merge *merge = &core_add(core, CORE_ACTION_MERGE)->merge;

	merge->link = core->link;
	merge->records = core->record_bytes;
	merge->record_count = record_count;
	merge->has_position = has_position;
	if (has_position) {
		merge->applied.position = core->intake.received;
		bytes_copy(merge->applied.scope, core->scope, sizeof(core->scope));
	}
	core->intake.started++;
}

void intake_want_all(struct core *core)
{
	core->full_wanted = true;
	core->intake.forget_due = true;
	intake_forget(core);
}

/* Of no link, so that a merge that failed on one does not fail this. */
void intake_forget(struct core *core)
{
	struct core_merge *merge;

	if (!core->intake.forget_due || core->intake.forgetting)
		return;
	merge = &core_add(core, CORE_ACTION_MERGE)->merge;
	merge->records = core->record_bytes;
	merge->has_position = true;
	merge->applied.position = core->intake.merged;
	core->intake.started++;
	core->intake.forgetting = true;
}

/* The records that both nodes serve, into core->record_bytes; an instance that differs is left out
 * (design D22). */
static size_t pick_common(struct core *core, const struct core_event *event)
{
	size_t count = 0;

	for (size_t i = 0; i < event->frame.record_count; i++)
		if (core_is_common(core, &event->frame.records[i].instance))
			core->record_bytes[count++] = event->frame.records[i].bytes;
	return count;
}

void intake_pause_if_full(struct core *core)
{
	struct intake *intake = &core->intake;
	bool full = intake->started - intake->done >= CORE_MERGES_MAX;

	if (full == intake->paused)
		return;
	intake->paused = full;
	core_add(core, CORE_ACTION_PAUSE)->pause = full;
	/* While we did not read, the peer could not be heard. */
	core->heard_ms = core->now_ms;
}

void intake_on_data(struct core *core, const struct core_event *event)
{
	const struct wire_data *data = &event->frame.frame->data;
	struct intake *intake = &core->intake;

	if (intake->mode != INTAKE_TAIL ||
		!wire_incarnation_equal(&intake->received, &intake->peer) ||
		data->seq != intake->received.seq + 1) {
		core_close(core, "the peer's changes came out of order");
		return;
	}
	intake->received.seq = data->seq;
	bytes_copy(intake->received.hash, data->hash, sizeof(data->hash));
	if (data->seq > intake->peer.seq)
		intake->peer.seq = data->seq;
	start_merge(core, pick_common(core, event), true);
	if (MUTANT(acknowledged_early))
		core_send(core, WIRE_ACK)->position = intake->received;
	intake_pause_if_full(core);
}

static bool begins_or_ends_well(const struct intake *intake, const struct wire_frame *frame)
{
	bool inside = intake->mode == INTAKE_SNAPSHOT;

	if (frame->type == WIRE_SNAP)
		return inside;
	if (!wire_incarnation_equal(&frame->position, &intake->peer))
		return false;
	return inside == (frame->type == WIRE_SNAP_END);
}

void intake_on_snap(struct core *core, const struct core_event *event)
{
	const struct wire_frame *frame = event->frame.frame;
	struct intake *intake = &core->intake;

	if (!begins_or_ends_well(intake, frame)) {
		core_close(core, "the peer's snapshot came out of order");
		return;
	}
	if (frame->type == WIRE_SNAP_BEGIN) {
		intake->mode = INTAKE_SNAPSHOT;
		intake->snapshot = (struct core_snapshot){ .began_ms = core->now_ms };
	} else if (frame->type == WIRE_SNAP) {
		intake->snapshot.record_count += event->frame.record_count;
		start_merge(core, pick_common(core, event), false);
	} else {
		intake->mode = INTAKE_TAIL;
		intake->snapshot.ended_ms = core->now_ms;
		intake->received = frame->position;
		start_merge(core, 0, true);
	}
	intake_pause_if_full(core);
}

void intake_on_repair(struct core *core, const struct core_event *event)
{
	if (core->intake.mode != INTAKE_TAIL) {
		core_close(core, "the peer repaired amid a snapshot");
		return;
	}
	start_merge(core, pick_common(core, event), false);
	intake_pause_if_full(core);
}

/* Durable before what is read of the link after it. */
void intake_on_as_of(struct core *core, const struct wire_position *position)
{
	struct core_merge *merge;

	if (!wire_incarnation_equal(position, &core->intake.peer)) {
		core_close(core, "the peer told of records that are not its own");
		return;
	}
	merge = &core_add(core, CORE_ACTION_MERGE)->merge;
	merge->link = core->link;
	merge->records = core->record_bytes;
	merge->has_seen = true;
	merge->seen = *position;
	core->intake.started++;
	intake_pause_if_full(core);
}

/* What was promised behind changes counts once they are durable. */
static void take_grants(struct core *core)
{
	struct intake *intake = &core->intake;

	while (intake->grant_waits &&
		(intake->done >= intake->grant_behind || MUTANT(grant_overtakes_merge))) {
		uint64_t from_ms =
			MUTANT(lease_from_receipt) ? core->now_ms : intake->grant.asked_ms;

		if (lease_take(&core->lease, from_ms, intake->grant.length_ms)) {
			core_widen_lease(core);
			core_add(core, CORE_ACTION_VOUCH)->until_ms = core->lease.held_until_ms;
		}
		intake->taken = true;
		intake->taken_ms = intake->grant.asked_ms;
		intake->grant_waits = intake->next_waits;
		intake->grant = intake->next;
		intake->grant_behind = intake->next_behind;
		intake->next_waits = false;
		core_on_granted(core);
	}
}

void intake_on_grant(struct core *core, const struct wire_grant *grant)
{
	struct intake *intake = &core->intake;

	if (intake->mode != INTAKE_TAIL ||
		!wire_incarnation_equal(&intake->received, &intake->peer) ||
		grant->asked_ms > core->pinged_ms || core->pinged_ms == 0) {
		core_close(core, "the peer granted what was not asked for");
		return;
	}
	pace_on_answered(core, grant->asked_ms);
	core->answered_ms = grant->asked_ms;
	if (intake->grant_waits) {
		intake->next = *grant;
		intake->next_behind = intake->started;
		intake->next_waits = true;
		return;
	}
	intake->grant = *grant;
	intake->grant_behind = intake->started;
	intake->grant_waits = true;
	take_grants(core);
}

/* What was merged last may have had no position of its own. */
static void acknowledge(struct core *core)
{
	struct intake *intake = &core->intake;

	if (intake->acks_due == 0 ||
		(intake->started != intake->done && intake->acks_due < CORE_ACK_EVERY))
		return;
	core_send(core, WIRE_ACK)->position = intake->merged;
	intake->acks_due = 0;
}

void intake_on_merged(struct core *core, const struct core_event *event)
{
	struct intake *intake = &core->intake;

	ASSERT(intake->done < intake->started);
	intake->done++;
	if (event->merged.link == 0) {
		intake->forgetting = false;
		intake->forget_due = !event->merged.ok;
		return;
	}
	if (!event->merged.ok) {
		/* Later merges under way may move the stored position past this one. */
		core->full_wanted = true;
		core_close(core, "what the peer sent could not be stored");
		return;
	}
	if (core_is_up(core)) {
		if (event->merged.has_position && event->merged.link == core->link) {
			intake->merged = event->merged.position;
			intake->acks_due++;
		}
		acknowledge(core);
		take_grants(core);
	}
	if (core_is_up(core) || core->state == CORE_HELLO)
		intake_pause_if_full(core);
}
