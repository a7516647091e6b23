/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache_bench: makes a cache of any size, and tells how long reading it takes.
 *
 *	--folder F --records N --instance ID [--map-mib M]	fills; a cache that is there grows
 *	--folder F --digest --instance ID [--map-mib M]		digests all buckets, as a comparison
 *	--folder F --aged DAYS --instance ID [--map-mib M]	as if nothing was heard for so long
 *	--folder F --misindexed --instance ID [--map-mib M]	an index without anything that is
 *								found by, which says it is whole
 *
 * The records are keys of the usual size, with random ids, a name and a tag. No key manager knows
 * them, so their initial date is ten years ahead: a node takes them for younger than any listing
 *and does not miss them. They cannot be unwrapped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/crypt.h"
#include "base/rand.h"
#include "keystore/cache_digest.h"
#include "kmip/terms.h"

enum {
	FILL_BATCH = 10000, /* records in one transaction */
	FILL_ARENA_MAX = 1 << 20,
	FILL_AHEAD_S = 10 * 365 * 86400,
	FILL_CIPHERTEXT_LEN = 220, /* of a wrapped key of 256 bits and its checksum */
	FILL_MAP_MIB = 4096,
};

struct fill {
	const char *folder;
	struct instance_id instance;
	uint64_t records;
	size_t map_bytes;
	bool digest, misindexed;
	int64_t aged_days; /* 0: as it is */
	struct arena *arena;
	struct cache *cache;
};

/* ---- filling ---- */

static void name_it(struct object_attribute *attribute, const char *name, const char *value)
{
	attribute->name = slice_text(name);
	attribute->value = slice_text(value);
	attribute->written = (struct stamp){ .time = clock_wall_ms() << 16, .node = 1 };
}

static enum err fill_one(struct fill *fill, struct cache_write *write, uint64_t number)
{
	static uint8_t ciphertext[FILL_CIPHERTEXT_LEN];
	struct object_attribute *attributes =
		arena_array(fill->arena, 2, sizeof(struct object_attribute));
	struct record record = { .kind = RECORD_OBJECT };
	struct cache_put put = { .record = &record, .logged = true };
	struct object *object = &record.object;
	char *name = arena_printf(fill->arena, "key %llu", (unsigned long long) number);

	if (attributes == NULL || name == NULL)
		return ERR_NOMEM;
	rand_bytes(object->uid.bytes, sizeof(object->uid.bytes));
	rand_bytes(object->envelope_hash, sizeof(object->envelope_hash));
	rand_bytes(ciphertext, sizeof(ciphertext));
	object->key_id = object->uid;
	object->instance = fill->instance;
	object->type = 2;
	object->format = 1;
	object->has_material = true;
	object->life = OBJECT_ACTIVE;
	object->wrapped.ciphertext = slice_of(ciphertext, sizeof(ciphertext));
	object->dates[OBJECT_DATE_INITIAL] = clock_wall_seconds() + FILL_AHEAD_S;
	object->dates[OBJECT_DATE_ACTIVATED] = clock_wall_seconds();
	name_it(&attributes[0], "Name", name);
	name_it(&attributes[1], "x-filled", "yes");
	object->attributes = attributes;
	object->attribute_count = 2;
	return cache_merge(write, fill->arena, &put);
}

static enum err fill_batch(struct fill *fill, uint64_t from, uint64_t to)
{
	struct cache_write *write = NULL;
	enum err err;

	TRY(cache_write_begin(&write, fill->cache));
	for (uint64_t i = from; i < to; i++) {
		TRY(fill_one(fill, write, i));
		arena_reset(fill->arena);
	}
	err = cache_commit(write);
	write = NULL;
out:
	cache_abort(write);
	return err;
}

static enum err fill_all(struct fill *fill)
{
	uint64_t begun_ms = clock_boot_ms();
	enum err err = ERR_OK;

	for (uint64_t i = 0; i < fill->records; i += FILL_BATCH) {
		uint64_t to = i + FILL_BATCH < fill->records ? i + FILL_BATCH : fill->records;

		TRY(fill_batch(fill, i, to));
		(void) fprintf(stderr, "\r%llu of %llu records", (unsigned long long) to,
			(unsigned long long) fill->records);
	}
	(void) fprintf(stderr, "\n");
	printf("%llu records filled in %llu ms\n", (unsigned long long) fill->records,
		(unsigned long long) (clock_boot_ms() - begun_ms));
out:
	return err;
}

/* ---- digests ---- */

static bool is_tenant(void *ctx, const struct instance_id *instance)
{
	return instance_id_equal(ctx, instance);
}

static enum err digest_all(struct fill *fill)
{
	static struct cache_digest digest;
	uint64_t begun_ms = clock_boot_ms(), longest_ms = 0, reads = 0;
	struct cache_read *read = NULL;
	enum err err = ERR_OK;

	for (uint32_t first = 0; first < CACHE_BUCKETS; first += (uint32_t) digest.count, reads++) {
		uint64_t read_ms = clock_boot_ms();
		uint32_t left = CACHE_BUCKETS - first;

		digest = (struct cache_digest){ .first = (uint16_t) first,
			.count = left < CACHE_DIGEST_BUCKETS_MAX ? left : CACHE_DIGEST_BUCKETS_MAX,
			.wants = is_tenant,
			.ctx = &fill->instance };
		TRY(cache_read_begin(&read, fill->cache));
		TRY(cache_digest_read(read, &digest));
		cache_read_end(read);
		read = NULL;
		read_ms = clock_boot_ms() - read_ms;
		longest_ms = read_ms > longest_ms ? read_ms : longest_ms;
	}
	printf("all buckets digested in %llu ms, %llu reads, the longest %llu ms\n",
		(unsigned long long) (clock_boot_ms() - begun_ms), (unsigned long long) reads,
		(unsigned long long) longest_ms);
out:
	cache_read_end(read);
	return err;
}

/* ---- age ---- */

/* The facts that keystore/contact.h and keystore/poll.c leave. */
static enum err age_all(struct fill *fill)
{
	struct cache_write *write = NULL;
	char polled[CACHE_FACT_NAME_LEN_MAX], value[24];
	enum err err;

	(void) snprintf(polled, sizeof(polled), "polled-%s", fill->instance.text);
	(void) snprintf(value, sizeof(value), "%lld",
		(long long) (clock_wall_seconds() - fill->aged_days * 86400));
	TRY(cache_write_begin(&write, fill->cache));
	TRY(cache_put_fact(write, "contact", slice_text(value)));
	TRY(cache_put_fact(write, polled, slice_text(value)));
	err = cache_commit(write);
	write = NULL;
out:
	cache_abort(write);
	return err;
}

/* ---- index ---- */

static enum err list_nothing(struct cache_term_list *list, const struct object *object)
{
	(void) list;
	(void) object;
	return ERR_OK;
}

/* ---- options ---- */

static bool parse(struct fill *fill, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";

		if (strcmp(name, "--digest") == 0) {
			fill->digest = true;
			continue;
		}
		if (strcmp(name, "--misindexed") == 0) {
			fill->misindexed = true;
			continue;
		}
		i++;
		if (strcmp(name, "--folder") == 0)
			fill->folder = value;
		else if (strcmp(name, "--records") == 0)
			fill->records = strtoull(value, NULL, 10);
		else if (strcmp(name, "--aged") == 0)
			fill->aged_days = strtoll(value, NULL, 10);
		else if (strcmp(name, "--map-mib") == 0)
			fill->map_bytes = (size_t) strtoull(value, NULL, 10) << 20;
		else if (strcmp(name, "--instance") != 0 ||
			 instance_id_parse(&fill->instance, slice_text(value)) != ERR_OK)
			return false;
	}
	return fill->folder != NULL && fill->instance.text[0] != '\0' &&
	       fill->digest + fill->misindexed + (fill->records != 0) + (fill->aged_days != 0) == 1;
}

int main(int argc, char **argv)
{
	struct fill fill = { .map_bytes = (size_t) FILL_MAP_MIB << 20 };
	struct cache_terms lying = { .version = kmip_terms.version, .list = list_nothing };
	struct cache_options options = { 0 };
	char why[CACHE_WHY_MAX] = "";
	enum err err;

	if (!parse(&fill, argc, argv)) {
		(void) fprintf(stderr, "usage: cache-bench --folder F --instance ID (--records N | "
				       "--digest | --aged DAYS | --misindexed) [--map-mib M]\n");
		return 2;
	}
	options.folder = fill.folder;
	options.map_bytes = fill.map_bytes;
	options.terms = &kmip_terms;
	if (fill.misindexed)
		options.terms = &lying;
	options.reindex = fill.misindexed;
	TRY(crypt_start());
	TRY(arena_new(&fill.arena, FILL_ARENA_MAX));
	TRY(cache_open(&fill.cache, &options, why));
	if (fill.aged_days != 0)
		TRY(age_all(&fill));
	else if (!fill.misindexed)
		TRY(fill.digest ? digest_all(&fill) : fill_all(&fill));
out:
	if (err != ERR_OK)
		(void) fprintf(stderr, "cache_bench: %s %s\n", err_text(err), why);
	cache_close(fill.cache);
	arena_free(fill.arena);
	return err == ERR_OK ? 0 : 1;
}
