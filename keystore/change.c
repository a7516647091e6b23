/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A change of attributes or life cycle short of Destroy: commit -> gate -> answer (design D18).
 * One that lowers the state (Revoke) is in the key manager before it is in a cache (design D10):
 * check -> ledger, which merges it -> commit of the rest -> gate -> answer. So what is refused for
 * want of the key manager has changed nothing and can be repeated, but for a ledger record whose
 * reply was lost and that is not found in time: that one is merged when a listing shows it, and the
 * repetition is then told that the state is lowered already.
 */
#include "keystore/change_copy.h"
#include "keystore/ledger.h"
#include "keystore/stamps.h"
#include "keystore/trace.h"

struct change {
	struct keystore_pending flow;
	struct keystore_change options;
	struct object_change edits;
	struct record
		lowered; /* a downward change: the record as it will be, in the flow's arena */
	struct stamp stamp; /* of the change */
	struct buf trace; /* of it, as far as one ledger record holds it */
	struct ledger_wait wait;
	uint32_t added_index;
	void (*on_changed)(void *ctx, enum err err, uint32_t added_index);
	void *ctx;
};

static void change_on_end(struct keystore_pending *flow)
{
	struct change *change = (struct change *) flow;

	if (change->wait.waiting)
		ledger_forget(flow->instance->ledger, &change->wait);
	buf_free(&change->trace);
}

static void change_finish(struct change *change, enum err err)
{
	void (*on_changed)(void *, enum err, uint32_t) = change->on_changed;
	void *ctx = change->ctx;
	uint32_t added_index = change->added_index;

	flow_end(&change->flow);
	on_changed(ctx, err, added_index);
}

static void change_on_released(void *ctx)
{
	struct change *change = ctx;

	KILL_POINT(change->flow.keystore, change_released);
	change_finish(change, ERR_OK);
}

static void change_on_committed(void *ctx, enum err err)
{
	struct change *change = ctx;

	if (err != ERR_OK) {
		change_finish(change, err);
		return;
	}
	KILL_POINT(change->flow.keystore, change_recorded);
	flow_hold(&change->flow, KEYSTORE_GATE_CHANGE, change_on_released);
}

/* ---- the changed record ---- */

static enum err change_apply(
	struct change *change, struct cache_read *read, struct arena *arena, struct record *out)
{
	struct keystore_change *options = &change->options;
	struct object *object;
	enum err err;

	TRY(cache_get_object(read, arena, &options->uid, &object));
	TRY(instance_id_equal(&object->instance, &options->instance) ? ERR_OK : ERR_NOT_FOUND);
	TRY(options->check == NULL ? ERR_OK : options->check(options->check_ctx, object));
	*out = (struct record){ .kind = RECORD_OBJECT, .object = *object };
	stamps_see(change->flow.keystore, out);
	change->stamp = flow_stamp(&change->flow);
	TRY(object_apply(&out->object, arena, &change->edits, change->stamp, &change->added_index));
out:
	return err;
}

static enum err change_write(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct change *change = ctx;
	struct record record;
	enum err err;

	TRY(change_apply(change, cache_write_read(write), arena, &record));
	TRY(flow_put(&change->flow, write, arena, &record));
out:
	return err;
}

/* ---- lowering ---- */

/* The ledger has it, so that it holds: no second check. Attributes that one ledger record had no
 * room for come with it; they wait for the checkpoint. */
static enum err change_write_lowered(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct change *change = ctx;

	return flow_put(&change->flow, write, arena, &change->lowered);
}

static void change_on_ledger(void *ctx, enum err err)
{
	struct change *change = ctx;

	if (err == ERR_OK)
		KILL_POINT(change->flow.keystore, lower_written);
	if (err == ERR_OK)
		err = flow_commit(&change->flow, change_write_lowered, change_on_committed);
	if (err != ERR_OK)
		change_finish(change, err);
}

static void change_on_late(void *ctx)
{
	struct change *change = ctx;

	if (change->wait.waiting)
		change_finish(change, ERR_UNAVAILABLE);
}

/* Where there is no room for all attributes, those that the change is about are what is waited for.
 */
static enum err change_trace(struct change *change)
{
	struct trace trace;
	enum err err;

	trace_begin(&trace, &change->lowered, LEDGER_RECORD_LEN_MAX);
	err = trace_next(&trace, &change->trace);
	if (err == ERR_OK && trace.done)
		return ERR_OK;
	buf_clear(&change->trace);
	TRY(trace_begin_since(&trace, change->flow.arena, change->stamp, LEDGER_RECORD_LEN_MAX));
	TRY(trace_next(&trace, &change->trace));
	if (!trace.done)
		err = ERR_LIMIT;
out:
	return err;
}

static void change_lower(void *ctx)
{
	struct change *change = ctx;
	struct cache_read *read = NULL;
	enum err err;

	TRY(cache_read_begin(&read, change->flow.keystore->cache));
	TRY(change_apply(change, read, change->flow.arena, &change->lowered));
	TRY(change_trace(change));
	TRY(flow_wait(&change->flow, flow_left_ms(&change->flow), change_on_late, change));
	change->wait.record = buf_slice(&change->trace);
	change->wait.on_written = change_on_ledger;
	change->wait.ctx = change;
	TRY(ledger_add(change->flow.instance->ledger, &change->wait));
out:
	cache_read_end(read);
	if (err != ERR_OK)
		change_finish(change, err);
}

/* ---- start ---- */

enum err keystore_change_start(struct keystore_pending **out, struct keystore *keystore,
	const struct keystore_change *options,
	void (*on_changed)(void *ctx, enum err err, uint32_t added_index), void *ctx)
{
	struct instance *instance = keystore_instance_of(keystore, &options->instance);
	struct keystore_pending *flow = NULL;
	struct change *change;
	enum err err;

	if (instance == NULL)
		return ERR_NOT_FOUND;
	TRY(flow_new(&flow, sizeof(*change), keystore, instance));
	change = (struct change *) flow;
	change->options = *options;
	change->on_changed = on_changed;
	change->ctx = ctx;
	buf_init(&change->trace, LEDGER_RECORD_LEN_MAX);
	flow->on_end = change_on_end;
	TRY(change_copy(&change->edits, flow->arena, options->change));
	change->edits.destroy = false;
	if (change->edits.deactivate || change->edits.compromise || options->durable)
		flow_defer(flow, change_lower);
	else
		TRY(flow_commit(flow, change_write, change_on_committed));
	*out = flow;
	return ERR_OK;
out:
	if (flow != NULL)
		flow_end(flow);
	return err;
}
