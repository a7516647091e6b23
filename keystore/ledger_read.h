/* SPDX-License-Identifier: Apache-2.0 */
/* Reads one ledger record (ledger.h) from the key manager and merges what it holds. */
#ifndef KEYSTORE_LEDGER_READ_H
#define KEYSTORE_LEDGER_READ_H

#include "keystore/flow.h"

/* ERR_OK once it is merged and known by a fact; ERR_CORRUPT when it cannot be read at all and will
 * not be better next time; else an error of the key manager. */
MUST_USE enum err ledger_read_start(struct keystore_pending **out, struct instance *instance,
	const struct uid *key_id, void (*on_read)(void *ctx, enum err err), void *ctx);

#endif
