/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an instance's ledger asks for over time (design D10): a checkpoint when its interval has
 * passed, when an operator asks, when a ledger record was lost, and before a clean stop; a
 * compaction at most once a day. One of them at a time, and none before the ledger was read.
 */
#ifndef KEYSTORE_LEDGER_CARE_H
#define KEYSTORE_LEDGER_CARE_H

#include "keystore/ledger_fill.h"

struct ledger_care;

enum {
	LEDGER_CARE_RETRY_S = 300, /* after a failure */
	LEDGER_CARE_FIRST_S = 3600 /* a cache that has seen no checkpoint gets one no later */
};

struct ledger_care_status {
	bool running; /* something is under way, or about to be */
	struct ledger_fill_counts counts; /* of the checkpoint under way, else of the last one */
	enum err err; /* of the last one */
	enum err rewrite_err; /* of the last compaction */
};

MUST_USE enum err ledger_care_new(struct ledger_care **out, struct instance *instance);
void ledger_care_free(struct ledger_care *care);
/* The ledger was read: periods begin. */
void ledger_care_begin(struct ledger_care *care);
/* A checkpoint now, or right after the work under way. ERR_STATE: the ledger was not read yet. */
MUST_USE enum err ledger_care_checkpoint(struct ledger_care *care);
/* A compaction now, if there is reason; for tests of it. */
MUST_USE enum err ledger_care_compact(struct ledger_care *care);
/* A compaction now, of what is wrapped with another root key than the configured one, and of
 * nothing else. ERR_STATE. */
MUST_USE enum err ledger_care_rewrite(struct ledger_care *care);
void ledger_care_status(const struct ledger_care *care, struct ledger_care_status *out);
/* keystore_poke_closed is called whenever a running care comes to rest. */
void ledger_care_reload(struct ledger_care *care);

#endif
