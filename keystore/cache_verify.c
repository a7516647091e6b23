/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything in the file, read once. Keys that do not ascend, counts that differ from what LMDB
 * keeps beside each table, pages with two owners: what a damaged page leads to, where it does not
 * lead to a fault. And an index that is not what its records give: entries are added up, and what
 * records should have is taken off.
 */
#include <stdio.h>
#include <stdlib.h>
#include "keystore/cache_private.h"

enum {
	FREE_LIST = 0, /* LMDB's own tables */
	NAMES = 1,
	META_PAGES = 2,
	VERIFY_ARENA_MAX = 4 << 20,
};

struct walk {
	struct cache_verify *verify;
	struct arena *arena;
	MDB_txn *txn;
	uint8_t *is_free; /* by page */
	size_t pages, pages_owned;
	const struct cache *cache;
	bool is_index, adds_up; /* the table; whether the index is to be compared */
	uint64_t index_sum;
	int64_t index_count;
	enum record_kind kind; /* 0: no table of records */
	uint8_t last_key[511]; /* LMDB's longest */
	size_t last_len, count;
};

/* ---- one entry ---- */

/* Differs in sum when a single entry is one too many, lacking, or another. */
static uint64_t entry_number(struct slice key)
{
	uint64_t number = key.len;

	for (size_t i = 0; i < key.len; i++)
		number = (number ^ key.data[i]) * 0x100000001b3;
	number = (number ^ number >> 32) * 0xd6e8feb86659fd93;
	return number ^ number >> 32;
}

static enum err take_off_index(struct walk *walk, const struct object *object)
{
	struct cache_index_keys keys;
	enum err err;

	TRY(cache_index_keys_of(&keys, walk->cache, walk->arena, object));
	for (size_t i = 0; i < keys.count; i++)
		walk->index_sum -=
			entry_number(slice_of(keys.keys[i].bytes, sizeof(keys.keys[i].bytes)));
	walk->index_count -= (int64_t) keys.count;
out:
	return err;
}

static bool is_record_good(struct walk *walk, struct slice key, struct slice value)
{
	struct record record;
	struct buf wanted;
	bool good;

	buf_init(&wanted, RECORD_KEY_LEN_MAX);
	arena_reset(walk->arena);
	good = record_decode(&record, walk->arena, value) == ERR_OK && record.kind == walk->kind &&
	       record_key(&wanted, &record) == ERR_OK &&
	       slice_equal(slice_cut(buf_slice(&wanted), 1, SIZE_MAX), key);
	if (good && walk->adds_up && record.kind == RECORD_OBJECT)
		good = take_off_index(walk, &record.object) == ERR_OK;
	buf_free(&wanted);
	return good;
}

static enum err take_entry(struct walk *walk, struct slice key, struct slice value)
{
	struct cache_verify *verify = walk->verify;

	if (key.len == 0 || key.len > sizeof(walk->last_key))
		return ERR_CORRUPT;
	if (walk->count > 0 && slice_compare(slice_of(walk->last_key, walk->last_len), key) >= 0)
		return ERR_CORRUPT;
	bytes_copy(walk->last_key, key.data, key.len);
	walk->last_len = key.len;
	walk->count++;
	if (walk->is_index) {
		walk->index_sum += entry_number(key);
		walk->index_count++;
	}
	if (walk->kind != 0) {
		verify->records++;
		verify->bad += !is_record_good(walk, key, value);
	}
	if (++verify->entries % CACHE_VERIFY_STEP == 0 && verify->on_progress != NULL)
		verify->on_progress(verify->ctx, verify);
	return ERR_OK;
}

/* A transaction's number, in the machine's own order; then how many pages, and which, descending.
 */
static enum err take_free(struct walk *walk, struct slice key, struct slice value)
{
	size_t count, page, before = walk->pages;

	if (key.len != sizeof(size_t) || value.len < sizeof(size_t))
		return ERR_CORRUPT;
	bytes_copy(&count, value.data, sizeof(count));
	if (count >= walk->pages || value.len < (count + 1) * sizeof(page))
		return ERR_CORRUPT;
	for (size_t i = 1; i <= count; i++) {
		bytes_copy(&page, value.data + i * sizeof(page), sizeof(page));
		if (page < META_PAGES || page >= before ||
			(walk->is_free[page / 8] & 1 << page % 8) != 0)
			return ERR_CORRUPT;
		walk->is_free[page / 8] |= (uint8_t) (1 << page % 8);
		before = page;
	}
	walk->pages_owned += count;
	walk->count++;
	return ERR_OK;
}

/* ---- one table ---- */

static enum err walk_table(struct walk *walk, MDB_dbi table)
{
	MDB_cursor *cursor = NULL;
	MDB_val key, value;
	MDB_stat stat;
	enum err err;
	int code;

	walk->count = walk->last_len = 0;
	TRY(cache_err(mdb_stat(walk->txn, table, &stat)));
	walk->pages_owned += stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
	TRY(cache_err(mdb_cursor_open(walk->txn, table, &cursor)));
	for (code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST); code == MDB_SUCCESS;
		code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))
		TRY((table == FREE_LIST ? take_free : take_entry)(
			walk, cache_slice(key), cache_slice(value)));
	TRY(code == MDB_NOTFOUND ? ERR_OK : cache_err(code));
	err = walk->count == stat.ms_entries ? ERR_OK : ERR_CORRUPT;
out:
	if (cursor != NULL)
		mdb_cursor_close(cursor);
	return err;
}

static enum err walk_tables(struct walk *walk, const struct cache *cache, char why[CACHE_WHY_MAX])
{
	static const struct {
		enum cache_table table;
		const char *name;
		enum record_kind kind;
	} tables[] = { { CACHE_STATE, "state", 0 }, { CACHE_OBJECT, "object", RECORD_OBJECT },
		{ CACHE_CLIENT, "client", RECORD_CLIENT }, { CACHE_LOG, "log", 0 },
		{ CACHE_FACT, "fact", 0 }, { CACHE_INTENT, "intent", 0 },
		{ CACHE_INDEX, "index", 0 } };
	const char *name = "free pages";
	enum err err;

	TRY(walk_table(walk, FREE_LIST));
	name = "names of tables";
	TRY(walk_table(walk, NAMES));
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		name = tables[i].name;
		walk->kind = tables[i].kind;
		walk->is_index = tables[i].table == CACHE_INDEX;
		TRY(walk_table(walk, cache->tables[tables[i].table]));
	}
	name = "number of pages";
	err = walk->pages_owned + META_PAGES <= walk->pages ? ERR_OK : ERR_CORRUPT;
out:
	return err == ERR_OK ? err : cache_explain(why, err, "in the cache file", name);
}

enum err cache_verify(struct cache *cache, struct cache_verify *verify, char why[CACHE_WHY_MAX])
{
	struct walk walk = { .verify = verify, .cache = cache };
	struct cache_read read;
	MDB_envinfo info;
	enum err err;

	verify->entries = verify->records = verify->bad = 0;
	verify->index_differs = false;
	why[0] = '\0';
	TRY(arena_new(&walk.arena, VERIFY_ARENA_MAX));
	TRY(cache_err(mdb_txn_begin(cache->env, NULL, MDB_RDONLY, &walk.txn)));
	TRY(cache_err(mdb_env_info(cache->env, &info)));
	walk.pages = info.me_last_pgno + 1;
	read = (struct cache_read){ .cache = cache, .txn = walk.txn };
	walk.adds_up = cache_index_is_whole(&read);
	walk.is_free = calloc(walk.pages / 8 + 1, 1);
	TRY(walk.is_free == NULL ? ERR_NOMEM : ERR_OK);
	TRY(walk_tables(&walk, cache, why));
	/* What a damaged record should have is not known. */
	verify->index_differs =
		walk.adds_up && verify->bad == 0 && (walk.index_sum != 0 || walk.index_count != 0);
out:
	if (walk.txn != NULL)
		mdb_txn_abort(walk.txn);
	arena_free(walk.arena);
	free(walk.is_free);
	if (err != ERR_OK && why[0] == '\0')
		(void) cache_explain(why, err, "the cache", err_text(err));
	return err;
}
