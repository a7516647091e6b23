/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inverted index: which objects of an instance have a term, newest first. A key is the whole
 * entry: the first half of SHA-256(instance, name, 0, value), what orders objects by their age,
 * uid. Under no name stands every object of the instance, in the order of uid. Two terms that share
 * half a hash would only give a find one candidate too many.
 */
#include "keystore/cache.h"
#include <stdlib.h>
#include "keystore/cache_private.h"
#include "keystore/usage.h"

enum { TERMS_BESIDE_ATTRIBUTES = 8, DATE_LEN = 5, DATE_BITS = 40 };

struct cache_term_list {
	struct crypt_hash *hash;
	const struct object *object;
	struct cache_index_keys *keys;
	size_t cap;
};

/* ---- the parts of a key ---- */

enum err cache_index_prefix(struct crypt_hash *hash, uint8_t out[CACHE_INDEX_PREFIX_LEN],
	const struct instance_id *instance, const struct cache_term *term)
{
	uint8_t whole[CRYPT_SHA256_LEN];
	enum err err;

	TRY(crypt_hash_add(hash, slice_of(instance->text, INSTANCE_ID_LEN_MAX)));
	TRY(crypt_hash_add(hash, term->name));
	TRY(crypt_hash_add(hash, slice_of("", 1)));
	TRY(crypt_hash_add(hash, term->value));
	TRY(crypt_hash_end(hash, whole));
	bytes_copy(out, whole, CACHE_INDEX_PREFIX_LEN);
out:
	return err;
}

/* Later dates first. */
void cache_index_date(uint8_t out[CACHE_ORDER_LEN], int64_t date)
{
	const uint64_t last = ((uint64_t) 1 << DATE_BITS) - 1;
	uint64_t kept = date < 0 ? 0 : (uint64_t) date;

	kept = last - (kept < last ? kept : last);
	for (int i = DATE_LEN - 1; i >= 0; i--, kept >>= 8)
		out[i] = (uint8_t) kept;
}

/* The first addition to it tells apart what was made within one second. */
static uint64_t made_at(const struct object *object)
{
	uint64_t first = 0;

	for (size_t i = 0; i < object->attribute_count; i++) {
		uint64_t time = object->attributes[i].added.time;

		if (usage_is_register(object->attributes[i].name))
			continue;
		if (time != 0 && (first == 0 || time < first))
			first = time;
	}
	return first;
}

static void order_of(uint8_t out[CACHE_ORDER_LEN], const struct object *object)
{
	cache_index_date(out, object->dates[OBJECT_DATE_INITIAL]);
	be64_put(out + DATE_LEN, ~made_at(object));
}

bool cache_found_is_current(const struct cache_found *found, const struct object *object)
{
	uint8_t order[CACHE_ORDER_LEN];

	order_of(order, object);
	return slice_equal(slice_of(order, sizeof(order)), slice_of(found->order, sizeof(order)));
}

/* ---- the keys of an object ---- */

static int key_compare(const void *a, const void *b)
{
	return slice_compare(slice_of(a, CACHE_INDEX_KEY_LEN), slice_of(b, CACHE_INDEX_KEY_LEN));
}

void cache_index_sort(struct cache_index_keys *keys)
{
	size_t kept = 0;

	if (keys->count > 1)
		qsort(keys->keys, keys->count, sizeof(*keys->keys), key_compare);
	for (size_t i = 0; i < keys->count; i++)
		if (kept == 0 || key_compare(&keys->keys[kept - 1], &keys->keys[i]) != 0)
			keys->keys[kept++] = keys->keys[i];
	keys->count = kept;
}

static enum err key_add(struct cache_term_list *list, const struct cache_term *term, bool by_age)
{
	const struct object *object = list->object;
	struct cache_index_key *key = &list->keys->keys[list->keys->count];
	uint8_t *at = key->bytes + CACHE_INDEX_PREFIX_LEN;
	enum err err;

	TRY(list->keys->count == list->cap ? ERR_LIMIT : ERR_OK);
	TRY(cache_index_prefix(list->hash, key->bytes, &object->instance, term));
	if (by_age)
		order_of(at, object);
	else
		bytes_zero(at, CACHE_ORDER_LEN);
	bytes_copy(at + CACHE_ORDER_LEN, object->uid.bytes, sizeof(object->uid.bytes));
	list->keys->count++;
out:
	return err;
}

enum err cache_term_add(struct cache_term_list *list, const struct cache_term *term)
{
	ASSERT(term->name.len > 0);
	return key_add(list, term, true);
}

bool cache_index_has(const struct object *object)
{
	return object->instance.text[0] != '\0' && (object->has_material || object->dead);
}

enum err cache_index_keys_of(struct cache_index_keys *keys, const struct cache *cache,
	struct arena *arena, const struct object *object)
{
	static const struct cache_term every = { SLICE_EMPTY, SLICE_EMPTY };
	struct cache_term_list list = { .hash = cache->hash, .object = object, .keys = keys };
	enum err err = ERR_OK;

	*keys = (struct cache_index_keys){ 0 };
	if (object == NULL || !cache_index_has(object))
		return ERR_OK;
	list.cap = object->attribute_count + TERMS_BESIDE_ATTRIBUTES;
	keys->keys = arena_array(arena, list.cap, sizeof(*keys->keys));
	TRY(keys->keys == NULL ? ERR_NOMEM : ERR_OK);
	TRY(key_add(&list, &every, false));
	if (!object->dead && cache->terms != NULL)
		TRY(cache->terms->list(&list, object));
	cache_index_sort(keys);
out:
	return err;
}

/* ---- a change ---- */

enum err cache_index_put(struct cache_write *write, const struct cache_index_key *key)
{
	return cache_store(
		write, CACHE_INDEX, slice_of(key->bytes, sizeof(key->bytes)), slice_of("", 0));
}

static enum err index_delete(struct cache_write *write, const struct cache_index_key *key)
{
	return cache_delete(write, CACHE_INDEX, slice_of(key->bytes, sizeof(key->bytes)));
}

enum err cache_index_update(struct cache_write *write, struct arena *arena,
	const struct object *before, const struct object *after)
{
	struct cache_index_keys old, new;
	size_t i = 0, j = 0;
	enum err err;

	TRY(cache_index_keys_of(&old, write->cache, arena, before));
	TRY(cache_index_keys_of(&new, write->cache, arena, after));
	while (i < old.count || j < new.count) {
		int order = i == old.count   ? 1
			    : j == new.count ? -1
					     : key_compare(&old.keys[i], &new.keys[j]);

		if (order < 0)
			TRY(index_delete(write, &old.keys[i]));
		if (order > 0)
			TRY(cache_index_put(write, &new.keys[j]));
		i += order <= 0;
		j += order >= 0;
	}
out:
	return err;
}
