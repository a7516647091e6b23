/* SPDX-License-Identifier: Apache-2.0 */
/* What is told of the pair; decides nothing. */
#include "replication/core_private.h"

static const char *const state_names[CORE_STATE_COUNT] = {
	[CORE_DOWN] = "down",
	[CORE_CONNECTING] = "connecting",
	[CORE_HELLO] = "hello",
	[CORE_CATCHING_UP] = "catching-up",
	[CORE_STREAMING] = "streaming",
	[CORE_REFUSED] = "refused",
};

const char *core_state_name(enum core_state state)
{
	ASSERT((unsigned) state < CORE_STATE_COUNT);
	return state_names[state];
}

void lag_on_logged(struct core *core, uint64_t seq)
{
	struct lag *lag = &core->lag;

	if (lag->count > 0 && lag->marks[lag->count - 1].seq >= seq)
		return;
	/* Full: the last mark keeps its time, which is earlier than the change's. */
	if (lag->count == LAG_MARKS_MAX) {
		lag->marks[lag->count - 1].seq = seq;
		return;
	}
	lag->marks[lag->count].seq = seq;
	lag->marks[lag->count].logged_ms = core->now_ms;
	lag->count++;
}

void lag_on_acked(struct core *core, uint64_t seq)
{
	struct lag *lag = &core->lag;
	size_t gone = 0;

	while (gone < lag->count && lag->marks[gone].seq <= seq)
		gone++;
	lag->count -= gone;
	for (size_t i = 0; i < lag->count; i++)
		lag->marks[i] = lag->marks[i + gone];
}

uint64_t lag_ms(const struct core *core, uint64_t now_ms)
{
	const struct lag *lag = &core->lag;

	return lag->count == 0 ? 0 : now_ms - lag->marks[0].logged_ms;
}

/* While the link is down nobody reads the log; what was logged since is known all the same. */
static uint64_t own_seq(const struct core *core)
{
	const struct lag *lag = &core->lag;
	uint64_t marked = lag->count == 0 ? 0 : lag->marks[lag->count - 1].seq;

	return marked > core->feed.own.seq ? marked : core->feed.own.seq;
}

void core_status(const struct core *core, uint64_t now_ms, struct core_status *out)
{
	*out = (struct core_status){
		.state = core->state,
		.why = core->why,
		.since_ms = core->since_ms,
		.last_heard_ms = core->ever_heard_ms,
		.own_seq = own_seq(core),
		.acked_seq = core->feed.acked_seq,
		.peer_seq = core->intake.peer.seq,
		.merged_seq = core->intake.merged.seq,
		.holds = core->gate.count,
		.snapshots = core->feed.snapshots,
		.differing_instances = core->differing,
		.comparisons = core->compare.rounds,
		.differing_buckets = core->compare.differing,
		.compared_ms = core->compare.ended_ms,
		.granted_until_ms = lease_until(&core->lease),
		.held_until_ms = core->lease.held_until_ms,
		.peer_software = core->peer_software,
		.version = core_is_up(core) ? core->version : 0,
		.lag_ms = lag_ms(core, now_ms),
		.waits = core->gate.waits,
		.snapshot_sent = core->feed.snapshot,
		.snapshot_received = core->intake.snapshot,
		.fenced_ms = core->fenced_ms,
	};
}
