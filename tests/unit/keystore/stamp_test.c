/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include "keystore/stamp.h"

/* Stamps grow, also while the wall clock stands or goes back. */
Test(stamp, always_grows)
{
	static const uint64_t walls[] = { 1000, 1000, 900, 1001, 0 };
	struct stamp last = { 0 }, next;
	struct stamp_clock clock;

	stamp_clock_init(&clock, 2, 0);
	for (size_t i = 0; i < sizeof(walls) / sizeof(walls[0]); i++) {
		next = stamp_next(&clock, walls[i]);
		cr_assert_gt(stamp_compare(next, last), 0);
		cr_assert_eq(next.node, 2);
		last = next;
	}
	cr_assert_eq(last.time >> 16, 1001);
}

/* A clock goes on where it ended, whatever the wall says after the restart. */
Test(stamp, survives_restart)
{
	struct stamp_clock clock;

	stamp_clock_init(&clock, 1, 5000 << 16 | 7);
	cr_assert_eq(stamp_next(&clock, 10).time, 5000 << 16 | 8);
}

/* What was seen is outdone, unless it is too far ahead to be believed. */
Test(stamp, sees_others)
{
	struct stamp near = { .time = (uint64_t) (1000 + STAMP_LEAD_MAX_MS) << 16, .node = 9 };
	struct stamp far = { .time = (uint64_t) (1001 + STAMP_LEAD_MAX_MS) << 16, .node = 9 };
	struct stamp_clock clock;

	stamp_clock_init(&clock, 1, 0);
	stamp_see(&clock, far, 1000);
	cr_assert_eq(stamp_next(&clock, 1000).time, 1000 << 16);
	stamp_see(&clock, near, 1000);
	cr_assert_gt(stamp_compare(stamp_next(&clock, 1000), near), 0);
	stamp_see(&clock, (struct stamp){ .time = 1 }, 1000);
	cr_assert_gt(stamp_compare(stamp_next(&clock, 1000), near), 0);
}

/* A write beats what it saw, however far ahead that is. */
Test(stamp, beats)
{
	struct stamp ours = { 5, 1 }, before = { 4, 9 }, ahead = { 900, 9 },
		     last = { UINT64_MAX, 9 };
	struct stamp out;

	cr_assert_eq(stamp_beat(&out, ours, before), ERR_OK);
	cr_assert_eq(stamp_compare(out, ours), 0);
	cr_assert_eq(stamp_beat(&out, ours, ahead), ERR_OK);
	cr_assert_gt(stamp_compare(out, ahead), 0);
	cr_assert_eq(out.node, 1);
	cr_assert_eq(stamp_beat(&out, ours, last), ERR_LIMIT);
}

/* By time, then by node. */
Test(stamp, order)
{
	struct stamp a = { 1, 2 }, b = { 2, 1 }, c = { 2, 2 };

	cr_assert_lt(stamp_compare(a, b), 0);
	cr_assert_lt(stamp_compare(b, c), 0);
	cr_assert_gt(stamp_compare(c, a), 0);
	cr_assert_eq(stamp_compare(c, c), 0);
}
