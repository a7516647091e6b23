/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/cache.h"
#include <stdlib.h>
#include "keystore/cache_private.h"

/* ---- the transaction ---- */

/* Slots of readers that died are found only by looking for them. */
static enum err txn_new(struct cache *cache, MDB_txn **out)
{
	int code = mdb_txn_begin(cache->env, NULL, MDB_RDONLY, out);

	if (code == MDB_READERS_FULL) {
		cache_check_readers(cache);
		code = mdb_txn_begin(cache->env, NULL, MDB_RDONLY, out);
	}
	return cache_err(code);
}

enum err cache_read_begin(struct cache_read **out, struct cache *cache)
{
	struct cache_read *read = cache->idle;
	enum err err;

	*out = NULL;
	cache->idle = NULL;
	if (read != NULL && mdb_txn_renew(read->txn) == MDB_SUCCESS) {
		*out = read;
		return ERR_OK;
	}
	if (read != NULL)
		mdb_txn_abort(read->txn);
	free(read);
	read = calloc(1, sizeof(*read));
	if (read == NULL)
		return ERR_NOMEM;
	read->cache = cache;
	TRY(txn_new(cache, &read->txn));
	*out = read;
	read = NULL;
out:
	free(read);
	return err;
}

void cache_read_end(struct cache_read *read)
{
	struct cache *cache;

	if (read == NULL)
		return;
	cache = read->cache;
	if (cache->idle == NULL) {
		/* Keeps the reader's slot, pins no page. */
		mdb_txn_reset(read->txn);
		cache->idle = read;
		return;
	}
	mdb_txn_abort(read->txn);
	free(read);
}

/* ---- single values ---- */

enum err cache_lookup(
	struct cache_read *read, enum cache_table table, struct slice key, struct slice *out)
{
	MDB_val lmdb_key = cache_val(key), value;
	int code = mdb_get(read->txn, read->cache->tables[table], &lmdb_key, &value);

	if (code != MDB_SUCCESS)
		return cache_err(code);
	*out = cache_slice(value);
	return ERR_OK;
}

/* Which table a record key belongs to, and the key there; false: not a record key. */
static bool split_key(struct slice record_key, enum cache_table *table, struct slice *key)
{
	static const struct {
		enum cache_table table;
		size_t len;
	} kinds[] = { [RECORD_OBJECT] = { CACHE_OBJECT, sizeof(struct uid) },
		[RECORD_CLIENT] = { CACHE_CLIENT, sizeof(struct fingerprint) } };

	if (record_key.len == 0 || record_key.data[0] < RECORD_OBJECT ||
		record_key.data[0] > RECORD_CLIENT)
		return false;
	*table = kinds[record_key.data[0]].table;
	*key = slice_cut(record_key, 1, SIZE_MAX);
	return key->len == kinds[record_key.data[0]].len;
}

enum err cache_get_bytes(struct cache_read *read, struct slice record_key, struct slice *out)
{
	enum cache_table table;
	struct slice key;

	/* A peer may name keys that we do not have, of any shape. */
	if (!split_key(record_key, &table, &key))
		return ERR_MISS;
	return cache_lookup(read, table, key, out);
}

enum err cache_get_object(
	struct cache_read *read, struct arena *arena, const struct uid *uid, struct object **out)
{
	struct record *record = ARENA_NEW(arena, struct record);
	struct slice bytes, copy;
	enum err err;

	TRY(record == NULL ? ERR_NOMEM : ERR_OK);
	TRY(cache_lookup(read, CACHE_OBJECT, slice_of(uid->bytes, sizeof(uid->bytes)), &bytes));
	copy = arena_copy(arena, bytes);
	TRY(copy.data == NULL ? ERR_NOMEM : ERR_OK);
	TRY(record_decode(record, arena, copy));
	TRY(record->kind == RECORD_OBJECT && uid_equal(&record->object.uid, uid) ? ERR_OK
										 : ERR_CORRUPT);
	*out = &record->object;
out:
	return err;
}

enum err cache_get_client(
	struct cache_read *read, const struct fingerprint *fingerprint, struct client *out)
{
	struct record record;
	struct slice bytes;
	enum err err;

	TRY(cache_lookup(read, CACHE_CLIENT,
		slice_of(fingerprint->bytes, sizeof(fingerprint->bytes)), &bytes));
	TRY(record_decode(&record, NULL, bytes));
	TRY(fingerprint_equal(&record.client.fingerprint, fingerprint) ? ERR_OK : ERR_CORRUPT);
	*out = record.client;
out:
	return err;
}

enum err cache_get_fact(struct cache_read *read, const char *name, struct slice *out)
{
	return cache_lookup(read, CACHE_FACT, slice_text(name), out);
}

/* ---- walks ---- */

/* At the first key that is not below `from`, or the one behind it. */
static int cursor_seek(MDB_cursor *cursor, struct slice from, MDB_val *key, MDB_val *value)
{
	if (from.len == 0)
		return mdb_cursor_get(cursor, key, value, MDB_FIRST);
	*key = cache_val(from);
	return mdb_cursor_get(cursor, key, value, MDB_SET_RANGE);
}

/* A record key is the table's key behind the kind. */
static enum err walk_visit(const struct cache_walk *walk, struct slice key, struct slice bytes)
{
	uint8_t record_key[RECORD_KEY_LEN_MAX];

	if (key.len >= sizeof(record_key))
		return ERR_CORRUPT;
	record_key[0] = (uint8_t) walk->kind;
	bytes_copy(record_key + 1, key.data, key.len);
	return walk->visit(walk->ctx, slice_of(record_key, key.len + 1), bytes);
}

enum err cache_walk(struct cache_read *read, const struct cache_walk *walk, bool *more)
{
	enum cache_table table = walk->kind == RECORD_OBJECT ? CACHE_OBJECT : CACHE_CLIENT;
	struct slice after = slice_cut(walk->after, 1, SIZE_MAX);
	MDB_cursor *cursor = NULL;
	MDB_val key, value;
	size_t seen = 0;
	enum err err;
	int code;

	*more = false;
	TRY(cache_err(mdb_cursor_open(read->txn, read->cache->tables[table], &cursor)));
	code = cursor_seek(cursor, after, &key, &value);
	if (code == MDB_SUCCESS && after.len > 0 && slice_equal(cache_slice(key), after))
		code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	for (; code == MDB_SUCCESS && seen < walk->records_max; seen++) {
		TRY(walk_visit(walk, cache_slice(key), cache_slice(value)));
		code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	*more = code == MDB_SUCCESS;
	err = code == MDB_NOTFOUND ? ERR_OK : cache_err(code);
out:
	if (cursor != NULL)
		mdb_cursor_close(cursor);
	return err;
}

enum err cache_walk_facts(struct cache_read *read, const char *prefix, struct slice after,
	enum err (*visit)(void *ctx, struct slice name, struct slice value), void *ctx)
{
	struct slice wanted = slice_text(prefix), from = after.len > 0 ? after : wanted;
	MDB_cursor *cursor = NULL;
	MDB_val key, value;
	enum err err;
	int code;

	TRY(cache_err(mdb_cursor_open(read->txn, read->cache->tables[CACHE_FACT], &cursor)));
	code = cursor_seek(cursor, from, &key, &value);
	if (code == MDB_SUCCESS && slice_equal(cache_slice(key), after))
		code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	for (; code == MDB_SUCCESS &&
		slice_equal(slice_cut(cache_slice(key), 0, wanted.len), wanted);
		code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))
		TRY(visit(ctx, cache_slice(key), cache_slice(value)));
	err = code == MDB_SUCCESS || code == MDB_NOTFOUND ? ERR_OK : cache_err(code);
out:
	if (cursor != NULL)
		mdb_cursor_close(cursor);
	return err;
}

enum err cache_walk_intents(struct cache_read *read,
	enum err (*visit)(void *ctx, const uint8_t nonce[16], struct slice body), void *ctx)
{
	MDB_cursor *cursor = NULL;
	MDB_val key, value;
	enum err err;
	int code;

	TRY(cache_err(mdb_cursor_open(read->txn, read->cache->tables[CACHE_INTENT], &cursor)));
	for (code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST); code == MDB_SUCCESS;
		code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
		uint8_t nonce[16];

		TRY(slice_copy_exact(nonce, sizeof(nonce), cache_slice(key)) ? ERR_OK
									     : ERR_CORRUPT);
		TRY(visit(ctx, nonce, cache_slice(value)));
	}
	err = code == MDB_NOTFOUND ? ERR_OK : cache_err(code);
out:
	if (cursor != NULL)
		mdb_cursor_close(cursor);
	return err;
}
