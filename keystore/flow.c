/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/flow.h"
#include <stdlib.h>
#include "base/clock.h"
#include "keystore/stamps.h"

enum err flow_new(struct keystore_pending **out, size_t size, struct keystore *keystore,
	struct instance *instance)
{
	/* The peer's changes belong to no instance; clients may not crowd them out. */
	size_t max = KEYSTORE_FLOWS_MAX + (instance == NULL ? FLOW_PEER_MAX : 0);
	struct keystore_pending *flow;

	ASSERT(keystore->loop != NULL && size >= sizeof(*flow));
	if (keystore->flow_count >= max)
		return ERR_LIMIT;
	flow = calloc(1, size);
	if (flow == NULL)
		return ERR_NOMEM;
	if (arena_new(&flow->arena, FLOW_ARENA_LEN_MAX) != ERR_OK) {
		free(flow);
		return ERR_NOMEM;
	}
	flow->keystore = keystore;
	flow->instance = instance;
	flow->deadline_ms = clock_boot_ms() + KEYSTORE_ANSWER_MS;
	flow->next = keystore->flows;
	if (flow->next != NULL)
		flow->next->previous = flow;
	keystore->flows = flow;
	keystore->flow_count++;
	*out = flow;
	return ERR_OK;
}

void flow_stop_holding(struct keystore_pending *flow)
{
	struct keystore *keystore = flow->keystore;

	if (flow->holding && keystore->gate.cancel != NULL)
		keystore->gate.cancel(keystore->gate.ctx, &flow->hold);
	flow->holding = false;
}

static void flow_forget_waits(struct keystore_pending *flow)
{
	struct keystore *keystore = flow->keystore;

	loop_task_cancel(&flow->task);
	loop_timer_free(flow->timer);
	keymanager_cancel(flow->call);
	if (flow->committing)
		commit_cancel(keystore->commit, &flow->job);
	flow_stop_holding(flow);
}

void flow_end(struct keystore_pending *flow)
{
	struct keystore *keystore = flow->keystore;

	flow_forget_waits(flow);
	if (flow->on_end != NULL)
		flow->on_end(flow);
	if (flow->next != NULL)
		flow->next->previous = flow->previous;
	if (flow->previous != NULL)
		flow->previous->next = flow->next;
	else
		keystore->flows = flow->next;
	keystore->flow_count--;
	arena_free(flow->arena);
	free(flow);
}

void flow_defer(struct keystore_pending *flow, void (*run)(void *ctx))
{
	loop_task_init(&flow->task, run, flow);
	loop_defer(flow->keystore->loop, &flow->task);
}

static void flow_on_timer(void *ctx)
{
	struct keystore_pending *flow = ctx;

	flow->on_timer(flow->timer_ctx);
}

enum err flow_wait(
	struct keystore_pending *flow, uint64_t delay_ms, void (*run)(void *ctx), void *ctx)
{
	enum err err = ERR_OK;

	if (flow->timer == NULL)
		TRY(loop_timer_new(&flow->timer, flow->keystore->loop, flow_on_timer, flow));
	flow->on_timer = run;
	flow->timer_ctx = ctx;
	loop_timer_set(flow->timer, delay_ms);
out:
	return err;
}

static void flow_on_committed(void *ctx, enum err err)
{
	struct keystore_pending *flow = ctx;

	flow->committing = false;
	flow->on_committed(flow, err);
}

enum err flow_commit(struct keystore_pending *flow,
	enum err (*write)(void *ctx, struct cache_write *write, struct arena *arena),
	void (*on_committed)(void *ctx, enum err err))
{
	enum err err;

	ASSERT(!flow->committing);
	flow->job = (struct commit_job){
		.write = write, .on_committed = flow_on_committed, .ctx = flow
	};
	flow->on_committed = on_committed;
	TRY(commit_start(flow->keystore->commit, &flow->job));
	flow->committing = true;
out:
	return err;
}

static void flow_on_released(void *ctx)
{
	struct keystore_pending *flow = ctx;

	flow->holding = false;
	histogram_note(&flow->keystore->meter.gate_took, clock_boot_us() - flow->held_us);
	flow->on_released(flow);
}

void flow_hold(struct keystore_pending *flow, enum keystore_gate_class class,
	void (*on_released)(void *ctx))
{
	struct keystore *keystore = flow->keystore;

	if (keystore->gate.hold == NULL) {
		flow_defer(flow, on_released);
		return;
	}
	flow->on_released = on_released;
	flow->hold = (struct keystore_hold){
		.seq = flow->seq != 0 ? flow->seq : keystore->last_seq,
		.class = class,
		.on_release = flow_on_released,
		.ctx = flow,
	};
	flow->holding = true;
	flow->held_us = clock_boot_us();
	keystore->gate.hold(keystore->gate.ctx, &flow->hold);
}

uint32_t flow_left_ms(const struct keystore_pending *flow)
{
	uint64_t now_ms = clock_boot_ms();

	return now_ms >= flow->deadline_ms ? 0 : (uint32_t) (flow->deadline_ms - now_ms);
}

struct keymanager_call flow_call(struct keystore_pending *flow, uint32_t part)
{
	uint64_t left_ms = (uint64_t) flow_left_ms(flow) * part / 100;

	return (struct keymanager_call){ .ctx = flow,
		.deadline_ms = left_ms == 0 ? 1 : (uint32_t) left_ms,
		.background = flow->background };
}

enum err flow_put(struct keystore_pending *flow, struct cache_write *write, struct arena *arena,
	const struct record *record)
{
	struct cache_put put = { .record = record, .logged = true };
	enum err err;

	TRY(cache_merge(write, arena, &put));
	if (put.seq > flow->seq)
		flow->seq = put.seq;
	TRY(stamps_save(flow->keystore, write));
out:
	return err;
}

enum err flow_put_object(struct keystore_pending *flow, struct cache_write *write,
	struct arena *arena, const struct object *object)
{
	struct record record = { .kind = RECORD_OBJECT, .object = *object };

	return flow_put(flow, write, arena, &record);
}

struct stamp flow_stamp(struct keystore_pending *flow)
{
	return stamp_next(&flow->keystore->clock, clock_wall_ms());
}

enum err flow_error(enum err err)
{
	switch (err) {
	case ERR_OK:
	case ERR_ROOT_DISABLED:
	case ERR_LIMIT:
	case ERR_NOMEM:
		return err;
	case ERR_REFUSED:
	case ERR_FIELD:
		return ERR_REFUSED;
	default:
		return ERR_UNAVAILABLE;
	}
}

enum err flow_deletion_date(int64_t *out, const struct keymanager_got *result)
{
	const struct keymanager_key *key = result->key;

	if (result->err == ERR_OK && !flow_key_is_dead(key))
		return ERR_UNAVAILABLE;
	if (key != NULL && key->deletion > 0)
		*out = key->deletion;
	if (result->err == ERR_DESTROYED || result->err == ERR_NOT_FOUND)
		return ERR_OK;
	return flow_error(result->err);
}

bool flow_key_is_dead(const struct keymanager_key *key)
{
	enum { KEY_STATE_DESTROYED = 5 };

	return key->deleted || key->state == KEY_STATE_DESTROYED;
}
