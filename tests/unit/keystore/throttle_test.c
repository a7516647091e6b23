/* SPDX-License-Identifier: Apache-2.0 */
/* Shows that throttling halves what runs at once, that answers bring it back, and how long nothing
 * begins: gives it answers at chosen times. */
#include <criterion/criterion.h>

#include "keystore/throttle.h"

Test(throttle, halves_once_for_calls_that_ran_together)
{
	struct throttle throttle;

	throttle_init(&throttle, 16);
	for (int i = 0; i < 16; i++)
		throttle_on_refusal(&throttle, 1000 + (uint64_t) i, 0);
	cr_assert_eq(throttle.slots, 8);
	cr_assert_eq(throttle.throttled, 16);
	throttle_on_refusal(&throttle, 1000 + THROTTLE_SAME_MS, 0);
	cr_assert_eq(throttle.slots, 4);
}

Test(throttle, never_stops_for_good)
{
	struct throttle throttle;
	uint64_t now_ms = 1000;

	throttle_init(&throttle, 16);
	for (int i = 0; i < 100; i++) {
		throttle_on_refusal(&throttle, now_ms, i % 2 == 0 ? 0 : UINT32_MAX);
		uint64_t wait_ms = throttle_wait_ms(&throttle, now_ms);
		cr_assert(wait_ms > 0 && wait_ms <= THROTTLE_ASKED_MS_MAX);
		now_ms += wait_ms;
		cr_assert_eq(throttle_wait_ms(&throttle, now_ms), 0);
	}
	cr_assert_eq(throttle.slots, 1);
}

Test(throttle, answers_bring_it_back)
{
	struct throttle throttle;

	throttle_init(&throttle, 4);
	throttle_on_refusal(&throttle, 1000, 0);
	throttle_on_refusal(&throttle, 3000, 0);
	cr_assert_eq(throttle.slots, 1);
	throttle_on_answer(&throttle);
	cr_assert_eq(throttle.slots, 2);
	for (int i = 0; i < 2 + 3; i++)
		throttle_on_answer(&throttle);
	cr_assert_eq(throttle.slots, 4);
	for (int i = 0; i < 100; i++)
		throttle_on_answer(&throttle);
	cr_assert_eq(throttle.slots, 4);
}

Test(throttle, waits_as_long_as_it_is_asked_to)
{
	struct throttle throttle;

	throttle_init(&throttle, 4);
	cr_assert_eq(throttle_wait_ms(&throttle, 0), 0);
	throttle_on_refusal(&throttle, 1000, 7);
	cr_assert_eq(throttle_wait_ms(&throttle, 1000), 7000);
	throttle_on_refusal(&throttle, 1001, 1);
	cr_assert_eq(throttle_wait_ms(&throttle, 1001), 6999,
		"a shorter wish does not shorten a longer one");
}

Test(throttle, waits_longer_each_time_when_not_told)
{
	struct throttle throttle;
	uint64_t now_ms = 10000;

	throttle_init(&throttle, 4);
	for (uint64_t want = THROTTLE_PAUSE_MS; want <= THROTTLE_PAUSE_MS_MAX; want *= 2) {
		throttle_on_refusal(&throttle, now_ms, 0);
		cr_assert_eq(throttle_wait_ms(&throttle, now_ms), want);
		now_ms += 10000;
	}
	throttle_on_answer(&throttle);
	throttle_on_refusal(&throttle, now_ms, 0);
	cr_assert_eq(throttle_wait_ms(&throttle, now_ms), THROTTLE_PAUSE_MS);
}
