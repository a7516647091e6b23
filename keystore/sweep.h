/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goes through the listing of an instance's key ring (design D11, D12), page by page, and reads
 * what is new: ledger records that were not merged yet, keys of ours that are not cached, keys that
 * were destroyed or restored elsewhere. After a whole listing, cached keys that were not in it are
 * read by id. What has a name that is none of ours is left alone.
 */
#ifndef KEYSTORE_SWEEP_H
#define KEYSTORE_SWEEP_H

#include "keystore/flow.h"

enum {
	SWEEP_PARALLEL = 8,
	SWEEP_PROGRESS_MS = 5000,
	SWEEP_AGAIN_MAX = 3, /* new starts when ledger records went away under the listing */
	SWEEP_GONE_MAX = 64, /* ledger records found destroyed; more: the next time */
	SWEEP_ADOPT_AGE_S = 60, /* younger keys are still on their way from the peer */
	SWEEP_DELETIONS_PAGE = 50, /* the latest; more only while there is news in them */
	SWEEP_SEEN_MAX = 1 << 20, /* keys of a ring whose absence can be noticed */
	SWEEP_ABSENT_MAX = KEYMANAGER_LIST_MAX, /* read by id after one listing */
};

struct sweep_counts {
	uint64_t listed, objects, ledger_records;
	uint64_t unclaimed; /* those that were cached, and those adopted now: */
	uint64_t found;
	uint64_t read; /* GET by id, whatever for */
};
struct sweep_options {
	const char *what; /* for the log */
	int64_t updated_since; /* 0: the whole ring */
	bool deletions; /* instead of that, the latest deletions */
	uint32_t call_ms; /* for one call; 0: FLOW_BACKGROUND_MS */
	bool only_ledger; /* reads ledger records, and looks at nothing else */
	bool objects; /* adopt unknown ones; else only ledger records and deaths */
	bool young; /* those that are on their way from the peer, too */
	bool rebuild; /* the cache was empty: what is found was in use before */
	void (*on_done)(void *ctx, enum err err, const struct sweep_counts *counts);
	void *ctx;
};
MUST_USE enum err sweep_start(struct keystore_pending **out, struct instance *instance,
	const struct sweep_options *options);

#endif
