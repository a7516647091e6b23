/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deletes the standard key that held an object before it was moved (design D8): once the ledger
 * lets it go, and the ledger record that says so was read back, and the new key opens to the same
 * material.
 */
#ifndef KEYSTORE_RETIRE_H
#define KEYSTORE_RETIRE_H

#include "base/buf.h"
#include "keystore/flow.h"

enum { RETIRE_PROOFS_MAX = 65536 };
/* Ledger records that were read back since the deletion began: their ids, one after the other. */
struct retire_proofs {
	struct buf ids;
};

struct retire_options {
	struct uid uid; /* of the object */
	struct uid key_id; /* what is to be deleted */
	struct retire_proofs *proofs;
	/* `deleted`: false where it was gone, or never there. ERR_STATE: the ledger does not let it
	 * go yet. */
	void (*on_retired)(void *ctx, enum err err, bool deleted);
	void *ctx;
};
MUST_USE enum err retire_start(struct keystore_pending **out, struct instance *instance,
	const struct retire_options *options);

#endif
