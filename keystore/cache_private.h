/* SPDX-License-Identifier: Apache-2.0 */
/* What the files cache*.c share: the environment and its tables, transactions, error codes. */
#ifndef KEYSTORE_CACHE_PRIVATE_H
#define KEYSTORE_CACHE_PRIVATE_H

#include <lmdb.h>
#include <sys/types.h>
#include "keystore/cache.h"

/* README.md says what each holds. */
enum cache_table {
	CACHE_STATE,
	CACHE_OBJECT,
	CACHE_CLIENT,
	CACHE_LOG,
	CACHE_FACT,
	CACHE_INTENT,
	CACHE_INDEX,
	CACHE_TABLE_COUNT
};

struct cache_read {
	struct cache *cache;
	MDB_txn *txn;
};

struct cache {
	MDB_env *env;
	MDB_dbi tables[CACHE_TABLE_COUNT];
	struct cache_read *idle; /* one ended read, to be renewed */
	bool read_only;
	size_t log_entries_max;
	int fd; /* of the data file, borrowed from the environment */
};

/* The end of the log as a write sees it. */
struct cache_log_end {
	uint64_t seq;
	uint8_t hash[32];
	bool moved; /* to be stored at commit */
};

struct cache_write {
	struct cache *cache;
	MDB_txn *txn; /* the whole */
	struct cache_read read; /* sees the part while there is one */
	bool has_part;
	struct cache_log_end end, end_before_part;
};

enum err cache_err(int lmdb_code);
/* Returns err, said for people in `why`. */
enum err cache_explain(char why[CACHE_WHY_MAX], enum err err, const char *what, const char *cause);
/* Length of the file that the last committed state may refer to. */
off_t cache_used_bytes(const struct cache *cache);
MDB_val cache_val(struct slice slice);
struct slice cache_slice(MDB_val value);
/* Value of a key; ERR_MISS. */
enum err cache_lookup(
	struct cache_read *read, enum cache_table table, struct slice key, struct slice *out);
enum err cache_store(
	struct cache_write *write, enum cache_table table, struct slice key, struct slice value);
/* ERR_OK also when there is none. */
enum err cache_delete(struct cache_write *write, enum cache_table table, struct slice name);

/* cache_space.c: ERR_FULL for an ERR_IO whose cause is a full disk. */
enum err cache_blame_disk(const struct cache *cache, enum err err);
/* Room for the lock file, which is written through its map. */
enum err cache_reserve_lock(const char *folder, char why[CACHE_WHY_MAX]);

/* cache_log.c */
enum err cache_log_load(struct cache_read *read, struct cache_log_end *out);
enum err cache_log_append(struct cache_write *write, struct slice record_key, struct slice bytes);
enum err cache_log_save(struct cache_write *write);
enum err cache_log_reset(struct cache_write *write);

/* cache_index.c: keeps the index in step with an object's change; `before` may be NULL. */
enum { CACHE_INDEX_PREFIX_LEN = 32, CACHE_INDEX_KEY_LEN = 48 };
enum err cache_index_prefix(uint8_t out[CACHE_INDEX_PREFIX_LEN], const struct instance_id *instance,
	struct slice name, struct slice value);
enum err cache_index_update(struct cache_write *write, struct arena *arena,
	const struct object *before, const struct object *after);

#endif
