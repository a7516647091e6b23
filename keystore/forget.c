/* SPDX-License-Identifier: Apache-2.0 */
/* In the order of time: tombstone committed, if the key is still missing -> gate -> answer. */
#include "base/clock.h"
#include "base/log.h"
#include "keystore/flow.h"
#include "keystore/missing.h"
#include "keystore/stamps.h"

struct forget {
	struct keystore_pending flow;
	struct uid uid;
	struct instance_id instance; /* whose it was */
	void (*on_forgotten)(void *ctx, enum err err);
	void *ctx;
};

static void forget_finish(struct forget *forget, enum err err)
{
	void (*on_forgotten)(void *, enum err) = forget->on_forgotten;
	void *ctx = forget->ctx;

	flow_end(&forget->flow);
	on_forgotten(ctx, err);
}

static enum err forget_judge(
	const struct forget *forget, struct cache_read *read, const struct object *object)
{
	if (object->dead)
		return ERR_DESTROYED;
	return missing_is(read, &forget->uid) ? ERR_OK : ERR_STATE;
}

static enum err forget_write(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct forget *forget = ctx;
	struct object_change change = { .destroy = true, .now = clock_wall_seconds() };
	struct record record = { .kind = RECORD_OBJECT };
	struct object *object;
	enum err err;

	change.dates[OBJECT_DATE_DESTROYED] = change.now;
	TRY(cache_get_object(cache_write_read(write), arena, &forget->uid, &object));
	TRY(forget_judge(forget, cache_write_read(write), object));
	forget->instance = object->instance;
	record.object = *object;
	stamps_see(forget->flow.keystore, &record);
	TRY(object_apply(&record.object, arena, &change, flow_stamp(&forget->flow), NULL));
	TRY(flow_put(&forget->flow, write, arena, &record));
	TRY(missing_clear(write, &forget->uid));
out:
	return err;
}

static void forget_on_released(void *ctx)
{
	forget_finish(ctx, ERR_OK);
}

static void forget_on_committed(void *ctx, enum err err)
{
	struct forget *forget = ctx;
	char id[UUID_TEXT_LEN + 1];

	if (err != ERR_OK) {
		forget_finish(forget, err);
		return;
	}
	uid_text(id, &forget->uid);
	log_warning("key-forgotten", "instance=%s key=%s by=operator", forget->instance.text, id);
	kek_table_drop(forget->flow.keystore->table, &forget->instance, &forget->uid);
	flow_hold(&forget->flow, KEYSTORE_GATE_CHANGE, forget_on_released);
}

bool keystore_is_missing(struct cache_read *read, const struct uid *uid)
{
	return missing_is(read, uid);
}

enum err keystore_forget_start(struct keystore_pending **out, struct keystore *keystore,
	const struct uid *uid, void (*on_forgotten)(void *ctx, enum err err), void *ctx)
{
	struct keystore_pending *flow = NULL;
	struct forget *forget;
	enum err err;

	TRY(flow_new(&flow, sizeof(*forget), keystore, NULL));
	forget = (struct forget *) flow;
	forget->uid = *uid;
	forget->on_forgotten = on_forgotten;
	forget->ctx = ctx;
	TRY(flow_commit(flow, forget_write, forget_on_committed));
	*out = flow;
	return ERR_OK;
out:
	if (flow != NULL)
		flow_end(flow);
	return err;
}
