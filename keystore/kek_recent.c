/* SPDX-License-Identifier: Apache-2.0 */
/* Which entries of the table clients used last. */
#include <stdlib.h>
#include "base/rand.h"
#include "keystore/kek_table.h"
#include "keystore/kek_table_private.h"

static void swap(uint64_t *a, uint64_t *b)
{
	uint64_t kept = *a;

	*a = *b;
	*b = kept;
}

/* Puts those greater than a pivot before it; where the pivot is then. */
static size_t partition(uint64_t *values, size_t count)
{
	uint64_t pivot;
	size_t place = 0;

	swap(&values[rand_below((uint32_t) count)], &values[count - 1]);
	pivot = values[count - 1];
	for (size_t i = 0; i + 1 < count; i++) {
		if (values[i] > pivot)
			swap(&values[i], &values[place++]);
	}
	swap(&values[place], &values[count - 1]);
	return place;
}

/* The n-th greatest, n from 0: each round leaves half of them on average. */
static uint64_t select_greatest(uint64_t *values, size_t count, size_t n)
{
	while (count > 1) {
		size_t place = partition(values, count);

		if (place == n)
			return values[place];
		if (place > n) {
			count = place;
			continue;
		}
		values += place + 1;
		count -= place + 1;
		n -= place + 1;
	}
	return values[0];
}

enum err kek_table_recent(const struct kek_table *table, size_t n, uint64_t *used_ms)
{
	uint64_t *values = calloc(table->slot_count, sizeof(*values));
	size_t count = 0;

	*used_ms = 1;
	if (values == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < table->slot_count; i++) {
		if (table->used_ms[i] != 0)
			values[count++] = table->used_ms[i];
	}
	if (n > 0 && n <= count)
		*used_ms = select_greatest(values, count, n - 1);
	free(values);
	return ERR_OK;
}
