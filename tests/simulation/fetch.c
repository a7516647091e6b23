/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a key through, as keystore/fetch_work.c does: look -> GET and judge, where the cache does
 * not suffice -> unwrap -> commit -> keep. */
#include "tests/simulation/world.h"

enum {
	FETCH_RESTORE_S = 30,
	FETCH_FRESH_MS = 6000, /* an unwrapped key is then unwrapped again */
};

static void fetch_get(struct world_node *node, struct world_flow *flow);
static void fetch_unwrap(struct world_node *node, struct world_flow *flow);
static void fetch_commit(struct world_node *node, struct world_flow *flow);
static void fetch_keep(struct world_node *node, struct world_flow *flow);

/* The product's fetch is a flow of its own: what it logged is not what its caller waits for. */
static void fetch_done(struct world_node *node, struct world_flow *flow, enum err err)
{
	flow->seq = 0;
	flow->err = err;
	flow->fetch.done(node, flow);
}

static bool is_resident(const struct world_node *node, size_t slot)
{
	return slot < MODEL_OBJECTS && node->resident[slot];
}

static bool is_fresh(const struct world_node *node, size_t slot)
{
	return is_resident(node, slot) && node->fresh_until[slot] > node_now(node);
}

static struct world_view look(const struct world_node *node, size_t slot)
{
	return slot < MODEL_OBJECTS ? node->disk.slots[slot].view : (struct world_view){ 0 };
}

static bool is_missing(const struct world_node *node, size_t slot)
{
	return (node->disk.missing & model_bit(slot)) != 0;
}

static void fetch_from_cache(struct world_node *node, struct world_flow *flow)
{
	flow->fetch.by_cache = true;
	fetch_done(node, flow, ERR_OK);
}

void fetch_start(struct world_node *node, struct world_flow *flow, flow_next *done)
{
	struct world_fetch *fetch = &flow->fetch;
	bool background = fetch->background, unclaimed = fetch->unclaimed;

	*fetch = (struct world_fetch){
		.background = background, .unclaimed = unclaimed, .done = done
	};
	if (flow->slot < MODEL_OBJECTS && node->disk.slots[flow->slot].damaged) {
		flow->troubled = true;
		fetch_done(node, flow, ERR_UNAVAILABLE);
		return;
	}
	fetch->cached = look(node, flow->slot);
	if (!fetch->cached.exists) {
		if (MUTANT(absence_is_not_found) && !background &&
			node_is_vouched(node, flow->slot))
			fetch_done(node, flow, ERR_NOT_FOUND);
		else
			fetch_get(node, flow);
		return;
	}
	if (fetch->cached.dead && !background)
		fetch_done(node, flow, ERR_DESTROYED);
	else if (background || fetch->cached.quarantined || is_missing(node, flow->slot) ||
		 (!node_is_vouched(node, flow->slot) && !MUTANT(vouch_not_read)))
		fetch_get(node, flow);
	else if (is_fresh(node, flow->slot))
		fetch_from_cache(node, flow);
	else
		fetch_unwrap(node, flow);
}

static void fetch_fail(struct world_node *node, struct world_flow *flow)
{
	struct world_fetch *fetch = &flow->fetch;

	if (fetch->cached.exists && !fetch->cached.dead && is_resident(node, flow->slot)) {
		fetch->by_outage = true;
		fetch_done(node, flow, ERR_OK);
		return;
	}
	fetch_done(node, flow, ERR_UNAVAILABLE);
}

/* ---- GET ---- */

void fetch_object(struct object *out, const struct manager_key *key, size_t slot)
{
	*out = (struct object){ .instance = world_tenants[disk_tenant(slot)],
		.type = 2,
		.format = 1,
		.has_material = true };
	disk_uid(&out->uid, slot);
	out->key_id = out->uid;
	be64_put(out->envelope_hash, key->nonce);
	out->envelope_hash[31] = 1;
	be64_put(out->wrapped.nonce, key->nonce);
	out->wrapped.ciphertext = SLICE_LITERAL("ciphertext");
	out->dates[OBJECT_DATE_INITIAL] = key->created;
}

static enum err apply_tombstone(struct world_node *node, struct world_flow *flow)
{
	struct record record = { .kind = RECORD_OBJECT };
	struct object *tombstone = &record.object;
	uint64_t epoch = object_epoch_of(flow->got.deletion, true);
	struct record cached;

	if (flow->fetch.cached.exists && disk_get(node, flow->slot, &cached) == ERR_OK) {
		*tombstone = cached.object;
	} else {
		disk_uid(&tombstone->uid, flow->slot);
		tombstone->key_id = tombstone->uid;
	}
	tombstone->instance = world_tenants[disk_tenant(flow->slot)];
	tombstone->dead = true;
	tombstone->dead_epoch = epoch > flow->fetch.cached.epoch ? epoch : flow->fetch.cached.epoch;
	tombstone->dates[OBJECT_DATE_DESTROYED] = flow->got.deletion;
	tombstone->last_change = flow->got.deletion;
	tombstone->wrapped = (struct object_wrapped){ 0 };
	return flow_put(node, flow, &record);
}

static void on_tombstone(struct world_node *node, struct world_flow *flow)
{
	node->resident[flow->slot] = false;
	fetch_done(node, flow, ERR_DESTROYED);
}

static void on_dead(struct world_node *node, struct world_flow *flow)
{
	if (flow->fetch.cached.exists && flow->fetch.cached.dead)
		fetch_done(node, flow, ERR_DESTROYED);
	else
		flow_commit(node, flow, apply_tombstone, on_tombstone);
}

static void on_live(struct world_node *node, struct world_flow *flow)
{
	struct world_fetch *fetch = &flow->fetch;

	fetch->has_fresh = true;
	fetch->epoch = 0;
	if (fetch->cached.exists && fetch->cached.dead) {
		if (MUTANT(epoch_ignored) ||
			flow->got.updated < (int64_t) (fetch->cached.epoch / 2) + FETCH_RESTORE_S) {
			fetch_done(node, flow, ERR_DESTROYED);
			return;
		}
		fetch->restored = true;
		fetch->epoch = object_epoch_of((int64_t) (fetch->cached.epoch / 2), false);
	}
	if (!fetch->cached.exists || fetch->restored || !is_fresh(node, flow->slot))
		fetch_unwrap(node, flow);
	else
		fetch_commit(node, flow);
}

static void on_got(struct world_node *node, struct world_flow *flow)
{
	if (flow->err == ERR_NOT_FOUND && !node->listed && !flow->fetch.background)
		fetch_done(node, flow, ERR_UNAVAILABLE);
	else if (flow->err == ERR_NOT_FOUND)
		fetch_done(node, flow, ERR_NOT_FOUND);
	else if (flow->err != ERR_OK)
		fetch_fail(node, flow);
	else if (flow->got.dead)
		on_dead(node, flow);
	else
		on_live(node, flow);
}

static void fetch_get(struct world_node *node, struct world_flow *flow)
{
	flow_call(node, flow, CALL_GET, on_got);
}

/* ---- unwrap, commit, keep ---- */

static void on_unwrapped(struct world_node *node, struct world_flow *flow)
{
	if (flow->err != ERR_OK) {
		fetch_fail(node, flow);
		return;
	}
	flow->fetch.unwrapped = true;
	fetch_commit(node, flow);
}

static void fetch_unwrap(struct world_node *node, struct world_flow *flow)
{
	flow_call(node, flow, CALL_UNWRAP, on_unwrapped);
}

static enum err apply_fresh(struct world_node *node, struct world_flow *flow)
{
	struct record record = { .kind = RECORD_OBJECT };

	fetch_object(&record.object, &flow->got, flow->slot);
	record.object.unclaimed = flow->fetch.unclaimed;
	record.object.dead_epoch = flow->fetch.epoch;
	if (MUTANT(fill_overwrites))
		node->disk.slots[flow->slot] = (struct world_slot){ 0 };
	return flow_put(node, flow, &record);
}

static void on_committed(struct world_node *node, struct world_flow *flow)
{
	fetch_keep(node, flow);
}

static void fetch_commit(struct world_node *node, struct world_flow *flow)
{
	struct world_fetch *fetch = &flow->fetch;

	if (fetch->has_fresh && (!fetch->cached.exists || fetch->restored))
		flow_commit(node, flow, apply_fresh, on_committed);
	else
		fetch_keep(node, flow);
}

/* What was destroyed while the key manager was asked must not come back. */
static void fetch_keep(struct world_node *node, struct world_flow *flow)
{
	if (look(node, flow->slot).dead) {
		fetch_done(node, flow, ERR_DESTROYED);
		return;
	}
	if (flow->fetch.unwrapped && !flow->fetch.background) {
		node->resident[flow->slot] = true;
		node->fresh_until[flow->slot] = node_now(node) + FETCH_FRESH_MS;
	}
	fetch_done(node, flow, ERR_OK);
}
