/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/emulator/timeline.h"

#include "base/clock.h"

void timeline_init(struct timeline *timeline)
{
	timeline->anchor_real_ms = (int64_t) clock_wall_ms();
	timeline->anchor_ms = timeline->anchor_real_ms;
	timeline->scale = 1;
}

int64_t timeline_now_ms(const struct timeline *timeline)
{
	int64_t passed_ms = (int64_t) clock_wall_ms() - timeline->anchor_real_ms;

	return timeline->anchor_ms + (int64_t) ((double) passed_ms * timeline->scale);
}

int64_t timeline_now(const struct timeline *timeline)
{
	return timeline_now_ms(timeline) / 1000;
}

void timeline_advance(struct timeline *timeline, int64_t seconds)
{
	timeline->anchor_ms += seconds * 1000;
}

void timeline_set_scale(struct timeline *timeline, double scale)
{
	timeline->anchor_ms = timeline_now_ms(timeline);
	timeline->anchor_real_ms = (int64_t) clock_wall_ms();
	timeline->scale = scale;
}
