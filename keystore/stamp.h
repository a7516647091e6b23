/* SPDX-License-Identifier: Apache-2.0 */
/* Hybrid logical clock values (design D5): they order writes of registers, never existence or life
 * cycle. */
#ifndef KEYSTORE_STAMP_H
#define KEYSTORE_STAMP_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

struct stamp {
	uint64_t time; /* upper 48 bits: milliseconds since 1970; lower 16: counter */
	uint16_t node;
};

enum {
	STAMP_LEAD_MAX_MS = 60000
}; /* a remote stamp further ahead than this does not drag our clock along */

struct stamp_clock {
	uint64_t last;
	uint16_t leap; /* beyond the wall clock, or what was seen, when that is ahead */
	uint16_t node;
};

/* `last` is the latest that was given, as far as the disk tells. A disk that fell back to an older
 * copy tells too little, the wall clock may have gone back with it, and what is seen then was seen
 * before. So the salt, random bits of each start, gives it places of its own: it goes on up to a
 * second after `last`, and up to half a millisecond after whatever it leaps to. */
void stamp_clock_init(struct stamp_clock *clock, uint16_t node, uint64_t last, uint64_t salt);
/* A stamp greater than every one given or seen before. */
struct stamp stamp_next(struct stamp_clock *clock, uint64_t wall_ms);
/* Learns of a stamp made elsewhere. */
void stamp_see(struct stamp_clock *clock, struct stamp seen, uint64_t wall_ms);
/* Our stamp, or the first one that beats what the write saw: also when that was stamped by a clock
 * ahead of ours. ERR_LIMIT: there is none. */
MUST_USE enum err stamp_beat(struct stamp *out, struct stamp ours, struct stamp seen);
/* By time, then node: <0, 0, >0. */
int stamp_compare(struct stamp a, struct stamp b);

#endif
