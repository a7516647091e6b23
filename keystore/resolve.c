/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/resolve.h"
#include "base/clock.h"
#include "base/log.h"
#include "keystore/fetch.h"
#include "keystore/intent.h"
#include "keystore/lookup.h"
#include "keystore/stamps.h"

struct resolve {
	struct keystore_pending flow;
	struct intent intents[RESOLVE_INTENTS_MAX];
	size_t count, next;
	struct lookup lookup;
	struct keystore_pending *adoption;
	void (*on_resolved)(void *ctx, enum err err);
	void *ctx;
};

static void resolve_next(struct resolve *resolve);

static struct intent *resolve_now(struct resolve *resolve)
{
	return &resolve->intents[resolve->next];
}

static void resolve_on_end(struct keystore_pending *flow)
{
	struct resolve *resolve = (struct resolve *) flow;

	if (resolve->adoption != NULL)
		flow_end(resolve->adoption);
}

static void resolve_finish(struct resolve *resolve, enum err err)
{
	void (*on_resolved)(void *, enum err) = resolve->on_resolved;
	void *ctx = resolve->ctx;

	flow_end(&resolve->flow);
	on_resolved(ctx, err);
}

/* ---- the end of one ---- */

static enum err resolve_delete(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct resolve *resolve = ctx;

	(void) arena;
	return cache_delete_intent(write, resolve_now(resolve)->nonce);
}

static void resolve_on_settled(void *ctx, enum err err)
{
	struct resolve *resolve = ctx;

	if (err != ERR_OK) {
		resolve_finish(resolve, err);
		return;
	}
	resolve->next++;
	resolve_next(resolve);
}

static void resolve_settle(struct resolve *resolve)
{
	enum err err = flow_commit(&resolve->flow, resolve_delete, resolve_on_settled);

	if (err != ERR_OK)
		resolve_finish(resolve, err);
}

/* It stays, and does not keep the others waiting. */
static void resolve_skip(struct resolve *resolve)
{
	resolve->next++;
	resolve_next(resolve);
}

/* ---- a creation ---- */

static void resolve_on_adopted(void *ctx, enum err err)
{
	struct resolve *resolve = ctx;

	resolve->adoption = NULL;
	log_info("create-resolved", "instance=%s name=%s result=%s",
		resolve->flow.instance->id.text, resolve->lookup.name, err_name(err));
	if (err == ERR_OK)
		KILL_POINT(resolve->flow.keystore, resolve_adopted);
	if (err == ERR_OK || err == ERR_NOT_FOUND || err == ERR_DESTROYED)
		resolve_settle(resolve);
	else if (err == ERR_CORRUPT)
		resolve_skip(resolve);
	else
		resolve_finish(resolve, err);
}

/* Among too many newer keys one is not looked for any further: the listings find it, too. */
static void resolve_on_found(void *ctx, enum err err, const struct uid *id)
{
	struct resolve *resolve = ctx;
	int64_t now = keymanager_seconds(resolve->flow.instance->keymanager);
	bool hopeless = now - resolve_now(resolve)->time > RESOLVE_HOPELESS_S;

	if (err == ERR_OK) {
		err = fetch_adopt_start(&resolve->adoption, resolve->flow.instance, id, true,
			resolve_on_adopted, resolve);
		if (err != ERR_OK)
			resolve_finish(resolve, err);
	} else if (err != ERR_NOT_FOUND && err != ERR_LIMIT) {
		resolve_finish(resolve, err);
	} else if (hopeless) {
		resolve_settle(resolve);
	} else {
		resolve_skip(resolve);
	}
}

static enum err resolve_create(struct resolve *resolve)
{
	const struct intent *intent = resolve_now(resolve);

	resolve->lookup = (struct lookup){ .flow = &resolve->flow,
		.since = intent->time - LOOKUP_MARGIN_S,
		.once = true,
		.on_found = resolve_on_found };
	envelope_name(resolve->lookup.name, ENVELOPE_OBJECT, &intent->instance, intent->nonce);
	return lookup_start(&resolve->lookup);
}

/* ---- a deletion ---- */

static enum err resolve_write_tombstone(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct resolve *resolve = ctx;
	const struct intent *intent = resolve_now(resolve);
	struct object_change change = {
		.destroy = true, .compromise = intent->compromise, .now = clock_wall_seconds()
	};
	struct record record = { .kind = RECORD_OBJECT };
	struct object *object;
	enum err err;

	bytes_copy(change.dates, intent->dates, sizeof(change.dates));
	err = cache_get_object(cache_write_read(write), arena, &intent->uid, &object);
	if (err == ERR_MISS)
		return cache_delete_intent(write, intent->nonce);
	TRY(err);
	if (!object->dead)
		TRY(intent_leave_others(write, object, &intent->key_id));
	record.object = *object;
	stamps_see(resolve->flow.keystore, &record);
	TRY(object_apply(&record.object, arena, &change, flow_stamp(&resolve->flow), NULL));
	TRY(flow_put(&resolve->flow, write, arena, &record));
	TRY(cache_delete_intent(write, intent->nonce));
out:
	return err;
}

static void resolve_on_tombstone(void *ctx, enum err err)
{
	struct resolve *resolve = ctx;
	const struct intent *intent = resolve_now(resolve);

	kek_table_drop(resolve->flow.keystore->table, &intent->instance, &intent->uid);
	if (err == ERR_CORRUPT)
		resolve_skip(resolve);
	else
		resolve_on_settled(resolve, err);
}

static void resolve_on_dated(void *ctx, const struct keymanager_got *result)
{
	struct resolve *resolve = ctx;
	enum err err;

	resolve->flow.call = NULL;
	TRY(flow_deletion_date(&resolve_now(resolve)->dates[OBJECT_DATE_DESTROYED], result));
	TRY(flow_commit(&resolve->flow, resolve_write_tombstone, resolve_on_tombstone));
out:
	if (err != ERR_OK)
		resolve_finish(resolve, err);
}

static void resolve_on_deleted(void *ctx, const struct keymanager_done *result)
{
	struct resolve *resolve = ctx;
	struct keymanager_call call = flow_call(&resolve->flow, 100);
	enum err err = result->err;

	resolve->flow.call = NULL;
	/* Refused by a policy: the key lives on, as it does when a client is told so. */
	if (err == ERR_NOT_FOUND || err == ERR_FIELD) {
		resolve_settle(resolve);
		return;
	}
	TRY(err);
	KILL_POINT(resolve->flow.keystore, resolve_deleted);
	TRY(keymanager_get_start(&resolve->flow.call, resolve->flow.instance->keymanager,
		&resolve_now(resolve)->key_id, resolve_on_dated, &call));
out:
	if (err != ERR_OK)
		resolve_finish(resolve, err);
}

static enum err resolve_destroy(struct resolve *resolve)
{
	struct keymanager_call call = flow_call(&resolve->flow, 100);

	return keymanager_delete_start(&resolve->flow.call, resolve->flow.instance->keymanager,
		&resolve_now(resolve)->key_id, resolve_on_deleted, &call);
}

/* ---- one after the other ---- */

static void resolve_next(struct resolve *resolve)
{
	enum err err = ERR_OK;

	resolve->flow.deadline_ms = clock_boot_ms() + FLOW_BACKGROUND_MS;
	if (resolve->next == resolve->count)
		resolve_finish(resolve, ERR_OK);
	else if (resolve_now(resolve)->kind == INTENT_CREATE)
		err = resolve_create(resolve);
	else
		err = resolve_destroy(resolve);
	if (err != ERR_OK)
		resolve_finish(resolve, err);
}

static bool is_settled_by_a_flow(const struct keystore *keystore, const uint8_t *nonce)
{
	const struct keystore_pending *flow = keystore->flows;

	for (; flow != NULL; flow = flow->next) {
		if (flow->intent_nonce != NULL &&
			slice_equal(slice_of(flow->intent_nonce, INTENT_NONCE_LEN),
				slice_of(nonce, INTENT_NONCE_LEN)))
			return true;
	}
	return false;
}

static enum err resolve_collect(void *ctx, const uint8_t nonce[INTENT_NONCE_LEN], struct slice body)
{
	struct resolve *resolve = ctx;
	struct intent *intent = &resolve->intents[resolve->count];

	if (resolve->count == RESOLVE_INTENTS_MAX || intent_decode(intent, nonce, body) != ERR_OK)
		return ERR_OK;
	intent->record = SLICE_EMPTY;
	if (intent->kind != INTENT_LEDGER &&
		instance_id_equal(&intent->instance, &resolve->flow.instance->id) &&
		!is_settled_by_a_flow(resolve->flow.keystore, nonce))
		resolve->count++;
	return ERR_OK;
}

static void resolve_begin(void *ctx)
{
	struct resolve *resolve = ctx;
	struct cache_read *read = NULL;
	enum err err;

	TRY(cache_read_begin(&read, resolve->flow.keystore->cache));
	TRY(cache_walk_intents(read, resolve_collect, resolve));
out:
	cache_read_end(read);
	if (err != ERR_OK)
		resolve_finish(resolve, err);
	else
		resolve_next(resolve);
}

enum err resolve_start(struct keystore_pending **out, struct instance *instance,
	void (*on_resolved)(void *ctx, enum err err), void *ctx)
{
	struct keystore_pending *flow;
	struct resolve *resolve;
	enum err err;

	TRY(flow_new(&flow, sizeof(*resolve), instance->keystore, instance));
	resolve = (struct resolve *) flow;
	flow->background = true;
	flow->on_end = resolve_on_end;
	resolve->on_resolved = on_resolved;
	resolve->ctx = ctx;
	flow_defer(flow, resolve_begin);
	*out = flow;
out:
	return err;
}
