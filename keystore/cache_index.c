/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inverted index: which objects of an instance hold an attribute with a certain value. A key is
 * the whole entry: instance, the first half of SHA-256(name, 0, value), uid. Under a hash of zeros
 * stands every object of the instance. Two values that share half a hash would only give a find one
 * candidate too many.
 */
#include "keystore/cache.h"
#include <stdlib.h>
#include "base/crypt.h"
#include "keystore/cache_private.h"

enum { HASH_PART_LEN = 16 };

struct index_key {
	uint8_t bytes[CACHE_INDEX_KEY_LEN];
};

struct index_keys {
	struct index_key *keys; /* sorted, each once */
	size_t count;
};

enum err cache_index_prefix(uint8_t out[CACHE_INDEX_PREFIX_LEN], const struct instance_id *instance,
	struct slice name, struct slice value)
{
	uint8_t hash[CRYPT_SHA256_LEN] = { 0 };
	struct slice parts[] = { name, slice_of("", 1), value };
	enum err err = ERR_OK;

	if (name.len > 0)
		TRY(crypt_sha256_parts(hash, parts, sizeof(parts) / sizeof(parts[0])));
	bytes_copy(out, instance->text, INSTANCE_ID_LEN_MAX);
	bytes_copy(out + INSTANCE_ID_LEN_MAX, hash, HASH_PART_LEN);
out:
	return err;
}

static int key_compare(const void *a, const void *b)
{
	return slice_compare(slice_of(a, CACHE_INDEX_KEY_LEN), slice_of(b, CACHE_INDEX_KEY_LEN));
}

static void keys_sort(struct index_keys *keys)
{
	size_t kept = 0;

	qsort(keys->keys, keys->count, sizeof(*keys->keys), key_compare);
	for (size_t i = 0; i < keys->count; i++)
		if (kept == 0 || key_compare(&keys->keys[kept - 1], &keys->keys[i]) != 0)
			keys->keys[kept++] = keys->keys[i];
	keys->count = kept;
}

static enum err keys_add(
	struct index_keys *keys, const struct object *object, struct slice name, struct slice value)
{
	struct index_key *key = &keys->keys[keys->count];
	enum err err;

	TRY(cache_index_prefix(key->bytes, &object->instance, name, value));
	bytes_copy(
		key->bytes + CACHE_INDEX_PREFIX_LEN, object->uid.bytes, sizeof(object->uid.bytes));
	keys->count++;
out:
	return err;
}

/* None for an object whose instance is not known (only a tombstone came so far), or of which only
 * the ledger told: its key may be long gone. */
static enum err keys_of(struct index_keys *keys, struct arena *arena, const struct object *object)
{
	enum err err = ERR_OK;

	*keys = (struct index_keys){ 0 };
	if (object == NULL || object->instance.text[0] == '\0' ||
		(!object->has_material && !object->dead))
		return ERR_OK;
	keys->keys = arena_array(arena, object->attribute_count + 1, sizeof(*keys->keys));
	TRY(keys->keys == NULL ? ERR_NOMEM : ERR_OK);
	TRY(keys_add(keys, object, SLICE_EMPTY, SLICE_EMPTY));
	for (size_t i = 0; i < object->attribute_count; i++) {
		const struct object_attribute *attribute = &object->attributes[i];

		if (!attribute->deleted)
			TRY(keys_add(keys, object, attribute->name, attribute->value));
	}
	keys_sort(keys);
out:
	return err;
}

static enum err index_delete(struct cache_write *write, const struct index_key *key)
{
	MDB_val lmdb_key = cache_val(slice_of(key->bytes, sizeof(key->bytes)));
	int code = mdb_del(write->read.txn, write->cache->tables[CACHE_INDEX], &lmdb_key, NULL);

	return code == MDB_NOTFOUND ? ERR_OK : cache_err(code);
}

static enum err index_add(struct cache_write *write, const struct index_key *key)
{
	return cache_store(
		write, CACHE_INDEX, slice_of(key->bytes, sizeof(key->bytes)), slice_of("", 0));
}

enum err cache_index_update(struct cache_write *write, struct arena *arena,
	const struct object *before, const struct object *after)
{
	struct index_keys old, new;
	size_t i = 0, j = 0;
	enum err err;

	TRY(keys_of(&old, arena, before));
	TRY(keys_of(&new, arena, after));
	while (i < old.count || j < new.count) {
		int order = i == old.count   ? 1
			    : j == new.count ? -1
					     : key_compare(&old.keys[i], &new.keys[j]);

		if (order < 0)
			TRY(index_delete(write, &old.keys[i]));
		if (order > 0)
			TRY(index_add(write, &new.keys[j]));
		i += order <= 0;
		j += order >= 0;
	}
out:
	return err;
}
