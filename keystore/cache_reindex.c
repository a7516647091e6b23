/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Indexing a whole cache: one of an earlier format, one that was indexed by other terms, or one
 * whose index does not agree with its records. So many records in one transaction, which also says
 * how far it came: after a kill the next one goes on there. Entries go in by their order, so that
 * the ones of a page go in together.
 */
#include "keystore/cache.h"
#include <stdlib.h>
#include "keystore/cache_private.h"

enum {
	REINDEX_ARENA_MAX = 1 << 20,
	ENTRIES_OF_ONE_MAX = OBJECT_ATTRIBUTES_MERGED_MAX + 64,
	/* What the state's entry `index` holds: version, done, the last uid that was indexed. */
	INDEX_STATE_LEN = 4 + 1 + 16
};

struct reindex {
	struct cache *cache;
	struct arena *arena; /* one record's */
	struct cache_index_keys keys; /* of one transaction */
	size_t keys_max; /* or one record's more */
	struct uid place;
	bool begun, done; /* behind the place; all */
	uint64_t looked, records;
};

/* ---- how far it is ---- */

static uint32_t version_of(const struct cache *cache)
{
	return cache->terms == NULL ? 0 : cache->terms->version;
}

enum err cache_index_state_put(struct cache_write *write, const struct uid *place, bool done)
{
	static const struct uid nowhere;
	uint8_t state[INDEX_STATE_LEN];

	be32_put(state, version_of(write->cache));
	state[4] = done;
	bytes_copy(state + 5, (place == NULL ? &nowhere : place)->bytes, sizeof(nowhere.bytes));
	return cache_store(
		write, CACHE_STATE, SLICE_LITERAL("index"), slice_of(state, sizeof(state)));
}

/* ERR_MISS: by none of our terms. */
static enum err state_get(struct cache_read *read, struct uid *place, bool *done)
{
	struct slice state;
	enum err err;

	TRY(cache_lookup(read, CACHE_STATE, SLICE_LITERAL("index"), &state));
	TRY(state.len != INDEX_STATE_LEN ? ERR_CORRUPT : ERR_OK);
	TRY(be32_get(state.data) != version_of(read->cache) ? ERR_MISS : ERR_OK);
	*done = state.data[4] != 0;
	bytes_copy(place->bytes, state.data + 5, sizeof(place->bytes));
out:
	return err;
}

bool cache_index_is_whole(struct cache_read *read)
{
	struct uid place;
	bool done = false;

	return state_get(read, &place, &done) == ERR_OK && done;
}

/* ---- one transaction ---- */

static enum err take_record(struct reindex *reindex, struct slice key, struct slice bytes)
{
	struct cache_index_keys keys;
	struct record record;
	enum err err;

	arena_reset(reindex->arena);
	reindex->looked++;
	(void) slice_copy_exact(reindex->place.bytes, sizeof(reindex->place.bytes), key);
	err = record_decode(&record, reindex->arena, bytes);
	if (err == ERR_CORRUPT || err == ERR_VERSION)
		return ERR_OK;
	TRY(err);
	TRY(cache_index_keys_of(&keys, reindex->cache, reindex->arena, &record.object));
	ASSERT(keys.count <= ENTRIES_OF_ONE_MAX);
	if (keys.count > 0)
		bytes_copy(reindex->keys.keys + reindex->keys.count, keys.keys,
			keys.count * sizeof(*keys.keys));
	reindex->keys.count += keys.count;
out:
	return err;
}

static enum err take_records(struct reindex *reindex, struct cache_read *read)
{
	struct slice after = slice_of(reindex->place.bytes, sizeof(reindex->place.bytes));
	MDB_cursor *cursor = NULL;
	MDB_val key = cache_val(after), value;
	enum err err;
	int code;

	reindex->keys.count = 0;
	TRY(cache_err(mdb_cursor_open(read->txn, read->cache->tables[CACHE_OBJECT], &cursor)));
	code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	if (code == MDB_SUCCESS && reindex->begun && slice_equal(cache_slice(key), after))
		code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	for (; code == MDB_SUCCESS && reindex->keys.count < reindex->keys_max;
		code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))
		TRY(take_record(reindex, cache_slice(key), cache_slice(value)));
	reindex->begun = true;
	reindex->done = code == MDB_NOTFOUND;
	err = code == MDB_SUCCESS || code == MDB_NOTFOUND ? ERR_OK : cache_err(code);
out:
	if (cursor != NULL)
		mdb_cursor_close(cursor);
	return err;
}

static enum err reindex_step(struct reindex *reindex)
{
	struct cache_write *write = NULL;
	enum err err;

	TRY(cache_write_begin(&write, reindex->cache));
	TRY(take_records(reindex, cache_write_read(write)));
	cache_index_sort(&reindex->keys);
	for (size_t i = 0; i < reindex->keys.count; i++)
		TRY(cache_index_put(write, &reindex->keys.keys[i]));
	TRY(cache_index_state_put(write, &reindex->place, reindex->done));
	err = cache_commit(write);
	write = NULL;
out:
	cache_abort(write);
	return err;
}

/* ---- all of them ---- */

/* The old index goes in the transaction that says so. */
static enum err reindex_begin(struct reindex *reindex)
{
	struct cache *cache = reindex->cache;
	struct cache_write *write = NULL;
	uint8_t format[4];
	enum err err;

	be32_put(format, CACHE_FORMAT_VERSION);
	TRY(cache_write_begin(&write, cache));
	TRY(cache_err(mdb_drop(write->txn, cache->tables[CACHE_INDEX], 0)));
	TRY(cache_store(
		write, CACHE_STATE, SLICE_LITERAL("format"), slice_of(format, sizeof(format))));
	TRY(cache_index_state_put(write, NULL, false));
	err = cache_commit(write);
	write = NULL;
out:
	cache_abort(write);
	return err;
}

static enum err reindex_resume(struct reindex *reindex)
{
	static const struct uid nowhere;
	struct cache_read *read = NULL;
	struct cache_counts counts;
	enum err err;

	TRY(cache_read_begin(&read, reindex->cache));
	TRY(cache_count(read, &counts));
	reindex->records = counts.objects;
	err = state_get(read, &reindex->place, &reindex->done);
	reindex->begun = err == ERR_OK && !uid_equal(&reindex->place, &nowhere);
out:
	cache_read_end(read);
	return err;
}

static enum err reindex_all(struct reindex *reindex, const struct cache_options *options)
{
	enum err err = ERR_OK;

	while (!reindex->done) {
		TRY(reindex_step(reindex));
		if (options->on_indexing != NULL)
			options->on_indexing(options->ctx, reindex->looked, reindex->records);
	}
out:
	return err;
}

enum err cache_reindex(struct cache *cache, const struct cache_options *options)
{
	struct reindex reindex = { .cache = cache };
	enum err err = reindex_resume(&reindex);

	if (err == ERR_OK && reindex.done && !options->reindex)
		return ERR_OK;
	if (err == ERR_MISS || (err == ERR_OK && options->reindex)) {
		reindex.done = reindex.begun = false;
		reindex.place = (struct uid){ 0 };
		err = reindex_begin(&reindex);
	}
	TRY(err);
	TRY(arena_new(&reindex.arena, REINDEX_ARENA_MAX));
	reindex.keys_max =
		options->reindex_entries == 0 ? CACHE_REINDEX_ENTRIES : options->reindex_entries;
	reindex.keys.keys =
		calloc(reindex.keys_max + ENTRIES_OF_ONE_MAX, sizeof(*reindex.keys.keys));
	TRY(reindex.keys.keys == NULL ? ERR_NOMEM : ERR_OK);
	TRY(reindex_all(&reindex, options));
out:
	free(reindex.keys.keys);
	arena_free(reindex.arena);
	return err;
}
