/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by migration*.c: migration.c goes from stage to stage and has the contract,
 * migration_walk.c does what is done to each object, migration_ledger.c what is done in the ledger.
 */
#ifndef KEYSTORE_MIGRATION_PRIVATE_H
#define KEYSTORE_MIGRATION_PRIVATE_H

#include "base/sm.h"
#include "keystore/flow.h"
#include "keystore/migration.h"
#include "keystore/migration_memory.h"
#include "keystore/retire.h"
#include "keystore/walk.h"

/*
 *	RESTING -> LOOKING -> MOVING, or, of one that is gone on with, RESTING -> MOVING
 *	MOVING -> RECORDING -> REWRITING -> RESTING
 *	MOVING -> LETTING_GO -> RECORDING -> DELETING -> CLEANING -> RESTING
 *	DELETING -> RECORDING, while some could not be deleted yet; all -> RESTING (stopped, failed)
 */
enum migration_state {
	MIGRATION_RESTING,
	MIGRATION_LOOKING, /* for what was moved last, in migrations before */
	MIGRATION_MOVING,
	MIGRATION_RECORDING,
	MIGRATION_REWRITING,
	MIGRATION_LETTING_GO,
	MIGRATION_DELETING,
	MIGRATION_CLEANING,
	MIGRATION_STATE_COUNT
};

struct migration {
	struct instance *instance;
	struct sm sm;
	struct loop_timer *timer;
	struct migration_memory memory;
	struct keystore_pending *work; /* a walk, or one step of the other stages */
	bool resuming; /* what an earlier life had begun goes on once both root keys are known */
	int64_t newest; /* date of a move, of those that came before this migration */
	unsigned passes;
	uint64_t pass_ms; /* when the last one began */
	uint64_t unsettled; /* objects in it that an intent bars */
	uint64_t settled_ms; /* what the first pass met, or left, bars nobody from then on */
	bool again; /* the timer ends a pause, and does not look at the ledger's work */
	uint64_t moved, deleted; /* in this run */
	uint64_t others; /* ledger records under another root key, when last counted */
	struct walk_progress progress; /* of the last walk that ended */
	struct retire_proofs proofs;
	bool listed; /* for leftovers that this node never heard of */
	struct uid cleaned, cleaning; /* the last alias that was looked at, and the one that is */
	enum err err; /* of the last run */
};

/* ---- migration.c ---- */

void migration_enter(struct migration *migration, enum migration_state state);
/* What the state asks for, again. */
void migration_do(struct migration *migration);
/* The same after a while: trouble with the key manager is waited out. */
void migration_retry(struct migration *migration, enum err err);
/* The end of a run. */
void migration_end(struct migration *migration, enum err err, const char *why);
/* `root_alone`: everything is under the root key of the configuration. */
void migration_remember(struct migration *migration, enum migration_stage stage, bool root_alone,
	void (*on_remembered)(struct migration *migration));

/* ---- migration_walk.c ---- */

MUST_USE enum err migration_walk(struct migration *migration);
/* The places of its walks. */
MUST_USE enum err migration_forget_walks(
	struct cache_write *write, const struct instance_id *instance);
/* Other keys that were superseded: of two nodes that moved one object, or of a lost answer. */
void migration_clean(struct migration *migration);

/* ---- migration_ledger.c ---- */

MUST_USE enum err migration_record(struct migration *migration);
/* Begins, or goes on. */
void migration_rewrite(struct migration *migration);

#endif
