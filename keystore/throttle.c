/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/throttle.h"

#include <stdbool.h>

#include "base/err.h"

void throttle_init(struct throttle *throttle, uint32_t slots_max)
{
	ASSERT(slots_max > 0);
	*throttle = (struct throttle){ .slots = slots_max, .slots_max = slots_max };
}

void throttle_on_answer(struct throttle *throttle)
{
	throttle->throttled_in_row = 0;
	if (throttle->slots == throttle->slots_max)
		return;
	throttle->answers++;
	if (throttle->answers < throttle->slots)
		return;
	throttle->answers = 0;
	throttle->slots++;
}

static uint64_t pause_ms(const struct throttle *throttle, uint32_t retry_after_s)
{
	uint64_t pause = (uint64_t) retry_after_s * 1000;
	if (pause > 0)
		return pause < THROTTLE_ASKED_MS_MAX ? pause : THROTTLE_ASKED_MS_MAX;
	pause = THROTTLE_PAUSE_MS;
	for (uint32_t i = 1; i < throttle->throttled_in_row && pause < THROTTLE_PAUSE_MS_MAX; i++)
		pause *= 2;
	return pause < THROTTLE_PAUSE_MS_MAX ? pause : THROTTLE_PAUSE_MS_MAX;
}

void throttle_on_refusal(struct throttle *throttle, uint64_t now_ms, uint32_t retry_after_s)
{
	bool same = throttle->throttled > 0 && now_ms < throttle->throttled_ms + THROTTLE_SAME_MS;
	throttle->throttled++;
	throttle->answers = 0;
	if (!same) {
		throttle->throttled_ms = now_ms;
		throttle->throttled_in_row++;
		throttle->slots = throttle->slots > 1 ? throttle->slots / 2 : 1;
	}
	uint64_t open_ms = now_ms + pause_ms(throttle, retry_after_s);
	if (open_ms > throttle->open_ms)
		throttle->open_ms = open_ms;
}

uint64_t throttle_wait_ms(const struct throttle *throttle, uint64_t now_ms)
{
	return now_ms < throttle->open_ms ? throttle->open_ms - now_ms : 0;
}
