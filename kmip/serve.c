/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/serve.h"
#include <stdlib.h>
#include "base/loop.h"
#include "base/offload.h"
#include "kmip/batch.h"
#include "kmip/later.h"

struct kmip_server {
	struct kmip_options options;
	struct arena *arena; /* the worker's, for one request after the other */
	struct streams *streams; /* the keeper's */
	struct claims *claims; /* likewise */
	struct laters *laters; /* likewise */
	/* The keeper's, made when they are first needed: for what is computed soon, and for what
	 * takes long. */
	struct offload *offloads[2];
	struct kmip_pending *pendings;
	struct loop_task settled; /* the keeper's */
	bool settles;
};

/*
 * What a pending request waits for. A cancelled one lives on as ABANDONED until the item
 * whose effects have begun has ended. One that is answered later has no owner but the server.
 *
 *	TURN <-> FETCH <-> COMPUTE <-> EFFECT -> (answered, freed)
 *	                  COMPUTE, EFFECT -> ABANDONED -> (freed)
 */
enum pending_state {
	PENDING_TURN,
	PENDING_FETCH,
	PENDING_COMPUTE,
	PENDING_EFFECT,
	PENDING_ABANDONED
};

struct kmip_pending {
	struct kmip_server *server;
	struct kmip_pending *next, *previous;
	enum pending_state state;
	struct kmip_identity identity;
	struct arena *arena;
	struct slice frame;
	struct batch batch;
	struct loop_task task;
	struct offload_job job;
	struct keystore_pending *work;
	void (*on_served)(void *ctx, const struct kmip_served *served);
	void *ctx;
	struct later *later; /* keeps the answer, for who was told that it comes later; or NULL */
};

enum err kmip_server_new(struct kmip_server **out, const struct kmip_options *options)
{
	struct kmip_server *server = calloc(1, sizeof(*server));
	enum err err = server == NULL ? ERR_NOMEM : ERR_OK;

	ASSERT(options->keystore != NULL && options->vendor != NULL && options->node_name != NULL);
	TRY(err);
	server->options = *options;
	TRY(arena_new(&server->arena, KMIP_ARENA_LEN_MAX));
	if (options->loop != NULL) {
		TRY(streams_new(&server->streams));
		TRY(claims_new(&server->claims));
		TRY(laters_new(&server->laters));
		loop_task_init(&server->settled, NULL, NULL);
	}
	*out = server;
	server = NULL;
out:
	kmip_server_free(server);
	return err;
}

static void server_poke(struct kmip_server *server)
{
	if (!server->settles || server->pendings != NULL)
		return;
	server->settles = false;
	loop_defer(server->options.loop, &server->settled);
}

void kmip_server_settle(struct kmip_server *server, void (*on_settled)(void *ctx), void *ctx)
{
	ASSERT(server->options.loop != NULL);
	loop_task_cancel(&server->settled);
	loop_task_init(&server->settled, on_settled, ctx);
	server->settles = true;
	server_poke(server);
}

static void pending_free(struct kmip_pending *pending)
{
	struct kmip_server *server;

	if (pending == NULL)
		return;
	server = pending->server;
	if (pending->next != NULL)
		pending->next->previous = pending->previous;
	if (pending->previous != NULL)
		pending->previous->next = pending->next;
	else if (pending->server->pendings == pending)
		pending->server->pendings = pending->next;
	batch_drop(&pending->batch);
	arena_free(pending->arena);
	free(pending);
	server_poke(server);
}

void kmip_server_set_policies(
	struct kmip_server *server, const struct instance_policy *policies, size_t count)
{
	server->options.policies = policies;
	server->options.policy_count = count;
}

void kmip_server_free(struct kmip_server *server)
{
	if (server == NULL)
		return;
	/* First: what they compute for is freed below. */
	for (size_t i = 0; i < sizeof(server->offloads) / sizeof(server->offloads[0]); i++)
		offload_free(server->offloads[i]);
	while (server->pendings != NULL) {
		struct kmip_pending *pending = server->pendings;

		loop_task_cancel(&pending->task);
		if (pending->work != NULL)
			keystore_cancel(pending->work);
		pending_free(pending);
	}
	if (server->options.loop != NULL)
		loop_task_cancel(&server->settled);
	streams_free(server->streams);
	claims_free(server->claims);
	laters_free(server->laters);
	arena_free(server->arena);
	free(server);
}

enum err kmip_refuse(struct buf *out, struct slice head)
{
	static const struct kmip_options nothing;
	static const struct kmip_identity nobody;
	struct batch batch = { .options = &nothing, .identity = &nobody };
	enum err err;

	TRY(arena_new(&batch.arena, KMIP_ARENA_LEN_MAX));
	TRY(batch_begin_refused(&batch, head));
	TRY(batch_encode(&batch, out));
out:
	arena_free(batch.arena);
	return err;
}

enum err kmip_serve(struct kmip_server *server, const struct kmip_identity *identity,
	struct slice frame, struct buf *out, bool *close)
{
	struct batch batch = {
		.options = &server->options, .identity = identity, .arena = server->arena
	};
	enum err err;

	*close = false;
	TRY(batch_begin(&batch, frame));
	if (batch_writes(&batch) || batch_may_wait(&batch) || batch_run(&batch) != BATCH_DONE) {
		err = ERR_FORWARD;
		goto out;
	}
	batch_report(&batch);
	TRY(batch_encode(&batch, out));
	*close = batch.is_broken;
out:
	batch_drop(&batch);
	if (batch.view != NULL)
		keystore_view_rest(batch.view);
	/* Keys do not stay until the next request comes. */
	arena_reset(server->arena);
	return err;
}

static void pending_step(struct kmip_pending *pending);
static void pending_end_item(struct kmip_pending *pending);

/* The client asks for it when it likes. */
static void pending_keep(struct kmip_pending *pending)
{
	const struct batch *batch = &pending->batch;

	ASSERT(batch->done == 1);
	later_end(pending->later, batch->records[0].err, batch->responses[0].payload);
	pending_free(pending);
}

static void pending_answer(struct kmip_pending *pending)
{
	struct kmip_served served = { .close = pending->batch.is_broken };
	void (*on_served)(void *, const struct kmip_served *) = pending->on_served;
	void *ctx = pending->ctx;
	struct buf response;

	if (pending->later != NULL) {
		pending_keep(pending);
		return;
	}
	buf_init(&response, KMIP_RESPONSE_LEN_MAX);
	if (batch_encode(&pending->batch, &response) == ERR_OK)
		served.response = buf_slice(&response);
	else
		served.close = true;
	pending_free(pending);
	on_served(ctx, &served);
	buf_free(&response);
}

static void pending_on_fetched(void *ctx, enum err err)
{
	struct kmip_pending *pending = ctx;

	pending->work = NULL;
	batch_fetched(&pending->batch, err);
	pending_step(pending);
}

static void pending_on_effect(
	struct kmip_pending *pending, enum err err, const struct uid *uid, uint32_t added_index)
{
	pending->work = NULL;
	batch_effected(&pending->batch, err, uid, added_index);
	batch_report(&pending->batch);
	if (pending->state == PENDING_ABANDONED)
		pending_end_item(pending);
	else
		pending_step(pending);
}

static void pending_on_created(void *ctx, enum err err, const struct uid *uid)
{
	pending_on_effect(ctx, err, uid, 0);
}

static void pending_on_changed(void *ctx, enum err err, uint32_t added_index)
{
	pending_on_effect(ctx, err, NULL, added_index);
}

static enum err pending_start_fetch(struct kmip_pending *pending)
{
	struct kmip_item *item = pending->batch.item;

	pending->state = PENDING_FETCH;
	return keystore_fetch_start(&pending->work, item->view, &item->needed, item->needs_material,
		pending_on_fetched, pending);
}

/* On the other thread: nothing of the request but what the item set apart for it. */
static void pending_compute(void *ctx)
{
	struct kmip_pending *pending = ctx;
	const struct kmip_item *item = pending->batch.item;

	item->compute(item->plan_memory);
}

static void pending_on_computed(void *ctx)
{
	struct kmip_pending *pending = ctx;

	if (pending->state == PENDING_ABANDONED) {
		pending_free(pending);
		return;
	}
	batch_computed(&pending->batch, ERR_OK);
	pending_step(pending);
}

static enum err pending_start_compute(struct kmip_pending *pending)
{
	struct kmip_server *server = pending->server;
	struct offload **offload = &server->offloads[pending->batch.item->computes_long];
	enum err err = ERR_OK;

	if (*offload == NULL)
		TRY(offload_new(offload, server->options.loop));
	pending->state = PENDING_COMPUTE;
	pending->job = (struct offload_job){
		.work = pending_compute, .on_done = pending_on_computed, .ctx = pending
	};
	TRY(offload_start(*offload, &pending->job));
out:
	return err;
}

static enum err pending_start_effect(struct kmip_pending *pending)
{
	struct kmip_item *item = pending->batch.item;
	struct keystore *keystore = pending->server->options.keystore;
	struct keystore_change change;

	pending->state = PENDING_EFFECT;
	if (item->effect == KMIP_EFFECT_CREATE) {
		item->create.instance = pending->identity.instance;
		item->create.change = &item->change;
		return keystore_create_start(
			&pending->work, keystore, &item->create, pending_on_created, pending);
	}
	if (item->effect == KMIP_EFFECT_CHARGE)
		return batch_charge_start(
			&pending->work, &pending->batch, pending_on_changed, pending);
	batch_change(&change, &pending->batch);
	if (item->effect == KMIP_EFFECT_CHANGE)
		return keystore_change_start(
			&pending->work, keystore, &change, pending_on_changed, pending);
	return keystore_destroy_start(
		&pending->work, keystore, &change, pending_on_changed, pending);
}

static void pending_go_on(void *ctx)
{
	pending_step(ctx);
}

static enum err pending_start(struct kmip_pending *pending, enum batch_step step)
{
	switch (step) {
	case BATCH_PAUSE:
		pending->state = PENDING_TURN;
		loop_task_init(&pending->task, pending_go_on, pending);
		loop_defer(pending->server->options.loop, &pending->task);
		return ERR_OK;
	case BATCH_FETCH:
		return pending_start_fetch(pending);
	case BATCH_COMPUTE:
		return pending_start_compute(pending);
	default:
		return pending_start_effect(pending);
	}
}

/* A start that fails is the item's failure. */
static void pending_failed(struct kmip_pending *pending, enum batch_step step, enum err err)
{
	switch (step) {
	case BATCH_FETCH:
		batch_fetched(&pending->batch, err);
		break;
	case BATCH_COMPUTE:
		batch_computed(&pending->batch, err);
		break;
	default:
		batch_failed(&pending->batch, err);
	}
}

static bool pending_has_effect(const struct kmip_pending *pending)
{
	const struct kmip_item *item = pending->batch.item;

	return item != NULL && item->effect != KMIP_EFFECT_NONE;
}

/* Nobody waits for the answer any more, but an item that has begun is not left half done. */
static void pending_end_item(struct kmip_pending *pending)
{
	struct batch *batch = &pending->batch;
	enum err err = ERR_AGAIN;

	while (err != ERR_OK && pending_has_effect(pending)) {
		err = pending_start_effect(pending);
		if (err != ERR_OK)
			batch_failed(batch, err);
	}
	pending->state = PENDING_ABANDONED;
	if (err != ERR_OK)
		pending_free(pending);
}

/* Goes on until something must be waited for. A start that fails is the item's failure; since each
 * item fails once and each fetch counts, the loop ends. */
static void pending_step(struct kmip_pending *pending)
{
	enum batch_step step;
	enum err err = ERR_AGAIN;

	while (err != ERR_OK) {
		step = batch_run(&pending->batch);
		batch_report(&pending->batch);
		if (step == BATCH_DONE)
			break;
		err = pending_start(pending, step);
		if (err != ERR_OK)
			pending_failed(pending, step, err);
	}
	if (pending->batch.view != NULL)
		keystore_view_rest(pending->batch.view);
	if (err != ERR_OK)
		pending_answer(pending);
}

/* For Cancel: what has changed something is not given up half way. */
static bool pending_call_off(void *ctx)
{
	struct kmip_pending *pending = ctx;
	const struct kmip_item *item = pending->batch.item;

	if (pending->state == PENDING_EFFECT || (item != NULL && item->steps > 0))
		return false;
	pending->later = NULL;
	kmip_cancel(pending);
	return true;
}

/* Says that the answer comes later, where it may and there is a place for it. */
static void pending_put_off(struct kmip_pending *pending)
{
	const struct batch *batch = &pending->batch;
	struct kmip_served served = { 0 };
	struct later_run run = { .client = pending->identity,
		.operation = batch->request.entries[0].item.operation.value,
		.version = batch->request.version,
		.call_off = pending_call_off,
		.ctx = pending };
	struct buf response;

	if (laters_put(&pending->later, pending->server->laters, &run) != ERR_OK)
		return;
	buf_init(&response, KMIP_RESPONSE_LEN_MAX);
	if (batch_encode_pending(batch, later_id(pending->later), &response) == ERR_OK)
		served.response = buf_slice(&response);
	else
		served.close = true;
	pending->on_served(pending->ctx, &served);
	buf_free(&response);
}

static void pending_begin(void *ctx)
{
	struct kmip_pending *pending = ctx;
	struct kmip_served nothing = { .close = true };

	if (batch_begin(&pending->batch, pending->frame) == ERR_OK) {
		if (batch_may_wait(&pending->batch))
			pending_put_off(pending);
		pending_step(pending);
		return;
	}
	pending->on_served(pending->ctx, &nothing);
	pending_free(pending);
}

enum err kmip_serve_start(struct kmip_pending **out, struct kmip_server *server,
	const struct kmip_identity *identity, struct slice frame,
	void (*on_served)(void *ctx, const struct kmip_served *served), void *ctx)
{
	struct kmip_pending *pending = calloc(1, sizeof(*pending));
	enum err err = pending == NULL ? ERR_NOMEM : ERR_OK;

	ASSERT(server->options.loop != NULL);
	TRY(err);
	pending->server = server;
	pending->identity = *identity;
	pending->on_served = on_served;
	pending->ctx = ctx;
	TRY(arena_new(&pending->arena, KMIP_ARENA_LEN_MAX));
	pending->frame = arena_copy(pending->arena, frame);
	TRY(pending->frame.data == NULL ? ERR_NOMEM : ERR_OK);
	pending->batch.options = &server->options;
	pending->batch.identity = &pending->identity;
	pending->batch.arena = pending->arena;
	pending->batch.streams = server->streams;
	pending->batch.claims = server->claims;
	pending->batch.laters = server->laters;

	pending->next = server->pendings;
	if (pending->next != NULL)
		pending->next->previous = pending;
	server->pendings = pending;
	loop_task_init(&pending->task, pending_begin, pending);
	loop_defer(server->options.loop, &pending->task);
	*out = pending;
	return ERR_OK;
out:
	pending_free(pending);
	return err;
}

void kmip_cancel(struct kmip_pending *pending)
{
	ASSERT(pending->state != PENDING_ABANDONED);
	if (pending->state == PENDING_EFFECT || pending->state == PENDING_COMPUTE) {
		pending->state = PENDING_ABANDONED;
		return;
	}
	loop_task_cancel(&pending->task);
	if (pending->work != NULL)
		keystore_cancel(pending->work);
	pending_free(pending);
}
