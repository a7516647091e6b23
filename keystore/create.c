/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Create (design D9), in the order of time: wrap, proved -> intent committed -> one standard key ->
 * record committed, intent cleared -> gate -> answer. A creation whose outcome is not known is
 * looked up, never sent again; what cannot be found in time stays an intent, and resolve.c settles
 * it.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "keystore/change_copy.h"
#include "keystore/intent.h"
#include "keystore/lookup.h"
#include "keystore/sealing.h"
#include "keystore/wrapping.h"

/* The rest of the time is for looking up a creation with unknown outcome. */
enum { CREATE_WRAP_PART = 50, CREATE_POST_PART = 66, CREATE_LOOKUP_MS_MIN = 300 };

struct create {
	struct keystore_pending flow;
	void (*on_created)(void *ctx, enum err err, const struct uid *uid);
	void *ctx;

	struct slice material;
	struct object_change change;
	struct object object; /* as it will be recorded */
	struct envelope envelope;
	int64_t version_label; /* of the root key's version that wrapped it; 0: not known */
	struct slice payload;
	struct wrapping wrapping;
	bool unclaimed;
	int64_t started;
	struct lookup lookup;
	enum err err; /* why it failed */
};

static void create_finish(struct create *create, enum err err)
{
	void (*on_created)(void *, enum err, const struct uid *) = create->on_created;
	void *ctx = create->ctx;
	struct uid uid = create->object.uid;

	flow_end(&create->flow);
	on_created(ctx, err, err == ERR_OK ? &uid : NULL);
}

/* ---- wrap ---- */

static void create_on_wrapped(void *ctx, const struct keymanager_wrapped *result);

static void create_begin(void *ctx)
{
	struct create *create = ctx;
	struct sealing sealing = { .instance = &create->envelope.instance,
		.nonce = create->envelope.nonce };
	enum err err;

	create->wrapping = (struct wrapping){ .flow = &create->flow,
		.envelope = &create->envelope,
		.on_wrapped = create_on_wrapped };
	TRY(sealing_pack(&create->wrapping.plain, &create->envelope.sealed, create->flow.arena,
		&sealing, create->material));
	err = wrapping_start(&create->wrapping, CREATE_WRAP_PART);
out:
	if (err != ERR_OK)
		create_finish(create, flow_error(err));
}

/* ---- intent ---- */

/* Attributes get their stamps before they are put into the envelope; flags and dates are the
 * record's alone. */
static enum err create_pack(struct create *create, struct slice ciphertext)
{
	struct arena *arena = create->flow.arena;
	struct object *object = &create->object;
	struct envelope *envelope = &create->envelope;
	struct buf payload;
	enum err err;

	buf_init(&payload, ENVELOPE_LEN_MAX);
	TRY(object_apply(object, arena, &create->change, flow_stamp(&create->flow), NULL));
	envelope->ciphertext = ciphertext;
	envelope->attributes = object->attributes;
	envelope->attribute_count = object->attribute_count;
	envelope->initial_date = object->dates[OBJECT_DATE_INITIAL];
	TRY(envelope_encode(&payload, envelope));
	create->payload = arena_copy(arena, buf_slice(&payload));
	TRY(create->payload.data == NULL ? ERR_NOMEM : ERR_OK);
out:
	buf_free(&payload);
	return err;
}

static enum err create_write_intent(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct create *create = ctx;
	struct intent intent = { .kind = INTENT_CREATE,
		.instance = create->envelope.instance,
		.time = create->started };
	struct buf body;
	enum err err;

	(void) arena;
	buf_init(&body, INTENT_LEN_MAX);
	TRY(intent_encode(&body, &intent));
	TRY(cache_put_intent(write, create->envelope.nonce, buf_slice(&body)));
out:
	buf_free(&body);
	return err;
}

static void create_on_intent(void *ctx, enum err err);

static void create_on_wrapped(void *ctx, const struct keymanager_wrapped *result)
{
	struct create *create = ctx;
	enum err err;

	TRY(flow_error(result->err));
	KILL_POINT(create->flow.keystore, create_wrapped);
	create->version_label =
		instance_version_label(create->flow.instance, KEYMANAGER_CRK, result->key_version);
	TRY(create_pack(create, result->ciphertext));
	TRY(flow_commit(&create->flow, create_write_intent, create_on_intent));
out:
	if (err == ERR_ROOT_DISABLED)
		instance_doubt_root(create->flow.instance, KEYMANAGER_CRK);
	if (err != ERR_OK)
		create_finish(create, err);
}

/* ---- the standard key ---- */

static void create_on_created(void *ctx, const struct keymanager_created *result);
static void create_give_up(struct create *create, enum err err);

static void create_on_intent(void *ctx, enum err err)
{
	struct create *create = ctx;
	struct keymanager_call call = flow_call(&create->flow, CREATE_POST_PART);

	if (err != ERR_OK) {
		create_finish(create, err);
		return;
	}
	KILL_POINT(create->flow.keystore, create_intent);
	envelope_name(create->lookup.name, ENVELOPE_OBJECT, &create->envelope.instance,
		create->envelope.nonce);
	err = ERR_UNAVAILABLE;
	if (flow_left_ms(&create->flow) > CREATE_LOOKUP_MS_MIN)
		err = keymanager_create_start(&create->flow.call, create->flow.instance->keymanager,
			create->lookup.name, create->payload, create_on_created, &call);
	if (err != ERR_OK)
		create_give_up(create, flow_error(err));
}

static void create_record(struct create *create, const struct uid *id);

static void create_on_found(void *ctx, enum err err, const struct uid *id)
{
	struct create *create = ctx;

	if (err == ERR_OK) {
		create_record(create, id);
		return;
	}
	log_warning("create-unresolved", "instance=%s name=%s", create->envelope.instance.text,
		create->lookup.name);
	create_finish(create, ERR_UNAVAILABLE);
}

static void create_on_created(void *ctx, const struct keymanager_created *result)
{
	struct create *create = ctx;

	create->flow.call = NULL;
	if (result->err == ERR_OK) {
		create_record(create, &result->id);
		return;
	}
	if (result->err != ERR_AMBIGUOUS) {
		create_give_up(create, flow_error(result->err));
		return;
	}
	create->lookup.flow = &create->flow;
	create->lookup.since = create->started - LOOKUP_MARGIN_S;
	create->lookup.on_found = create_on_found;
	if (lookup_start(&create->lookup) != ERR_OK)
		create_finish(create, ERR_UNAVAILABLE);
}

/* ---- nothing was made ---- */

static enum err create_delete_intent(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct create *create = ctx;

	(void) arena;
	return cache_delete_intent(write, create->envelope.nonce);
}

static void create_on_given_up(void *ctx, enum err err)
{
	struct create *create = ctx;

	(void) err; /* the intent is settled later then */
	create_finish(create, create->err);
}

static void create_give_up(struct create *create, enum err err)
{
	create->err = err;
	if (flow_commit(&create->flow, create_delete_intent, create_on_given_up) != ERR_OK)
		create_finish(create, err);
}

/* ---- the record ---- */

/* The envelope's own object, with what only the record holds. */
static enum err create_complete(struct create *create, const struct uid *id)
{
	struct object fresh;
	enum err err;

	TRY(envelope_to_object(&fresh, create->flow.arena, &create->envelope, id, create->payload));
	fresh.life = create->object.life;
	fresh.compromised = create->object.compromised;
	fresh.unclaimed = create->unclaimed;
	fresh.last_change = create->object.last_change;
	bytes_copy(fresh.dates, create->object.dates, sizeof(fresh.dates));
	fresh.wrapped.version_label = create->version_label;
	create->object = fresh;
out:
	return err;
}

static enum err create_write_record(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct create *create = ctx;
	enum err err;

	TRY(flow_put_object(&create->flow, write, arena, &create->object));
	TRY(cache_delete_intent(write, create->envelope.nonce));
out:
	return err;
}

static void create_on_released(void *ctx)
{
	struct create *create = ctx;

	KILL_POINT(create->flow.keystore, create_released);
	create_finish(create, ERR_OK);
}

static void create_on_recorded(void *ctx, enum err err)
{
	struct create *create = ctx;
	struct keystore *keystore = create->flow.keystore;
	uint64_t now_ms = clock_boot_ms();
	struct kek_entry entry = { .instance = create->object.instance,
		.uid = create->object.uid,
		.material = create->material,
		.used_ms = now_ms,
		.fresh_until_ms = now_ms + 1000ull * keystore->settings.plaintext_ttl_s,
		.resident_until_ms = now_ms + 1000ull * keystore->settings.outage_grace_s };

	if (err != ERR_OK) {
		create_finish(create, err);
		return;
	}
	KILL_POINT(keystore, create_recorded);
	/* Without the entry the first Get unwraps. What the owner disabled while the key manager
	 * was asked must not come back. */
	if (instance_root_is_usable(create->flow.instance, KEYMANAGER_CRK) &&
		kek_table_put(keystore->table, &entry) != ERR_OK)
		log_debug("key-not-kept", "instance=%s", entry.instance.text);
	flow_hold(&create->flow, KEYSTORE_GATE_CREATE, create_on_released);
}

static void create_record(struct create *create, const struct uid *id)
{
	enum err err;

	KILL_POINT(create->flow.keystore, create_posted);
	TRY(create_complete(create, id));
	TRY(flow_commit(&create->flow, create_write_record, create_on_recorded));
out:
	if (err != ERR_OK)
		create_finish(create, err);
}

/* ---- start ---- */

static enum err create_prepare(struct create *create, const struct keystore_create *options)
{
	struct envelope *envelope = &create->envelope;
	struct object *object = &create->object;
	enum err err;

	create->started = keymanager_seconds(create->flow.instance->keymanager);
	create->unclaimed = options->unclaimed;
	create->material = arena_copy(create->flow.arena, options->material);
	TRY(create->material.data == NULL ? ERR_NOMEM : ERR_OK);
	TRY(change_copy(&create->change, create->flow.arena, options->change));
	if (create->change.dates[OBJECT_DATE_INITIAL] == 0)
		create->change.dates[OBJECT_DATE_INITIAL] = clock_wall_seconds();
	rand_bytes(envelope->nonce, sizeof(envelope->nonce));
	envelope->kind = ENVELOPE_OBJECT;
	create->flow.intent_nonce = envelope->nonce;
	envelope->instance = options->instance;
	envelope->type = options->type;
	envelope->format = options->format;
	object->instance = options->instance;
	object->type = options->type;
	object->format = options->format;
	object->has_material = true;
out:
	return err;
}

enum err keystore_create_start(struct keystore_pending **out, struct keystore *keystore,
	const struct keystore_create *options,
	void (*on_created)(void *ctx, enum err err, const struct uid *uid), void *ctx)
{
	struct instance *instance = keystore_instance_of(keystore, &options->instance);
	struct keystore_pending *flow = NULL;
	struct create *create;
	enum err err;

	if (instance == NULL)
		return ERR_NOT_FOUND;
	if (options->material.len == 0 || options->material.len > OBJECT_MATERIAL_LEN_MAX)
		return ERR_LIMIT;
	TRY(flow_new(&flow, sizeof(*create), keystore, instance));
	create = (struct create *) flow;
	create->on_created = on_created;
	create->ctx = ctx;
	TRY(create_prepare(create, options));
	flow_defer(flow, create_begin);
	*out = flow;
	return ERR_OK;
out:
	if (flow != NULL)
		flow_end(flow);
	return err;
}
