/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/vouches.h"

void vouches_set_lease(struct vouches *vouches, uint64_t until_ms)
{
	atomic_store_explicit(&vouches->lease_until_ms, until_ms, memory_order_seq_cst);
}

uint64_t vouches_lease(const struct vouches *vouches)
{
	return atomic_load_explicit(&vouches->lease_until_ms, memory_order_seq_cst);
}

static uint64_t name_word(const char *instance, size_t i)
{
	uint64_t word;

	bytes_copy(&word, instance + i * sizeof(word), sizeof(word));
	return word;
}

static bool is_of(const struct vouch *vouch, const char *instance)
{
	for (size_t i = 0; i < VOUCH_NAME_WORDS; i++) {
		if (atomic_load_explicit(&vouch->name[i], memory_order_relaxed) !=
			name_word(instance, i))
			return false;
	}
	return true;
}

/* The index, or the count when there is none. */
static size_t vouches_find(const struct vouches *vouches, const char *instance)
{
	size_t count = atomic_load_explicit(&vouches->count, memory_order_acquire);
	size_t i = 0;

	while (i < count && !is_of(&vouches->of[i], instance))
		i++;
	return i;
}

/* Made when there is none; NULL beyond VOUCHES_MAX. */
static struct vouch *vouches_take(struct vouches *vouches, const char *instance)
{
	size_t count = atomic_load_explicit(&vouches->count, memory_order_relaxed);
	size_t at = vouches_find(vouches, instance);

	if (at == VOUCHES_MAX)
		return NULL;
	if (at == count) {
		for (size_t i = 0; i < VOUCH_NAME_WORDS; i++)
			atomic_store_explicit(&vouches->of[at].name[i], name_word(instance, i),
				memory_order_relaxed);
		atomic_store_explicit(&vouches->count, count + 1, memory_order_release);
	}
	return &vouches->of[at];
}

void vouches_set(struct vouches *vouches, const char *instance, uint64_t until_ms)
{
	struct vouch *vouch = vouches_take(vouches, instance);

	if (vouch != NULL)
		atomic_store_explicit(&vouch->until_ms, until_ms, memory_order_seq_cst);
}

enum err vouches_set_leased(struct vouches *vouches, const char *instance, bool leased)
{
	struct vouch *vouch = vouches_take(vouches, instance);

	if (vouch == NULL)
		return ERR_LIMIT;
	atomic_store_explicit(&vouch->unleased, leased ? 0 : 1, memory_order_seq_cst);
	return ERR_OK;
}

enum err vouches_set_withheld(struct vouches *vouches, const char *instance, bool withheld)
{
	struct vouch *vouch = vouches_take(vouches, instance);

	if (vouch == NULL)
		return ERR_LIMIT;
	atomic_store_explicit(&vouch->withheld, withheld ? 1 : 0, memory_order_seq_cst);
	return ERR_OK;
}

static bool is_withheld(const struct vouches *vouches, size_t at, size_t count)
{
	return at < count &&
	       atomic_load_explicit(&vouches->of[at].withheld, memory_order_seq_cst) != 0;
}

static uint64_t lease_of(const struct vouches *vouches, size_t at, size_t count)
{
	if (is_withheld(vouches, at, count) ||
		(at < count &&
			atomic_load_explicit(&vouches->of[at].unleased, memory_order_seq_cst) != 0))
		return 0;
	return vouches_lease(vouches);
}

uint64_t vouches_lease_of(const struct vouches *vouches, const char *instance)
{
	size_t count = atomic_load_explicit(&vouches->count, memory_order_acquire);

	return lease_of(vouches, vouches_find(vouches, instance), count);
}

uint64_t vouches_until(const struct vouches *vouches, const char *instance)
{
	size_t count = atomic_load_explicit(&vouches->count, memory_order_acquire);
	size_t at = vouches_find(vouches, instance);
	uint64_t lease_ms = lease_of(vouches, at, count), told_ms = 0;

	if (is_withheld(vouches, at, count))
		return 0;
	if (at < count)
		told_ms = atomic_load_explicit(&vouches->of[at].until_ms, memory_order_seq_cst);
	return lease_ms > told_ms ? lease_ms : told_ms;
}
