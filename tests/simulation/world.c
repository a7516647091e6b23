/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/world.h"
#include <stdlib.h>

uint64_t world_random(struct world *world, uint64_t bound)
{
	/* splitmix64 */
	uint64_t z = world->random += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (z ^ (z >> 31)) % bound;
}

enum err world_new(struct world **out, uint64_t seed)
{
	struct world *world = calloc(1, sizeof(*world));

	if (world == NULL)
		return ERR_NOMEM;
	world->random = seed;
	for (unsigned i = 0; i < 2; i++) {
		struct world_node *node = &world->nodes[i];

		node->world = world;
		node->number = i + 1;
		node->offset = 1000 + world_random(world, 1000000);
		node->drift_permille = (int64_t) world_random(world, 39) - 19;
		node_start(node);
		node->backup = node->disk;
	}
	*out = world;
	return ERR_OK;
}

void world_free(struct world *world)
{
	for (unsigned i = 0; i < 2; i++) {
		node_drop_frames(&world->nodes[i]);
		core_free(world->nodes[i].core);
	}
	free(world);
}

/* ---- faults ---- */

/* Nothing that only this node knew is lost with its disk; the rest is the key manager's to know. */
static bool peer_covers(struct world_node *node)
{
	const struct world_key *peer = node_peer(node)->disk.keys;

	for (size_t i = 0; i < WORLD_KEYS; i++)
		if (node->disk.keys[i].dead && !peer[i].dead)
			return false;
	return true;
}

static void crash(struct world *world)
{
	struct world_node *node = &world->nodes[world_random(world, 2)];

	if (node->core == NULL)
		return;
	node_crash(node);
	world->crashes++;
	/* The lease granted before the crash was granted by this node whatever its disk says. */
	if (world_random(world, 3) == 0 && peer_covers(node)) {
		node->disk = node->backup;
		world->rollbacks++;
	}
}

static void cause_faults(struct world *world)
{
	struct world_node *node = &world->nodes[world_random(world, 2)];

	if (world_random(world, 3000) == 0)
		world->cut = !world->cut;
	world->severed |= world->cut;
	if (world_random(world, 2500) == 0)
		world->stalled_until = world->now + world_random(world, 3000);
	if (world_random(world, 6000) == 0)
		crash(world);
	if (world_random(world, 3000) == 0)
		node->backup = node->disk;
	if (world_random(world, 2000) == 0 && node->disk.seq > 3)
		node->disk.log_base = node->disk.seq - world_random(world, 3);
}

static void use(struct world *world)
{
	struct world_node *node = &world->nodes[world_random(world, 2)];
	uint8_t key = (uint8_t) world_random(world, WORLD_KEYS);

	if (world_random(world, 12) != 0)
		return;
	/* Most keys live long enough to be served. */
	node_change(node, key, world_random(world, 40) == 0);
}

/* ---- network ---- */

static void connect_nodes(struct world *world)
{
	struct world_node *a = &world->nodes[0], *b = &world->nodes[1];
	unsigned first = (unsigned) world_random(world, 2);

	if (world->cut || world->stalled_until > world->now || a->core == NULL || b->core == NULL ||
		(a->connected && b->connected) || world_random(world, 60) != 0)
		return;
	node_drop_frames(a);
	node_drop_frames(b);
	a->connected = b->connected = true;
	world->severed = false;
	a->paused = b->paused = false;
	for (unsigned i = 0; i < 2; i++) {
		struct world_node *node = &world->nodes[i ^ first];
		struct core_event event = { .kind = CORE_EVENT_LINK_UP };

		event.up.own.seq = node->disk.seq;
		bytes_copy(event.up.own.incarnation, node->disk.incarnation, 16);
		bytes_copy(event.up.own.hash, node->disk.log_hash[node->disk.seq], 32);
		event.up.applied = node->disk.applied;
		node_step(node, &event);
	}
}

/* ---- promises ---- */

static void check(struct world *world)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct world_node *node = &world->nodes[i];

		if (node->core == NULL || node->vouch_until <= node_now(node))
			continue;
		world->vouched_ticks++;
		for (size_t key = 0; key < WORLD_KEYS; key++)
			if (world->gone[key] && node->disk.keys[key].exists &&
				!node->disk.keys[key].dead && world->violation == NULL)
				world->violation = "served after its destroy was answered";
	}
}

void world_tick(struct world *world)
{
	world->now++;
	if (!world->calm) {
		cause_faults(world);
		use(world);
	}
	connect_nodes(world);
	node_tick(&world->nodes[0]);
	node_tick(&world->nodes[1]);
	check(world);
}
