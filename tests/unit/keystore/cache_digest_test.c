/* SPDX-License-Identifier: Apache-2.0 */
/* Digests tell two caches apart by what is stored, and tombstones go only as they were compared. */
#include "keystore/cache_digest.h"
#include "base/crypt.h"
#include "cache_folder.h"

enum { ARENA_MAX = 4 << 20, BUCKET = 0x123 };

static struct cache_folder folder;
static struct cache *cache;
static struct arena *arena;

static void setup(void)
{
	char why[CACHE_WHY_MAX];

	cr_assert_eq(crypt_start(), ERR_OK);
	cache_folder_make(&folder);
	cr_assert_eq(arena_new(&arena, ARENA_MAX), ERR_OK);
	cr_assert_eq(cache_folder_open(&cache, &folder, false, why), ERR_OK, "%s", why);
}

static void teardown(void)
{
	cache_close(cache);
	arena_free(arena);
	cache_folder_remove(&folder);
}

TestSuite(cache_digest, .init = setup, .fini = teardown);

/* Number n of the bucket, of the tenant. */
static struct record key_of(uint16_t bucket, uint8_t n, const char *tenant)
{
	struct record record = { .kind = RECORD_OBJECT };

	be16_put(record.object.uid.bytes, (uint16_t) (bucket << 4));
	record.object.uid.bytes[15] = n;
	record.object.key_id = record.object.uid;
	record.object.has_material = true;
	record.object.envelope_hash[0] = 1;
	cr_assert_eq(instance_id_parse(&record.object.instance, slice_text(tenant)), ERR_OK);
	return record;
}

static struct record grave_of(uint16_t bucket, uint8_t n, int64_t date)
{
	struct record record = key_of(bucket, n, "tenant-one");

	record.object.dead = true;
	record.object.dead_epoch = object_epoch_of(date, true);
	record.object.dates[OBJECT_DATE_DESTROYED] = date;
	return record;
}

static void put(const struct record *record)
{
	struct cache_put put = { .record = record };
	struct cache_write *write;

	cr_assert_eq(cache_write_begin(&write, cache), ERR_OK);
	cr_assert_eq(cache_merge(write, arena, &put), ERR_OK);
	cr_assert_eq(cache_commit(write), ERR_OK);
}

static char tenant[] = "tenant-one";

static bool wants(void *ctx, const struct instance_id *instance)
{
	return slice_equal_text(instance_id_slice(instance), ctx);
}

static struct cache_digest digest_of(uint16_t first, size_t count)
{
	struct cache_digest digest = {
		.first = first, .count = count, .wants = wants, .ctx = tenant, .cut = 1000
	};
	struct cache_read *read;

	cr_assert_eq(cache_read_begin(&read, cache), ERR_OK);
	cr_assert_eq(cache_digest_read(read, &digest), ERR_OK);
	cache_read_end(read);
	return digest;
}

static bool is_equal(const struct cache_digest *a, const struct cache_digest *b)
{
	return a->count == b->count &&
	       slice_equal(slice_of(a->hashes, a->count * 32), slice_of(b->hashes, b->count * 32));
}

/* A record changes its own bucket and no other; another tenant's changes none. */
Test(cache_digest, tells_what_is_stored)
{
	struct record one = key_of(BUCKET, 1, "tenant-one"), two = key_of(BUCKET, 2, "tenant-two");
	struct record client = { .kind = RECORD_CLIENT };
	struct cache_digest empty = digest_of(BUCKET, 2), before, after;

	cr_assert_eq(empty.hashes[0][0] | empty.hashes[0][31], 0);
	put(&one);
	before = digest_of(BUCKET, 2);
	cr_assert_not(is_equal(&empty, &before));
	cr_assert(slice_equal(slice_of(empty.hashes[1], 32), slice_of(before.hashes[1], 32)));
	put(&two);
	after = digest_of(BUCKET, 2);
	cr_assert(is_equal(&before, &after));
	one.object.compromised = true;
	put(&one);
	after = digest_of(BUCKET, 2);
	cr_assert_not(is_equal(&before, &after));
	be16_put(client.client.fingerprint.bytes, BUCKET << 4);
	cr_assert_eq(instance_id_parse(&client.client.instance, slice_text("tenant-one")), ERR_OK);
	before = after;
	put(&client);
	after = digest_of(BUCKET, 2);
	cr_assert_not(is_equal(&before, &after));
}

/* A read ends with the bucket in which it has seen enough, and at least one is read. */
Test(cache_digest, ends_with_enough)
{
	struct record record = key_of(BUCKET, 0, "tenant-one");
	struct cache_put put_one = { .record = &record };
	struct cache_write *write;

	cr_assert_eq(cache_write_begin(&write, cache), ERR_OK);
	for (uint32_t i = 0; i < CACHE_DIGEST_RECORDS; i++) {
		be32_put(record.object.uid.bytes + 8, i);
		record.object.key_id = record.object.uid;
		cr_assert_eq(cache_merge(write, arena, &put_one), ERR_OK);
		arena_reset(arena);
	}
	cr_assert_eq(cache_commit(write), ERR_OK);
	cr_assert_eq(digest_of(BUCKET, 4).count, 1);
	cr_assert_eq(digest_of(BUCKET - 1, 4).count, 2);
	cr_assert_eq(digest_of(BUCKET + 1, 4).count, 4);
	cr_assert_eq(digest_of(CACHE_BUCKETS - 1, 1).count, 1);
}

struct seen {
	size_t count;
	uint8_t last[RECORD_KEY_LEN_MAX];
	size_t last_len;
};

static enum err see(void *ctx, struct slice record_key, struct slice bytes)
{
	struct seen *seen = ctx;

	cr_assert_gt(bytes.len, 0);
	cr_assert_eq(be16_get(record_key.data + 1) >> 4, BUCKET);
	seen->count++;
	seen->last_len = record_key.len;
	bytes_copy(seen->last, record_key.data, record_key.len);
	return ERR_OK;
}

/* The records of a bucket, some at a time, and none of its neighbours'. */
Test(cache_digest, walks_a_bucket)
{
	struct seen seen = { 0 };
	struct cache_walk walk = {
		.kind = RECORD_OBJECT, .records_max = 2, .visit = see, .ctx = &seen
	};
	struct cache_read *read;
	bool more = true;

	for (uint8_t n = 0; n < 5; n++)
		for (uint16_t bucket = BUCKET - 1; bucket <= BUCKET + 1; bucket++) {
			struct record record = key_of(bucket, n, "tenant-one");

			put(&record);
		}
	cr_assert_eq(cache_read_begin(&read, cache), ERR_OK);
	for (int i = 0; i < 3; i++) {
		cr_assert(more);
		walk.after = slice_of(seen.last, seen.last_len);
		cr_assert_eq(cache_digest_walk(read, BUCKET, &walk, &more), ERR_OK);
	}
	cr_assert_not(more);
	cr_assert_eq(seen.count, 5);
	walk.kind = RECORD_CLIENT;
	walk.after = SLICE_EMPTY;
	cr_assert_eq(cache_digest_walk(read, BUCKET, &walk, &more), ERR_OK);
	cr_assert_not(more);
	cr_assert_eq(seen.count, 5);
	cache_read_end(read);
}

static size_t trim(const struct cache_digest *digest)
{
	struct cache_write *write;
	size_t trimmed;

	cr_assert_eq(cache_write_begin(&write, cache), ERR_OK);
	cr_assert_eq(cache_digest_trim(write, arena, digest->graves, digest->grave_count, &trimmed),
		ERR_OK);
	cr_assert_eq(cache_commit(write), ERR_OK);
	return trimmed;
}

static enum err count_found(void *ctx, const struct uid *uid)
{
	(void) uid;
	(*(size_t *) ctx)++;
	return ERR_OK;
}

static size_t indexed(void)
{
	size_t count = 0;
	struct cache_list list = { .visit = count_found, .ctx = &count };
	struct cache_read *read;

	cr_assert_eq(instance_id_parse(&list.instance, slice_text("tenant-one")), ERR_OK);
	cr_assert_eq(cache_read_begin(&read, cache), ERR_OK);
	cr_assert_eq(cache_list(read, &list), ERR_OK);
	cache_read_end(read);
	return count;
}

/* A key that was restored and destroyed again is as old as its last destruction, and one whose date
 * nobody knows is not old. */
Test(cache_digest, age_of_a_second_death)
{
	struct record again = grave_of(BUCKET, 1, 5), undated = grave_of(BUCKET, 2, 0);

	again.object.dead_epoch = object_epoch_of(1000, true);
	undated.object.dead_epoch = 0;
	put(&again);
	put(&undated);
	cr_assert_eq(digest_of(BUCKET, 1).grave_count, 0);
}

/* Graves are the tombstones before the cut; living keys and younger ones are none. Trimmed, they
 * are gone from the index, too; one that has changed since stays, and a second time trims nothing.
 */
Test(cache_digest, trims_what_was_compared)
{
	struct record old = grave_of(BUCKET, 1, 999), changed = grave_of(BUCKET, 2, 5),
		      young = grave_of(BUCKET, 3, 1000), live = key_of(BUCKET, 4, "tenant-one");
	struct cache_digest digest;

	put(&old);
	put(&changed);
	put(&young);
	put(&live);
	digest = digest_of(BUCKET, 1);
	cr_assert_eq(digest.grave_count, 2);
	changed.object.compromised = true;
	put(&changed);
	cr_assert_eq(indexed(), 4);
	cr_assert_eq(trim(&digest), 1);
	cr_assert_eq(indexed(), 3);
	cr_assert_eq(trim(&digest), 0);
	digest = digest_of(BUCKET, 1);
	cr_assert_eq(digest.grave_count, 1);
	cr_assert_eq(digest.graves[0].uid.bytes[15], 2);
}
