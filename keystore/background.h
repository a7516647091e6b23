/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The work that each instance has going all the time (design D11, D12): prepare the key ring,
 * settle intents, read the ledger, rebuild the cache, list the whole ring every hour. Beside that
 * it watches the root key and polls for changes.
 */
#ifndef KEYSTORE_BACKGROUND_H
#define KEYSTORE_BACKGROUND_H

#include "keystore/keystore_private.h"

struct background;

enum {
	BACKGROUND_BACKOFF_MS_MIN = 1000,
	BACKGROUND_BACKOFF_MS_MAX = 60000,
	BACKGROUND_FULL_LIST_MS = 3600000,
	BACKGROUND_PEER_MS_MAX = 600000, /* for the peer to bring its cache, when ours is empty */
	BACKGROUND_PEER_TICK_MS = 100,
};

/* Begins in a later turn. */
MUST_USE enum err background_new(struct background **out, struct instance *instance);
void background_roots_changed(struct background *background);
void background_free(struct background *background);
/* Polls now, if it may help: false when the last polls failed. */
bool background_poll_now(struct background *background);
/* The root key may have been rotated: it is asked for soon, and not more often than makes sense. */
void background_look_at_root(struct background *background, enum keymanager_crk crk);

#endif
