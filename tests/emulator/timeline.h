/* SPDX-License-Identifier: Apache-2.0 */
/* The emulator's notion of now: wall time, shifted and scaled by tests so that hours pass at once.
 */
#ifndef EMULATOR_TIMELINE_H
#define EMULATOR_TIMELINE_H

#include <stdint.h>

struct timeline {
	int64_t anchor_real_ms; /* at this wall time ... */
	int64_t anchor_ms; /* ... it was this time here */
	double scale; /* emulated seconds for each real one */
};

void timeline_init(struct timeline *timeline);
int64_t timeline_now(const struct timeline *timeline); /* seconds since 1970 */
int64_t timeline_now_ms(const struct timeline *timeline);
void timeline_advance(struct timeline *timeline, int64_t seconds);
/* From now on; 0 stands still. */
void timeline_set_scale(struct timeline *timeline, double scale);

#endif
