/* SPDX-License-Identifier: Apache-2.0 */
#include "base/histogram.h"
#include <stddef.h>

const uint32_t histogram_bounds_us[HISTOGRAM_BOUNDS] = { 100, 250, 500, 1000, 2500, 5000, 10000,
	25000, 50000, 100000, 250000, 500000, 1000000, 5000000 };

void histogram_note(struct histogram *histogram, uint64_t took_us)
{
	size_t at = 0;

	while (at < HISTOGRAM_BOUNDS && took_us > histogram_bounds_us[at])
		at++;
	tally_add(&histogram->counts[at], 1);
	tally_add(&histogram->sum_us, took_us);
}

void histogram_add(struct histogram_sum *sum, const struct histogram *histogram)
{
	for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
		sum->counts[i] += atomic_load_explicit(&histogram->counts[i], memory_order_relaxed);
	sum->sum_us += atomic_load_explicit(&histogram->sum_us, memory_order_relaxed);
}
