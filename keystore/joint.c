/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/joint.h"
#include "keystore/change_copy.h"
#include "keystore/stamps.h"
#include "keystore/trace.h"

struct joint_part {
	struct uid uid;
	struct object_change edits;
	struct record lowered; /* the record as it will be, in the flow's arena */
	struct stamp stamp; /* of the change */
};

/* ---- begin ---- */

static enum err joint_add(
	struct joint *joint, const struct uid *uid, const struct object_change *change)
{
	struct joint_part *part = &joint->parts[joint->count];
	enum err err;

	TRY(change_copy(&part->edits, joint->flow->arena, change));
	part->edits.destroy = false;
	part->uid = *uid;
	joint->count++;
out:
	return err;
}

enum err joint_begin(struct joint *joint, const struct joint_options *options)
{
	const struct keystore_change *change = options->change;
	struct arena *arena = options->flow->arena;
	enum err err;

	*joint = (struct joint){ .flow = options->flow, .options = change };
	buf_init(&joint->trace, LEDGER_RECORD_LEN_MAX);
	joint->parts = arena_array(arena, change->with_count + 1, sizeof(*joint->parts));
	TRY(joint->parts == NULL ? ERR_NOMEM : ERR_OK);
	if (!options->only_with)
		TRY(joint_add(joint, &change->uid, change->change));
	for (size_t i = 0; i < change->with_count; i++)
		TRY(joint_add(joint, &change->with[i].uid, &change->with[i].change));
out:
	return err;
}

bool joint_lowers(const struct joint *joint)
{
	if (joint->options->durable && joint->count > 0)
		return true;
	for (size_t i = 0; i < joint->count; i++)
		if (joint->parts[i].edits.deactivate || joint->parts[i].edits.compromise)
			return true;
	return false;
}

/* ---- one object's record, changed ---- */

static enum err part_apply(struct joint *joint, size_t i, struct cache_read *read,
	struct arena *arena, struct record *out)
{
	const struct keystore_change *options = joint->options;
	struct joint_part *part = &joint->parts[i];
	struct object *object;
	enum err err;

	TRY(cache_get_object(read, arena, &part->uid, &object));
	TRY(instance_id_equal(&object->instance, &options->instance) ? ERR_OK : ERR_NOT_FOUND);
	TRY(options->check == NULL ? ERR_OK : options->check(options->check_ctx, object));
	*out = (struct record){ .kind = RECORD_OBJECT, .object = *object };
	stamps_see(joint->flow->keystore, out);
	part->stamp = flow_stamp(joint->flow);
	TRY(object_apply(&out->object, arena, &part->edits, part->stamp,
		i == 0 ? &joint->added_index : NULL));
out:
	return err;
}

enum err joint_write(struct joint *joint, struct cache_write *write, struct arena *arena)
{
	struct record record;
	enum err err = ERR_OK;

	for (size_t i = 0; i < joint->count; i++) {
		/* The ledger has it, so that it holds: no second check. Attributes that one ledger
		 * record had no room for come with it; they wait for the checkpoint. */
		record = joint->parts[i].lowered;
		if (!joint->is_lowered)
			TRY(part_apply(joint, i, cache_write_read(write), arena, &record));
		TRY(flow_put(joint->flow, write, arena, &record));
	}
out:
	return err;
}

/* ---- lowering ---- */

static void joint_on_ledger(void *ctx, enum err err)
{
	struct joint *joint = ctx;

	joint->is_lowered = err == ERR_OK;
	joint->may_exist |= joint->is_lowered || joint->wait.may_exist;
	joint->on_lowered(joint->flow, err);
}

static void joint_on_late(void *ctx)
{
	struct joint *joint = ctx;

	if (!joint->wait.waiting)
		return;
	ledger_forget(joint->flow->instance->ledger, &joint->wait);
	joint->may_exist |= joint->wait.may_exist;
	joint->on_lowered(joint->flow, ERR_UNAVAILABLE);
}

/* The trace of one, in one part. */
static enum err trace_part(
	struct joint *joint, const struct joint_part *part, bool since, struct buf *out)
{
	struct trace trace;
	enum err err = ERR_OK;

	trace_begin(&trace, &part->lowered, LEDGER_RECORD_LEN_MAX);
	if (since)
		TRY(trace_begin_since(
			&trace, joint->flow->arena, part->stamp, LEDGER_RECORD_LEN_MAX));
	TRY(trace_next(&trace, out));
	TRY(trace.done ? ERR_OK : ERR_LIMIT);
out:
	return err;
}

static enum err trace_all(struct joint *joint, bool since)
{
	struct buf one;
	enum err err = ERR_OK;

	buf_init(&one, LEDGER_RECORD_LEN_MAX);
	buf_clear(&joint->trace);
	for (size_t i = 0; i < joint->count; i++) {
		buf_clear(&one);
		TRY(trace_part(joint, &joint->parts[i], since, &one));
		TRY(joint->count == 1 ? buf_append(&joint->trace, buf_slice(&one))
				      : buf_append_bytes32(&joint->trace, buf_slice(&one)));
	}
out:
	buf_free(&one);
	return err;
}

enum err joint_lower(struct joint *joint, void (*on_lowered)(void *ctx, enum err err))
{
	struct keystore_pending *flow = joint->flow;
	struct cache_read *read = NULL;
	enum err err;

	joint->on_lowered = on_lowered;
	TRY(cache_read_begin(&read, flow->keystore->cache));
	for (size_t i = 0; i < joint->count; i++)
		TRY(part_apply(joint, i, read, flow->arena, &joint->parts[i].lowered));
	/* Where there is no room for all attributes, those that the change is about are what is
	 * waited for. */
	err = trace_all(joint, false);
	TRY(err == ERR_LIMIT ? trace_all(joint, true) : err);
	TRY(flow_wait(flow, flow_left_ms(flow), joint_on_late, joint));
	joint->wait = (struct ledger_wait){ .record = buf_slice(&joint->trace),
		.is_packed = joint->count > 1,
		.on_written = joint_on_ledger,
		.ctx = joint };
	TRY(ledger_add(flow->instance->ledger, &joint->wait));
out:
	cache_read_end(read);
	return err;
}

/* ---- end ---- */

enum err joint_error(const struct joint *joint, enum err err)
{
	return err != ERR_OK && joint->may_exist && joint->options->with_count > 0 ? ERR_AMBIGUOUS
										   : err;
}

void joint_end(struct joint *joint)
{
	if (joint->wait.waiting)
		ledger_forget(joint->flow->instance->ledger, &joint->wait);
	buf_free(&joint->trace);
}
