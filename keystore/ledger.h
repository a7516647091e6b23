/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger of an instance (design D10): records that have no standard key of their own, packed
 * into standard keys whose payload is sealed like an envelope. What asks within 200 ms shares one.
 * Its plain content is a sequence of (32-bit length, record), of any record kind, merged in any
 * order by whoever reads it (ledger_read.h).
 */
#ifndef KEYSTORE_LEDGER_H
#define KEYSTORE_LEDGER_H

#include "keystore/flow.h"

struct ledger;

enum {
	LEDGER_GATHER_MS = 200, /* for others to share a record, unless it is full already */
	LEDGER_PLAIN_LEN_MAX = 6300, /* an object's longest attribute fits; leaves 1,100 bytes of an
					envelope for the wrapped one-time key */
	LEDGER_RECORD_LEN_MAX = LEDGER_PLAIN_LEN_MAX - 4, /* one record behind its length */
	LEDGER_WAITS_MAX = 1024,
	LEDGER_CALL_MS = 10000,
	LEDGER_BACKOFF_MS_MIN = 2000,
	LEDGER_BACKOFF_MS_MAX = 60000,
};

/* A record that somebody waits for; embedded, alive until on_written or ledger_forget. */
struct ledger_wait {
	struct slice record; /* encoded; at most LEDGER_RECORD_LEN_MAX bytes. Empty: waits for
				the intents that are committed by now */
	void (*on_written)(void *ctx, enum err err);
	void *ctx;
	bool is_packed; /* `record` is several, each behind its length, which share one ledger
			 * record
			 */
	bool may_exist; /* out, of a failure and of ledger_forget: it may be written all the same */
	bool later; /* gives way to what a client waits for */
	struct uid id; /* out: the ledger record that holds it */
	struct ledger_wait *next;
	bool waiting;
};

MUST_USE enum err ledger_new(struct ledger **out, struct instance *instance);
void ledger_free(struct ledger *ledger);
/* on_written once, later: the record is in the key manager, and merged into the cache; a failure is
 * told, not retried. ERR_LIMIT. */
MUST_USE enum err ledger_add(struct ledger *ledger, struct ledger_wait *wait);
void ledger_forget(struct ledger *ledger, struct ledger_wait *wait);
/* The cache may hold ledger intents (intent.h): they are written, with retries, until none is left.
 */
void ledger_poke(struct ledger *ledger);
/* Records that are not written yet, as far as the last look saw. */
uint64_t ledger_waiting(const struct ledger *ledger);

#endif
