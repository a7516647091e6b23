/* SPDX-License-Identifier: Apache-2.0 */
/* Between ledger.c, which knows who waits, and ledger_write.c, which writes one ledger record. */
#ifndef KEYSTORE_LEDGER_WRITE_H
#define KEYSTORE_LEDGER_WRITE_H

#include "keystore/intent.h"
#include "keystore/ledger.h"
#include "keystore/lookup.h"
#include "keystore/wrapping.h"

enum { LEDGER_INTENTS_MAX = 64 }; /* in one ledger record */

struct ledger {
	struct instance *instance;
	struct loop_timer *timer;
	struct ledger_write *writing;
	struct ledger_wait *waits; /* not yet being written */
	size_t wait_count; /* of them */
	uint64_t intents_seen;
	bool has_intents; /* the cache may hold some */
	uint64_t backoff_ms;
};

struct ledger_write {
	struct keystore_pending flow;
	struct ledger *ledger;
	struct ledger_wait *waits;
	struct buf plain;
	uint8_t nonces[LEDGER_INTENTS_MAX][INTENT_NONCE_LEN]; /* of the intents that are in it */
	size_t nonce_count;
	struct envelope envelope;
	struct wrapping wrapping;
	struct slice payload;
	bool is_sent; /* it may exist */
	struct uid id;
	struct lookup lookup;
	int64_t started;
};

/* Takes what fits of waits and intents. Ends in ledger_written, unless there is nothing to write.
 */
MUST_USE enum err ledger_write_start(struct ledger *ledger);
void ledger_written(struct ledger_write *write, enum err err);

#endif
