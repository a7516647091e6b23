/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/cache.h"
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "keystore/alias.h"
#include "keystore/cache_private.h"

/* ---- the transaction and its part ---- */

enum err cache_write_begin(struct cache_write **out, struct cache *cache)
{
	struct cache_write *write = calloc(1, sizeof(*write));
	enum err err;

	ASSERT(!cache->read_only);
	*out = NULL;
	if (write == NULL)
		return ERR_NOMEM;
	write->cache = cache;
	TRY(cache_err(mdb_txn_begin(cache->env, NULL, 0, &write->txn)));
	write->read = (struct cache_read){ .cache = cache, .txn = write->txn };
	TRY(cache_log_load(&write->read, &write->end));
	*out = write;
	write = NULL;
out:
	cache_abort(write);
	return err;
}

struct cache_read *cache_write_read(struct cache_write *write)
{
	return &write->read;
}

enum err cache_part_begin(struct cache_write *write)
{
	MDB_txn *part;
	enum err err;

	ASSERT(!write->has_part);
	TRY(cache_err(mdb_txn_begin(write->cache->env, write->txn, 0, &part)));
	write->has_part = true;
	write->read.txn = part;
	write->end_before_part = write->end;
out:
	return err;
}

enum err cache_part_keep(struct cache_write *write)
{
	MDB_txn *part = write->read.txn;

	ASSERT(write->has_part);
	write->has_part = false;
	write->read.txn = write->txn;
	return cache_err(mdb_txn_commit(part));
}

void cache_part_undo(struct cache_write *write)
{
	ASSERT(write->has_part);
	mdb_txn_abort(write->read.txn);
	write->has_part = false;
	write->read.txn = write->txn;
	write->end = write->end_before_part;
}

/*
 * Pages that were allocated and given up in one transaction may lie past the end of the file. They
 * are not read, but a file of full length is how a file that was cut short is told apart
 * (cache_open).
 */
static enum err file_settle(const struct cache *cache)
{
	off_t needed = cache_used_bytes(cache);
	struct stat file;

	if (fstat(cache->fd, &file) != 0 ||
		(file.st_size < needed && ftruncate(cache->fd, needed) != 0))
		return ERR_IO;
	return ERR_OK;
}

enum err cache_commit(struct cache_write *write)
{
	struct cache *cache = write->cache;
	enum err err;

	ASSERT(!write->has_part);
	TRY(cache_log_save(write));
	err = cache_blame_disk(cache, cache_err(mdb_txn_commit(write->txn)));
	write->txn = NULL;
	TRY(err);
	TRY(file_settle(cache));
out:
	cache_abort(write);
	return err;
}

void cache_abort(struct cache_write *write)
{
	if (write == NULL)
		return;
	if (write->has_part)
		cache_part_undo(write);
	if (write->txn != NULL)
		mdb_txn_abort(write->txn);
	free(write);
}

uint64_t cache_write_last_seq(const struct cache_write *write)
{
	return write->end.seq;
}

/* ---- putting ---- */

enum err cache_store(
	struct cache_write *write, enum cache_table table, struct slice key, struct slice value)
{
	MDB_val lmdb_key = cache_val(key), lmdb_value = cache_val(value);

	return cache_err(
		mdb_put(write->read.txn, write->cache->tables[table], &lmdb_key, &lmdb_value, 0));
}

/* The record as it is to be stored, and what was there. */
struct merging {
	struct record before, after;
	bool existed, changes;
	struct buf key, buf;
	struct slice bytes; /* to be stored */
};

/* Copied: writing moves the pages that the slices would point into. */
static enum err merging_join(struct merging *merging, struct arena *arena,
	const struct cache_put *put, struct slice stored)
{
	enum err err;

	stored = arena_copy(arena, stored);
	TRY(stored.data == NULL ? ERR_NOMEM : ERR_OK);
	err = record_decode(&merging->before, arena, stored);
	merging->existed = err != ERR_CORRUPT || !put->heals;
	if (!merging->existed)
		return ERR_OK;
	TRY(err);
	TRY(record_merge(&merging->after, arena, &merging->before, put->record));
	TRY(record_encode(&merging->buf, &merging->after));
	merging->bytes = buf_slice(&merging->buf);
	merging->changes = !slice_equal(stored, merging->bytes);
out:
	return err;
}

static enum err merging_begin(struct merging *merging, struct cache_write *write,
	struct arena *arena, const struct cache_put *put)
{
	struct slice stored;
	enum err err;

	merging->after = *put->record;
	merging->bytes = put->bytes;
	TRY(record_key(&merging->key, put->record));
	err = cache_get_bytes(&write->read, buf_slice(&merging->key), &stored);
	merging->existed = err == ERR_OK;
	merging->changes = true;
	TRY(err == ERR_MISS ? ERR_OK : err);
	/* Merging is idempotent, and records are canonical. */
	if (merging->existed && slice_equal(stored, put->bytes))
		merging->changes = false;
	else if (merging->existed)
		TRY(merging_join(merging, arena, put, stored));
	if (merging->bytes.len > 0)
		goto out;
	TRY(record_encode(&merging->buf, &merging->after));
	merging->bytes = buf_slice(&merging->buf);
out:
	return err;
}

static enum err merging_store(struct merging *merging, struct cache_write *write,
	struct arena *arena, struct cache_put *put)
{
	bool is_object = merging->after.kind == RECORD_OBJECT;
	struct slice key = slice_cut(buf_slice(&merging->key), 1, SIZE_MAX);
	enum err err;

	TRY(cache_store(write, is_object ? CACHE_OBJECT : CACHE_CLIENT, key, merging->bytes));
	if (is_object)
		TRY(cache_index_update(write, arena,
			merging->existed ? &merging->before.object : NULL, &merging->after.object));
	if (put->logged) {
		TRY(cache_log_append(write, buf_slice(&merging->key), merging->bytes));
		put->seq = write->end.seq;
	}
	put->changed = true;
out:
	return err;
}

enum err cache_merge(struct cache_write *write, struct arena *arena, struct cache_put *put)
{
	struct merging merging = { 0 };
	enum err err;

	put->changed = false;
	put->closed = false;
	put->seq = 0;
	buf_init(&merging.key, RECORD_KEY_LEN_MAX);
	buf_init(&merging.buf, RECORD_LEN_MAX);
	TRY(merging_begin(&merging, write, arena, put));
	if (put->record->kind == RECORD_OBJECT) {
		TRY(alias_note(write, &put->record->object));
		put->closed =
			merging.after.object.dead || object_is_quarantined(&merging.after.object);
	}
	if (merging.changes)
		TRY(merging_store(&merging, write, arena, put));
out:
	buf_free(&merging.buf);
	buf_free(&merging.key);
	return err;
}

enum err cache_put_fact(struct cache_write *write, const char *name, struct slice value)
{
	struct slice key = slice_text(name);

	ASSERT(key.len > 0 && key.len <= CACHE_FACT_NAME_LEN_MAX);
	if (value.len > CACHE_FACT_LEN_MAX)
		return ERR_LIMIT;
	return cache_store(write, CACHE_FACT, key, value);
}

enum err cache_delete(struct cache_write *write, enum cache_table table, struct slice name)
{
	MDB_val key = cache_val(name);
	int code = mdb_del(write->read.txn, write->cache->tables[table], &key, NULL);

	return code == MDB_NOTFOUND ? ERR_OK : cache_err(code);
}

enum err cache_delete_fact(struct cache_write *write, const char *name)
{
	return cache_delete(write, CACHE_FACT, slice_text(name));
}

enum err cache_put_intent(struct cache_write *write, const uint8_t nonce[16], struct slice body)
{
	if (body.len > CACHE_INTENT_LEN_MAX)
		return ERR_LIMIT;
	return cache_store(write, CACHE_INTENT, slice_of(nonce, 16), body);
}

enum err cache_delete_intent(struct cache_write *write, const uint8_t nonce[16])
{
	return cache_delete(write, CACHE_INTENT, slice_of(nonce, 16));
}

enum err cache_new_incarnation(struct cache_write *write)
{
	return cache_log_reset(write);
}
