/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moves one object to a new standard key, wrapped with the root key of the configuration, whose
 * envelope carries the object's uid (design D8). What the root key has wrapped already is left as
 * it is. The old key stays; retire.h deletes it.
 */
#ifndef KEYSTORE_MOVE_H
#define KEYSTORE_MOVE_H

#include "keystore/flow.h"

/* A creation that was begun is waited for so long before another one is begun for the object. */
enum { MOVE_INTENT_S = 60 };

/* `moved`: false where there was nothing to do. ERR_AMBIGUOUS: whether the new key was made is not
 * known; an intent says so, and resolve.c settles it. ERR_MISSING, ERR_CORRUPT, ERR_STATE are this
 * key's own; all others the key manager's. */
MUST_USE enum err move_start(struct keystore_pending **out, struct instance *instance,
	const struct uid *uid, void (*on_moved)(void *ctx, enum err err, bool moved), void *ctx);

#endif
