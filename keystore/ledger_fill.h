/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the traces of many cached records to the ledger (design D10): a checkpoint's, or those
 * that a compaction moves. What the ledger holds already is passed over. Some are under way at
 * once, so that ledger records come out full; they give way to what clients wait for.
 */
#ifndef KEYSTORE_LEDGER_FILL_H
#define KEYSTORE_LEDGER_FILL_H

#include "keystore/flow.h"
#include "keystore/ledger.h"

enum {
	LEDGER_FILL_SLOTS = 48, /* about two full ledger records of short traces */
	LEDGER_FILL_TURN = 256 /* records looked at in one turn of the loop */
};

struct ledger_fill_counts {
	uint64_t looked, written;
};
struct ledger_fill_options {
	/* The next record key into an empty buf; ERR_MISS: that was all. */
	enum err (*next)(void *ctx, struct buf *record_key);
	bool again; /* also what the ledger holds already */
	/* The whole trace of the record is in that ledger record now; may be NULL. */
	void (*on_written)(void *ctx, struct slice record_key, const struct uid *by);
	/* Once, later. The first failure ends it. */
	void (*on_done)(void *ctx, enum err err, const struct ledger_fill_counts *counts);
	void *ctx;
};
MUST_USE enum err ledger_fill_start(struct keystore_pending **out, struct instance *instance,
	const struct ledger_fill_options *options);
const struct ledger_fill_counts *ledger_fill_counts(const struct keystore_pending *flow);

#endif
