/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetching a key, in the order of time: look into the cache -> GET by id and judge (design D8),
 * where the cache does not suffice -> unwrap -> commit what is new -> keep the unwrapped copy ->
 * done. Nothing here ever deletes a key.
 */
#include "keystore/fetch_work.h"
#include "base/clock.h"
#include "base/log.h"
#include "keystore/alias.h"
#include "keystore/missing.h"
#include "keystore/sealing.h"

enum {
	FETCH_OUTAGE_MS = 500,
};

static void work_unwrap(struct fetch_work *work);

void fetch_work_log(const struct fetch_work *work, const char *event, const char *why)
{
	char id[UUID_TEXT_LEN + 1];

	uid_text(id, &work->uid);
	log_warning(event, "instance=%s key=%s why=%s", work->flow.instance->id.text, id,
		log_quoted(slice_text(why == NULL ? "" : why)));
}

/* ---- the cache ---- */

enum err fetch_work_look(struct fetch_work *work)
{
	struct cache_read *read = NULL;
	enum err err;

	work->cached = NULL;
	TRY(cache_read_begin(&read, work->flow.keystore->cache));
	/* Which object the key holds is known of those that were moved. */
	if (work->exact)
		(void) !alias_find(&work->uid, read, &work->key_id);
	work->missing = missing_is(read, &work->uid);
	err = cache_get_object(read, work->flow.arena, &work->uid, &work->cached);
	if (err == ERR_MISS || err == ERR_CORRUPT) {
		work->cached = NULL;
		err = ERR_OK;
	}
out:
	cache_read_end(read);
	return err;
}

/* As kek_table_get; fills `found` but for a miss. */
static enum err work_table(struct fetch_work *work)
{
	return kek_table_get(work->flow.keystore->table, work->flow.arena, &work->flow.instance->id,
		&work->uid, clock_boot_ms(), &work->found);
}

/* Keeping warm is for the time that the unwrapped copy stays. */
static bool work_needs_unwrap(struct fetch_work *work)
{
	return work->material && (work->kind == FETCH_WARM || work_table(work) != ERR_OK);
}

/* Until the first good poll of this life nobody knows what was deleted before it. */
static bool work_must_ask(const struct fetch_work *work)
{
	const struct instance *instance = work->flow.instance;
	const struct object *cached = work->cached;

	return work->kind == FETCH_LISTED || object_is_quarantined(cached) ||
	       !cached->has_material || work->missing || instance->poll_good_ms == 0 ||
	       instance->behind ||
	       kek_table_vouch_of(work->flow.keystore->table, &instance->id) <= clock_boot_ms();
}

static void work_begin(void *ctx)
{
	struct fetch_work *work = ctx;
	struct object *cached;
	enum err err = fetch_work_look(work);

	cached = work->cached;
	if (err != ERR_OK) {
		fetch_work_done(work, err);
		return;
	}
	if (cached == NULL) {
		fetch_work_get(work);
		return;
	}
	if (!instance_id_equal(&cached->instance, &work->flow.instance->id))
		fetch_work_done(work, ERR_NOT_FOUND);
	else if (cached->dead && work->kind != FETCH_LISTED)
		fetch_work_done(work, ERR_DESTROYED);
	else if (work_must_ask(work))
		fetch_work_get(work);
	else if (!work_needs_unwrap(work))
		fetch_work_done(work, ERR_OK);
	else
		work_unwrap(work);
}

void fetch_work_start(struct fetch_work *work)
{
	flow_defer(&work->flow, work_begin);
}

/* ---- the key manager does not answer ---- */

/*
 * An outage lets the resident copy be served; a refusal only a fresh one; that we ask too much,
 * none that nobody vouches for; a disabled root key none at all (design D13).
 */
static bool work_may_keep(struct fetch_work *work, enum err err)
{
	bool outage = instance_is_outage(work->flow.instance, err, false);

	if (err == ERR_ROOT_DISABLED || work->cached == NULL || work->cached->dead ||
		object_is_quarantined(work->cached) || work->missing)
		return false;
	switch (work_table(work)) {
	case ERR_OK:
		return true;
	case ERR_FORWARD:
		return (outage || err == ERR_REFUSED) && instance_in_grace(work->flow.instance);
	case ERR_AGAIN:
		return outage && instance_in_grace(work->flow.instance);
	default:
		return false;
	}
}

void fetch_work_fail(struct fetch_work *work, enum err err, const char *why)
{
	struct instance *instance = work->flow.instance;

	if (work->kind != FETCH_WARM && work_may_keep(work, err)) {
		instance_note_failed(instance, err, false);
		fetch_work_done(work, ERR_OK);
		return;
	}
	if (err == ERR_REFUSED)
		instance_note_failed(instance, err, false);
	if (!work->flow.background)
		fetch_work_log(work, "fetch-failed", why);
	fetch_work_done(work, flow_error(err));
}

/* In a known outage a request that can be answered all the same does not wait long for the key
 * manager to come back. */
static struct keymanager_call work_call(struct fetch_work *work)
{
	struct keymanager_call call = flow_call(&work->flow, 100);

	if (work->flow.instance->outage_since_ms != 0 && !work->flow.background &&
		call.deadline_ms > FETCH_OUTAGE_MS && work_may_keep(work, ERR_UNAVAILABLE))
		call.deadline_ms = FETCH_OUTAGE_MS;
	work->found = SLICE_EMPTY;
	return call;
}

/* ---- GET and judgement ---- */

/* A client walks on; a listing goes on with the next key. */
static enum err work_unreadable(const struct fetch_work *work)
{
	return work->flow.background ? ERR_CORRUPT : ERR_UNAVAILABLE;
}

/* The envelope says what the cache does not: it must prove to be ours first. */
bool fetch_work_differs(const struct fetch_work *work)
{
	const struct object *cached = work->cached;

	return cached == NULL || work->restored || !cached->has_material ||
	       !slice_equal(slice_of(cached->envelope_hash, sizeof(cached->envelope_hash)),
		       slice_of(work->fresh.envelope_hash, sizeof(cached->envelope_hash)));
}

/* It is remembered whose it was, so that no listing asks again, and a migration deletes it. */
static enum err work_write_alias(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct fetch_work *work = ctx;

	(void) arena;
	return alias_note(write, &work->fresh);
}

static void work_on_alias(void *ctx, enum err err)
{
	fetch_work_done(ctx, err);
}

static void work_note_superseded(struct fetch_work *work)
{
	enum err err = flow_commit(&work->flow, work_write_alias, work_on_alias);

	if (err != ERR_OK)
		fetch_work_done(work, err);
}

static void work_on_judged(struct fetch_work *work, enum err err)
{
	if (err == ERR_CORRUPT || err == ERR_VERSION) {
		fetch_work_log(work, "envelope-unreadable", err_text(err));
		err = work_unreadable(work);
	}
	if (err != ERR_OK)
		fetch_work_done(work, err);
	else if (work->superseded)
		work_note_superseded(work);
	else if (fetch_work_has_old(work))
		fetch_work_get_old(work);
	else
		fetch_work_go_on(work);
}

void fetch_work_go_on(struct fetch_work *work)
{
	if (work->leftover || fetch_work_differs(work) || object_is_quarantined(work->cached))
		work_unwrap(work);
	else if (work_needs_unwrap(work))
		work_unwrap(work);
	else
		fetch_work_commit(work);
}

static void work_on_got(void *ctx, const struct keymanager_got *result)
{
	struct fetch_work *work = ctx;

	work->flow.call = NULL;
	switch (result->err) {
	case ERR_OK:
		instance_note_good(work->flow.instance, false);
		if (flow_key_is_dead(result->key))
			fetch_work_destroyed(work, result->key);
		else
			work_on_judged(work, fetch_work_judge(work, result->key));
		break;
	case ERR_DESTROYED:
		fetch_work_destroyed(work, result->key);
		break;
	case ERR_NOT_FOUND:
		fetch_work_absent(work);
		break;
	default:
		fetch_work_fail(work, result->err, result->why);
	}
}

void fetch_work_get(struct fetch_work *work)
{
	struct keymanager_call call = work_call(work);
	enum err err;

	if (work->exact)
		work->asked = work->key_id;
	else
		work->asked = work->cached != NULL ? work->cached->key_id : work->uid;
	err = keymanager_get_start(&work->flow.call, work->flow.instance->keymanager, &work->asked,
		work_on_got, &call);

	if (err != ERR_OK)
		fetch_work_fail(work, err, err_text(err));
}

/* ---- unwrap ---- */

/* The cache may hold a newer wrapped form of the same material than the envelope does. */
static const struct object_wrapped *work_wrapped(const struct fetch_work *work)
{
	const struct object *cached = work->cached;

	if (!work->has_fresh)
		return &cached->wrapped;
	if (work->leftover || fetch_work_differs(work) || object_is_quarantined(cached))
		return &work->fresh.wrapped;
	return cached->wrapped.ciphertext.len > 0 ? &cached->wrapped : &work->fresh.wrapped;
}

static const struct object *work_object(const struct fetch_work *work)
{
	return work->has_fresh ? &work->fresh : work->cached;
}

static enum err work_open(struct fetch_work *work, const struct keymanager_unwrapped *result)
{
	const struct object_wrapped *wrapped = work->opened;
	struct sealing sealing = { .instance = &work->flow.instance->id,
		.nonce = wrapped->nonce,
		.key = result->plaintext,
		.uid = object_is_moved(work_object(work)) ? &work->uid : NULL };
	enum err err;

	TRY(sealing_unpack(&work->found, work->flow.arena, &sealing, wrapped->sealed));
	if (result->rewrapped.len > 0) {
		work->rewrapped = arena_copy(work->flow.arena, result->rewrapped);
		TRY(work->rewrapped.data == NULL ? ERR_NOMEM : ERR_OK);
	}
out:
	return err;
}

/* The ciphertext does not open: somebody else's key, a damaged copy of ours, or a configuration
 * that lacks the root key. What bears our name may be ours: it is not said to be no key (design
 * D15). */
static void work_on_unopened(struct fetch_work *work)
{
	if (work->cached == NULL && work->is_named) {
		fetch_work_log(work, "root-key-does-not-open",
			"wrapped with a root key that is neither root-key nor other-root-key");
		fetch_work_done(work, work_unreadable(work));
	} else if (work->cached == NULL) {
		fetch_work_done(work, ERR_NOT_FOUND);
	} else if (!work->has_fresh) {
		fetch_work_log(work, "wrapped-key-unreadable", "reading it again");
		work->unreadable = true;
		work->cached->wrapped.ciphertext = SLICE_EMPTY;
		fetch_work_get(work);
	} else {
		fetch_work_log(work, "wrapped-key-unreadable", "also as the key manager has it");
		fetch_work_done(work, work_unreadable(work));
	}
}

/* The key manager opened it, but what came here is not what was wrapped: nothing is known of the
 * key by that. */
static void work_on_altered(struct fetch_work *work)
{
	fetch_work_log(work, "unwrapped-key-altered", "not served");
	fetch_work_done(work, work_unreadable(work));
}

static void work_on_unwrapped(void *ctx, const struct keymanager_unwrapped *result)
{
	struct fetch_work *work = ctx;
	enum err err;

	work->flow.call = NULL;
	work->unwraps = false;
	work->crk = result->crk;
	if (result->err == ERR_ROOT_DISABLED)
		instance_close_root(work->flow.instance, work->crk, KEYMANAGER_ROOT_DISABLED);
	if (result->err == ERR_CORRUPT) {
		work_on_unopened(work);
		return;
	}
	if (result->err != ERR_OK) {
		fetch_work_fail(work, result->err, result->why);
		return;
	}
	instance_note_good(work->flow.instance, false);
	work->opened = work_wrapped(work);
	work->version_label =
		instance_version_label(work->flow.instance, result->crk, result->key_version);
	err = work_open(work, result);
	work->unwrapped = err == ERR_OK;
	if (err == ERR_CORRUPT)
		work_on_altered(work);
	else if (err != ERR_OK)
		fetch_work_done(work, err);
	else
		fetch_work_commit(work);
}

static void work_unwrap(struct fetch_work *work)
{
	struct keymanager_call call = work_call(work);
	const struct object_wrapped *wrapped = work_wrapped(work);
	struct keymanager_aad aad;
	enum err err;

	if (fetch_work_joins(work))
		return;
	work->unwraps = true;
	envelope_aad(&aad, work->aad_hex, &work->flow.instance->id, wrapped->nonce);
	err = keymanager_unwrap_start(&work->flow.call, work->flow.instance->keymanager,
		wrapped->ciphertext, &aad, work_on_unwrapped, &call);
	if (err != ERR_OK)
		fetch_work_fail(work, err, err_text(err));
}
