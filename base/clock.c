/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include <time.h>
#include "base/err.h"

static uint64_t clock_us(clockid_t clock)
{
	struct timespec now;

	ASSERT(clock_gettime(clock, &now) == 0);
	return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

uint64_t clock_boot_us(void)
{
	return clock_us(CLOCK_BOOTTIME);
}

uint64_t clock_boot_ms(void)
{
	return clock_us(CLOCK_BOOTTIME) / 1000;
}

uint64_t clock_wall_ms(void)
{
	return clock_us(CLOCK_REALTIME) / 1000;
}

int64_t clock_wall_seconds(void)
{
	return (int64_t) (clock_wall_ms() / 1000);
}
