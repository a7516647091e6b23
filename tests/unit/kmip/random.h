/* SPDX-License-Identifier: Apache-2.0 */
/* Draws that a seed repeats. */
#ifndef TESTS_UNIT_KMIP_RANDOM_H
#define TESTS_UNIT_KMIP_RANDOM_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"

static uint64_t random_state;

/* RANDOM_SEED of the environment, else another one each time; printed. */
static inline void random_start(void)
{
	const char *given = getenv("RANDOM_SEED");
	uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t) clock_wall_ms();

	printf("RANDOM_SEED=%llu\n", (unsigned long long) seed);
	fflush(stdout);
	random_state = seed * 2654435761u + 1;
}

static inline uint32_t draw(uint32_t bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t) (random_state >> 11) % bound;
}

static inline bool perhaps(uint32_t percent)
{
	return draw(100) < percent;
}

#define DRAW(list) (list)[draw(sizeof(list) / sizeof((list)[0]))]

#endif
