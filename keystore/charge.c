/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Charging an object's limited use, on both nodes at one time: take -> gate -> settle -> answer.
 *
 * What is taken counts for everybody at once, but is open. The gate lets go when the peer has it,
 * and all that the peer had logged before that is here: so of two nodes that take at one time, at
 * least one sees both when it settles. Whoever then sees more used than may be takes its own back,
 * and tries again a little later; and since a charge that is settled was seen by whoever settled
 * later, what was answered never exceeds the limit. Without the peer, which has then stopped
 * serving under our lease, each node knows but its own: see ARCHITECTURE.md, D18.
 *
 * A charge whose node dies over it stays open, and counts; its node's next one settles it.
 */
#include "base/clock.h"
#include "base/rand.h"
#include "keystore/flow.h"
#include "keystore/stamps.h"
#include "keystore/usage.h"

enum {
	CHARGE_TRIES_MAX = 6,
	CHARGE_PAUSE_MS = 8, /* at most, before the second try; doubled each time */
};

struct charge {
	struct keystore_pending flow;
	struct keystore_charge options;
	struct charge *next, *previous;
	struct stamp place; /* of the register that it was taken in */
	bool is_open;
	bool is_late; /* it is taken back */
	enum err outcome; /* of settling */
	unsigned tries;
	void (*on_charged)(void *ctx, enum err err, uint32_t unused);
	void *ctx;
};

static void charge_on_end(struct keystore_pending *flow)
{
	struct charge *charge = (struct charge *) flow;

	if (charge->next != NULL)
		charge->next->previous = charge->previous;
	if (charge->previous != NULL)
		charge->previous->next = charge->next;
	else
		flow->keystore->charges = charge->next;
}

static void charge_finish(struct charge *charge, enum err err)
{
	void (*on_charged)(void *, enum err, uint32_t) = charge->on_charged;
	void *ctx = charge->ctx;

	flow_end(&charge->flow);
	on_charged(ctx, err, 0);
}

/* ---- in the transaction ---- */

static enum err charge_read(
	struct charge *charge, struct cache_write *write, struct arena *arena, struct record *out)
{
	const struct keystore_charge *options = &charge->options;
	struct object *object;
	enum err err;

	TRY(cache_get_object(cache_write_read(write), arena, &options->uid, &object));
	TRY(instance_id_equal(&object->instance, &options->instance) ? ERR_OK : ERR_NOT_FOUND);
	*out = (struct record){ .kind = RECORD_OBJECT, .object = *object };
	stamps_see(charge->flow.keystore, out);
out:
	return err;
}

static enum err charge_write(struct charge *charge, struct cache_write *write, struct arena *arena,
	struct record *record, const struct usage *usage)
{
	struct object_edit edit;
	struct object_change change = {
		.now = charge->options.now, .edits = &edit, .edit_count = 1
	};
	enum err err;

	TRY(usage_edit(&edit, arena, charge->place, usage));
	TRY(object_apply(&record->object, arena, &change, flow_stamp(&charge->flow), NULL));
	TRY(flow_put(&charge->flow, write, arena, record));
out:
	return err;
}

/* What charges that are under way have open in the register. */
static int64_t open_there(const struct charge *charge)
{
	int64_t open = 0;

	for (const struct charge *other = charge->flow.keystore->charges; other != NULL;
		other = other->next)
		if (other->is_open && uid_equal(&other->options.uid, &charge->options.uid) &&
			stamp_compare(other->place, charge->place) == 0)
			open = usage_add(open, other->options.units);
	return open;
}

/* Up to so much of what is open nobody takes back any more. */
static void settle(struct usage *usage, int64_t units)
{
	int64_t settled = units < usage->open ? units : usage->open;

	usage->open -= settled;
	usage->settled = usage_add(usage->settled, settled);
}

/* ERR_DENIED: so much is not left; ERR_AGAIN: unless something is taken back. */
static enum err judge_left(int64_t limit, int64_t units, const struct usage *sum)
{
	if (units > limit || sum->settled > limit - units)
		return ERR_DENIED;
	return usage_used(sum) > limit - units ? ERR_AGAIN : ERR_OK;
}

static enum err charge_take(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct charge *charge = ctx;
	struct keystore *keystore = charge->flow.keystore;
	struct usage_owner owner = { keystore->life,
		keystore->was_in_step || keystore->gate.hold == NULL };
	struct record record;
	struct usage sum, own;
	int64_t limit, left_over;
	enum err err;

	TRY(charge_read(charge, write, arena, &record));
	TRY(charge->options.limit(charge->options.ctx, &record.object, &limit));
	if (limit < 0)
		return ERR_OK;
	charge->place = usage_place(&record.object, &owner);
	own = usage_at(&record.object, charge->place);
	sum = usage_sum(&record.object);
	left_over = own.open - open_there(charge);
	if (left_over > 0) {
		settle(&own, left_over);
		settle(&sum, left_over);
	}
	TRY(judge_left(limit, charge->options.units, &sum));
	own.open = usage_add(own.open, charge->options.units);
	TRY(charge_write(charge, write, arena, &record, &own));
	charge->is_open = true;
out:
	return err;
}

/* ERR_AGAIN: more is used than may be. */
static enum err judge_taken(const struct charge *charge, const struct object *object)
{
	struct usage sum = usage_sum(object);
	int64_t limit;
	enum err err;

	TRY(charge->is_late ? ERR_UNAVAILABLE : ERR_OK);
	TRY(charge->options.limit(charge->options.ctx, object, &limit));
	if (limit >= 0 && usage_used(&sum) > limit)
		err = ERR_AGAIN;
out:
	return err;
}

static enum err charge_settle(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct charge *charge = ctx;
	int64_t units = charge->options.units;
	struct record record;
	struct usage own;
	enum err err;

	TRY(charge_read(charge, write, arena, &record));
	charge->outcome = judge_taken(charge, &record.object);
	own = usage_at(&record.object, charge->place);
	if (charge->outcome == ERR_OK)
		settle(&own, units);
	else
		own.open -= units < own.open ? units : own.open;
	TRY(charge_write(charge, write, arena, &record, &own));
	charge->is_open = false;
out:
	return err;
}

/* ---- in the order of time ---- */

static void charge_begin(void *ctx);

static void charge_try_again(struct charge *charge, enum err otherwise)
{
	uint32_t pause_ms = 1 + rand_below((uint32_t) CHARGE_PAUSE_MS << charge->tries);
	enum err err = otherwise;

	if (++charge->tries < CHARGE_TRIES_MAX && pause_ms < flow_left_ms(&charge->flow))
		err = flow_wait(&charge->flow, pause_ms, charge_begin, charge);
	if (err != ERR_OK)
		charge_finish(charge, err);
}

static void charge_on_settled(void *ctx, enum err err)
{
	struct charge *charge = ctx;

	if (err == ERR_OK)
		KILL_POINT(charge->flow.keystore, charge_settled);
	if (err == ERR_OK)
		err = charge->outcome;
	if (err == ERR_AGAIN)
		charge_try_again(charge, ERR_UNAVAILABLE);
	else
		charge_finish(charge, err);
}

static void charge_on_released(void *ctx)
{
	struct charge *charge = ctx;
	enum err err;

	KILL_POINT(charge->flow.keystore, charge_released);
	err = flow_commit(&charge->flow, charge_settle, charge_on_settled);
	if (err != ERR_OK)
		charge_finish(charge, err);
}

/* A peer that is linked, but does not tell what it has, is not waited for for ever. */
static void charge_on_late(void *ctx)
{
	struct charge *charge = ctx;
	enum err err;

	if (!charge->flow.holding)
		return;
	flow_stop_holding(&charge->flow);
	charge->is_late = true;
	err = flow_commit(&charge->flow, charge_settle, charge_on_settled);
	if (err != ERR_OK)
		charge_finish(charge, err);
}

static void charge_on_taken(void *ctx, enum err err)
{
	struct charge *charge = ctx;

	if (err == ERR_AGAIN) {
		charge_try_again(charge, ERR_DENIED);
		return;
	}
	if (err == ERR_OK && charge->is_open) {
		KILL_POINT(charge->flow.keystore, charge_taken);
		flow_hold(&charge->flow, KEYSTORE_GATE_CHARGE, charge_on_released);
		err = flow_wait(&charge->flow, flow_left_ms(&charge->flow), charge_on_late, charge);
		if (err == ERR_OK)
			return;
	}
	charge_finish(charge, err);
}

static void charge_begin(void *ctx)
{
	struct charge *charge = ctx;
	enum err err = flow_commit(&charge->flow, charge_take, charge_on_taken);

	if (err != ERR_OK)
		charge_finish(charge, err);
}

/* ---- start ---- */

enum err keystore_charge_start(struct keystore_pending **out, struct keystore *keystore,
	const struct keystore_charge *options,
	void (*on_charged)(void *ctx, enum err err, uint32_t unused), void *ctx)
{
	struct instance *instance = keystore_instance_of(keystore, &options->instance);
	struct keystore_pending *flow = NULL;
	struct charge *charge;
	enum err err;

	ASSERT(options->units >= 0);
	if (instance == NULL)
		return ERR_NOT_FOUND;
	TRY(flow_new(&flow, sizeof(*charge), keystore, instance));
	charge = (struct charge *) flow;
	charge->options = *options;
	charge->on_charged = on_charged;
	charge->ctx = ctx;
	charge->next = keystore->charges;
	if (charge->next != NULL)
		charge->next->previous = charge;
	keystore->charges = charge;
	flow->on_end = charge_on_end;
	TRY(flow_commit(flow, charge_take, charge_on_taken));
	*out = flow;
	return ERR_OK;
out:
	if (flow != NULL)
		flow_end(flow);
	return err;
}
