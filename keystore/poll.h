/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks the key manager of an instance what was deleted and what changed (design D12): every
 * reconcile_s under the peer's lease, every POLL_ALONE_MS without it. A good poll vouches for every
 * cached key of the instance for max_stale_s, counted from the poll's beginning (design D19), so
 * that a dead peer does not turn each Get into a call. One whose result cannot be stored takes
 * every vouch away, the lease too, until the next good one.
 */
#ifndef KEYSTORE_POLL_H
#define KEYSTORE_POLL_H

#include "keystore/instance.h"

struct poll;

enum {
	POLL_ALONE_MS = 5000,
	POLL_TICK_MS = 1000, /* how soon the loss of the lease is noticed */
	POLL_CALL_MS = 10000,
	POLL_BACKOFF_MS_MIN = 1000,
	POLL_OVERLAP_S = 300, /* listing windows overlap: clocks differ, listings lag */
	POLL_SAVE_S = 60, /* how often the window's beginning is made durable */
};

/* Begins once the instance is prepared. */
MUST_USE enum err poll_new(struct poll **out, struct instance *instance);
void poll_free(struct poll *poll);
/* One that begins from now on is to end soon, also when another one is under way. False: it would
 * not help, since the last ones failed or the key ring is not known yet. */
bool poll_now(struct poll *poll);
/* Something that it waits for may have come. */
void poll_poke(struct poll *poll);

#endif
