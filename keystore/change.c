/* SPDX-License-Identifier: Apache-2.0 */
/* A change of attributes or life cycle short of Destroy: commit -> gate -> answer (design D18). */
#include "keystore/change_copy.h"
#include "keystore/flow.h"
#include "keystore/stamps.h"

struct change {
	struct keystore_pending flow;
	struct keystore_change options;
	struct object_change edits;
	uint32_t added_index;
	void (*on_changed)(void *ctx, enum err err, uint32_t added_index);
	void *ctx;
};

static void change_finish(struct change *change, enum err err)
{
	void (*on_changed)(void *, enum err, uint32_t) = change->on_changed;
	void *ctx = change->ctx;
	uint32_t added_index = change->added_index;

	flow_end(&change->flow);
	on_changed(ctx, err, added_index);
}

static enum err change_write(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct change *change = ctx;
	struct keystore_change *options = &change->options;
	struct record record = { .kind = RECORD_OBJECT };
	struct object *object;
	enum err err;

	TRY(cache_get_object(cache_write_read(write), arena, &options->uid, &object));
	TRY(instance_id_equal(&object->instance, &options->instance) ? ERR_OK : ERR_NOT_FOUND);
	TRY(options->check == NULL ? ERR_OK : options->check(options->check_ctx, object));
	record.object = *object;
	stamps_see(change->flow.keystore, &record);
	TRY(object_apply(&record.object, arena, &change->edits, flow_stamp(&change->flow),
		&change->added_index));
	TRY(flow_put(&change->flow, write, arena, &record));
out:
	return err;
}

static void change_on_released(void *ctx)
{
	change_finish(ctx, ERR_OK);
}

static void change_on_committed(void *ctx, enum err err)
{
	struct change *change = ctx;

	if (err != ERR_OK)
		change_finish(change, err);
	else
		flow_hold(&change->flow, KEYSTORE_GATE_CHANGE, change_on_released);
}

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
	TRY(change_copy(&change->edits, flow->arena, options->change));
	change->edits.destroy = false;
	TRY(flow_commit(flow, change_write, change_on_committed));
	*out = flow;
	return ERR_OK;
out:
	if (flow != NULL)
		flow_end(flow);
	return err;
}
