/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the core asks of the cache, read in one short transaction each and copied into the arena:
 * positions, stretches of the log, chunks of a snapshot. A record that cannot be read is never
 * sent; it is logged.
 */
#ifndef REPLICATION_READER_H
#define REPLICATION_READER_H

#include "keystore/cache.h"
#include "replication/core.h"

/* The names of the facts that hold what was applied of the peer's stream, and how far the records
 * reach that came with it. */
enum { READER_FACT_MAX = 16 };
struct reader_facts {
	char applied[READER_FACT_MAX], seen[READER_FACT_MAX];
};
void reader_facts_init(struct reader_facts *facts, uint16_t peer_node);

/* Fills event->up. No fact, or one that cannot be read: all zero. */
MUST_USE enum err reader_up(
	struct cache *cache, const struct reader_facts *facts, struct core_event *event);
/* Fills own and the hashes (in the arena) of a HELLO. */
MUST_USE enum err reader_hello(struct cache *cache, struct arena *arena, struct core_event *event);
MUST_USE enum err reader_position(struct cache *cache, struct wire_position *out);
/* Fills event->log with entries from `first` on. */
MUST_USE enum err reader_log(
	struct cache *cache, struct arena *arena, uint64_t first, struct core_event *event);
/* Fills event->snapshot with records behind the cursor. */
MUST_USE enum err reader_snapshot(struct cache *cache, struct arena *arena,
	const struct core_cursor *cursor, struct core_event *event);
/* Fills event->digest with digests of the records of core_is_common, in the arena; fact as above.
 */
struct reader_digest {
	const struct core *core;
	const char *fact;
	uint16_t first, count;
};
MUST_USE enum err reader_digest(struct cache *cache, struct arena *arena,
	const struct reader_digest *ask, struct core_event *event);
/* Fills event->snapshot with records of the bucket behind the cursor. */
MUST_USE enum err reader_bucket(struct cache *cache, struct arena *arena, uint16_t bucket,
	const struct core_cursor *cursor, struct core_event *event);
/* Whose record of the peer's it is, by its head and checksum: it is decoded once, when it is
 * merged. ERR_CORRUPT, ERR_VERSION. */
MUST_USE enum err reader_record(struct core_record *out, struct slice bytes);

#endif
