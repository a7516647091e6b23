/* SPDX-License-Identifier: Apache-2.0 */
/* A listing's own parts: sweep.c lists and reads, sweep_judge.c says what is to be read. */
#ifndef KEYSTORE_SWEEP_PRIVATE_H
#define KEYSTORE_SWEEP_PRIVATE_H

#include "keystore/sweep.h"

struct absent;

/* What a listed key asks for. */
enum sweep_action { SWEEP_NOTHING, SWEEP_READ_LEDGER, SWEEP_ADOPT, SWEEP_LOOK_AGAIN };

struct sweep_entry {
	enum sweep_action action;
	struct uid id;
};

struct sweep;
struct sweep_slot {
	struct sweep *sweep;
	struct keystore_pending *work;
	enum sweep_action action;
};

struct sweep {
	struct keystore_pending flow;
	struct sweep_options options;
	struct sweep_counts counts;
	uint32_t offset;
	bool last_page;
	struct sweep_entry entries[KEYMANAGER_LIST_MAX];
	size_t entry_count, entry_next;
	struct absent *absent; /* looks for cached keys that a whole listing lacks; or NULL */
	struct sweep_slot slots[SWEEP_PARALLEL];
	size_t running;
	struct uid gone[SWEEP_GONE_MAX]; /* ledger records known here that are destroyed now */
	size_t gone_count, lost;
	bool stale; /* a ledger record went away after it was listed */
	unsigned again;
	enum err err; /* the first that stops it */
	uint64_t told_ms;
};

/* The listing of everything. */
bool sweep_is_whole(const struct sweep_options *options);
/* What is to be read of a page, into `entries`. */
MUST_USE enum err sweep_judge(struct sweep *sweep, const struct keymanager_listed *result);

#endif
