/* SPDX-License-Identifier: Apache-2.0 */
/* What the store is asked for an item. */
#include "kmip/batch.h"
#include "kmip/settling.h"
#include "kmip/usage_limits.h"

/* Judges an effect within its transaction. */
static enum err batch_check(void *ctx, const struct object *object)
{
	struct batch *batch = ctx;
	enum err err;

	TRY(item_check(batch->item, object));
	TRY(undo_note(batch, object));
out:
	return err;
}

void batch_change(struct keystore_change *out, struct batch *batch)
{
	const struct kmip_item *item = batch->item;
	const struct kmip_placeholder *target = item->target.has ? &item->target : &item->subject;

	ASSERT(target->has && item->check != NULL);
	*out = (struct keystore_change){ .instance = item->identity->instance,
		.uid = target->uid,
		.durable = item->durable,
		.in_passing = item->in_passing,
		.change = &item->change,
		.check = batch_check,
		.check_ctx = batch };
	settling_fill(out, item);
}

static enum err batch_limit(void *ctx, const struct object *object, int64_t *out)
{
	enum err err;

	TRY(batch_check(ctx, object));
	TRY(usage_limits_allowed(object, out));
out:
	return err;
}

enum err batch_charge_start(struct keystore_pending **out, struct batch *batch,
	void (*on_charged)(void *ctx, enum err err, uint32_t unused), void *ctx)
{
	const struct kmip_item *item = batch->item;
	const struct kmip_placeholder *target = item->target.has ? &item->target : &item->subject;
	struct keystore_charge charge = { .instance = item->identity->instance,
		.uid = target->uid,
		.units = item->charge,
		.now = item->now,
		.limit = batch_limit,
		.ctx = batch };

	return keystore_charge_start(out, item->options->keystore, &charge, on_charged, ctx);
}
