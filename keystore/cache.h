/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The LMDB file of a node (design D11): objects, clients, the log of own changes, intents, small
 * facts. Disposable: the key manager can rebuild it. LMDB is named in cache*.c only. One
 * environment a process, opened after the process was started.
 *
 * Read transactions are short and internal to a call, or a struct cache_read held within one turn
 * of the loop.
 */
#ifndef KEYSTORE_CACHE_H
#define KEYSTORE_CACHE_H

#include "keystore/record.h"

struct cache;
struct cache_read;
struct cache_write;

enum {
	CACHE_FORMAT_VERSION = 2,
	CACHE_FORMAT_OLDEST = 1, /* another index: it is made anew */
	CACHE_READERS_MAX = 126,
	CACHE_LOG_ENTRIES_MAX = 1000000,
	CACHE_FACT_LEN_MAX = 4096,
	CACHE_FACT_NAME_LEN_MAX = 64,
	CACHE_INTENT_LEN_MAX = RECORD_LEN_MAX,
	CACHE_WHY_MAX = 300,
	CACHE_VERIFY_STEP = 4096,
	CACHE_FIND_CHOICES_MAX = 16,
	CACHE_FIND_TERMS_MAX = 48, /* in all choices */
	CACHE_ORDER_LEN = 13,
	CACHE_REINDEX_ENTRIES = 65536, /* a few megabytes */
};

/*
 * What objects are found by: terms, each a name and a value, any bytes. Which an object has says
 * the layer that knows what attributes mean.
 */
struct cache_term {
	struct slice name, value;
};
struct cache_term_list;
struct cache_terms {
	uint32_t version; /* 1 and up: what was indexed by others is indexed anew */
	/* Adds those of an object that lives. */
	enum err (*list)(struct cache_term_list *list, const struct object *object);
};
/* Copies. The same one twice is one. ERR_LIMIT: more than the object's attributes and a few. */
MUST_USE enum err cache_term_add(struct cache_term_list *list, const struct cache_term *term);

struct cache_options {
	const char *folder;
	size_t map_bytes; /* fixed in all processes; sparse */
	bool read_only; /* workers */
	size_t log_entries_max; /* 0: CACHE_LOG_ENTRIES_MAX; tests want less */
	const struct cache_terms *terms; /* NULL: objects have none */
	bool reindex; /* though it seems to be indexed */
	size_t reindex_entries; /* in one transaction; 0: CACHE_REINDEX_ENTRIES; tests want less */
	/* Indexing all records takes a while; may be NULL. */
	void (*on_indexing)(void *ctx, uint64_t done, uint64_t records);
	void *ctx;
};

/*
 * The keeper opens for writing first: makes the folder and a new incarnation when there is nothing.
 * ERR_CORRUPT or ERR_VERSION: the caller may cache_move_aside and open again. `why` is a sentence
 * for people on any error. A file that is cut short or is none of ours is noticed here; a full
 * read-through check of records is cache_verify. ERR_NOT_FOUND: read_only, and no keeper made it.
 */
MUST_USE enum err cache_open(
	struct cache **out, const struct cache_options *options, char why[CACHE_WHY_MAX]);
void cache_close(struct cache *cache);
/* Moves the files of the cache to a new folder FOLDER/bad-<date>; nothing is deleted, and other
 * files stay. No process may have it open. */
MUST_USE enum err cache_move_aside(const char *folder, char moved_to[CACHE_WHY_MAX]);
/*
 * Reads everything: each table from its first entry to its last, the list of free pages, the
 * checksum of each record (*bad counts those that are wrong), whether the index is what they give.
 * ERR_CORRUPT, with `why`: the tables themselves do not hold together. LMDB trusts its pages, so
 * that damaged ones may end the process: who must live on lets another process do it
 * (node/cache_guard.h). Long: on_progress, if given, is called every CACHE_VERIFY_STEP entries.
 */
struct cache_verify {
	size_t entries, records, bad;
	bool index_differs; /* to be opened with `reindex` */
	void (*on_progress)(void *ctx, const struct cache_verify *verify);
	void *ctx;
};
MUST_USE enum err cache_verify(
	struct cache *cache, struct cache_verify *verify, char why[CACHE_WHY_MAX]);
/*
 * Sees to it that the file may grow by `bytes` (or to the end of the map, if that is less) whatever
 * else fills the disk. ERR_FULL: the disk has not so much. Where a file system cannot reserve, what
 * is free now counts.
 */
MUST_USE enum err cache_reserve(struct cache *cache, size_t bytes);
/* Frees reader slots of dead processes. */
void cache_check_readers(struct cache *cache);

/* Reading. One read may be reused by the next, so that a read costs no system call. ERR_LIMIT: more
 * than CACHE_READERS_MAX at once. */
MUST_USE enum err cache_read_begin(struct cache_read **out, struct cache *cache);
void cache_read_end(struct cache_read *read);
/* Decoded into the arena (bytes are copied there). ERR_MISS when there is none, ERR_CORRUPT. */
MUST_USE enum err cache_get_object(
	struct cache_read *read, struct arena *arena, const struct uid *uid, struct object **out);
MUST_USE enum err cache_get_client(
	struct cache_read *read, const struct fingerprint *fingerprint, struct client *out);
/* Encoded bytes by record key (record.h), valid until the read ends. */
MUST_USE enum err cache_get_bytes(
	struct cache_read *read, struct slice record_key, struct slice *out);

/*
 * Walks records in key order, starting behind `after` (empty: from the start); *more says whether
 * to come again with the last key seen. visit returns ERR_OK to go on; any other error ends the
 * walk and is returned.
 */
struct cache_walk {
	enum record_kind kind;
	struct slice after;
	size_t records_max;
	enum err (*visit)(void *ctx, struct slice record_key, struct slice bytes);
	void *ctx;
};
MUST_USE enum err cache_walk(struct cache_read *read, const struct cache_walk *walk, bool *more);

/* Every object of one instance, destroyed ones as well, in the order of uid. after: NULL from the
 * start. */
struct cache_list {
	struct instance_id instance;
	const struct uid *after;
	enum err (*visit)(void *ctx, const struct uid *uid);
	void *ctx;
};
MUST_USE enum err cache_list(struct cache_read *read, const struct cache_list *list);

/*
 * Live objects of one instance that have a term of each of the choices, newest first: by Initial
 * Date, by what was made first within a second, by uid. The index only suggests: who is visited
 * reads the record and judges, after asking whether the entry is of the record as it is now.
 */
struct cache_any {
	const struct cache_term *terms;
	size_t count; /* 0: nothing is found */
};
struct cache_span {
	int64_t first, last; /* seconds, both included */
};
struct cache_found {
	struct uid uid;
	uint8_t order[CACHE_ORDER_LEN];
};
struct cache_find {
	struct instance_id instance;
	const struct cache_any *all;
	size_t count; /* of choices, at least one */
	const struct cache_span *initial; /* of the Initial Date; NULL: any */
	const struct cache_found *after; /* goes on behind it; NULL: from the start */
	uint64_t steps_max; /* ERR_LIMIT after so many entries looked at; 0: no limit */
	enum err (*visit)(void *ctx, const struct cache_found *found);
	void *ctx;
};
MUST_USE enum err cache_find(struct cache_read *read, const struct cache_find *find);
bool cache_found_is_current(const struct cache_found *found, const struct object *object);

/* Counts for the operator: O(1) each. */
struct cache_counts {
	uint64_t objects, clients, intents, log_entries, bytes_used, map_bytes;
};
MUST_USE enum err cache_count(struct cache_read *read, struct cache_counts *out);

/* The log of own changes (design D17, D20). */
struct cache_position {
	uint8_t incarnation[16];
	uint64_t seq; /* 0: nothing yet */
	uint8_t hash[32]; /* running hash at seq: SHA-256(previous hash, seq, record key, SHA-256 of
			     the bytes committed) */
};
MUST_USE enum err cache_log_position(struct cache_read *read, struct cache_position *out);
/* Running hash at a sequence of this incarnation; ERR_MISS when the log does not reach back that
 * far. */
MUST_USE enum err cache_log_hash(struct cache_read *read, uint64_t seq, uint8_t out[32]);
struct cache_log_entry {
	uint64_t seq;
	uint8_t hash[32];
	struct slice record_key;
};
/* Entries first..first+max-1 as far as they exist; ERR_MISS when `first` was trimmed. */
MUST_USE enum err cache_log_read(struct cache_read *read, uint64_t first, size_t max,
	enum err (*visit)(void *ctx, const struct cache_log_entry *entry), void *ctx);

/* Facts: small named values ("peer-2" -> position, "stamp" -> ...). ERR_MISS. Valid until the read
 * ends. */
MUST_USE enum err cache_get_fact(struct cache_read *read, const char *name, struct slice *out);
/* Facts whose names begin with the prefix, in the order of names, behind `after` (empty: all);
 * what visit returns ends the walk unless it is ERR_OK. */
MUST_USE enum err cache_walk_facts(struct cache_read *read, const char *prefix, struct slice after,
	enum err (*visit)(void *ctx, struct slice name, struct slice value), void *ctx);

/* Intents (design D9): work begun at the key manager whose end is not yet recorded; key = the
 * record nonce. */
MUST_USE enum err cache_walk_intents(struct cache_read *read,
	enum err (*visit)(void *ctx, const uint8_t nonce[16], struct slice body), void *ctx);

/*
 * Writing, by the keeper alone. Everything between begin and commit becomes durable together or not
 * at all. Puts see what was put before in the same transaction through the cache_read that
 * cache_write_read gives (owned by the write).
 */
MUST_USE enum err cache_write_begin(struct cache_write **out, struct cache *cache);
struct cache_read *cache_write_read(struct cache_write *write);
/*
 * Merges the record into what is stored (record_merge); `changed` tells whether anything changed.
 * An own change (`logged`) that changed something gets the next sequence number, `seq` (0
 * otherwise). ERR_CORRUPT, ERR_VERSION: what is stored cannot be read, and stays as it is;
 * ERR_FULL.
 */
struct cache_put {
	const struct record *record;
	struct slice bytes; /* what it was decoded from, which saves encoding it; or empty */
	bool logged;
	bool heals; /* what is stored and damaged gives way to the record (its index stays) */
	bool changed; /* out */
	bool closed; /* out: an object that is dead or quarantined now */
	uint64_t seq; /* out */
};
MUST_USE enum err cache_merge(
	struct cache_write *write, struct arena *arena, struct cache_put *put);
MUST_USE enum err cache_put_fact(struct cache_write *write, const char *name, struct slice value);
MUST_USE enum err cache_delete_fact(struct cache_write *write, const char *name);
MUST_USE enum err cache_put_intent(
	struct cache_write *write, const uint8_t nonce[16], struct slice body);
MUST_USE enum err cache_delete_intent(struct cache_write *write, const uint8_t nonce[16]);
/* A new incarnation with an empty log: after a rollback was detected (design D20). */
MUST_USE enum err cache_new_incarnation(struct cache_write *write);
/*
 * A part of the write that can be undone alone (a child transaction): begin, then keep or undo. One
 * at a time. After an error inside a write, the part or the whole write must be undone.
 */
MUST_USE enum err cache_part_begin(struct cache_write *write);
MUST_USE enum err cache_part_keep(struct cache_write *write);
void cache_part_undo(struct cache_write *write);
/* Sequence number of the last own change, this write's included. */
uint64_t cache_write_last_seq(const struct cache_write *write);
/* Ends the write in any case. An error here is fatal for the process (design D3): the caller must
 * end it. */
MUST_USE enum err cache_commit(struct cache_write *write);
void cache_abort(struct cache_write *write);

#endif
