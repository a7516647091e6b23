/* SPDX-License-Identifier: Apache-2.0 */
/* What a standard key that was read is to the object that was asked for (design D8). */
#include "keystore/fetch_work.h"

enum { FETCH_RESTORE_S = 30 }; /* the service restores no earlier than that after a deletion */

/* A key that was restored after its deletion lives again, in a later epoch (design D6). */
static bool work_is_restored(const struct fetch_work *work, const struct keymanager_key *key)
{
	return key->updated >= (int64_t) (work->cached->dead_epoch / 2) + FETCH_RESTORE_S;
}

/* Of a destroyed object another key may live: one that was made while it was destroyed. One that
 * its owner restored is left alone: the object's own key is what brings it back. */
static enum err work_judge_dead(
	struct fetch_work *work, const struct keymanager_key *key, bool holds_it)
{
	if (!work_is_restored(work, key)) {
		work->leftover = !holds_it && work->exact && work->is_named;
		return work->leftover ? ERR_OK : ERR_DESTROYED;
	}
	if (!holds_it) {
		fetch_work_log(work, "old-key-restored", "another standard key holds the object");
		return ERR_DESTROYED;
	}
	work->restored = true;
	work->fresh.dead_epoch = object_epoch_of((int64_t) (work->cached->dead_epoch / 2), false);
	return ERR_OK;
}

/* Against what is known of the object. */
static enum err work_judge_cached(struct fetch_work *work, const struct keymanager_key *key)
{
	const struct object *cached = work->cached;
	int order;

	if (cached == NULL)
		return ERR_OK;
	if (!instance_id_equal(&cached->instance, &work->flow.instance->id))
		return ERR_NOT_FOUND;
	order = object_key_compare(&work->fresh, cached);
	if (cached->dead)
		return work_judge_dead(work, key, order == 0);
	work->superseded = order < 0;
	return ERR_OK;
}

/* Which object it is: a client asks for objects, and a key of an id of its own is none. */
static enum err work_judge_uid(struct fetch_work *work)
{
	if (uid_equal(&work->fresh.uid, &work->uid))
		return ERR_OK;
	if (!work->exact)
		return ERR_NOT_FOUND;
	work->uid = work->fresh.uid;
	return fetch_work_look(work);
}

static bool work_is_named(const struct fetch_work *work, const struct envelope *envelope,
	const struct keymanager_key *key)
{
	char name[ENVELOPE_NAME_LEN];

	envelope_name(name, ENVELOPE_OBJECT, &work->flow.instance->id, envelope->nonce);
	return slice_equal_text(slice_text(name), key->name);
}

/* ERR_OK: ours, opened as far as that goes without the root key. */
enum err fetch_work_judge(struct fetch_work *work, const struct keymanager_key *key)
{
	struct arena *arena = work->flow.arena;
	struct envelope envelope;
	struct slice payload;
	enum err err;

	if (!key->standard)
		return ERR_NOT_FOUND;
	payload = arena_copy(arena, key->payload);
	TRY(payload.data == NULL ? ERR_NOMEM : ERR_OK);
	err = envelope_decode(&envelope, arena, &work->flow.instance->id, payload);
	if (err == ERR_FOREIGN || (err == ERR_OK && envelope.kind != ENVELOPE_OBJECT))
		return ERR_NOT_FOUND;
	TRY(err);
	TRY(envelope_to_object(&work->fresh, arena, &envelope, &key->id, payload));
	work->has_fresh = true;
	work->is_named = work_is_named(work, &envelope, key);
	if (object_is_moved(&work->fresh))
		work->fresh.moved = object_moved_at(key->created);
	work->fresh.unclaimed = work->unclaimed;
	TRY(work_judge_uid(work));
	TRY(work_judge_cached(work, key));
out:
	return err;
}
