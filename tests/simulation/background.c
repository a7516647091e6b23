/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node's own work, as keystore/background.c, resolve.c and sweep.c do it: settle intents, list,
 * read ledger records, adopt and look again; then rest. One flow for the life of a node.
 */
#include "tests/simulation/world.h"

enum {
	BACKGROUND_REST_MS = 3000,
	BACKGROUND_BACKOFF_MS = 500,
	BACKGROUND_ADOPT_AGE_S = 20,
	BACKGROUND_HOPELESS_S = 30,
};

static void resolve_next(struct world_node *node, struct world_flow *flow);
static void sweep_next(struct world_node *node, struct world_flow *flow);

static void resolve_begin(struct world_node *node, struct world_flow *flow)
{
	flow->at = 0;
	resolve_next(node, flow);
}

static void back_off(struct world_node *node, struct world_flow *flow)
{
	uint64_t pause = BACKGROUND_BACKOFF_MS + world_random(node->world, BACKGROUND_BACKOFF_MS);

	flow_sleep(flow, node->world->now + pause, resolve_begin);
}

/* ---- intents ---- */

static bool is_settled_by_a_flow(
	const struct world_node *node, const struct world_flow *self, uint64_t nonce)
{
	for (uint64_t left = node->active; left != 0; left &= left - 1) {
		const struct world_flow *flow = &node->flows[__builtin_ctzll(left)];

		if (flow != self && flow->nonce == nonce)
			return true;
	}
	return false;
}

static enum err apply_settled(struct world_node *node, struct world_flow *flow)
{
	disk_drop_intent(&node->disk, flow->nonce);
	return ERR_OK;
}

static void on_settled(struct world_node *node, struct world_flow *flow)
{
	flow->at++;
	resolve_next(node, flow);
}

static void settle(struct world_node *node, struct world_flow *flow)
{
	flow_commit(node, flow, apply_settled, on_settled);
}

static void on_adopted(struct world_node *node, struct world_flow *flow)
{
	if (flow->err == ERR_OK || flow->err == ERR_NOT_FOUND || flow->err == ERR_DESTROYED)
		settle(node, flow);
	else
		back_off(node, flow);
}

static void on_looked_up(struct world_node *node, struct world_flow *flow)
{
	int64_t age = (int64_t) (node_wall_ms(node) / 1000) - node->disk.intents[flow->at].time;

	if (flow->err == ERR_OK) {
		flow->fetch.background = flow->fetch.unclaimed = true;
		fetch_start(node, flow, on_adopted);
	} else if (flow->err != ERR_NOT_FOUND) {
		back_off(node, flow);
	} else if (age > BACKGROUND_HOPELESS_S) {
		settle(node, flow);
	} else {
		on_settled(node, flow);
	}
}

static enum err apply_tombstone(struct world_node *node, struct world_flow *flow)
{
	struct object_change change = { .destroy = true,
		.now = (int64_t) (node_wall_ms(node) / 1000) };
	struct record record;
	enum err err = disk_get(node, flow->slot, &record);

	if (err == ERR_MISS)
		return apply_settled(node, flow);
	TRY(err);
	change.dates[OBJECT_DATE_DESTROYED] = flow->got.deletion;
	flow_see(node, &record);
	TRY(object_apply(&record.object, node->arena, &change, flow_stamp(node), NULL));
	TRY(flow_put(node, flow, &record));
	disk_drop_intent(&node->disk, flow->nonce);
out:
	return err;
}

static void on_tombstone(struct world_node *node, struct world_flow *flow)
{
	node->resident[flow->slot] = false;
	on_settled(node, flow);
}

static void on_dated(struct world_node *node, struct world_flow *flow)
{
	if (flow->err != ERR_OK || !flow->got.dead)
		back_off(node, flow);
	else
		flow_commit(node, flow, apply_tombstone, on_tombstone);
}

static void on_deleted(struct world_node *node, struct world_flow *flow)
{
	if (flow->err == ERR_NOT_FOUND)
		settle(node, flow);
	else if (flow->err != ERR_OK)
		back_off(node, flow);
	else
		flow_call(node, flow, CALL_GET, on_dated);
}

static void on_ledger_written(struct world_node *node, struct world_flow *flow)
{
	if (flow->err == ERR_OK)
		settle(node, flow);
	else
		back_off(node, flow);
}

static void on_listed(struct world_node *node, struct world_flow *flow);

static void resolve_one(
	struct world_node *node, struct world_flow *flow, const struct world_intent *intent)
{
	flow->nonce = intent->nonce;
	flow->slot = intent->slot;
	switch (intent->kind) {
	case INTENT_CREATE:
		flow_call(node, flow, CALL_LOOKUP, on_looked_up);
		break;
	case INTENT_DESTROY:
		flow_call(node, flow, CALL_DELETE, on_deleted);
		break;
	default:
		flow->len = intent->len;
		bytes_copy(flow->bytes, intent->bytes, intent->len);
		flow_call(node, flow, CALL_LEDGER, on_ledger_written);
		break;
	}
}

static void resolve_next(struct world_node *node, struct world_flow *flow)
{
	flow->nonce = 0;
	for (; flow->at < WORLD_INTENTS; flow->at++) {
		const struct world_intent *intent = &node->disk.intents[flow->at];

		if (intent->kind == INTENT_NONE || MUTANT(intents_forgotten) ||
			is_settled_by_a_flow(node, flow, intent->nonce))
			continue;
		resolve_one(node, flow, intent);
		return;
	}
	flow_call(node, flow, CALL_LIST, on_listed);
}

/* ---- listing: first the ledger, then objects ---- */

static enum err apply_ledger(struct world_node *node, struct world_flow *flow)
{
	const struct world *world = node->world;
	struct record record;
	enum err err = ERR_OK;

	for (size_t i = 0; i < flow->ledger_count; i++) {
		if (node->disk.ledger_read[i])
			continue;
		TRY(record_decode(&record, node->arena,
			slice_of(world->ledger[i].bytes, world->ledger[i].len)));
		flow_see(node, &record);
		TRY(flow_put(node, flow, &record));
		node->disk.ledger_read[i] = true;
	}
out:
	return err;
}

static void on_ledger_read(struct world_node *node, struct world_flow *flow)
{
	node->listed = true;
	flow->at = 0;
	sweep_next(node, flow);
}

static void on_listed(struct world_node *node, struct world_flow *flow)
{
	if (flow->err == ERR_OK)
		flow_commit(node, flow, apply_ledger, on_ledger_read);
	else
		back_off(node, flow);
}

static void on_looked_again(struct world_node *node, struct world_flow *flow)
{
	if (flow->err == ERR_UNAVAILABLE) {
		back_off(node, flow);
		return;
	}
	if (flow->err == ERR_NOT_FOUND)
		node->disk.missing |= model_bit(flow->slot);
	flow->at++;
	sweep_next(node, flow);
}

static bool has_intent(const struct world_node *node, uint64_t nonce)
{
	for (size_t i = 0; i < WORLD_INTENTS; i++)
		if (node->disk.intents[i].kind != INTENT_NONE &&
			node->disk.intents[i].nonce == nonce)
			return true;
	return false;
}

void background_again(struct world_node *node, struct world_flow *flow)
{
	back_off(node, flow);
}

static bool asks_for_more(const struct world_node *node, const struct world_flow *flow)
{
	const struct manager_key *key = &node->listing[flow->at];
	const struct world_view *view = &node->disk.slots[flow->at].view;
	int64_t now = (int64_t) (node_wall_ms(node) / 1000);

	if (node->disk.slots[flow->at].damaged)
		return false;
	if (key->purged)
		return view->exists && !view->dead;
	if (view->exists)
		return key->dead != view->dead;
	return !key->dead && key->created <= now - BACKGROUND_ADOPT_AGE_S &&
	       !has_intent(node, key->nonce);
}

static void sweep_next(struct world_node *node, struct world_flow *flow)
{
	while (flow->at < flow->listed_count && !asks_for_more(node, flow))
		flow->at++;
	if (flow->at < flow->listed_count) {
		flow->slot = flow->at;
		flow->fetch.background = true;
		flow->fetch.unclaimed = !node->disk.slots[flow->at].view.exists;
		fetch_start(node, flow, on_looked_again);
		return;
	}
	node->settled++;
	node->disk.met = flow->listed_at;
	flow_sleep(flow, node->world->now + BACKGROUND_REST_MS, resolve_begin);
}

void background_start(struct world_node *node)
{
	struct world_flow *flow = flow_take(node, FLOW_BACKGROUND, 0);

	ASSERT(flow != NULL);
	flow_sleep(flow, node->world->now + 1 + world_random(node->world, 100), resolve_begin);
}
