/* SPDX-License-Identifier: Apache-2.0 */
/* What a fetch leaves behind: what is new of the record -> the unwrapped copy. */
#include "base/clock.h"
#include "base/log.h"
#include "keystore/fetch_work.h"
#include "keystore/intent.h"
#include "keystore/missing.h"
#include "keystore/stamps.h"

static void work_keep(struct fetch_work *work);

/* ---- commit ---- */

/*
 * The form that the key manager has just wrapped anew, or opened where the cached one did not. Its
 * label is never newer than what it is of: one whose version is not known yet keeps the old label,
 * and counts as old until it is wrapped again.
 */
static void work_renew_wrapped(struct fetch_work *work, struct object *object)
{
	struct object_wrapped renewed = *work->opened;

	if (work->rewrapped.len > 0)
		renewed.ciphertext = work->rewrapped;
	if (work->unreadable && renewed.version_label < work->cached->wrapped.version_label)
		renewed.version_label = work->cached->wrapped.version_label;
	if (renewed.version_label < work->version_label)
		renewed.version_label = work->version_label;
	renewed.written = flow_stamp(&work->flow);
	object_renew_wrapped(object, &renewed);
}

static void work_set_wrapped(struct fetch_work *work, struct object *object)
{
	if (work->rewrapped.len > 0 || work->unreadable)
		work_renew_wrapped(work, object);
	else if (work->opened == &work->fresh.wrapped)
		object->wrapped.version_label = work->version_label;
}

static enum err work_leave_destroy(struct fetch_work *work, struct cache_write *write)
{
	fetch_work_log(work, "leftover-key", "it is deleted, since the object is destroyed");
	return intent_leave_destroy(write, &work->fresh, &work->fresh.key_id);
}

static enum err work_write(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct fetch_work *work = ctx;
	struct record record = { .kind = RECORD_OBJECT };
	struct object *object;
	enum err err;

	if (work->leftover)
		return work_leave_destroy(work, write);
	if (work->has_fresh) {
		record.object = work->fresh;
		stamps_see(work->flow.keystore, &record);
	} else {
		TRY(cache_get_object(cache_write_read(write), arena, &work->uid, &object));
		if (object->dead)
			return ERR_DESTROYED;
		record.object = *object;
	}
	if (work->opened != NULL)
		work_set_wrapped(work, &record.object);
	TRY(flow_put(&work->flow, write, arena, &record));
	if (work->missing && work->has_fresh)
		TRY(missing_clear(write, &work->uid));
out:
	return err;
}

static void work_on_written(void *ctx, enum err err)
{
	struct fetch_work *work = ctx;

	if (err == ERR_OK && work->missing && work->has_fresh)
		fetch_work_log(work, "key-shown-again", "the key manager has it");
	if (err != ERR_OK)
		fetch_work_done(work, err);
	else
		work_keep(work);
}

void fetch_work_commit(struct fetch_work *work)
{
	enum err err;

	if (work->rewrapped.len == 0 && !work->unreadable && !work->leftover &&
		!(work->has_fresh && (work->missing || fetch_work_differs(work)))) {
		work_keep(work);
		return;
	}
	err = flow_commit(&work->flow, work_write, work_on_written);
	if (err != ERR_OK)
		fetch_work_done(work, err);
}

/* ---- the unwrapped copy ---- */

/* What was destroyed, found missing or disabled while the key manager was asked must not come back.
 */
static void work_keep(struct fetch_work *work)
{
	struct instance *instance = work->flow.instance;
	struct keystore *keystore = work->flow.keystore;
	uint64_t now_ms = clock_boot_ms();
	struct kek_entry entry = { .instance = instance->id,
		.uid = work->uid,
		.material = work->found,
		.fresh_until_ms = now_ms + 1000ull * keystore->settings.plaintext_ttl_s,
		.resident_until_ms = now_ms + 1000ull * keystore->settings.outage_grace_s };
	enum err err = fetch_work_look(work);

	if (work->kind == FETCH_WARM)
		entry.spare_after_ms = now_ms;
	else
		entry.used_ms = now_ms;
	if (err == ERR_OK && work->cached != NULL && work->cached->dead)
		err = ERR_DESTROYED;
	if (err == ERR_OK && work->missing)
		err = ERR_MISSING;
	if (err != ERR_OK) {
		fetch_work_done(work, err);
		return;
	}
	/* A poll has found meanwhile that the cache is not to be believed. */
	if (instance->behind && !work->has_fresh) {
		fetch_work_get(work);
		return;
	}
	if (work->unwrapped && work->kind != FETCH_LISTED && !instance->behind &&
		instance_root_is_usable(instance, work->crk) &&
		kek_table_put(keystore->table, &entry) != ERR_OK)
		log_debug("key-not-kept", "instance=%s", instance->id.text);
	fetch_work_done(work, ERR_OK);
}
