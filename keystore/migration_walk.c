/* SPDX-License-Identifier: Apache-2.0 */
/* What a migration does to each object: it is moved, let go, its old key deleted. */
#include "base/clock.h"
#include "base/log.h"
#include "keystore/alias.h"
#include "keystore/migration_private.h"
#include "keystore/move.h"
#include "keystore/sweep.h"
#include "keystore/walk_memory.h"

/* ---- the walks ---- */

/* An intent that was left before the first pass was over is waited for until it bars nobody. */
static bool is_unsettled(const struct migration *migration)
{
	return migration->unsettled > 0 && migration->pass_ms < migration->settled_ms;
}

static bool is_pass_again(const struct migration *migration)
{
	return migration->progress.counts.failed > 0 &&
	       (migration->passes < MIGRATION_PASSES_MAX || is_unsettled(migration));
}

/* A creation whose answer was lost is settled until then (resolve.h), or bars nobody (move.h). */
static void migration_pause(struct migration *migration)
{
	uint32_t pause_s = migration->instance->keystore->settings.reconcile_s;

	if (pause_s > MOVE_INTENT_S)
		pause_s = MOVE_INTENT_S;
	migration->again = true;
	loop_timer_set(migration->timer, 1000ull * (pause_s + 1));
}

static void migration_begin_pass(struct migration *migration)
{
	migration->passes++;
	migration->pass_ms = clock_boot_ms();
	migration->unsettled = 0;
}

static void migration_on_moved_all(struct migration *migration)
{
	if (migration->passes == 1)
		migration->settled_ms = clock_boot_ms() + 1000ull * (MOVE_INTENT_S + 1);
	if (is_pass_again(migration))
		migration_pause(migration);
	else if (migration->progress.counts.failed > 0)
		migration_end(migration, ERR_STATE, "some keys could not be moved");
	else
		migration_enter(migration, migration->memory.stage == MIGRATION_STAGE_DELETING
						   ? MIGRATION_LETTING_GO
						   : MIGRATION_RECORDING);
}

static void migration_on_deleted_all(struct migration *migration)
{
	/* What a client changed meanwhile is to be recorded first. */
	if (is_pass_again(migration))
		migration_enter(migration, MIGRATION_RECORDING);
	else if (migration->progress.counts.failed > 0)
		migration_end(migration, ERR_STATE, "some old keys could not be deleted");
	else
		migration_enter(migration, MIGRATION_CLEANING);
}

static void migration_on_known(struct migration *migration)
{
	migration_enter(migration, MIGRATION_MOVING);
}

static void migration_on_looked(struct migration *migration)
{
	migration->memory.since = migration->newest + 1;
	migration_remember(migration, migration->memory.stage, false, migration_on_known);
}

static void migration_on_walked(void *ctx, enum err err, const struct walk_progress *progress)
{
	struct migration *migration = ctx;

	migration->work = NULL;
	migration->progress = *progress;
	if (err != ERR_OK)
		migration_end(migration, err, "stopped, or the cache cannot be read");
	else if (migration->sm.state == MIGRATION_LOOKING)
		migration_on_looked(migration);
	else if (migration->sm.state == MIGRATION_MOVING)
		migration_on_moved_all(migration);
	else if (migration->sm.state == MIGRATION_LETTING_GO)
		migration_enter(migration, MIGRATION_RECORDING);
	else
		migration_on_deleted_all(migration);
}

/* Moved before, perhaps to the root key that is the other one now. By the key manager's dates: its
 * clock may be another than ours. */
static bool looking_wants(void *ctx, struct cache_read *read, const struct object *object)
{
	struct migration *migration = ctx;
	int64_t date = object_moved_date(object);

	(void) read;
	if (date > migration->newest)
		migration->newest = date;
	return false;
}

static bool moving_wants(void *ctx, struct cache_read *read, const struct object *object)
{
	const struct migration *migration = ctx;

	(void) read;
	return !object_is_moved(object) ||
	       stamp_compare(object->moved, object_moved_at(migration->memory.since)) < 0;
}

static void moving_on_moved(void *ctx, enum err err, bool moved)
{
	struct walk_item *item = ctx;
	struct migration *migration = item->ctx;

	migration->moved += moved;
	migration->unsettled += err == ERR_AMBIGUOUS;
	walk_item_done(item, err);
}

static enum err moving_begin(struct walk_item *item)
{
	struct migration *migration = item->ctx;

	return move_start(&item->work, migration->instance, &item->uid, moving_on_moved, item);
}

struct letting_go {
	struct keystore_pending flow;
	struct walk_item *item;
};

static bool letting_go_wants(void *ctx, struct cache_read *read, const struct object *object)
{
	(void) ctx;
	(void) read;
	return object_is_moved(object) && !object_is_let_go(object);
}

static enum err letting_go_write(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct letting_go *letting_go = ctx;
	struct record record = { .kind = RECORD_OBJECT };
	struct object *object;
	enum err err;

	TRY(cache_get_object(cache_write_read(write), arena, &letting_go->item->uid, &object));
	record.object = *object;
	object_let_go(&record.object);
	TRY(flow_put(&letting_go->flow, write, arena, &record));
out:
	return err;
}

static void letting_go_on_written(void *ctx, enum err err)
{
	struct letting_go *letting_go = ctx;
	struct walk_item *item = letting_go->item;

	if (err == ERR_OK)
		KILL_POINT(letting_go->flow.keystore, let_go_recorded);
	flow_end(&letting_go->flow);
	walk_item_done(item, err);
}

static enum err letting_go_begin(struct walk_item *item)
{
	struct migration *migration = item->ctx;
	struct instance *instance = migration->instance;
	enum err err;

	TRY(flow_new(&item->work, sizeof(struct letting_go), instance->keystore, instance));
	((struct letting_go *) item->work)->item = item;
	TRY(flow_commit(item->work, letting_go_write, letting_go_on_written));
	return ERR_OK;
out:
	if (item->work != NULL)
		flow_end(item->work);
	item->work = NULL;
	return err;
}

static bool deleting_wants(void *ctx, struct cache_read *read, const struct object *object)
{
	(void) ctx;
	(void) read;
	return object_is_moved(object);
}

static void deleting_on_retired(void *ctx, enum err err, bool deleted)
{
	struct walk_item *item = ctx;
	struct migration *migration = item->ctx;

	migration->deleted += deleted;
	walk_item_done(item, err);
}

static enum err deleting_begin(struct walk_item *item)
{
	struct migration *migration = item->ctx;
	struct retire_options options = { .uid = item->uid,
		.key_id = item->uid,
		.proofs = &migration->proofs,
		.on_retired = deleting_on_retired,
		.ctx = item };

	return retire_start(&item->work, migration->instance, &options);
}

static const char move_walk[] = "migrate", let_go_walk[] = "let-go", delete_walk[] = "delete-old";

enum err migration_forget_walks(struct cache_write *write, const struct instance_id *instance)
{
	enum err err;

	TRY(walk_memory_forget(write, move_walk, instance));
	TRY(walk_memory_forget(write, let_go_walk, instance));
	TRY(walk_memory_forget(write, delete_walk, instance));
out:
	return err;
}

enum err migration_walk(struct migration *migration)
{
	struct walk_options options = { .rate = migration->memory.rate,
		.at_once = MIGRATION_AT_ONCE,
		.on_done = migration_on_walked,
		.ctx = migration };

	switch (migration->sm.state) {
	case MIGRATION_LOOKING:
		migration->newest = 0;
		options.name = "look";
		options.is_forgotten = true;
		options.rate = WALK_RATE_MAX;
		options.wants = looking_wants;
		break;
	case MIGRATION_MOVING:
		options.name = move_walk;
		options.wants = moving_wants;
		options.begin = moving_begin;
		break;
	case MIGRATION_LETTING_GO:
		options.name = let_go_walk;
		options.rate = WALK_RATE_MAX;
		options.wants = letting_go_wants;
		options.begin = letting_go_begin;
		break;
	default:
		options.name = delete_walk;
		options.wants = deleting_wants;
		options.begin = deleting_begin;
	}
	if (migration->sm.state == MIGRATION_MOVING || migration->sm.state == MIGRATION_DELETING)
		migration_begin_pass(migration);
	return walk_start(&migration->work, migration->instance, &options);
}

/* ---- other keys that were superseded: of two nodes that moved one object, or of a lost answer
 * ---- */

struct search {
	struct cache_read *read;
	struct arena *arena;
	const struct instance_id *instance;
	struct uid key_id, uid;
	bool found;
};

static enum err search_visit(void *ctx, const struct uid *key_id, const struct uid *uid)
{
	struct search *search = ctx;
	struct object *object;

	arena_reset(search->arena);
	if (cache_get_object(search->read, search->arena, uid, &object) != ERR_OK || object->dead ||
		uid_equal(&object->key_id, key_id) ||
		!instance_id_equal(&object->instance, search->instance))
		return ERR_OK;
	search->key_id = *key_id;
	search->uid = *uid;
	search->found = true;
	return ERR_LIMIT;
}

static enum err migration_next_leftover(struct migration *migration, struct search *search)
{
	static const struct uid none;
	bool first = uid_equal(&migration->cleaned, &none);
	enum err err;

	search->instance = &migration->instance->id;
	TRY(arena_new(&search->arena, FLOW_ARENA_LEN_MAX));
	TRY(cache_read_begin(&search->read, migration->instance->keystore->cache));
	err = alias_walk(search->read, first ? NULL : &migration->cleaned, search_visit, search);
	err = err == ERR_LIMIT ? ERR_OK : err;
out:
	cache_read_end(search->read);
	arena_free(search->arena);
	return err;
}

static void cleaning_on_retired(void *ctx, enum err err, bool deleted)
{
	struct migration *migration = ctx;

	migration->work = NULL;
	migration->deleted += deleted;
	if (err == ERR_STATE || err == ERR_CORRUPT)
		log_warning("leftover-stays", "instance=%s error=%s", migration->instance->id.text,
			err_name(err));
	else if (err != ERR_OK) {
		migration_retry(migration, err);
		return;
	}
	migration->cleaned = migration->cleaning;
	migration_do(migration);
}

static void cleaning_on_listed(void *ctx, enum err err, const struct sweep_counts *counts)
{
	struct migration *migration = ctx;

	(void) counts;
	migration->work = NULL;
	migration->listed = err == ERR_OK;
	if (err != ERR_OK)
		migration_retry(migration, err);
	else
		migration_do(migration);
}

/* The peer's may have given way to ours before we heard of them. */
static enum err cleaning_list(struct migration *migration)
{
	struct sweep_options options = { .what = "leftovers",
		.objects = true,
		.young = true,
		.on_done = cleaning_on_listed,
		.ctx = migration };

	return sweep_start(&migration->work, migration->instance, &options);
}

static void migration_on_finished(struct migration *migration)
{
	KILL_POINT(migration->instance->keystore, migration_finished);
	migration_end(migration, ERR_OK, "the old keys are deleted");
}

void migration_clean(struct migration *migration)
{
	struct search search = { 0 };
	struct retire_options options = {
		.proofs = &migration->proofs, .on_retired = cleaning_on_retired, .ctx = migration
	};
	enum err err;

	if (!migration->listed) {
		err = cleaning_list(migration);
		if (err != ERR_OK)
			migration_end(migration, err, "cannot begin");
		return;
	}
	err = migration_next_leftover(migration, &search);
	if (err == ERR_OK && !search.found) {
		migration_remember(
			migration, MIGRATION_STAGE_FINISHED, false, migration_on_finished);
		return;
	}
	migration->cleaning = search.key_id;
	options.uid = search.uid;
	options.key_id = search.key_id;
	if (err == ERR_OK)
		err = retire_start(&migration->work, migration->instance, &options);
	if (err != ERR_OK)
		migration_end(migration, err, "cannot begin");
}
