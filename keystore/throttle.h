/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many calls may run at once: a call that was throttled (429) halves it, answers raise it again
 * one by one, as TCP does. After a 429 nothing new begins for as long as the service asks, or else
 * for a doubling while. Pure: time comes in. All times are of the loop, in milliseconds.
 */
#ifndef KEYSTORE_THROTTLE_H
#define KEYSTORE_THROTTLE_H

#include <stdint.h>

enum {
	THROTTLE_PAUSE_MS = 250, /* after a 429 that does not say for how long */
	THROTTLE_PAUSE_MS_MAX = 8000,
	THROTTLE_ASKED_MS_MAX = 60000, /* of what a service may ask for */
	/* 429s to calls that ran together are one. */
	THROTTLE_SAME_MS = 1000,
};

/* Embeddable. */
struct throttle {
	uint32_t slots, slots_max;
	uint32_t answers; /* since the last change of slots */
	uint32_t throttled_in_row; /* without an answer between them */
	uint64_t throttled_ms, open_ms; /* the last 429; from when on something may begin */
	uint64_t throttled; /* counts all */
};

void throttle_init(struct throttle *throttle, uint32_t slots_max);
void throttle_on_answer(struct throttle *throttle);
/* retry_after_s: 0 when it was not told. */
void throttle_on_refusal(struct throttle *throttle, uint64_t now_ms, uint32_t retry_after_s);
/* How long nothing may begin; 0: now. */
uint64_t throttle_wait_ms(const struct throttle *throttle, uint64_t now_ms);

#endif
