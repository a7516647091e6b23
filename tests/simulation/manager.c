/* SPDX-License-Identifier: Apache-2.0 */
/* The key manager: where keys exist or not. Linearizable; each node may lose it by itself. */
#include "tests/simulation/world.h"

enum {
	MANAGER_RESTORE_S = 31, /* the service restores no earlier than 30 s after a deletion */
};

int64_t manager_seconds(const struct world *world)
{
	return (int64_t) (1700000000 + world->now * WORLD_WALL_SPEED / 1000);
}

bool manager_is_out(const struct world_node *node)
{
	return node->outage_until > node->world->now;
}

/* ---- verbs ---- */

static void do_post(struct world *world, struct world_flow *flow)
{
	struct manager_key *key;

	flow->err = ERR_REFUSED;
	if (world->key_count == MODEL_OBJECTS)
		return;
	flow->slot = world->key_count++;
	key = &world->keys[flow->slot];
	*key = (struct manager_key){ .used = true, .nonce = flow->nonce };
	key->created = key->updated = manager_seconds(world);
	flow->err = ERR_OK;
}

static void do_get(const struct world *world, struct world_flow *flow)
{
	flow->err = ERR_NOT_FOUND;
	if (flow->slot >= MODEL_OBJECTS || !world->keys[flow->slot].used ||
		world->keys[flow->slot].purged)
		return;
	flow->got = world->keys[flow->slot];
	flow->err = ERR_OK;
}

static void do_delete(struct world *world, struct world_flow *flow)
{
	struct manager_key *key = &world->keys[flow->slot];

	flow->err = key->used && !key->purged ? ERR_OK : ERR_NOT_FOUND;
	if (!key->used || key->dead)
		return;
	key->dead = true;
	key->deletions++;
	key->deletion = key->updated = manager_seconds(world);
}

static void do_lookup(const struct world *world, struct world_flow *flow)
{
	flow->err = ERR_NOT_FOUND;
	for (size_t i = 0; i < world->key_count; i++)
		if (world->keys[i].nonce == flow->nonce) {
			flow->slot = i;
			flow->err = ERR_OK;
		}
}

static void do_ledger(struct world *world, struct world_flow *flow)
{
	flow->err = ERR_REFUSED;
	if (world->ledger_count == WORLD_LEDGER)
		return;
	world->ledger[world->ledger_count].len = flow->len;
	bytes_copy(world->ledger[world->ledger_count].bytes, flow->bytes, flow->len);
	world->ledger_count++;
	flow->err = ERR_OK;
}

static void do_list(struct world_node *node, struct world_flow *flow)
{
	const struct world *world = node->world;

	bytes_copy(node->listing, world->keys, sizeof(node->listing));
	flow->listed_at = (int64_t) (node_wall_ms(node) / 1000);
	flow->listed_count = world->key_count;
	flow->ledger_count = world->ledger_count;
	flow->err = ERR_OK;
}

void manager_effect(struct world_node *node, struct world_flow *flow)
{
	struct world *world = node->world;

	flow->effective = true;
	flow->err = ERR_OK;
	if (manager_is_out(node)) {
		flow->err = ERR_UNAVAILABLE;
		flow->troubled = true;
		return;
	}
	switch (flow->verb) {
	case CALL_WRAP:
	case CALL_UNWRAP:
		break;
	case CALL_POST:
		do_post(world, flow);
		break;
	case CALL_GET:
		do_get(world, flow);
		break;
	case CALL_DELETE:
		do_delete(world, flow);
		break;
	case CALL_LOOKUP:
		do_lookup(world, flow);
		break;
	case CALL_LIST:
		do_list(node, flow);
		break;
	case CALL_LEDGER:
		do_ledger(world, flow);
		break;
	}
	if (!flow->lost)
		return;
	world_say(world, node, "the answer to call %d is lost", (int) flow->verb);
	flow->troubled = true;
	flow->err = flow->verb == CALL_POST ? ERR_AMBIGUOUS : ERR_UNAVAILABLE;
}

/* A deleted key may be restored for a while, and is purged after it where tombstones go, too. */
void manager_restore(struct world *world)
{
	size_t slot = world_random(world, MODEL_OBJECTS);
	struct manager_key *key = &world->keys[slot];
	int64_t age = manager_seconds(world) - key->deletion;

	if (!key->used || !key->dead || age < MANAGER_RESTORE_S)
		return;
	if (world->kind == WORLD_OLD_DISKS && age > WORLD_PURGE_S && !key->purged) {
		key->purged = true;
		world_say(world, NULL, "slot %zu is purged at the key manager", slot);
	}
	if (world->kind == WORLD_OLD_DISKS && age > WORLD_RESTORE_S)
		return;
	key->dead = false;
	key->restores++;
	key->updated = manager_seconds(world);
	world->model.keys[slot].gone = false;
	world->counts.restores++;
	world_say(world, NULL, "slot %zu is restored at the key manager", slot);
}
