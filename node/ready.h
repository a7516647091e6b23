/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Can this node do all that a node is for? Looks at what the keeper knows, and tries each instance
 * at intervals: wrap, unwrap, role, policies (design D24), which costs no key. A change of the
 * answer is one log line.
 */
#ifndef NODE_READY_H
#define NODE_READY_H

#include "base/err.h"
#include <stddef.h>

struct keeper;
struct ready;

enum {
	READY_WHY_MAX = 300,
	READY_TICK_MS = 1000,
	READY_CHECK_MS = 300000, /* between two trials of an instance that works, */
	READY_RETRY_MS = 15000, /* and of one that does not */
};

/* One that makes it red. */
struct ready_reason {
	const char *condition; /* a word: "port", "key-manager", ... (node/README.md) */
	const char *instance; /* its id, or "" */
	char why[READY_WHY_MAX]; /* a sentence for the operator */
};

MUST_USE enum err ready_new(struct ready **out, struct keeper *keeper);
/* Before the keystore goes. NULL is fine. */
void ready_free(struct ready *ready);
/* How many reasons there are against it; on_reason (may be NULL) is told each. */
size_t ready_look(const struct ready *ready,
	void (*on_reason)(void *ctx, const struct ready_reason *reason), void *ctx);

#endif
