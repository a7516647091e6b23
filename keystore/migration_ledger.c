/* SPDX-License-Identifier: Apache-2.0 */
/* Where each object is, and under which root key the ledger says so. */
#include "keystore/checkpoint.h"
#include "keystore/ledger_care.h"
#include "keystore/ledger_note.h"
#include "keystore/migration_private.h"

struct nowhere {
	struct keystore_pending flow;
	struct migration *migration;
};

/* All of the cache is looked at, since the peer may have moved some, and not have recorded them. */
static enum err nowhere_write(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct nowhere *nowhere = ctx;
	struct checkpoint_position position = { 0 };

	(void) arena;
	return checkpoint_save(write, &nowhere->flow.instance->id, &position);
}

static void nowhere_on_written(void *ctx, enum err err)
{
	struct nowhere *nowhere = ctx;
	struct migration *migration = nowhere->migration;

	flow_end(&nowhere->flow);
	migration->work = NULL;
	if (err == ERR_OK)
		err = ledger_care_checkpoint(migration->instance->care);
	if (err != ERR_OK)
		migration_end(migration, err, "the ledger was not read");
	else
		loop_timer_set(migration->timer, MIGRATION_LOOK_MS);
}

enum err migration_record(struct migration *migration)
{
	struct instance *instance = migration->instance;
	enum err err;

	TRY(flow_new(&migration->work, sizeof(struct nowhere), instance->keystore, instance));
	((struct nowhere *) migration->work)->migration = migration;
	TRY(flow_commit(migration->work, nowhere_write, nowhere_on_written));
	return ERR_OK;
out:
	if (migration->work != NULL)
		flow_end(migration->work);
	migration->work = NULL;
	return err;
}

static enum err migration_count_others(const struct migration *migration, uint64_t *out)
{
	const struct instance *instance = migration->instance;
	struct cache_read *read = NULL;
	enum err err;

	TRY(cache_read_begin(&read, instance->keystore->cache));
	TRY(ledger_note_count_others(out, read, &instance->id, &instance->crks[KEYMANAGER_CRK].id));
out:
	cache_read_end(read);
	return err;
}

static void migration_on_all_under_root(struct migration *migration)
{
	KILL_POINT(migration->instance->keystore, migration_moved);
	migration_end(migration, ERR_OK, "everything is under the root key");
}

/* As long as there are fewer each time; what a newer release wrote is not ours to rewrite. */
void migration_rewrite(struct migration *migration)
{
	uint64_t others = 0, before = migration->others;
	enum err err = migration_count_others(migration, &others);

	migration->others = others;
	if (err == ERR_OK && others == 0) {
		KILL_POINT(migration->instance->keystore, migration_rewritten);
		migration_remember(
			migration, MIGRATION_STAGE_MOVED, true, migration_on_all_under_root);
		return;
	}
	if (err == ERR_OK && others >= before)
		err = ERR_STATE;
	if (err == ERR_OK)
		err = ledger_care_rewrite(migration->instance->care);
	if (err == ERR_OK)
		loop_timer_set(migration->timer, MIGRATION_LOOK_MS);
	else
		migration_end(
			migration, err, "some ledger records are still under the other root key");
}
