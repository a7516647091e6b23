/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/stamp.h"
#include "base/err.h"

enum {
	STAMP_COUNTER_BITS = 16,
	STAMP_STEP_BITS = 26, /* some 1000 ms */
	STAMP_LEAP_BITS = 15, /* half a millisecond, less than a change takes to the peer */
};

void stamp_clock_init(struct stamp_clock *clock, uint16_t node, uint64_t last, uint64_t salt)
{
	uint64_t step = salt % (1u << STAMP_STEP_BITS);
	uint64_t leap = (salt >> 32) % (1u << STAMP_LEAP_BITS);

	*clock = (struct stamp_clock){ .last = last + step, .leap = (uint16_t) leap, .node = node };
}

struct stamp stamp_next(struct stamp_clock *clock, uint64_t wall_ms)
{
	uint64_t wall = (wall_ms << STAMP_COUNTER_BITS) + clock->leap;

	ASSERT(clock->last < UINT64_MAX);
	/* A counter that runs over borrows from the milliseconds: the order stays. */
	clock->last = wall > clock->last ? wall : clock->last + 1;
	return (struct stamp){ .time = clock->last, .node = clock->node };
}

void stamp_see(struct stamp_clock *clock, struct stamp seen, uint64_t wall_ms)
{
	uint64_t seen_ms = seen.time >> STAMP_COUNTER_BITS;

	if (seen_ms > wall_ms && seen_ms - wall_ms > STAMP_LEAD_MAX_MS)
		return;
	if (seen.time > clock->last)
		clock->last = seen.time + clock->leap;
}

enum err stamp_beat(struct stamp *out, struct stamp ours, struct stamp seen)
{
	*out = ours;
	if (stamp_compare(ours, seen) > 0)
		return ERR_OK;
	if (seen.time == UINT64_MAX)
		return ERR_LIMIT;
	out->time = seen.time + 1;
	return ERR_OK;
}

int stamp_compare(struct stamp a, struct stamp b)
{
	if (a.time != b.time)
		return a.time < b.time ? -1 : 1;
	return (a.node > b.node) - (a.node < b.node);
}
