/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long things took: counts in fixed ranges, and the sum. One process writes (relaxed, without a
 * lock), any process that maps the memory may read. All zero is empty.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

enum { HISTOGRAM_BOUNDS = 14 };

/* The ranges' upper ends in microseconds, from 0.1 ms to 5 s; what took longer is counted beyond
 * the last. */
extern const uint32_t histogram_bounds_us[HISTOGRAM_BOUNDS];

struct histogram {
	_Atomic uint64_t counts[HISTOGRAM_BOUNDS + 1];
	_Atomic uint64_t sum_us;
};
void histogram_note(struct histogram *histogram, uint64_t took_us);

/* Several of them together, to be read. */
struct histogram_sum {
	uint64_t counts[HISTOGRAM_BOUNDS + 1];
	uint64_t sum_us;
};
void histogram_add(struct histogram_sum *sum, const struct histogram *histogram);

/* For single counters of the same kind. */
static inline void tally_add(_Atomic uint64_t *counter, uint64_t more)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more,
		memory_order_relaxed);
}

#endif
