/* SPDX-License-Identifier: Apache-2.0 */
/* Read-through for the store's own background work: as keystore_fetch_start, without a request. */
#ifndef KEYSTORE_FETCH_H
#define KEYSTORE_FETCH_H

#include "keystore/flow.h"

/* The key with this id becomes an object of ours if its envelope opens; ERR_NOT_FOUND if it is
 * none. `unclaimed`: nobody was told of it (design D12). */
MUST_USE enum err fetch_adopt_start(struct keystore_pending **out, struct instance *instance,
	const struct uid *key_id, bool unclaimed, void (*on_fetched)(void *ctx, enum err err),
	void *ctx);
/* Unwraps a cached key anew, ahead of its use, by the connections of background work; a client that
 * wants it meanwhile takes over. The copy takes no place of another one. */
MUST_USE enum err fetch_warm_start(struct keystore_pending **out, struct instance *instance,
	const struct uid *uid, void (*on_fetched)(void *ctx, enum err err), void *ctx);

/* The object is looked at again, through the key that holds it. */
MUST_USE enum err fetch_again_start(struct keystore_pending **out, struct instance *instance,
	const struct uid *uid, void (*on_fetched)(void *ctx, enum err err), void *ctx);

#endif
