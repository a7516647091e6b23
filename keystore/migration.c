/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/migration.h"
#include <stdio.h>
#include <stdlib.h>
#include "base/log.h"
#include "keystore/ledger_care.h"
#include "keystore/migration_private.h"
#include "keystore/roots.h"

#define OR_REST(next) ((next) | SM_TO(MIGRATION_RESTING))

static const struct sm_state migration_states[MIGRATION_STATE_COUNT] = {
	[MIGRATION_RESTING] = { "resting", SM_TO(MIGRATION_LOOKING) | SM_TO(MIGRATION_MOVING) },
	[MIGRATION_LOOKING] = { "looking", OR_REST(SM_TO(MIGRATION_MOVING)) },
	[MIGRATION_MOVING] = { "moving",
		OR_REST(SM_TO(MIGRATION_RECORDING) | SM_TO(MIGRATION_LETTING_GO)) },
	[MIGRATION_RECORDING] = { "recording",
		OR_REST(SM_TO(MIGRATION_REWRITING) | SM_TO(MIGRATION_DELETING)) },
	[MIGRATION_REWRITING] = { "rewriting-ledger", OR_REST(0) },
	[MIGRATION_LETTING_GO] = { "letting-go", OR_REST(SM_TO(MIGRATION_RECORDING)) },
	[MIGRATION_DELETING] = { "deleting-old",
		OR_REST(SM_TO(MIGRATION_RECORDING) | SM_TO(MIGRATION_CLEANING)) },
	[MIGRATION_CLEANING] = { "deleting-leftovers", OR_REST(0) },
};

static bool migration_is_running(const struct migration *migration)
{
	return migration->sm.state != MIGRATION_RESTING || migration->work != NULL;
}

static bool is_walking(const struct migration *migration)
{
	return migration->sm.state == MIGRATION_MOVING ||
	       migration->sm.state == MIGRATION_LETTING_GO ||
	       migration->sm.state == MIGRATION_DELETING;
}

static void migration_set_rate(struct migration *migration, uint32_t rate)
{
	if (rate == 0)
		return;
	migration->memory.rate = rate;
	if (is_walking(migration) && migration->work != NULL)
		walk_set_rate(migration->work, rate);
}

/* ---- the end of a run ---- */

void migration_end(struct migration *migration, enum err err, const char *why)
{
	migration->err = err;
	log_event(err == ERR_OK ? LOG_INFO : LOG_WARNING, "migration-ends",
		"instance=%s while=%s result=%s moved=%llu deleted=%llu failed=%llu why=%s",
		migration->instance->id.text, sm_state_name(&migration->sm), err_name(err),
		(unsigned long long) migration->moved, (unsigned long long) migration->deleted,
		(unsigned long long) migration->progress.counts.failed,
		log_quoted(slice_text(why)));
	buf_free(&migration->proofs.ids);
	if (migration->sm.state != MIGRATION_RESTING)
		sm_move(&migration->sm, MIGRATION_RESTING, err_name(err));
}

/* Trouble with the key manager is waited out. */
void migration_retry(struct migration *migration, enum err err)
{
	log_warning("migration-waits", "instance=%s while=%s error=%s",
		migration->instance->id.text, sm_state_name(&migration->sm), err_name(err));
	migration->again = true;
	loop_timer_set(migration->timer, MIGRATION_RETRY_MS);
}

/* ---- what outlives the process ---- */

struct remember {
	struct keystore_pending flow;
	struct migration *migration;
	bool root_alone; /* everything is under the root key of the configuration */
	void (*on_remembered)(struct migration *migration);
};

static enum err remember_write(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct remember *remember = ctx;
	struct migration *migration = remember->migration;
	enum err err;

	(void) arena;
	TRY(migration_memory_save(write, &migration->instance->id, &migration->memory));
	/* What another migration came to is no place to go on from. */
	if (migration->memory.since == 0)
		TRY(migration_forget_walks(write, &migration->instance->id));
	if (remember->root_alone)
		TRY(roots_forget_others(write, migration->instance));
out:
	return err;
}

static void remember_on_committed(void *ctx, enum err err)
{
	struct remember *remember = ctx;
	struct migration *migration = remember->migration;
	void (*on_remembered)(struct migration *) = remember->on_remembered;

	flow_end(&remember->flow);
	migration->work = NULL;
	if (err != ERR_OK)
		migration_end(migration, err, "the cache cannot be written");
	else
		on_remembered(migration);
}

void migration_remember(struct migration *migration, enum migration_stage stage, bool root_alone,
	void (*on_remembered)(struct migration *migration))
{
	struct instance *instance = migration->instance;
	struct remember *remember;
	enum err err;

	migration->memory.stage = stage;
	TRY(flow_new(&migration->work, sizeof(*remember), instance->keystore, instance));
	remember = (struct remember *) migration->work;
	remember->migration = migration;
	remember->root_alone = root_alone;
	remember->on_remembered = on_remembered;
	TRY(flow_commit(&remember->flow, remember_write, remember_on_committed));
out:
	if (err == ERR_OK)
		return;
	if (migration->work != NULL)
		flow_end(migration->work);
	migration->work = NULL;
	migration_end(migration, err, "cannot begin");
}

static void migration_on_recorded(struct migration *migration)
{
	KILL_POINT(migration->instance->keystore, migration_recorded);
	if (migration->memory.stage == MIGRATION_STAGE_DELETING)
		migration_enter(migration, MIGRATION_DELETING);
	else
		migration_enter(migration, MIGRATION_REWRITING);
}

static void migration_on_timer(void *ctx)
{
	struct migration *migration = ctx;
	bool recording = migration->sm.state == MIGRATION_RECORDING;
	struct ledger_care_status care;
	enum err err;

	ledger_care_status(migration->instance->care, &care);
	err = recording ? care.err : care.rewrite_err;
	if (migration->again)
		migration_do(migration);
	else if (care.running)
		loop_timer_set(migration->timer, MIGRATION_LOOK_MS);
	else if (err != ERR_OK)
		migration_retry(migration, err);
	else if (!recording)
		migration_rewrite(migration);
	else
		migration_on_recorded(migration);
}

/* ---- one stage after the other ---- */

void migration_do(struct migration *migration)
{
	enum err err = ERR_OK;

	migration->again = false;
	switch (migration->sm.state) {
	case MIGRATION_RECORDING:
		err = migration_record(migration);
		break;
	case MIGRATION_REWRITING:
		migration->others = UINT64_MAX;
		migration_rewrite(migration);
		break;
	case MIGRATION_CLEANING:
		migration_clean(migration);
		break;
	default:
		err = migration_walk(migration);
	}
	if (err != ERR_OK)
		migration_end(migration, err, "cannot begin");
}

void migration_enter(struct migration *migration, enum migration_state state)
{
	if (state == MIGRATION_LETTING_GO)
		migration->passes = 0;
	sm_move(&migration->sm, (int) state, "next");
	migration_do(migration);
}

/* ---- the contract ---- */

static enum err migration_judge_root(const struct migration *migration, char why[300])
{
	const struct instance *instance = migration->instance;
	const struct instance_crk *crks = instance->crks;

	if (!instance->rebuilt)
		snprintf(why, 300, "the key ring was not read completely yet: try again later");
	else if (instance->options.other_root_key == NULL)
		snprintf(why, 300,
			"no other-root-key is configured: the old root key is to be named there, "
			"and the new one as root-key");
	else if (crks[KEYMANAGER_CRK].state != KEYMANAGER_ROOT_ENABLED ||
		 crks[KEYMANAGER_OTHER_CRK].state != KEYMANAGER_ROOT_ENABLED)
		snprintf(why, 300, "both root keys must be enabled: %s and %s",
			instance->options.root_key, instance->options.other_root_key);
	else
		return ERR_OK;
	return ERR_STATE;
}

static bool is_same_way(const struct migration *migration)
{
	const struct instance_crk *crks = migration->instance->crks;

	return uid_equal(&migration->memory.root, &crks[KEYMANAGER_CRK].id) &&
	       uid_equal(&migration->memory.from, &crks[KEYMANAGER_OTHER_CRK].id);
}

static enum err migration_judge_stage(
	const struct migration *migration, bool delete_old, char why[300])
{
	enum migration_stage stage = migration->memory.stage;
	bool same = is_same_way(migration);

	if (delete_old && (!same || stage < MIGRATION_STAGE_MOVED))
		snprintf(why, 300,
			"not everything was moved from %s to %s yet: kmipctl instance "
			"migrate without --delete-old comes first",
			migration->instance->options.other_root_key,
			migration->instance->options.root_key);
	else if (!delete_old && !same &&
		 (stage == MIGRATION_STAGE_MOVED || stage == MIGRATION_STAGE_DELETING))
		snprintf(why, 300,
			"the old keys of the migration before are still there: its root "
			"keys and kmipctl instance migrate --delete-old come first");
	else
		return ERR_OK;
	return ERR_STATE;
}

static void migration_on_remembered(struct migration *migration)
{
	KILL_POINT(migration->instance->keystore, migration_begun);
	migration_enter(
		migration, migration->memory.since == 0 ? MIGRATION_LOOKING : MIGRATION_MOVING);
}

static void migration_begin(struct migration *migration, enum migration_stage stage)
{
	static const struct uid none;

	migration->passes = 0;
	migration->moved = migration->deleted = 0;
	migration->progress = (struct walk_progress){ 0 };
	migration->err = ERR_OK;
	migration->cleaned = none;
	migration->listed = false;
	buf_init(&migration->proofs.ids, (size_t) RETIRE_PROOFS_MAX * sizeof(struct uid));
	log_info("migration-begins", "instance=%s root_key=%s from=%s delete_old=%s",
		migration->instance->id.text, migration->instance->options.root_key,
		migration->instance->options.other_root_key,
		stage == MIGRATION_STAGE_DELETING ? "yes" : "no");
	migration_remember(migration, stage, false, migration_on_remembered);
}

enum err migration_start(struct migration *migration, bool delete_old, uint32_t rate, char why[300])
{
	enum migration_stage stage = delete_old ? MIGRATION_STAGE_DELETING : MIGRATION_STAGE_MOVING;
	enum err err;

	if (migration_is_running(migration)) {
		if (stage == migration->memory.stage) {
			migration_set_rate(migration, rate);
			return ERR_OK;
		}
		snprintf(why, 300, "a migration of the instance is under way");
		return ERR_STATE;
	}
	TRY(migration_judge_root(migration, why));
	TRY(migration_judge_stage(migration, delete_old, why));
	migration->resuming = false;
	if (!is_same_way(migration) || migration->memory.stage == MIGRATION_STAGE_FINISHED)
		migration->memory.since = 0;
	migration->memory.root = migration->instance->crks[KEYMANAGER_CRK].id;
	migration->memory.from = migration->instance->crks[KEYMANAGER_OTHER_CRK].id;
	migration->memory.rate = rate != 0 ? rate : KEYSTORE_MIGRATION_RATE;
	migration_begin(migration, stage);
out:
	return err;
}

static void migration_resume_or_wait(struct migration *migration, bool tell)
{
	char why[300] = "";

	if (migration_judge_root(migration, why) != ERR_OK) {
		if (tell)
			log_warning("migration-not-resumed", "instance=%s why=%s",
				migration->instance->id.text, log_quoted(slice_text(why)));
		return;
	}
	migration->resuming = false;
	if (is_same_way(migration))
		migration_begin(migration, migration->memory.stage);
	else
		log_warning("migration-not-resumed",
			"instance=%s why=\"it was between other root keys\" "
			"hint=\"kmipctl instance migrate\"",
			migration->instance->id.text);
}

void migration_resume(struct migration *migration)
{
	enum migration_stage stage = migration->memory.stage;

	if (migration_is_running(migration) ||
		(stage != MIGRATION_STAGE_MOVING && stage != MIGRATION_STAGE_DELETING))
		return;
	migration->resuming = true;
	migration_resume_or_wait(migration, true);
}

void migration_poke(struct migration *migration)
{
	if (migration->resuming)
		migration_resume_or_wait(migration, false);
}

void migration_stop(struct migration *migration)
{
	migration->resuming = false;
	if (!migration_is_running(migration))
		return;
	if (migration->work != NULL)
		flow_end(migration->work);
	migration->work = NULL;
	loop_timer_stop(migration->timer);
	migration->again = false;
	migration_end(migration, ERR_CANCELLED, "by operator");
}

bool migration_is_finished(const struct migration *migration)
{
	return migration->memory.stage == MIGRATION_STAGE_FINISHED;
}

void migration_status(const struct migration *migration, struct keystore_migration_status *out)
{
	static const char *const stages[] = { [MIGRATION_STAGE_NONE] = "none",
		[MIGRATION_STAGE_MOVING] = "stopped",
		[MIGRATION_STAGE_MOVED] = "moved",
		[MIGRATION_STAGE_DELETING] = "stopped",
		[MIGRATION_STAGE_FINISHED] = "finished" };
	struct walk_progress progress = migration->progress;

	*out = (struct keystore_migration_status){ .running = migration_is_running(migration),
		.moved = migration->moved,
		.deleted = migration->deleted,
		.err = migration->err };
	out->stage = out->running ? sm_state_name(&migration->sm) : stages[migration->memory.stage];
	if (migration->work != NULL && is_walking(migration))
		walk_progress(migration->work, &progress);
	out->looked = progress.counts.looked;
	out->failed = progress.counts.failed;
	out->per_mille = progress.per_mille;
	out->waiting = progress.waiting;
	out->failed_count = progress.failed_count;
	for (size_t i = 0; i < progress.failed_count; i++)
		out->failed_keys[i] = progress.failed[i].uid;
}

enum err migration_new(struct migration **out, struct instance *instance)
{
	struct migration *migration = calloc(1, sizeof(*migration));
	struct cache_read *read = NULL;
	enum err err = migration == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	migration->instance = instance;
	sm_init(&migration->sm, migration_states, MIGRATION_STATE_COUNT, "migration",
		instance->id.text);
	TRY(loop_timer_new(
		&migration->timer, instance->keystore->loop, migration_on_timer, migration));
	TRY(cache_read_begin(&read, instance->keystore->cache));
	TRY(migration_memory_load(&migration->memory, read, &instance->id));
	*out = migration;
	migration = NULL;
out:
	cache_read_end(read);
	migration_free(migration);
	return err;
}

void migration_free(struct migration *migration)
{
	if (migration == NULL)
		return;
	loop_timer_free(migration->timer);
	buf_free(&migration->proofs.ids);
	free(migration);
}
