/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this node knows of the ledger records in the key manager, as facts of its cache: what each
 * one holds (by record key), and, for each cached record, the ledger record that holds its whole
 * trace. From these it follows what a checkpoint has to write and what a compaction may delete.
 */
#ifndef KEYSTORE_LEDGER_NOTE_H
#define KEYSTORE_LEDGER_NOTE_H

#include "keystore/instance.h"
#include "keystore/trace.h"

/* One ledger record. */
struct ledger_note {
	struct uid id;
	struct instance_id instance;
	struct uid crk; /* the root key that it is wrapped with; zero: not known */
	bool newer; /* holds a record of a newer release: not ours to rewrite */
	uint32_t plain_len;
	struct cursor keys; /* ledger_note_next; borrows from the read */
};

/* Called in the write that has merged `plain`, the content of the ledger record. */
MUST_USE enum err ledger_note_put(struct cache_write *write, struct arena *arena,
	const struct ledger_note *note, struct slice plain);
/* Parses the fact's value. ERR_CORRUPT. */
MUST_USE enum err ledger_note_parse(
	struct ledger_note *out, const struct uid *id, struct slice value);
/* ERR_MISS: not known here. */
MUST_USE enum err ledger_note_get(
	struct ledger_note *out, struct cache_read *read, const struct uid *id);
struct ledger_note_entry {
	struct slice record_key;
	uint64_t hash; /* of the trace that it holds: the first bytes of trace_hash */
};
/* The next entry; false at the end. */
bool ledger_note_next(struct ledger_note *note, struct ledger_note_entry *out);
/* Walks all notes, of every instance; those behind `after` (NULL: from the start). */
MUST_USE enum err ledger_note_walk(struct cache_read *read, const struct uid *after,
	enum err (*visit)(void *ctx, struct ledger_note *note), void *ctx);
/* How many of the instance's are wrapped with another root key than that, and may be rewritten. */
MUST_USE enum err ledger_note_count_others(uint64_t *out, struct cache_read *read,
	const struct instance_id *instance, const struct uid *crk);
/*
 * The ledger record is gone: forgets it. What counted on it counts on another one that holds the
 * same trace; `lost` says how many found none and are in the caches only now.
 */
MUST_USE enum err ledger_note_lose(
	struct cache_write *write, struct arena *arena, const struct uid *id, size_t *lost);

/* A cached record and the ledger. */
struct ledger_cover {
	struct record record; /* as cached; in the arena */
	bool needed; /* trace_is_needed */
	bool covered; /* its whole trace, as it is now, is in: */
	struct uid by;
	uint64_t hash; /* of the trace as it is now, as in ledger_note_entry */
};
/* ERR_MISS: no such record is cached. */
MUST_USE enum err ledger_cover_get(struct ledger_cover *out, struct cache_read *read,
	struct arena *arena, struct slice record_key);
#endif
