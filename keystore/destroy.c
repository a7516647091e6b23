/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Destroy (design D10), in the order of time: intent committed -> standard key deleted -> its
 * deletion date read -> tombstone committed, intent cleared -> unwrapped copies dropped -> gate ->
 * answer. Only a key whose record is in the cache is deleted: it got there by being made here or by
 * being opened as ours. Objects that are changed with it (what replaces it) come before: ledger ->
 * commit of their records with the intent. From then on the deletion is brought to its end.
 */
#include "base/clock.h"
#include "base/rand.h"
#include "keystore/change_copy.h"
#include "keystore/intent.h"
#include "keystore/joint.h"
#include "keystore/stamps.h"

struct destroy {
	struct keystore_pending flow;
	struct keystore_change options;
	struct object_change edits;
	struct joint joint; /* the further objects */
	struct intent intent;
	bool is_moved; /* a key of the uid may be there beside the one that holds it */
	enum err err; /* why it failed */
	void (*on_destroyed)(void *ctx, enum err err, uint32_t unused);
	void *ctx;
};

static void destroy_finish(struct destroy *destroy, enum err err)
{
	void (*on_destroyed)(void *, enum err, uint32_t) = destroy->on_destroyed;
	void *ctx = destroy->ctx;

	flow_end(&destroy->flow);
	on_destroyed(ctx, err, 0);
}

static void destroy_on_end(struct keystore_pending *flow)
{
	joint_end(&((struct destroy *) flow)->joint);
}

/* The further objects are changed, and nobody refused to delete this one. */
static bool destroy_goes_on(const struct destroy *destroy, enum err err)
{
	return destroy->joint.count > 0 && err != ERR_REFUSED && err != ERR_MISSING;
}

/* The intent stays until resolve.c has settled it. */
static void destroy_leave(struct destroy *destroy, enum err err)
{
	destroy_finish(destroy, destroy_goes_on(destroy, err) ? ERR_AMBIGUOUS : err);
}

/* ---- intent ---- */

static enum err destroy_judge(struct destroy *destroy, const struct object *object)
{
	const struct keystore_change *options = &destroy->options;
	enum err err;

	TRY(instance_id_equal(&object->instance, &options->instance) ? ERR_OK : ERR_NOT_FOUND);
	TRY(options->check == NULL ? ERR_OK : options->check(options->check_ctx, object));
	TRY(object->dead ? ERR_DESTROYED : ERR_OK);
	TRY(object->has_material ? ERR_OK : ERR_MISS);
	TRY(object_is_quarantined(object) ? ERR_CORRUPT : ERR_OK);
out:
	return err;
}

static enum err destroy_write_intent(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct destroy *destroy = ctx;
	struct intent *intent = &destroy->intent;
	struct object *object;
	struct buf body;
	enum err err;

	buf_init(&body, INTENT_LEN_MAX);
	TRY(cache_get_object(cache_write_read(write), arena, &destroy->options.uid, &object));
	TRY(destroy_judge(destroy, object));
	intent->key_id = object->key_id;
	destroy->is_moved = object_is_moved(object);
	TRY(intent_encode(&body, intent));
	TRY(cache_put_intent(write, intent->nonce, buf_slice(&body)));
	TRY(joint_write(&destroy->joint, write, arena));
out:
	buf_free(&body);
	return err;
}

/* ---- the standard key ---- */

static void destroy_on_deleted(void *ctx, const struct keymanager_done *result);
static void destroy_give_up(struct destroy *destroy, enum err err);

static void destroy_on_intent(void *ctx, enum err err)
{
	struct destroy *destroy = ctx;
	struct keymanager_call call = flow_call(&destroy->flow, 100);

	if (err != ERR_OK) {
		destroy_finish(destroy, err);
		return;
	}
	KILL_POINT(destroy->flow.keystore, destroy_intent);
	err = keymanager_delete_start(&destroy->flow.call, destroy->flow.instance->keymanager,
		&destroy->intent.key_id, destroy_on_deleted, &call);
	if (err != ERR_OK)
		destroy_give_up(destroy, flow_error(err));
}

/* ---- it could not be deleted, or nobody knows: the listing will tell ---- */

static enum err destroy_delete_intent(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct destroy *destroy = ctx;

	(void) arena;
	return cache_delete_intent(write, destroy->intent.nonce);
}

static void destroy_on_given_up(void *ctx, enum err err)
{
	struct destroy *destroy = ctx;

	(void) err;
	destroy_finish(destroy, destroy->err);
}

static void destroy_give_up(struct destroy *destroy, enum err err)
{
	destroy->err = err;
	if (destroy_goes_on(destroy, err)) {
		destroy_leave(destroy, err);
		return;
	}
	if (flow_commit(&destroy->flow, destroy_delete_intent, destroy_on_given_up) != ERR_OK)
		destroy_finish(destroy, err);
}

/* ---- the tombstone ---- */

static enum err destroy_write_tombstone(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct destroy *destroy = ctx;
	struct record record = { .kind = RECORD_OBJECT };
	struct object *object;
	enum err err;

	TRY(cache_get_object(cache_write_read(write), arena, &destroy->options.uid, &object));
	/* It may have been moved meanwhile. */
	if (!uid_equal(&object->key_id, &destroy->intent.key_id))
		TRY(intent_leave_destroy(write, object, &object->key_id));
	record.object = *object;
	stamps_see(destroy->flow.keystore, &record);
	TRY(object_apply(&record.object, arena, &destroy->edits, flow_stamp(&destroy->flow), NULL));
	TRY(flow_put(&destroy->flow, write, arena, &record));
	TRY(cache_delete_intent(write, destroy->intent.nonce));
out:
	return err;
}

static void destroy_on_released(void *ctx)
{
	struct destroy *destroy = ctx;

	KILL_POINT(destroy->flow.keystore, destroy_released);
	destroy_finish(destroy, ERR_OK);
}

static void destroy_on_recorded(void *ctx, enum err err)
{
	struct destroy *destroy = ctx;

	if (err != ERR_OK) {
		destroy_finish(destroy, err);
		return;
	}
	KILL_POINT(destroy->flow.keystore, destroy_recorded);
	kek_table_drop(
		destroy->flow.keystore->table, &destroy->options.instance, &destroy->options.uid);
	flow_hold(&destroy->flow, KEYSTORE_GATE_CHANGE, destroy_on_released);
}

/* ---- its date: by our own clock a tombstone could be older than a restoration before it ---- */

static void destroy_on_dated(void *ctx, const struct keymanager_got *result)
{
	struct destroy *destroy = ctx;
	enum err err;

	destroy->flow.call = NULL;
	TRY(flow_deletion_date(&destroy->edits.dates[OBJECT_DATE_DESTROYED], result));
	KILL_POINT(destroy->flow.keystore, destroy_dated);
	TRY(flow_commit(&destroy->flow, destroy_write_tombstone, destroy_on_recorded));
out:
	if (err != ERR_OK)
		destroy_leave(destroy, err);
}

static void destroy_date(struct destroy *destroy)
{
	struct keymanager_call call = flow_call(&destroy->flow, 100);
	enum err err = keymanager_get_start(&destroy->flow.call, destroy->flow.instance->keymanager,
		&destroy->intent.key_id, destroy_on_dated, &call);
	if (err != ERR_OK)
		destroy_leave(destroy, flow_error(err));
}

/* ---- the key that held it before a migration (design D8): its material is the same ---- */

static void destroy_on_old_deleted(void *ctx, const struct keymanager_done *result)
{
	struct destroy *destroy = ctx;

	destroy->flow.call = NULL;
	/* The intent stays: resolve.c deletes the old one, too. */
	if (result->err != ERR_OK && result->err != ERR_NOT_FOUND)
		destroy_leave(destroy, flow_error(result->err));
	else
		destroy_date(destroy);
}

static void destroy_delete_old(struct destroy *destroy)
{
	struct keymanager_call call = flow_call(&destroy->flow, 100);
	enum err err =
		keymanager_delete_start(&destroy->flow.call, destroy->flow.instance->keymanager,
			&destroy->options.uid, destroy_on_old_deleted, &call);

	if (err != ERR_OK)
		destroy_leave(destroy, flow_error(err));
}

static void destroy_on_deleted(void *ctx, const struct keymanager_done *result)
{
	struct destroy *destroy = ctx;

	destroy->flow.call = NULL;
	if (result->err != ERR_OK) {
		destroy_give_up(destroy,
			result->err == ERR_NOT_FOUND ? ERR_MISSING : flow_error(result->err));
		return;
	}
	KILL_POINT(destroy->flow.keystore, destroy_deleted);
	if (destroy->is_moved)
		destroy_delete_old(destroy);
	else
		destroy_date(destroy);
}

/* ---- the further objects ---- */

static void destroy_write(struct destroy *destroy)
{
	enum err err = flow_commit(&destroy->flow, destroy_write_intent, destroy_on_intent);

	if (err != ERR_OK)
		destroy_finish(destroy, joint_error(&destroy->joint, err));
}

static void destroy_on_lowered(void *ctx, enum err err)
{
	struct destroy *destroy = ctx;

	if (err != ERR_OK) {
		destroy_finish(destroy, joint_error(&destroy->joint, err));
		return;
	}
	KILL_POINT(destroy->flow.keystore, lower_written);
	destroy_write(destroy);
}

/* What may not be destroyed leaves the others as they are. */
static void destroy_lower(void *ctx)
{
	struct destroy *destroy = ctx;
	struct cache_read *read = NULL;
	struct object *object;
	enum err err;

	TRY(cache_read_begin(&read, destroy->flow.keystore->cache));
	TRY(cache_get_object(read, destroy->flow.arena, &destroy->options.uid, &object));
	TRY(destroy_judge(destroy, object));
out:
	cache_read_end(read);
	if (err == ERR_OK)
		err = joint_lower(&destroy->joint, destroy_on_lowered);
	if (err != ERR_OK)
		destroy_finish(destroy, err);
}

/* ---- start ---- */

static enum err destroy_prepare(struct destroy *destroy)
{
	struct object_change *edits = &destroy->edits;
	struct intent *intent = &destroy->intent;
	enum err err;

	TRY(change_copy(edits, destroy->flow.arena, destroy->options.change));
	edits->destroy = true;
	if (edits->dates[OBJECT_DATE_DESTROYED] == 0)
		edits->dates[OBJECT_DATE_DESTROYED] = clock_wall_seconds();
	rand_bytes(intent->nonce, sizeof(intent->nonce));
	intent->kind = INTENT_DESTROY;
	destroy->flow.intent_nonce = intent->nonce;
	intent->instance = destroy->options.instance;
	intent->uid = destroy->options.uid;
	intent->time = clock_wall_seconds();
	intent->compromise = edits->compromise;
	bytes_copy(intent->dates, edits->dates, sizeof(intent->dates));
out:
	return err;
}

enum err keystore_destroy_start(struct keystore_pending **out, struct keystore *keystore,
	const struct keystore_change *options,
	void (*on_destroyed)(void *ctx, enum err err, uint32_t unused), void *ctx)
{
	struct instance *instance = keystore_instance_of(keystore, &options->instance);
	struct keystore_pending *flow = NULL;
	struct destroy *destroy;
	enum err err;

	if (instance == NULL)
		return ERR_NOT_FOUND;
	TRY(flow_new(&flow, sizeof(*destroy), keystore, instance));
	destroy = (struct destroy *) flow;
	destroy->options = *options;
	destroy->on_destroyed = on_destroyed;
	destroy->ctx = ctx;
	flow->on_end = destroy_on_end;
	TRY(joint_begin(&destroy->joint,
		&(struct joint_options){
			.flow = flow, .change = &destroy->options, .only_with = true }));
	TRY(destroy_prepare(destroy));
	if (joint_lowers(&destroy->joint))
		flow_defer(flow, destroy_lower);
	else
		TRY(flow_commit(flow, destroy_write_intent, destroy_on_intent));
	*out = flow;
	return ERR_OK;
out:
	if (flow != NULL)
		flow_end(flow);
	return err;
}
