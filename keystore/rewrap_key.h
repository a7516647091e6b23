/* SPDX-License-Identifier: Apache-2.0 */
/* One key's cached form under the newest version of its root key (design D14), for rewrap.c. */
#ifndef KEYSTORE_REWRAP_KEY_H
#define KEYSTORE_REWRAP_KEY_H

#include "keystore/flow.h"

/* Is there anything to do? Not for what is dead, missing, quarantined, or newest already. */
bool rewrap_key_is_due(
	const struct instance *instance, struct cache_read *read, const struct object *object);
/* ERR_OK also when there is nothing to do any more. Otherwise what the key manager said:
 * ERR_CORRUPT when the form does not open. */
MUST_USE enum err rewrap_key_start(struct keystore_pending **out, struct instance *instance,
	const struct uid *uid, void (*on_done)(void *ctx, enum err err), void *ctx);

#endif
