/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/cache_digest.h"
#include "base/crypt.h"
#include "keystore/cache_private.h"

enum { BUCKET_SHIFT = 4, BUCKET_KEY_LEN = 2 };

/* Keys of both tables are random from the first bit on: a bucket is a stretch of them. */
static uint16_t bucket_of(MDB_val key)
{
	ASSERT(key.mv_size >= BUCKET_KEY_LEN);
	return be16_get(key.mv_data) >> BUCKET_SHIFT;
}

static void bucket_start(uint8_t out[BUCKET_KEY_LEN], uint16_t bucket)
{
	ASSERT(bucket < CACHE_BUCKETS);
	be16_put(out, (uint16_t) (bucket << BUCKET_SHIFT));
}

/* ---- a stretch of one table ---- */

struct stretch {
	MDB_cursor *cursor;
	MDB_val key, value;
	int code;
};

static enum err stretch_open(
	struct stretch *stretch, struct cache_read *read, enum cache_table table, uint16_t first)
{
	uint8_t from[BUCKET_KEY_LEN];
	enum err err;

	bucket_start(from, first);
	TRY(cache_err(mdb_cursor_open(read->txn, read->cache->tables[table], &stretch->cursor)));
	stretch->key = cache_val(slice_of(from, sizeof(from)));
	stretch->code =
		mdb_cursor_get(stretch->cursor, &stretch->key, &stretch->value, MDB_SET_RANGE);
out:
	return err;
}

static void stretch_next(struct stretch *stretch)
{
	stretch->code = mdb_cursor_get(stretch->cursor, &stretch->key, &stretch->value, MDB_NEXT);
}

static bool stretch_is_in(const struct stretch *stretch, uint16_t bucket)
{
	return stretch->code == MDB_SUCCESS && bucket_of(stretch->key) == bucket;
}

static enum err stretch_err(const struct stretch *stretch)
{
	bool ended = stretch->code == MDB_SUCCESS || stretch->code == MDB_NOTFOUND;

	return ended ? ERR_OK : cache_err(stretch->code);
}

static void stretch_close(struct stretch *stretch)
{
	if (stretch->cursor != NULL)
		mdb_cursor_close(stretch->cursor);
}

/* ---- digests ---- */

struct digesting {
	struct cache_digest *out;
	struct crypt_hash *hash;
	uint16_t bucket;
	size_t records;
	bool empty; /* the bucket, until now */
};

/* Of the last destruction: the event's date tells of the first, before the key was restored. 0: not
 * known. */
static int64_t destroyed_at(const struct object *object)
{
	int64_t first = object->dates[OBJECT_DATE_DESTROYED];
	int64_t last = (int64_t) (object->dead_epoch / 2);

	return last > first ? last : first;
}

static enum err note_grave(
	struct digesting *digesting, const struct object *object, struct slice bytes)
{
	struct cache_digest *out = digesting->out;
	struct cache_grave *grave = &out->graves[out->grave_count];
	int64_t date = destroyed_at(object);

	if (!object->dead || date <= 0 || date >= out->cut || out->grave_count == CACHE_GRAVES_MAX)
		return ERR_OK;
	out->grave_count++;
	grave->uid = object->uid;
	grave->date = date;
	grave->bucket = digesting->bucket;
	return crypt_sha256(grave->hash, bytes);
}

static enum err add_record(struct digesting *digesting, struct slice bytes)
{
	struct record record;
	const struct instance_id *instance = &record.object.instance;
	uint8_t len[4];
	enum err err = record_glance(&record, bytes);

	digesting->records++;
	digesting->out->damaged += err == ERR_CORRUPT;
	if (err == ERR_CORRUPT || err == ERR_VERSION)
		return ERR_OK;
	TRY(err);
	if (record.kind == RECORD_CLIENT)
		instance = &record.client.instance;
	if (!digesting->out->wants(digesting->out->ctx, instance))
		return ERR_OK;
	be32_put(len, (uint32_t) bytes.len);
	TRY(crypt_hash_add(digesting->hash, slice_of(len, sizeof(len))));
	TRY(crypt_hash_add(digesting->hash, bytes));
	digesting->empty = false;
	if (record.kind == RECORD_OBJECT)
		TRY(note_grave(digesting, &record.object, bytes));
out:
	return err;
}

static enum err add_stretch(struct digesting *digesting, struct stretch *stretch)
{
	enum err err = ERR_OK;

	for (; stretch_is_in(stretch, digesting->bucket); stretch_next(stretch))
		TRY(add_record(digesting, cache_slice(stretch->value)));
	err = stretch_err(stretch);
out:
	return err;
}

static enum err digest_buckets(
	struct digesting *digesting, struct stretch *objects, struct stretch *clients)
{
	struct cache_digest *out = digesting->out;
	size_t asked = out->count;
	enum err err = ERR_OK;

	for (out->count = 0; out->count < asked && digesting->records < CACHE_DIGEST_RECORDS;
		out->count++) {
		digesting->bucket = (uint16_t) (out->first + out->count);
		digesting->empty = true;
		TRY(add_stretch(digesting, clients));
		TRY(add_stretch(digesting, objects));
		if (digesting->empty)
			bytes_zero(out->hashes[out->count], sizeof(out->hashes[0]));
		else
			TRY(crypt_hash_end(digesting->hash, out->hashes[out->count]));
	}
out:
	return err;
}

enum err cache_digest_read(struct cache_read *read, struct cache_digest *digest)
{
	struct digesting digesting = { .out = digest };
	struct stretch objects = { 0 }, clients = { 0 };
	enum err err;

	ASSERT(digest->count > 0 && digest->count <= CACHE_DIGEST_BUCKETS_MAX);
	ASSERT(digest->first + digest->count <= CACHE_BUCKETS);
	digest->damaged = 0;
	digest->grave_count = 0;
	TRY(crypt_hash_new(&digesting.hash));
	TRY(stretch_open(&objects, read, CACHE_OBJECT, digest->first));
	TRY(stretch_open(&clients, read, CACHE_CLIENT, digest->first));
	TRY(digest_buckets(&digesting, &objects, &clients));
out:
	stretch_close(&objects);
	stretch_close(&clients);
	crypt_hash_free(digesting.hash);
	return err;
}

/* ---- the records of a bucket ---- */

static enum err walk_stretch(
	struct stretch *stretch, uint16_t bucket, const struct cache_walk *walk, bool *more)
{
	uint8_t record_key[RECORD_KEY_LEN_MAX];
	size_t seen = 0;
	enum err err = ERR_OK;

	for (; stretch_is_in(stretch, bucket) && seen < walk->records_max; stretch_next(stretch)) {
		struct slice key = cache_slice(stretch->key);

		TRY(key.len >= sizeof(record_key) ? ERR_CORRUPT : ERR_OK);
		record_key[0] = (uint8_t) walk->kind;
		bytes_copy(record_key + 1, key.data, key.len);
		TRY(walk->visit(
			walk->ctx, slice_of(record_key, key.len + 1), cache_slice(stretch->value)));
		seen++;
	}
	*more = stretch_is_in(stretch, bucket);
	err = stretch_err(stretch);
out:
	return err;
}

enum err cache_digest_walk(
	struct cache_read *read, uint16_t bucket, const struct cache_walk *walk, bool *more)
{
	enum cache_table table = walk->kind == RECORD_OBJECT ? CACHE_OBJECT : CACHE_CLIENT;
	struct slice after = slice_cut(walk->after, 1, SIZE_MAX);
	struct stretch stretch = { 0 };
	enum err err;

	*more = false;
	TRY(stretch_open(&stretch, read, table, bucket));
	if (after.len > 0) {
		stretch.key = cache_val(after);
		stretch.code =
			mdb_cursor_get(stretch.cursor, &stretch.key, &stretch.value, MDB_SET_RANGE);
		if (stretch.code == MDB_SUCCESS && slice_equal(cache_slice(stretch.key), after))
			stretch_next(&stretch);
	}
	TRY(walk_stretch(&stretch, bucket, walk, more));
out:
	stretch_close(&stretch);
	return err;
}

/* ---- trimming ---- */

static enum err trim_one(struct cache_write *write, struct arena *arena,
	const struct cache_grave *grave, size_t *trimmed)
{
	struct slice key = slice_of(grave->uid.bytes, sizeof(grave->uid.bytes)), bytes;
	uint8_t hash[CRYPT_SHA256_LEN];
	struct record record;
	enum err err = cache_lookup(&write->read, CACHE_OBJECT, key, &bytes);

	if (err == ERR_MISS)
		return ERR_OK;
	TRY(err);
	TRY(crypt_sha256(hash, bytes));
	if (!slice_equal(slice_of(hash, sizeof(hash)), slice_of(grave->hash, sizeof(hash))))
		goto out;
	/* Copied: deleting moves the pages that the slices would point into. */
	bytes = arena_copy(arena, bytes);
	TRY(bytes.data == NULL ? ERR_NOMEM : ERR_OK);
	TRY(record_decode(&record, arena, bytes));
	ASSERT(record.kind == RECORD_OBJECT && record.object.dead);
	TRY(cache_index_update(write, arena, &record.object, NULL));
	TRY(cache_delete(write, CACHE_OBJECT, key));
	(*trimmed)++;
out:
	return err;
}

enum err cache_digest_trim(struct cache_write *write, struct arena *arena,
	const struct cache_grave *graves, size_t grave_count, size_t *trimmed)
{
	enum err err = ERR_OK;

	*trimmed = 0;
	for (size_t i = 0; i < grave_count; i++)
		TRY(trim_one(write, arena, &graves[i], trimmed));
out:
	return err;
}
