/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In the order of time: what the ledger holds of the object -> that read back -> the key that holds
 * it opened -> the old one opened, and the same in it -> the old one deleted.
 */
#include "keystore/retire.h"
#include "base/clock.h"
#include "base/secret.h"
#include "keystore/alias.h"
#include "keystore/ledger_note.h"
#include "keystore/ledger_read.h"
#include "keystore/opening.h"

enum { UID_LEN = sizeof(((struct uid *) NULL)->bytes) };

struct retire {
	struct keystore_pending flow;
	struct retire_options options;
	struct keystore_pending *reading; /* of the ledger record: */
	struct uid by;
	struct uid holder; /* the key that holds the object */
	struct opening fresh, old;
};

static void retire_on_end(struct keystore_pending *flow)
{
	struct retire *retire = (struct retire *) flow;

	if (retire->reading != NULL)
		flow_end(retire->reading);
}

static void retire_finish(struct retire *retire, enum err err, bool deleted)
{
	struct retire_options options = retire->options;

	flow_end(&retire->flow);
	options.on_retired(options.ctx, err, deleted);
}

static void retire_fail(struct retire *retire, enum err err)
{
	retire_finish(retire, err, false);
}

/* ---- delete ---- */

static enum err retire_forget_alias(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct retire *retire = ctx;

	(void) arena;
	return alias_forget(write, &retire->options.key_id);
}

static void retire_on_forgotten(void *ctx, enum err err)
{
	retire_finish(ctx, err, true);
}

static void retire_on_deleted(void *ctx, const struct keymanager_done *result)
{
	struct retire *retire = ctx;
	enum err err = result->err == ERR_NOT_FOUND ? ERR_OK : result->err;

	retire->flow.call = NULL;
	if (err == ERR_OK)
		KILL_POINT(retire->flow.keystore, retire_deleted);
	if (err == ERR_OK && !uid_equal(&retire->options.key_id, &retire->options.uid))
		err = flow_commit(&retire->flow, retire_forget_alias, retire_on_forgotten);
	else if (err == ERR_OK) {
		retire_finish(retire, ERR_OK, true);
		return;
	}
	if (err != ERR_OK)
		retire_fail(retire, err);
}

static void retire_delete(struct retire *retire)
{
	struct keymanager_call call;
	enum err err;

	retire->flow.deadline_ms = clock_boot_ms() + FLOW_BACKGROUND_MS;
	call = flow_call(&retire->flow, 100);
	err = keymanager_delete_start(&retire->flow.call, retire->flow.instance->keymanager,
		&retire->options.key_id, retire_on_deleted, &call);
	if (err != ERR_OK)
		retire_fail(retire, err);
}

/* ---- the two keys ---- */

static void retire_on_old_opened(void *ctx, enum err err)
{
	struct retire *retire = ctx;

	if (err == ERR_DESTROYED || err == ERR_MISSING)
		retire_finish(retire, ERR_OK, false);
	else if (err != ERR_OK)
		retire_fail(retire, err);
	else if (!secret_equal(retire->old.material, retire->fresh.material))
		retire_fail(retire, ERR_CORRUPT);
	else {
		KILL_POINT(retire->flow.keystore, retire_proved);
		retire_delete(retire);
	}
}

static void retire_on_fresh_opened(void *ctx, enum err err)
{
	struct retire *retire = ctx;

	if (err == ERR_OK &&
		(retire->fresh.crk != KEYMANAGER_CRK ||
			!uid_equal(&retire->fresh.envelope.old_uid, &retire->options.uid)))
		err = ERR_CORRUPT;
	if (err != ERR_OK) {
		retire_fail(retire, err);
		return;
	}
	retire->old = (struct opening){ .flow = &retire->flow, .on_opened = retire_on_old_opened };
	opening_start(&retire->old, &retire->options.key_id);
}

static void retire_open(struct retire *retire)
{
	retire->fresh =
		(struct opening){ .flow = &retire->flow, .on_opened = retire_on_fresh_opened };
	opening_start(&retire->fresh, &retire->holder);
}

/* ---- the ledger ---- */

static bool is_proved(const struct retire *retire)
{
	struct slice ids = buf_slice(&retire->options.proofs->ids);

	for (size_t at = 0; at + UID_LEN <= ids.len; at += UID_LEN)
		if (slice_equal(slice_cut(ids, at, UID_LEN), slice_of(retire->by.bytes, UID_LEN)))
			return true;
	return false;
}

static void retire_on_read(void *ctx, enum err err)
{
	struct retire *retire = ctx;

	retire->reading = NULL;
	if (err == ERR_OK && !is_proved(retire))
		err = buf_append(&retire->options.proofs->ids, slice_of(retire->by.bytes, UID_LEN));
	if (err != ERR_OK)
		retire_fail(retire, err == ERR_NOT_FOUND || err == ERR_DESTROYED ? ERR_STATE : err);
	else
		retire_open(retire);
}

static enum err retire_look(struct retire *retire, bool *wanted)
{
	struct record key = { .kind = RECORD_OBJECT, .object.uid = retire->options.uid };
	struct cache_read *read = NULL;
	struct ledger_cover cover;
	struct object *object;
	struct buf name;
	enum err err;

	*wanted = false;
	buf_init(&name, RECORD_KEY_LEN_MAX);
	TRY(record_key(&name, &key));
	TRY(cache_read_begin(&read, retire->flow.keystore->cache));
	TRY(ledger_cover_get(&cover, read, retire->flow.arena, buf_slice(&name)));
	object = &cover.record.object;
	if (object->dead || !object_is_moved(object) ||
		uid_equal(&object->key_id, &retire->options.key_id))
		goto out;
	TRY(object_is_let_go(object) && cover.covered ? ERR_OK : ERR_STATE);
	retire->by = cover.by;
	retire->holder = object->key_id;
	*wanted = true;
out:
	cache_read_end(read);
	buf_free(&name);
	return err;
}

static void retire_begin(void *ctx)
{
	struct retire *retire = ctx;
	bool wanted;
	enum err err;

	TRY(retire_look(retire, &wanted));
	if (!wanted)
		retire_finish(retire, ERR_OK, false);
	else if (is_proved(retire))
		retire_open(retire);
	else
		err = ledger_read_start(&retire->reading, retire->flow.instance, &retire->by,
			retire_on_read, retire);
out:
	if (err != ERR_OK)
		retire_fail(retire, err);
}

enum err retire_start(struct keystore_pending **out, struct instance *instance,
	const struct retire_options *options)
{
	struct keystore_pending *flow;
	struct retire *retire;
	enum err err;

	TRY(flow_new(&flow, sizeof(*retire), instance->keystore, instance));
	retire = (struct retire *) flow;
	flow->background = true;
	flow->on_end = retire_on_end;
	retire->options = *options;
	flow_defer(flow, retire_begin);
	*out = flow;
out:
	return err;
}
