/* SPDX-License-Identifier: Apache-2.0 */
#include "node/probe_histogram.h"

#include <stddef.h>

#include "base/err.h"

enum { SUB_COUNT = 1 << PROBE_SUB_BITS };

/* Up to SUB_COUNT every value has its bucket; above, the leading bits after the highest choose. */
static size_t bucket_of(uint64_t value)
{
	unsigned shift;
	size_t bucket;

	if (value < SUB_COUNT)
		return (size_t) value;
	shift = 63u - (unsigned) __builtin_clzll(value) - PROBE_SUB_BITS;
	bucket = ((size_t) (shift + 1) << PROBE_SUB_BITS) + (size_t) (value >> shift) - SUB_COUNT;
	return bucket < PROBE_BUCKETS ? bucket : PROBE_BUCKETS - 1;
}

/* The greatest value of the bucket. */
static uint64_t value_of(size_t bucket)
{
	unsigned shift;

	if (bucket < SUB_COUNT)
		return bucket;
	shift = (unsigned) (bucket >> PROBE_SUB_BITS) - 1;
	return ((uint64_t) (bucket % SUB_COUNT + SUB_COUNT + 1) << shift) - 1;
}

void probe_histogram_add(struct probe_histogram *histogram, uint64_t took_us)
{
	histogram->counts[bucket_of(took_us)]++;
	histogram->total++;
	if (took_us > histogram->max_us)
		histogram->max_us = took_us;
}

uint64_t probe_histogram_percentile_us(const struct probe_histogram *histogram, unsigned percent)
{
	uint64_t wanted = (histogram->total * percent + 99) / 100, seen = 0;

	ASSERT(percent <= 100);
	for (size_t i = 0; i < PROBE_BUCKETS && histogram->total > 0; i++) {
		seen += histogram->counts[i];
		if (seen >= wanted)
			return value_of(i) < histogram->max_us ? value_of(i) : histogram->max_us;
	}
	return histogram->max_us;
}
