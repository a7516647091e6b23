/* SPDX-License-Identifier: Apache-2.0 */
/* What the files cache*.c share: the environment and its tables, transactions, error codes. */
#ifndef KEYSTORE_CACHE_PRIVATE_H
#define KEYSTORE_CACHE_PRIVATE_H

#include <lmdb.h>
#include <sys/types.h>
#include "base/crypt.h"
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
	const struct cache_terms *terms; /* may be NULL */
	struct crypt_hash *hash; /* of the keeper's index */
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

/* cache_index.c: the entries of the index. */
enum { CACHE_INDEX_PREFIX_LEN = 16, CACHE_INDEX_KEY_LEN = 45 };
_Static_assert((int) CACHE_INDEX_KEY_LEN ==
		       CACHE_INDEX_PREFIX_LEN + (int) CACHE_ORDER_LEN + (int) sizeof(struct uid),
	"an entry of the index");
struct cache_index_key {
	uint8_t bytes[CACHE_INDEX_KEY_LEN];
};
struct cache_index_keys {
	struct cache_index_key *keys; /* sorted, each once */
	size_t count;
};
enum err cache_index_prefix(struct crypt_hash *hash, uint8_t out[CACHE_INDEX_PREFIX_LEN],
	const struct instance_id *instance, const struct cache_term *term);
void cache_index_date(uint8_t out[CACHE_ORDER_LEN], int64_t date);
/* None for an object whose instance is not known (only a tombstone came so far), or of which only
 * the ledger told: its key may be long gone. */
bool cache_index_has(const struct object *object);
/* In the arena. */
enum err cache_index_keys_of(struct cache_index_keys *keys, const struct cache *cache,
	struct arena *arena, const struct object *object);
void cache_index_sort(struct cache_index_keys *keys);
enum err cache_index_put(struct cache_write *write, const struct cache_index_key *key);
/* Keeps the index in step with an object's change; either may be NULL. */
enum err cache_index_update(struct cache_write *write, struct arena *arena,
	const struct object *before, const struct object *after);

/* cache_reindex.c: sees to it that the keeper's cache is indexed by its terms. */
enum err cache_reindex(struct cache *cache, const struct cache_options *options);
bool cache_index_is_whole(struct cache_read *read);
enum err cache_index_state_put(struct cache_write *write, const struct uid *place, bool done);

#endif
