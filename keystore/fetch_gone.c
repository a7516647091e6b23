/* SPDX-License-Identifier: Apache-2.0 */
/* The key manager says that the key is not there: destroyed, or not shown (design D12). */
#include "base/clock.h"
#include "base/log.h"
#include "keystore/fetch_work.h"
#include "keystore/intent.h"
#include "keystore/missing.h"
#include "keystore/sweep.h"

/* Not there, said with authority only when the ledger and the whole ring were read (design D8). */
static enum err work_absent(const struct fetch_work *work)
{
	if (work->flow.instance->listed || work->flow.background)
		return ERR_NOT_FOUND;
	return ERR_UNAVAILABLE;
}

/* What is told and cannot be stored must not look like a damaged key, past which a listing goes. */
static enum err work_unstored(enum err err)
{
	return err == ERR_CORRUPT ? ERR_IO : err;
}

/* ---- missing ---- */

static enum err work_write_missing(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct fetch_work *work = ctx;

	(void) arena;
	return missing_note(write, &work->uid, &work->flow.instance->id);
}

static void work_on_noted(void *ctx, enum err err)
{
	struct fetch_work *work = ctx;
	char id[UUID_TEXT_LEN + 1];

	uid_text(id, &work->uid);
	/* Once more: it may have been unwrapped by another until the fact was there. */
	kek_table_drop(work->flow.keystore->table, &work->flow.instance->id, &work->uid);
	if (err == ERR_OK)
		log_error("key-missing",
			"instance=%s key=%s effect=\"not served, not deleted\" "
			"hint=\"kmipctl key show, kmipctl key forget\"",
			work->flow.instance->id.text, id);
	fetch_work_done(work, err == ERR_OK ? ERR_MISSING : work_unstored(err));
}

static void work_note_missing(struct fetch_work *work)
{
	enum err err;

	kek_table_drop(work->flow.keystore->table, &work->flow.instance->id, &work->uid);
	if (work->missing) {
		fetch_work_done(work, ERR_MISSING);
		return;
	}
	err = flow_commit(&work->flow, work_write_missing, work_on_noted);
	if (err != ERR_OK)
		fetch_work_done(work, err);
}

/* Whoever may not see the root key may not see other keys either: that proves nothing. */
static void work_on_root(void *ctx, const struct keymanager_root *result)
{
	struct fetch_work *work = ctx;

	work->flow.call = NULL;
	if (result->err != ERR_OK)
		fetch_work_fail(work, result->err, result->why);
	else if (result->state == KEYMANAGER_ROOT_UNKNOWN)
		fetch_work_fail(work, ERR_UNAVAILABLE, "neither key nor root key is shown");
	else
		work_note_missing(work);
}

void fetch_work_absent(struct fetch_work *work)
{
	struct keymanager_call call = flow_call(&work->flow, 100);
	enum err err;

	/* What the ledger alone tells of may have been destroyed so long ago that the key manager
	 * has forgotten it. */
	if (work->cached == NULL || (!work->cached->has_material && !work->cached->dead)) {
		fetch_work_done(work, work_absent(work));
		return;
	}
	if (work->cached->dead) {
		fetch_work_done(work, ERR_DESTROYED);
		return;
	}
	err = keymanager_root_start(&work->flow.call, work->flow.instance->keymanager,
		KEYMANAGER_CRK, work_on_root, &call);
	if (err != ERR_OK)
		fetch_work_fail(work, err, err_text(err));
}

/* ---- destroyed ---- */

static enum err work_write_tombstone(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct fetch_work *work = ctx;
	enum err err;

	TRY(flow_put_object(&work->flow, write, arena, &work->tombstone));
	TRY(intent_leave_others(write, &work->tombstone, &work->asked));
	TRY(missing_clear(write, &work->uid));
out:
	return err;
}

static void work_on_tombstone(void *ctx, enum err err)
{
	struct fetch_work *work = ctx;

	kek_table_drop(work->flow.keystore->table, &work->flow.instance->id, &work->uid);
	fetch_work_done(work, err == ERR_OK ? ERR_DESTROYED : work_unstored(err));
}

/* Of a destroyed key that is not cached only its name tells whose it was. */
static bool work_was_ours(const struct fetch_work *work, const struct keymanager_key *key)
{
	uint8_t nonce[ENVELOPE_NONCE_LEN];
	enum envelope_kind kind;

	if (work->cached != NULL)
		return true;
	return key != NULL &&
	       envelope_parse_name(&kind, nonce, &work->flow.instance->id, key->name) == ERR_OK &&
	       kind == ENVELOPE_OBJECT;
}

static void work_bury(struct fetch_work *work)
{
	struct object *tombstone = &work->tombstone;
	uint64_t epoch = object_epoch_of(work->deletion, true);
	enum err err;

	kek_table_drop(work->flow.keystore->table, &work->flow.instance->id, &work->uid);
	if (work->cached != NULL)
		*tombstone = *work->cached;
	tombstone->uid = work->uid;
	if (work->cached == NULL)
		tombstone->key_id = work->uid;
	tombstone->instance = work->flow.instance->id;
	tombstone->dead = true;
	/* A restored one whose new deletion has no date that is later: the next that means dead. */
	if (epoch <= tombstone->dead_epoch)
		epoch = tombstone->dead_epoch + tombstone->dead_epoch % 2;
	tombstone->dead_epoch = epoch;
	tombstone->dates[OBJECT_DATE_DESTROYED] = work->deletion;
	tombstone->last_change = work->deletion;
	tombstone->wrapped = (struct object_wrapped){ 0 };
	err = flow_commit(&work->flow, work_write_tombstone, work_on_tombstone);
	if (err != ERR_OK)
		fetch_work_done(work, err);
}

/* ---- an old key may have been let go since: then the ledger tells of it (design D8) ---- */

/* Is the key that is gone one whose end is the object's end? A restoration counts for all of them.
 */
static bool work_is_over(const struct fetch_work *work)
{
	const struct object *cached = work->cached;

	if (uid_equal(&work->asked, &cached->key_id))
		return true;
	return uid_equal(&work->asked, &cached->uid) &&
	       object_ends_with_old(cached, work->deletion) &&
	       object_epoch_of(work->deletion, true) > cached->dead_epoch;
}

static void work_note_deletion(struct fetch_work *work, const struct keymanager_key *key)
{
	work->deletion = key != NULL && key->deletion > 0 ? key->deletion : clock_wall_seconds();
}

bool fetch_work_is_over(struct fetch_work *work, const struct keymanager_key *key)
{
	work_note_deletion(work, key);
	return work_is_over(work);
}

static void work_judge_gone(struct fetch_work *work, enum err read)
{
	enum err err = fetch_work_look(work);

	if (err != ERR_OK || work->cached == NULL || work->cached->dead)
		fetch_work_done(work, err != ERR_OK ? err : ERR_DESTROYED);
	else if (!work_is_over(work) && work->again++ < FETCH_AGAIN_MAX)
		fetch_work_get(work);
	else if (read == ERR_OK && work_is_over(work))
		work_bury(work);
	else
		work_note_missing(work);
}

static void work_on_caught_up(void *ctx, enum err err, const struct sweep_counts *counts)
{
	struct fetch_work *work = ctx;

	(void) counts;
	work->catch_up = NULL;
	work_judge_gone(work, err);
}

static void work_catch_up(struct fetch_work *work)
{
	struct instance *instance = work->flow.instance;
	struct sweep_options options = { .what = "ledger",
		.updated_since = instance_ledger_since(instance),
		.only_ledger = true,
		.call_ms = flow_left_ms(&work->flow),
		.on_done = work_on_caught_up,
		.ctx = work };
	enum err err = sweep_start(&work->catch_up, instance, &options);

	if (err != ERR_OK)
		work_judge_gone(work, err);
}

/* The deletion that was told is the one before the restoration that is known: an answer that lags
 * behind, by which nothing is buried, nor served. */
static bool work_is_outdated(const struct fetch_work *work, const struct keymanager_key *key)
{
	return key != NULL && key->deletion > 0 &&
	       object_epoch_of(key->deletion, true) < work->cached->dead_epoch;
}

/* Only where a second root key is named can an object have moved without this node having heard of
 * it: both nodes let go of all old keys before that name is taken away. */
static bool work_may_have_moved(const struct fetch_work *work)
{
	return work->flow.instance->options.other_root_key != NULL;
}

void fetch_work_destroyed(struct fetch_work *work, const struct keymanager_key *key)
{
	const struct object *cached = work->cached;

	work_note_deletion(work, key);
	/* An old key that the ledger lets go may be gone, and the object live on. */
	if (cached == NULL && !work->exact && work_was_ours(work, key) &&
		work->flow.instance->listed)
		work_bury(work);
	else if (cached == NULL)
		fetch_work_done(work, work->exact ? ERR_DESTROYED : work_absent(work));
	else if (cached->dead)
		fetch_work_done(work, ERR_DESTROYED);
	else if (!work_is_over(work))
		fetch_work_done(work, ERR_OK);
	else if (work_is_outdated(work, key))
		fetch_work_done(work, ERR_UNAVAILABLE);
	else if (!work_may_have_moved(work))
		work_bury(work);
	else
		work_catch_up(work);
}

/* ---- the key before it: until it is let go, its end is the object's end (design D8) ---- */

bool fetch_work_has_old(const struct fetch_work *work)
{
	const struct object *cached = work->cached;

	return !work->exact && cached != NULL && !cached->dead && object_is_moved(cached) &&
	       !object_is_let_go(cached);
}

static void work_on_got_old(void *ctx, const struct keymanager_got *result)
{
	struct fetch_work *work = ctx;

	work->flow.call = NULL;
	if (result->err == ERR_DESTROYED && fetch_work_is_over(work, result->key))
		fetch_work_destroyed(work, result->key);
	else if (result->err == ERR_OK || result->err == ERR_NOT_FOUND ||
		 result->err == ERR_DESTROYED)
		fetch_work_go_on(work);
	else
		fetch_work_fail(work, result->err, result->why);
}

void fetch_work_get_old(struct fetch_work *work)
{
	struct keymanager_call call = flow_call(&work->flow, 100);
	enum err err;

	work->asked = work->uid;
	err = keymanager_get_start(&work->flow.call, work->flow.instance->keymanager, &work->asked,
		work_on_got_old, &call);
	if (err != ERR_OK)
		fetch_work_fail(work, err, err_text(err));
}
