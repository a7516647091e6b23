/* SPDX-License-Identifier: Apache-2.0 */
/* So many a second, evenly: what a late timer missed is made up for, up to a tenth of a second. */
#ifndef KEYSTORE_PACE_H
#define KEYSTORE_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace {
	uint64_t next_us; /* boot time at which the next one may begin */
};

bool pace_allows(const struct pace *pace);
/* One has begun. */
void pace_take(struct pace *pace, uint32_t per_second);
/* 0: at once. */
uint64_t pace_wait_ms(const struct pace *pace);

#endif
