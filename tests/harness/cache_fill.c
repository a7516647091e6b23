/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills a node's cache while the node is stopped: cache-fill FOLDER MAP_MIB INSTANCE COUNT [keys].
 * With tombstones, which nobody reads again from the key manager, for tests of what a large cache
 * costs; or with keys as vSphere makes them, for benchmarks, while the key manager is away, since
 * it does not have them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "keystore/cache.h"
#include "base/clock.h"
#include "base/crypt.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/text.h"
#include "kmip/attribute.h"
#include "kmip/terms.h"

enum {
	RECORDS_OF_WRITE = 4096,
	ARENA_MAX = 1 << 20,
	CIPHERTEXT_LEN = 320, /* what Key Protect answers to a wrap of 64 bytes */
	KEY_ATTRIBUTES = 6,
	VALUE_LEN_MAX = 80,
	FIRST_DATE = 1700000000,
	YEAR_S = 365 * 86400,
};

/* What differs from key to key has nothing to do with the order of ids. */
static const uint64_t MIXING = 11400714819323198485u;

/* The number stands where there is a %; all formats take it. */
static const char *const key_attributes[KEY_ATTRIBUTES][2] = { { "x-Component", "Virtual Machine" },
	{ "x-Identifier", "502d8a70-9a4e-%016lx" }, { "x-Name", "virtual-machine-%016lx" },
	{ "x-Product", "VMware vSphere" }, { "x-Product_Version", "8.0.1 build-21560480" },
	{ "x-Vendor", "VMware, Inc." } };

struct filling {
	struct instance_id instance;
	unsigned long count;
	bool keys;
};

static void make_tombstone(struct object *object)
{
	object->unclaimed = true;
	object->dead = true;
	object->dates[OBJECT_DATE_DESTROYED] = clock_wall_seconds();
	object->dead_epoch = 2 * (uint64_t) object->dates[OBJECT_DATE_DESTROYED];
}

static enum err make_attribute(
	struct object_attribute *out, struct arena *arena, size_t i, uint64_t mixed)
{
	char text[VALUE_LEN_MAX];
	struct kmip_value value;

	(void) snprintf(text, sizeof(text), key_attributes[i][1], mixed);
	value = kmip_value_text(slice_text(text));
	*out = (struct object_attribute){ .name = slice_text(key_attributes[i][0]),
		.written = { .time = 1, .node = 1 } };
	return kmip_value_encode(&out->value, arena, &value);
}

/* Ids ascend, so that the tree grows at its end: at random, a million takes minutes. As random ones
 * they are spread over all buckets that two nodes compare. */
static enum err make_key(struct object *object, struct arena *arena, const struct filling *filling,
	unsigned long number)
{
	struct object_attribute *list =
		arena_alloc(arena, KEY_ATTRIBUTES * sizeof(struct object_attribute));
	uint8_t *ciphertext = arena_alloc(arena, CIPHERTEXT_LEN);
	uint64_t mixed = number * MIXING;
	enum err err;

	if (list == NULL || ciphertext == NULL)
		return ERR_NOMEM;
	be64_put(object->uid.bytes, UINT64_MAX / filling->count * number);
	object->key_id = object->uid;
	object->has_material = true;
	object->type = KMIP_OBJECT_TYPE_SYMMETRIC_KEY;
	object->life = OBJECT_ACTIVE;
	object->dates[OBJECT_DATE_INITIAL] = FIRST_DATE + (int64_t) (mixed % YEAR_S);
	rand_bytes(object->envelope_hash, sizeof(object->envelope_hash));
	rand_bytes(ciphertext, CIPHERTEXT_LEN);
	object->wrapped.ciphertext = slice_of(ciphertext, CIPHERTEXT_LEN);
	for (size_t i = 0; i < KEY_ATTRIBUTES; i++)
		TRY(make_attribute(&list[i], arena, i, mixed));
	object->attributes = list;
	object->attribute_count = KEY_ATTRIBUTES;
	return ERR_OK;
out:
	return err;
}

static enum err put(struct cache_write *write, struct arena *arena, const struct filling *filling,
	unsigned long number)
{
	struct record record = { .kind = RECORD_OBJECT };
	struct cache_put one = { .record = &record };
	struct object *object = &record.object;
	uint8_t hash[CRYPT_SHA256_LEN];
	enum err err;

	TRY(crypt_sha256(hash, slice_of(&number, sizeof(number))));
	bytes_copy(object->uid.bytes, hash, sizeof(object->uid.bytes));
	object->key_id = object->uid;
	object->instance = filling->instance;
	if (filling->keys)
		TRY(make_key(object, arena, filling, number));
	else
		make_tombstone(object);
	TRY(cache_merge(write, arena, &one));
out:
	arena_reset(arena);
	return err;
}

static enum err fill(struct cache *cache, const struct filling *filling)
{
	struct cache_write *write = NULL;
	struct arena *arena = NULL;
	enum err err;

	TRY(arena_new(&arena, ARENA_MAX));
	for (unsigned long i = 0; i < filling->count;) {
		TRY(cache_write_begin(&write, cache));
		for (unsigned n = 0; n < RECORDS_OF_WRITE && i < filling->count; n++, i++)
			TRY(put(write, arena, filling, i));
		err = cache_commit(write);
		write = NULL;
		TRY(err);
	}
out:
	if (write != NULL)
		cache_abort(write);
	arena_free(arena);
	return err;
}

int main(int argc, char **argv)
{
	char why[CACHE_WHY_MAX] = "";
	struct cache_options options = { 0 };
	struct filling filling = { 0 };
	struct cache *cache = NULL;
	enum err err;

	log_start(STDERR_FILENO, "cache-fill");
	if (argc != 5 && (argc != 6 || strcmp(argv[5], "keys") != 0))
		return 2;
	options.folder = argv[1];
	options.map_bytes = (size_t) strtoul(argv[2], NULL, 10) << 20;
	options.terms = &kmip_terms;
	TRY(text_copy(filling.instance.text, sizeof(filling.instance.text), slice_text(argv[3])));
	filling.count = strtoul(argv[4], NULL, 10);
	filling.keys = argc == 6;
	TRY(crypt_start());
	TRY(cache_open(&cache, &options, why));
	TRY(fill(cache, &filling));
out:
	cache_close(cache);
	if (err != ERR_OK)
		fprintf(stderr, "cache-fill: %s %s\n", err_text(err), why);
	return err == ERR_OK ? 0 : 1;
}
