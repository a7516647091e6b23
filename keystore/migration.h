/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Migration of an instance to another root key (design D8), in two steps that an operator asks for.
 * First every object is moved to a new standard key that root-key wraps, the ledger is told where
 * each one is, and its records are written anew. Then, when that is asked for, the old keys are let
 * go in the ledger, and deleted one by one. Either one goes on where it was after a crash.
 */
#ifndef KEYSTORE_MIGRATION_H
#define KEYSTORE_MIGRATION_H

#include "keystore/instance.h"

struct migration;

enum {
	MIGRATION_AT_ONCE = 8,
	/* Over the objects, while some cannot be done yet; where an intent bars them, more, for
	 * MOVE_INTENT_S after the first one. */
	MIGRATION_PASSES_MAX = 3,
	MIGRATION_LOOK_MS = 100, /* between looks at work of the ledger */
	MIGRATION_RETRY_MS = 5000, /* of what failed because of the key manager */
};

MUST_USE enum err migration_new(struct migration **out, struct instance *instance);
void migration_free(struct migration *migration);
/* ERR_STATE and a sentence: it cannot begin. Of one under way the rate is changed. */
MUST_USE enum err migration_start(
	struct migration *migration, bool delete_old, uint32_t rate, char why[300]);
void migration_stop(struct migration *migration);
/* The whole ring was seen: what an earlier life had begun goes on, once both root keys are enabled.
 */
void migration_resume(struct migration *migration);
/* A root key was looked at. */
void migration_poke(struct migration *migration);
/* The old keys are deleted, as far as this node knows. */
bool migration_is_finished(const struct migration *migration);
void migration_status(const struct migration *migration, struct keystore_migration_status *out);

#endif
