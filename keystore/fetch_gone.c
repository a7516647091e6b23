/* SPDX-License-Identifier: Apache-2.0 */
/* The key manager says that the key is not there: destroyed, or not shown (design D12). */
#include "base/clock.h"
#include "base/log.h"
#include "keystore/fetch_work.h"
#include "keystore/missing.h"

/* Not there, said with authority only when the ledger and the whole ring were read (design D8). */
static enum err work_absent(const struct fetch_work *work)
{
	if (work->flow.instance->listed || work->flow.background)
		return ERR_NOT_FOUND;
	return ERR_UNAVAILABLE;
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
	if (err == ERR_OK)
		log_error("key-missing",
			"instance=%s key=%s effect=\"not served, not deleted\" "
			"hint=\"kmipctl key show, kmipctl key forget\"",
			work->flow.instance->id.text, id);
	fetch_work_done(work, err == ERR_OK ? ERR_MISSING : err);
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
	TRY(missing_clear(write, &work->uid));
out:
	return err;
}

static void work_on_tombstone(void *ctx, enum err err)
{
	struct fetch_work *work = ctx;

	kek_table_drop(work->flow.keystore->table, &work->flow.instance->id, &work->uid);
	fetch_work_done(work, err == ERR_OK ? ERR_DESTROYED : err);
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

void fetch_work_destroyed(struct fetch_work *work, const struct keymanager_key *key)
{
	struct object *tombstone = &work->tombstone;
	int64_t deletion = key != NULL ? key->deletion : 0;
	enum err err;

	if (!work_was_ours(work, key)) {
		fetch_work_done(work, work_absent(work));
		return;
	}
	if (deletion <= 0)
		deletion = clock_wall_seconds();
	if (work->cached != NULL)
		*tombstone = *work->cached;
	tombstone->uid = work->uid;
	if (work->cached == NULL)
		tombstone->key_id = work->uid;
	tombstone->instance = work->flow.instance->id;
	tombstone->dead = true;
	if (object_epoch_of(deletion, true) > tombstone->dead_epoch)
		tombstone->dead_epoch = object_epoch_of(deletion, true);
	tombstone->dates[OBJECT_DATE_DESTROYED] = deletion;
	tombstone->last_change = deletion;
	tombstone->wrapped = (struct object_wrapped){ 0 };
	if (work->cached != NULL && work->cached->dead) {
		fetch_work_done(work, ERR_DESTROYED);
		return;
	}
	err = flow_commit(&work->flow, work_write_tombstone, work_on_tombstone);
	if (err != ERR_OK)
		fetch_work_done(work, err);
}
