/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A change of attributes or life cycle short of Destroy: commit -> gate -> answer (design D18).
 * One that lowers the state (Revoke) is in the key manager before it is in a cache (design D10):
 * check -> ledger, which merges it -> commit of the rest -> gate -> answer. So what is refused for
 * want of the key manager has changed nothing and can be repeated, but for a ledger record whose
 * reply was lost and that is not found in time: that one is merged when a listing shows it, and the
 * repetition is then told that the state is lowered already.
 */
#include "keystore/joint.h"

struct change {
	struct keystore_pending flow;
	struct keystore_change options;
	struct joint joint;
	void (*on_changed)(void *ctx, enum err err, uint32_t added_index);
	void *ctx;
};

static void change_on_end(struct keystore_pending *flow)
{
	joint_end(&((struct change *) flow)->joint);
}

static void change_finish(struct change *change, enum err err)
{
	void (*on_changed)(void *, enum err, uint32_t) = change->on_changed;
	void *ctx = change->ctx;
	uint32_t added_index = change->joint.added_index;
	enum err told = joint_error(&change->joint, err);

	flow_end(&change->flow);
	on_changed(ctx, told, added_index);
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
	flow_hold(&change->flow,
		change->options.in_passing ? KEYSTORE_GATE_CREATE : KEYSTORE_GATE_CHANGE,
		change_on_released);
}

static enum err change_write(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct change *change = ctx;

	return joint_write(&change->joint, write, arena);
}

/* ---- lowering ---- */

static void change_on_lowered(void *ctx, enum err err)
{
	struct change *change = ctx;

	if (err == ERR_OK)
		KILL_POINT(change->flow.keystore, lower_written);
	if (err == ERR_OK)
		err = flow_commit(&change->flow, change_write, change_on_committed);
	if (err != ERR_OK)
		change_finish(change, err);
}

static void change_lower(void *ctx)
{
	struct change *change = ctx;
	enum err err = joint_lower(&change->joint, change_on_lowered);

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
	flow->on_end = change_on_end;
	TRY(joint_begin(&change->joint,
		&(struct joint_options){ .flow = flow, .change = &change->options }));
	if (joint_lowers(&change->joint))
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
