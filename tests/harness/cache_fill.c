/* SPDX-License-Identifier: Apache-2.0 */
/* Fills a node's cache with tombstones, which nobody reads again from the key manager: for tests of
 * what a large cache costs. cache-fill FOLDER MAP_MIB INSTANCE COUNT, while the node is stopped. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "keystore/cache.h"
#include "base/clock.h"
#include "base/crypt.h"
#include "base/log.h"
#include "base/text.h"

enum { RECORDS_OF_WRITE = 4096, ARENA_MAX = 1 << 20 };

static enum err put(struct cache_write *write, struct arena *arena, struct instance_id instance,
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
	object->instance = instance;
	object->unclaimed = true;
	object->dead = true;
	object->dates[OBJECT_DATE_DESTROYED] = clock_wall_seconds();
	object->dead_epoch = 2 * (uint64_t) object->dates[OBJECT_DATE_DESTROYED];
	TRY(cache_merge(write, arena, &one));
out:
	arena_reset(arena);
	return err;
}

static enum err fill(struct cache *cache, struct instance_id instance, unsigned long count)
{
	struct cache_write *write = NULL;
	struct arena *arena = NULL;
	enum err err;

	TRY(arena_new(&arena, ARENA_MAX));
	for (unsigned long i = 0; i < count;) {
		TRY(cache_write_begin(&write, cache));
		for (unsigned n = 0; n < RECORDS_OF_WRITE && i < count; n++, i++)
			TRY(put(write, arena, instance, i));
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
	struct instance_id instance = { 0 };
	struct cache *cache = NULL;
	enum err err;

	log_start(STDERR_FILENO, "cache-fill");
	if (argc != 5)
		return 2;
	options.folder = argv[1];
	options.map_bytes = (size_t) strtoul(argv[2], NULL, 10) << 20;
	TRY(text_copy(instance.text, sizeof(instance.text), slice_text(argv[3])));
	TRY(crypt_start());
	TRY(cache_open(&cache, &options, why));
	TRY(fill(cache, instance, strtoul(argv[4], NULL, 10)));
out:
	cache_close(cache);
	if (err != ERR_OK)
		fprintf(stderr, "cache-fill: %s %s\n", err_text(err), why);
	return err == ERR_OK ? 0 : 1;
}
