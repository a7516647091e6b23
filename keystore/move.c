/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In the order of time: the old key read and unwrapped -> wrapped with the root key -> intent
 * committed -> new standard key -> read back and unwrapped -> the old key still there -> record
 * committed, intent cleared. Nothing counts on the new key before it was shown to open.
 */
#include "keystore/move.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/secret.h"
#include "keystore/intent.h"
#include "keystore/lookup.h"
#include "keystore/opening.h"
#include "keystore/sealing.h"
#include "keystore/stamps.h"

struct move {
	struct keystore_pending flow;
	struct uid uid;
	struct object *object; /* as it was at the beginning */
	struct opening old, fresh; /* the key that holds it, and the new one, read back */
	struct envelope envelope; /* of the new one */
	struct slice payload;
	char aad_hex[2 * ENVELOPE_NONCE_LEN + 1];
	struct lookup lookup;
	int64_t started;
	int64_t version_label; /* of the root key's version that wrapped it; 0: not known */
	bool is_gone; /* the old key, meanwhile */
	bool is_older; /* the new key, than the one that the record points to */
	enum err err; /* why it failed */
	void (*on_moved)(void *ctx, enum err err, bool moved);
	void *ctx;
};

static void move_finish(struct move *move, enum err err, bool moved)
{
	void (*on_moved)(void *, enum err, bool) = move->on_moved;
	void *ctx = move->ctx;

	flow_end(&move->flow);
	on_moved(ctx, err, moved);
}

static void move_fail(struct move *move, enum err err)
{
	move_finish(move, err, false);
}

/* Each call has its own time: this is background work. */
static struct keymanager_call move_call(struct move *move)
{
	move->flow.deadline_ms = clock_boot_ms() + FLOW_BACKGROUND_MS;
	return flow_call(&move->flow, 100);
}

/* ---- the record: the one time when the object points to another key ---- */

static enum err move_write_record(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct move *move = ctx;
	struct record record = { .kind = RECORD_OBJECT };
	struct object *now;
	enum err err;

	TRY(cache_get_object(cache_write_read(write), arena, &move->uid, &now));
	TRY(envelope_to_object(
		&record.object, arena, &move->envelope, &move->fresh.id, move->payload));
	record.object.wrapped.version_label = move->version_label;
	record.object.moved = object_moved_at(move->fresh.created);
	/* Whether it was claimed is not this record's to say. */
	record.object.unclaimed = true;
	stamps_see(move->flow.keystore, &record);
	/* Destroyed while it was moved: no key of it may live. */
	if (now->dead || move->is_gone)
		TRY(intent_leave_destroy(write, &record.object, &move->fresh.id));
	else
		TRY(flow_put(&move->flow, write, arena, &record));
	TRY(cache_delete_intent(write, move->envelope.nonce));
	TRY(cache_get_object(cache_write_read(write), arena, &move->uid, &now));
	move->is_older = !now->dead && uid_equal(&now->key_id, &move->object->key_id);
out:
	return err;
}

static void move_on_recorded(void *ctx, enum err err)
{
	struct move *move = ctx;

	if (err == ERR_OK)
		KILL_POINT(move->flow.keystore, move_recorded);
	/* Both keys are of one second of the key manager's clock: another one is made later. */
	if (err == ERR_OK && !move->is_gone && move->is_older)
		err = ERR_AMBIGUOUS;
	move_finish(move, err, err == ERR_OK && !move->is_gone);
}

/* ---- the old key is still there: whoever deleted it before the new one was made meant the object
 * ---- */

static void move_on_old_there(void *ctx, const struct keymanager_got *result)
{
	struct move *move = ctx;
	enum err err = ERR_OK;

	move->flow.call = NULL;
	move->is_gone = result->err == ERR_DESTROYED;
	if (!move->is_gone && result->err != ERR_NOT_FOUND)
		TRY(result->err);
	KILL_POINT(move->flow.keystore, move_proved);
	TRY(flow_commit(&move->flow, move_write_record, move_on_recorded));
out:
	if (err != ERR_OK)
		move_fail(move, err);
}

static void move_look_at_old(struct move *move)
{
	struct keymanager_call call = move_call(move);
	enum err err = keymanager_get_start(&move->flow.call, move->flow.instance->keymanager,
		&move->object->key_id, move_on_old_there, &call);

	if (err != ERR_OK)
		move_fail(move, err);
}

/* ---- read back ---- */

static enum err move_judge_read_back(const struct move *move, enum err err)
{
	const struct opening *fresh = &move->fresh;

	/* Not shown yet, or deleted by somebody: the intent has the last word. */
	if (err == ERR_MISSING || err == ERR_DESTROYED)
		return ERR_AMBIGUOUS;
	if (err != ERR_OK)
		return err;
	return fresh->crk == KEYMANAGER_CRK && slice_equal(fresh->payload, move->payload) &&
			       secret_equal(fresh->material, move->old.material)
		       ? ERR_OK
		       : ERR_CORRUPT;
}

static void move_on_read_back(void *ctx, enum err err)
{
	struct move *move = ctx;

	err = move_judge_read_back(move, err);
	if (err == ERR_CORRUPT)
		log_error("moved-key-unreadable", "instance=%s effect=\"the old one stays\"",
			move->flow.instance->id.text);
	if (err != ERR_OK)
		move_fail(move, err);
	else
		move_look_at_old(move);
}

/* ---- the new standard key ---- */

static enum err move_delete_intent(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct move *move = ctx;

	(void) arena;
	return cache_delete_intent(write, move->envelope.nonce);
}

static void move_on_given_up(void *ctx, enum err err)
{
	struct move *move = ctx;

	(void) err; /* the intent is settled later then */
	move_fail(move, move->err);
}

static void move_give_up(struct move *move, enum err err)
{
	move->err = err;
	if (flow_commit(&move->flow, move_delete_intent, move_on_given_up) != ERR_OK)
		move_fail(move, err);
}

static void move_on_found(void *ctx, enum err err, const struct uid *id)
{
	struct move *move = ctx;

	if (err != ERR_OK) {
		log_warning("move-unresolved", "instance=%s name=%s", move->flow.instance->id.text,
			move->lookup.name);
		move_fail(move, ERR_AMBIGUOUS);
		return;
	}
	move->fresh = (struct opening){ .flow = &move->flow, .on_opened = move_on_read_back };
	opening_start(&move->fresh, id);
}

static void move_on_created(void *ctx, const struct keymanager_created *result)
{
	struct move *move = ctx;

	move->flow.call = NULL;
	if (result->err == ERR_OK) {
		KILL_POINT(move->flow.keystore, move_posted);
		move_on_found(move, ERR_OK, &result->id);
		return;
	}
	if (result->err != ERR_AMBIGUOUS) {
		move_give_up(move, flow_error(result->err));
		return;
	}
	move->flow.deadline_ms = clock_boot_ms() + FLOW_BACKGROUND_MS;
	move->lookup.flow = &move->flow;
	move->lookup.since = move->started - LOOKUP_MARGIN_S;
	move->lookup.on_found = move_on_found;
	if (lookup_start(&move->lookup) != ERR_OK)
		move_fail(move, ERR_AMBIGUOUS);
}

static void move_on_intent(void *ctx, enum err err)
{
	struct move *move = ctx;
	struct keymanager_call call = move_call(move);

	if (err != ERR_OK) {
		/* Destroyed, or moved by somebody else: nothing is left to do. */
		move_finish(move, err == ERR_DESTROYED ? ERR_OK : err, false);
		return;
	}
	KILL_POINT(move->flow.keystore, move_intent);
	envelope_name(
		move->lookup.name, ENVELOPE_OBJECT, &move->envelope.instance, move->envelope.nonce);
	err = keymanager_create_start(&move->flow.call, move->flow.instance->keymanager,
		move->lookup.name, move->payload, move_on_created, &call);
	if (err != ERR_OK)
		move_give_up(move, err);
}

/* ---- intent: one at a time for each object, or a lost answer would leave two new keys. One that
 * was not made in all that time is no reason to wait: at worst there are two, and one is deleted
 * with the old ones ---- */

static enum err intent_compare(void *ctx, const uint8_t nonce[INTENT_NONCE_LEN], struct slice body)
{
	const struct move *move = ctx;
	struct intent intent;

	if (intent_decode(&intent, nonce, body) == ERR_OK && intent.kind == INTENT_CREATE &&
		uid_equal(&intent.uid, &move->uid) && intent.time > move->started - MOVE_INTENT_S)
		return ERR_AMBIGUOUS;
	return ERR_OK;
}

static enum err move_write_intent(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct move *move = ctx;
	struct intent intent = { .kind = INTENT_CREATE,
		.instance = move->envelope.instance,
		.time = move->started,
		.uid = move->uid };
	struct object *now;
	struct buf body;
	enum err err;

	buf_init(&body, INTENT_LEN_MAX);
	TRY(cache_get_object(cache_write_read(write), arena, &move->uid, &now));
	TRY(now->dead || !uid_equal(&now->key_id, &move->object->key_id) ? ERR_DESTROYED : ERR_OK);
	TRY(cache_walk_intents(cache_write_read(write), intent_compare, move));
	TRY(intent_encode(&body, &intent));
	TRY(cache_put_intent(write, move->envelope.nonce, buf_slice(&body)));
out:
	buf_free(&body);
	return err;
}

/* ---- wrap ---- */

static enum err move_encode(
	struct move *move, const struct object_attribute *attributes, size_t count)
{
	struct buf payload;
	enum err err;

	buf_init(&payload, ENVELOPE_LEN_MAX);
	move->envelope.attributes = attributes;
	move->envelope.attribute_count = count;
	TRY(envelope_encode(&payload, &move->envelope));
	move->payload = arena_copy(move->flow.arena, buf_slice(&payload));
	TRY(move->payload.data == NULL ? ERR_NOMEM : ERR_OK);
out:
	buf_free(&payload);
	return err;
}

static enum err move_live_attributes(
	struct move *move, struct object_attribute **out, size_t *count)
{
	const struct object *object = move->object;
	struct object_attribute *live =
		arena_array(move->flow.arena, object->attribute_count, sizeof(*live));

	*count = 0;
	if (live == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < object->attribute_count; i++)
		if (!object->attributes[i].deleted)
			live[(*count)++] = object->attributes[i];
	*out = live;
	return ERR_OK;
}

/* All attributes as they are now; where there are too many, those that it was made with, or none:
 * the ledger has them. */
static enum err move_pack(struct move *move, struct slice ciphertext)
{
	struct object_attribute *live;
	size_t count;
	enum err err;

	move->envelope.ciphertext = arena_copy(move->flow.arena, ciphertext);
	TRY(move->envelope.ciphertext.data == NULL ? ERR_NOMEM : ERR_OK);
	TRY(move_live_attributes(move, &live, &count));
	err = move_encode(move, live, count);
	if (err == ERR_LIMIT)
		err = move_encode(
			move, move->old.envelope.attributes, move->old.envelope.attribute_count);
	if (err == ERR_LIMIT)
		err = move_encode(move, NULL, 0);
out:
	return err;
}

static void move_on_wrapped(void *ctx, const struct keymanager_wrapped *result)
{
	struct move *move = ctx;
	enum err err;

	move->flow.call = NULL;
	TRY(result->err);
	move->version_label =
		instance_version_label(move->flow.instance, KEYMANAGER_CRK, result->key_version);
	TRY(move_pack(move, result->ciphertext));
	KILL_POINT(move->flow.keystore, move_wrapped);
	TRY(flow_commit(&move->flow, move_write_intent, move_on_intent));
out:
	if (err == ERR_ROOT_DISABLED)
		instance_doubt_root(move->flow.instance, KEYMANAGER_CRK);
	if (err != ERR_OK)
		move_fail(move, err);
}

static void move_wrap(struct move *move)
{
	struct keymanager_call call = move_call(move);
	struct envelope *envelope = &move->envelope;
	struct sealing sealing = {
		.instance = &envelope->instance, .nonce = envelope->nonce, .uid = &move->uid
	};
	struct keymanager_aad aad;
	struct slice secret;
	enum err err;

	*envelope = (struct envelope){ .kind = ENVELOPE_OBJECT,
		.instance = move->flow.instance->id,
		.type = move->old.envelope.type,
		.format = move->old.envelope.format,
		.old_uid = move->uid,
		.initial_date = move->object->dates[OBJECT_DATE_INITIAL] };
	rand_bytes(envelope->nonce, sizeof(envelope->nonce));
	move->flow.intent_nonce = envelope->nonce;
	TRY(sealing_pack(
		&secret, &envelope->sealed, move->flow.arena, &sealing, move->old.material));
	envelope_aad(&aad, move->aad_hex, &envelope->instance, envelope->nonce);
	err = keymanager_wrap_start(&move->flow.call, move->flow.instance->keymanager, secret, &aad,
		move_on_wrapped, &call);
out:
	if (err != ERR_OK)
		move_fail(move, err);
}

/* ---- the old key ---- */

static void move_on_opened(void *ctx, enum err err)
{
	struct move *move = ctx;

	/* Of a destroyed one the next poll finds that out, too. */
	if (err == ERR_DESTROYED || (err == ERR_OK && move->old.crk == KEYMANAGER_CRK))
		move_finish(move, ERR_OK, false);
	else if (err != ERR_OK)
		move_fail(move, err);
	else
		move_wrap(move);
}

static void move_begin(void *ctx)
{
	struct move *move = ctx;
	struct cache_read *read = NULL;
	enum err err;

	TRY(cache_read_begin(&read, move->flow.keystore->cache));
	TRY(cache_get_object(read, move->flow.arena, &move->uid, &move->object));
	TRY(object_is_quarantined(move->object) ? ERR_CORRUPT : ERR_OK);
out:
	cache_read_end(read);
	if (err != ERR_OK)
		move_fail(move, err);
	else if (move->object->dead)
		move_finish(move, ERR_OK, false);
	else
		opening_start(&move->old, &move->object->key_id);
}

enum err move_start(struct keystore_pending **out, struct instance *instance, const struct uid *uid,
	void (*on_moved)(void *ctx, enum err err, bool moved), void *ctx)
{
	struct keystore_pending *flow;
	struct move *move;
	enum err err;

	TRY(flow_new(&flow, sizeof(*move), instance->keystore, instance));
	move = (struct move *) flow;
	flow->background = true;
	move->uid = *uid;
	move->old = (struct opening){ .flow = flow, .on_opened = move_on_opened };
	move->started = keymanager_seconds(instance->keymanager);
	move->on_moved = on_moved;
	move->ctx = ctx;
	flow_defer(flow, move_begin);
	*out = flow;
out:
	return err;
}
