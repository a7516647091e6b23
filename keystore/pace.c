/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/pace.h"
#include "base/clock.h"

enum { PACE_BURST_US = 100000 };

static uint64_t now_us(void)
{
	return 1000 * clock_boot_ms();
}

bool pace_allows(const struct pace *pace)
{
	return pace->next_us <= now_us();
}

void pace_take(struct pace *pace, uint32_t per_second)
{
	uint64_t now = now_us(), earliest = now < PACE_BURST_US ? 0 : now - PACE_BURST_US;

	if (pace->next_us < earliest)
		pace->next_us = earliest;
	pace->next_us += 1000000 / per_second;
}

uint64_t pace_wait_ms(const struct pace *pace)
{
	uint64_t now = now_us();

	return pace->next_us <= now ? 0 : (pace->next_us - now + 999) / 1000;
}
