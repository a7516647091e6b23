/* SPDX-License-Identifier: Apache-2.0 */
/* In the order of time: the cached form -> rewrap -> record committed, if it is still of that
 * sealing. */
#include "keystore/rewrap_key.h"
#include "base/clock.h"
#include "keystore/envelope.h"
#include "keystore/missing.h"

struct rewrap_key {
	struct keystore_pending flow;
	struct uid uid;
	struct object *object; /* as it was cached at the beginning */
	char aad_hex[2 * ENVELOPE_NONCE_LEN + 1];
	struct object_wrapped renewed;
	void (*on_done)(void *ctx, enum err err);
	void *ctx;
};

bool rewrap_key_is_due(
	const struct instance *instance, struct cache_read *read, const struct object *object)
{
	return !object->dead && !object_is_quarantined(object) &&
	       object->wrapped.ciphertext.len > 0 &&
	       !instance_wraps_newest(instance, object->wrapped.version_label) &&
	       !missing_is(read, &object->uid);
}

static void key_finish(struct rewrap_key *key, enum err err)
{
	void (*on_done)(void *, enum err) = key->on_done;
	void *ctx = key->ctx;

	flow_end(&key->flow);
	on_done(ctx, err);
}

/* ---- commit ---- */

/* What happened to the key meanwhile wins: the form is put in its old one's place, or nowhere. */
static enum err key_write(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct rewrap_key *key = ctx;
	struct object *object;
	enum err err;

	TRY(cache_get_object(cache_write_read(write), arena, &key->uid, &object));
	if (object->dead || object_is_quarantined(object))
		goto out;
	object_renew_wrapped(object, &key->renewed);
	TRY(flow_put_object(&key->flow, write, arena, object));
out:
	return err;
}

static void key_on_committed(void *ctx, enum err err)
{
	struct rewrap_key *key = ctx;

	if (err == ERR_OK)
		KILL_POINT(key->flow.keystore, rewrap_recorded);
	key_finish(key, err);
}

/* ---- rewrap ---- */

static enum err key_take(struct rewrap_key *key, const struct keymanager_wrapped *result)
{
	struct object_wrapped *renewed = &key->renewed;
	int64_t label =
		instance_version_label(key->flow.instance, result->crk, result->key_version);
	enum err err;

	*renewed = key->object->wrapped;
	renewed->ciphertext = arena_copy(key->flow.arena, result->ciphertext);
	TRY(renewed->ciphertext.data == NULL ? ERR_NOMEM : ERR_OK);
	TRY(renewed->ciphertext.len <= OBJECT_CIPHERTEXT_LEN_MAX ? ERR_OK : ERR_CORRUPT);
	/* Of a version made since we asked: it counts as old until the next round. */
	if (renewed->version_label < label)
		renewed->version_label = label;
	renewed->written = flow_stamp(&key->flow);
out:
	return err;
}

static void key_on_rewrapped(void *ctx, const struct keymanager_wrapped *result)
{
	struct rewrap_key *key = ctx;
	struct instance *instance = key->flow.instance;
	enum err err = result->err;

	key->flow.call = NULL;
	if (err == ERR_ROOT_DISABLED)
		instance_close_root(instance, result->crk, KEYMANAGER_ROOT_DISABLED);
	TRY(err);
	instance_note_good(instance, false);
	TRY(key_take(key, result));
	KILL_POINT(key->flow.keystore, rewrap_answered);
	TRY(flow_commit(&key->flow, key_write, key_on_committed));
out:
	if (err != ERR_OK)
		key_finish(key, err);
}

/* ---- the beginning ---- */

static enum err key_look(struct rewrap_key *key, bool *due)
{
	struct cache_read *read = NULL;
	enum err err;

	*due = false;
	TRY(cache_read_begin(&read, key->flow.keystore->cache));
	err = cache_get_object(read, key->flow.arena, &key->uid, &key->object);
	if (err == ERR_OK)
		*due = rewrap_key_is_due(key->flow.instance, read, key->object);
	err = err == ERR_MISS ? ERR_OK : err;
out:
	cache_read_end(read);
	return err;
}

static void key_begin(void *ctx)
{
	struct rewrap_key *key = ctx;
	struct keymanager_call call = flow_call(&key->flow, 100);
	struct keymanager_aad aad;
	bool due;
	enum err err;

	TRY(key_look(key, &due));
	if (!due) {
		key_finish(key, ERR_OK);
		return;
	}
	envelope_aad(&aad, key->aad_hex, &key->flow.instance->id, key->object->wrapped.nonce);
	TRY(keymanager_rewrap_start(&key->flow.call, key->flow.instance->keymanager,
		key->object->wrapped.ciphertext, &aad, key_on_rewrapped, &call));
out:
	if (err != ERR_OK)
		key_finish(key, err);
}

enum err rewrap_key_start(struct keystore_pending **out, struct instance *instance,
	const struct uid *uid, void (*on_done)(void *ctx, enum err err), void *ctx)
{
	struct keystore_pending *flow;
	struct rewrap_key *key;
	enum err err;

	TRY(flow_new(&flow, sizeof(*key), instance->keystore, instance));
	key = (struct rewrap_key *) flow;
	flow->background = true;
	flow->deadline_ms = clock_boot_ms() + FLOW_BACKGROUND_MS;
	key->uid = *uid;
	key->on_done = on_done;
	key->ctx = ctx;
	flow_defer(flow, key_begin);
	*out = flow;
out:
	return err;
}
