/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include "keystore/stamp.h"

/* Stamps grow, also while the wall clock stands or goes back. */
Test(stamp, always_grows)
{
	static const uint64_t walls[] = { 1000, 1000, 900, 1001, 0 };
	struct stamp last = { 0 }, next;
	struct stamp_clock clock;

	stamp_clock_init(&clock, 2, 0, 0);
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

	stamp_clock_init(&clock, 1, 5000 << 16 | 7, 0);
	cr_assert_eq(stamp_next(&clock, 10).time, 5000 << 16 | 8);
}

enum { GIVEN = 1000 };

static void give(struct stamp out[GIVEN], uint64_t salt, struct stamp seen, uint64_t wall_ms)
{
	struct stamp_clock clock;

	stamp_clock_init(&clock, 1, 1000ull << 16 | 7, salt);
	for (size_t i = 0; i < GIVEN; i++) {
		if (i == GIVEN / 2)
			stamp_see(&clock, seen, wall_ms);
		out[i] = stamp_next(&clock, wall_ms + i);
		cr_assert(i == 0 || stamp_compare(out[i], out[i - 1]) > 0);
	}
}

/* Two starts of one node that know the same of what was before give no stamp twice: whether the
 * wall clock is behind, goes once more through what it was, or both see the same stamp of the peer.
 */
Test(stamp, gives_none_twice_after_a_fall_back)
{
	static const uint64_t walls[] = { 10, 90000 };
	static struct stamp first[GIVEN], again[GIVEN];
	struct stamp seen = { .time = 60000ull << 16 | 3, .node = 2 };

	for (size_t w = 0; w < sizeof(walls) / sizeof(walls[0]); w++) {
		give(first, 0x0123456789abcdef, seen, walls[w]);
		give(again, 0xfedcba9876543210, seen, walls[w]);
		for (size_t i = 0; i < GIVEN * GIVEN; i++)
			cr_assert_neq(stamp_compare(first[i / GIVEN], again[i % GIVEN]), 0);
	}
}

/* Salted, a start goes on within a second or so, and leaps by less than a millisecond. */
Test(stamp, salted_stays_near)
{
	static const uint64_t salts[] = { 0, 1, UINT64_MAX };

	for (size_t i = 0; i < sizeof(salts) / sizeof(salts[0]); i++) {
		struct stamp seen = { .time = 8000ull << 16, .node = 1 };
		struct stamp_clock clock;
		struct stamp next;

		stamp_clock_init(&clock, 2, 5000ull << 16, salts[i]);
		next = stamp_next(&clock, 10);
		cr_assert_gt(next.time, 5000ull << 16);
		cr_assert_leq(next.time >> 16, 6024);
		cr_assert_eq(next.node, 2);
		cr_assert_eq(stamp_next(&clock, 7000).time >> 16, 7000);
		stamp_see(&clock, seen, 7000);
		next = stamp_next(&clock, 7000);
		cr_assert_gt(next.time, seen.time);
		cr_assert_eq(next.time >> 16, 8000);
	}
}

/* What was seen is outdone, unless it is too far ahead to be believed. */
Test(stamp, sees_others)
{
	struct stamp near = { .time = (uint64_t) (1000 + STAMP_LEAD_MAX_MS) << 16, .node = 9 };
	struct stamp far = { .time = (uint64_t) (1001 + STAMP_LEAD_MAX_MS) << 16, .node = 9 };
	struct stamp_clock clock;

	stamp_clock_init(&clock, 1, 0, 0);
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
