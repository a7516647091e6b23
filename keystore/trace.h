/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the ledger keeps of a cached record (design D10). Of an object: identity, life, compromise,
 * dates, attributes. Not the wrapped key, which its own standard key holds, nor its death, which
 * the key manager tells; so that merging a trace (record_merge) raises flags and registers and
 * touches neither material nor epoch. A client's registration is its own trace. That an object was
 * handed out (given.h) goes with a trace that is written, and is no reason to write one.
 */
#ifndef KEYSTORE_TRACE_H
#define KEYSTORE_TRACE_H

#include "keystore/record.h"

enum {
	TRACE_HASH_LEN = 32,
	TRACE_DEAD_S = 90 * 86400, /* the key manager's horizon: a deleted key can be restored */
};

/* A trace whose attributes do not fit `len_max` comes in parts: merging all of them gives it. */
struct trace {
	struct record record; /* borrows attributes and extension of the cached record */
	size_t next; /* attribute that the next part begins with */
	size_t len_max;
	bool done;
};
void trace_begin(struct trace *trace, const struct record *cached, size_t len_max);
/* Begins again, with the attributes alone that were written since: for one part that a client waits
 * for. */
MUST_USE enum err trace_begin_since(
	struct trace *trace, struct arena *arena, struct stamp since, size_t len_max);
/* Appends the next part. ERR_LIMIT: one attribute alone is too long, or the extension. */
MUST_USE enum err trace_next(struct trace *trace, struct buf *out);
/* Of the whole trace in one part: equal traces have equal hashes, given.h apart. */
MUST_USE enum err trace_hash(uint8_t out[TRACE_HASH_LEN], const struct record *cached);
/* Does the record say what neither its standard key's envelope nor the key manager can tell? */
bool trace_is_needed(const struct record *cached, int64_t now);

#endif
