/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fewer ledger records that say the same (design D10): when many are half empty or half superseded,
 * what they still say is written anew from the cache, read back by id and seen in a listing, and
 * only then are the old ones deleted. One that cannot be opened here, or that holds a record of a
 * newer release, is left alone.
 */
#ifndef KEYSTORE_COMPACTION_H
#define KEYSTORE_COMPACTION_H

#include "keystore/flow.h"

enum {
	COMPACTION_RECORDS_MIN = 16, /* fewer poor ones than this are left as they are */
	COMPACTION_RECORDS_MAX = 64, /* in one compaction */
	COMPACTION_MOVES_MAX = 1024,
	COMPACTION_PROOFS_MAX = 256, /* ledger records that are read back */
	COMPACTION_INTERVAL_S = 86400,
	COMPACTION_TURN = 32 /* ledger records judged in one turn of the loop */
};

/* `deleted`: ledger records that are no more. */
/* `rewrite`: takes those that another root key than the configured one wraps (design D8), however
 * few and however full. */
MUST_USE enum err compaction_start(struct keystore_pending **out, struct instance *instance,
	bool rewrite, void (*on_done)(void *ctx, enum err err, size_t deleted), void *ctx);

#endif
