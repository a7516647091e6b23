/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of own changes: key = sequence number, value = running hash and record key. The end is
 * kept in the state table as well, since trimming may empty the log but must not restart it.
 */
#include "keystore/cache.h"
#include "base/crypt.h"
#include "base/rand.h"
#include "keystore/cache_private.h"

enum {
	HASH_LEN = 32,
	SEQ_LEN = 8,
	TRIM_STEP = 4, /* entries dropped for each one added: catches up, in small steps */
	INCARNATION_LEN = 16
};

static enum err incarnation_get(struct cache_read *read, uint8_t out[INCARNATION_LEN])
{
	struct slice stored;
	enum err err;

	TRY(cache_lookup(read, CACHE_STATE, SLICE_LITERAL("incarnation"), &stored));
	TRY(slice_copy_exact(out, INCARNATION_LEN, stored) ? ERR_OK : ERR_CORRUPT);
out:
	return err;
}

enum err cache_log_load(struct cache_read *read, struct cache_log_end *out)
{
	struct slice stored;
	enum err err;

	*out = (struct cache_log_end){ 0 };
	TRY(cache_lookup(read, CACHE_STATE, SLICE_LITERAL("log"), &stored));
	TRY(stored.len == SEQ_LEN + HASH_LEN ? ERR_OK : ERR_CORRUPT);
	out->seq = be64_get(stored.data);
	bytes_copy(out->hash, stored.data + SEQ_LEN, HASH_LEN);
out:
	return err;
}

enum err cache_log_save(struct cache_write *write)
{
	uint8_t stored[SEQ_LEN + HASH_LEN];
	enum err err;

	if (!write->end.moved)
		return ERR_OK;
	be64_put(stored, write->end.seq);
	bytes_copy(stored + SEQ_LEN, write->end.hash, HASH_LEN);
	TRY(cache_store(
		write, CACHE_STATE, SLICE_LITERAL("log"), slice_of(stored, sizeof(stored))));
	write->end.moved = false;
out:
	return err;
}

/* SHA-256(previous hash, seq, record key, SHA-256 of the bytes committed). */
static enum err running_hash(uint8_t out[HASH_LEN], const struct cache_log_end *end,
	struct slice record_key, struct slice bytes)
{
	uint8_t seq[SEQ_LEN], digest[HASH_LEN];
	struct slice parts[] = { slice_of(end->hash, HASH_LEN), slice_of(seq, sizeof(seq)),
		record_key, slice_of(digest, sizeof(digest)) };
	enum err err;

	be64_put(seq, end->seq + 1);
	TRY(crypt_sha256(digest, bytes));
	TRY(crypt_sha256_parts(out, parts, sizeof(parts) / sizeof(parts[0])));
out:
	return err;
}

static enum err log_trim(struct cache_write *write)
{
	MDB_dbi table = write->cache->tables[CACHE_LOG];
	MDB_cursor *cursor = NULL;
	MDB_val key, value;
	size_t max = write->cache->log_entries_max;
	MDB_stat stat;
	enum err err;

	TRY(cache_err(mdb_stat(write->read.txn, table, &stat)));
	if (stat.ms_entries <= max)
		return ERR_OK;
	TRY(cache_err(mdb_cursor_open(write->read.txn, table, &cursor)));
	for (int i = 0; i < TRIM_STEP && stat.ms_entries > max; i++) {
		TRY(cache_err(mdb_cursor_get(cursor, &key, &value, MDB_FIRST)));
		TRY(cache_err(mdb_cursor_del(cursor, 0)));
		stat.ms_entries--;
	}
out:
	if (cursor != NULL)
		mdb_cursor_close(cursor);
	return err;
}

enum err cache_log_append(struct cache_write *write, struct slice record_key, struct slice bytes)
{
	uint8_t seq[SEQ_LEN], entry[HASH_LEN + RECORD_KEY_LEN_MAX];
	enum err err;

	ASSERT(record_key.len <= RECORD_KEY_LEN_MAX);
	TRY(running_hash(entry, &write->end, record_key, bytes));
	bytes_copy(entry + HASH_LEN, record_key.data, record_key.len);
	be64_put(seq, write->end.seq + 1);
	TRY(cache_store(write, CACHE_LOG, slice_of(seq, sizeof(seq)),
		slice_of(entry, HASH_LEN + record_key.len)));
	write->end.seq++;
	bytes_copy(write->end.hash, entry, HASH_LEN);
	write->end.moved = true;
	err = log_trim(write);
out:
	return err;
}

enum err cache_log_reset(struct cache_write *write)
{
	uint8_t incarnation[INCARNATION_LEN];
	enum err err;

	rand_bytes(incarnation, sizeof(incarnation));
	TRY(cache_store(write, CACHE_STATE, SLICE_LITERAL("incarnation"),
		slice_of(incarnation, sizeof(incarnation))));
	TRY(cache_err(mdb_drop(write->read.txn, write->cache->tables[CACHE_LOG], 0)));
	write->end = (struct cache_log_end){ .moved = true };
out:
	return err;
}

/* ---- reading ---- */

enum err cache_log_position(struct cache_read *read, struct cache_position *out)
{
	struct cache_log_end end;
	enum err err;

	TRY(incarnation_get(read, out->incarnation));
	TRY(cache_log_load(read, &end));
	out->seq = end.seq;
	bytes_copy(out->hash, end.hash, HASH_LEN);
out:
	return err;
}

static enum err parse_entry(struct cache_log_entry *out, MDB_val key, MDB_val value)
{
	struct slice seq = cache_slice(key), entry = cache_slice(value);

	if (seq.len != SEQ_LEN || entry.len <= HASH_LEN ||
		entry.len > HASH_LEN + RECORD_KEY_LEN_MAX)
		return ERR_CORRUPT;
	out->seq = be64_get(seq.data);
	bytes_copy(out->hash, entry.data, HASH_LEN);
	out->record_key = slice_cut(entry, HASH_LEN, SIZE_MAX);
	return ERR_OK;
}

enum err cache_log_hash(struct cache_read *read, uint64_t seq, uint8_t out[32])
{
	uint8_t key[SEQ_LEN];
	struct slice entry;
	enum err err;

	bytes_zero(out, HASH_LEN);
	if (seq == 0)
		return ERR_OK;
	be64_put(key, seq);
	TRY(cache_lookup(read, CACHE_LOG, slice_of(key, sizeof(key)), &entry));
	TRY(slice_copy_exact(out, HASH_LEN, slice_cut(entry, 0, HASH_LEN)) ? ERR_OK : ERR_CORRUPT);
out:
	return err;
}

static enum err read_entries(MDB_cursor *cursor, const uint8_t first[SEQ_LEN], size_t max,
	enum err (*visit)(void *ctx, const struct cache_log_entry *entry), void *ctx)
{
	MDB_val key = cache_val(slice_of(first, SEQ_LEN)), value;
	uint64_t expected = be64_get(first);
	int code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	struct cache_log_entry entry;
	enum err err = ERR_OK;

	for (size_t i = 0; code == MDB_SUCCESS && i < max; i++) {
		TRY(parse_entry(&entry, key, value));
		/* A gap at the start was trimmed; there is none elsewhere. */
		TRY(entry.seq != expected ? (i == 0 ? ERR_MISS : ERR_CORRUPT) : ERR_OK);
		TRY(visit(ctx, &entry));
		expected++;
		code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	err = code == MDB_SUCCESS || code == MDB_NOTFOUND ? ERR_OK : cache_err(code);
out:
	return err;
}

enum err cache_log_read(struct cache_read *read, uint64_t first, size_t max,
	enum err (*visit)(void *ctx, const struct cache_log_entry *entry), void *ctx)
{
	uint8_t key[SEQ_LEN];
	MDB_cursor *cursor = NULL;
	enum err err;

	be64_put(key, first);
	TRY(cache_err(mdb_cursor_open(read->txn, read->cache->tables[CACHE_LOG], &cursor)));
	err = read_entries(cursor, key, max, visit, ctx);
out:
	if (cursor != NULL)
		mdb_cursor_close(cursor);
	return err;
}
