/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings what this node has changed since its last checkpoint into the ledger (design D10):
 * activations and attributes. Goes through the log of own changes from the position that the fact
 * checkpoint-<instance> holds; through the whole cache where the log does not reach back that far,
 * was begun anew, or a ledger record was lost.
 */
#ifndef KEYSTORE_CHECKPOINT_H
#define KEYSTORE_CHECKPOINT_H

#include "keystore/ledger_fill.h"

/* Where the last one was: */
struct checkpoint_position {
	uint8_t incarnation[16]; /* of the log; zero: none, all is to be looked at */
	uint64_t seq;
	int64_t at; /* seconds */
};
/* ERR_MISS: this cache has seen none. */
MUST_USE enum err checkpoint_load(struct checkpoint_position *out, struct cache_read *read,
	const struct instance_id *instance);
/* What the node logs from now on is the next one's; for a cache that has seen none. */
MUST_USE enum err checkpoint_save(struct cache_write *write, const struct instance_id *instance,
	const struct checkpoint_position *position);

MUST_USE enum err checkpoint_start(struct keystore_pending **out, struct instance *instance,
	void (*on_done)(void *ctx, enum err err, const struct ledger_fill_counts *counts),
	void *ctx);
/* So far. */
struct ledger_fill_counts checkpoint_counts(const struct keystore_pending *flow);

#endif
