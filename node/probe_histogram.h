/* SPDX-License-Identifier: Apache-2.0 */
/* How long answers took: counts in buckets, in a fixed amount of memory, at most 4 % wrong. */
#ifndef NODE_PROBE_HISTOGRAM_H
#define NODE_PROBE_HISTOGRAM_H

#include <stdint.h>

enum {
	PROBE_SUB_BITS = 5, /* 32 buckets for each power of two */
	/* Up to 2^31 us, more than half an hour; what takes longer counts as that. */
	PROBE_BUCKETS = (32 - PROBE_SUB_BITS) << PROBE_SUB_BITS
};

struct probe_histogram {
	uint64_t counts[PROBE_BUCKETS];
	uint64_t total;
	uint64_t max_us;
};

void probe_histogram_add(struct probe_histogram *histogram, uint64_t took_us);
/* The time within which that many hundredths of the answers came; 0 when there are none. */
uint64_t probe_histogram_percentile_us(const struct probe_histogram *histogram, unsigned percent);

#endif
