/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong in a world, and when: one row for each kind of fault. */
#include "tests/simulation/world.h"

enum {
	FAULT_MEAN_MS = 250,
	FAULT_CLUSTER_MS = 20, /* one in FAULT_CLUSTERED follows so soon */
	FAULT_CLUSTERED = 4,
	FALL_MEAN_MS = 500, /* in a falling world */
	FALL_DEEP_MS = 60,
};

/* ---- nodes ---- */

static void set_back(struct world_node *node)
{
	model_on_loss(node, &node->backup);
	node->disk = node->backup;
	node->unjudged = MODEL_ALL_SLOTS;
	node->world->counts.rollbacks++;
	world_say(node->world, node, "falls back to sequence %llu",
		(unsigned long long) node->disk.seq);
}

static void roll_back(struct world_node *node)
{
	if (world_random(node->world, 8) == 0)
		bytes_zero(&node->backup, sizeof(node->backup));
	set_back(node);
}

static void crash(struct world_node *node)
{
	struct world *world = node->world;

	if (node->core == NULL)
		return;
	node_crash(node);
	world->counts.crashes++;
	if (world_random(world, 3) == 0)
		roll_back(node);
	/* A machine that was started anew begins its clock anew. */
	if (world_random(world, 3) == 0)
		node->offset = 1000 - (int64_t) world->now;
	if (world->kind == WORLD_OLD_DISKS && world_random(world, 5) == 0)
		node->restart_at += 1000 * WORLD_DISK_AGE_S / WORLD_WALL_SPEED;
}

/* Leaves as `systemctl stop` does: says so, serves for a moment, is gone. */
static void stop(struct world_node *node)
{
	struct world *world = node->world;

	if (node->core == NULL || node->stopping || node->frozen_until > world->now)
		return;
	world_say(world, node, "is told to stop");
	node->stopping = true;
	node->exit_at = world->now + 20 + world_random(world, 300);
	world->counts.stops++;
	node_step_kind(node, CORE_EVENT_STOP);
}

/* As a stop, but it stays, and serves again (node_tick). */
static void drain(struct world_node *node)
{
	struct world *world = node->world;

	if (node->core == NULL || node->stopping || node->frozen_until > world->now)
		return;
	world_say(world, node, "is drained");
	node->stopping = true;
	node->resume_at = world->now + 20 + world_random(world, 3000);
	world->counts.stops++;
	node_step_kind(node, CORE_EVENT_STOP);
}

/* The operator says that the peer is off: of one that is, or of one that is heard, which the core
 * is not to believe. */
static void fence(struct world_node *node)
{
	if (node->core == NULL || node->frozen_until > node->world->now)
		return;
	if (node_peer(node)->core != NULL && node->state != CORE_CATCHING_UP &&
		node->state != CORE_STREAMING)
		return;
	world_say(node->world, node, "is told that its peer is off");
	node_step_kind(node, CORE_EVENT_FENCE);
}

static void freeze(struct world_node *node)
{
	struct world *world = node->world;

	if (node->core == NULL)
		return;
	if (node->froze_at == 0)
		node->froze_at = node_now(node);
	node->frozen_until = world->now + world_random(world, 3000);
	world->counts.freezes++;
	world_say(world, node, "stands still until %llu", (unsigned long long) node->frozen_until);
}

static void slow_down(struct world_node *node)
{
	node->slow_until = node->world->now + world_random(node->world, 2000);
}

static void jump_clock(struct world_node *node)
{
	/* With ages in seconds a jump of a minute would be one of years. */
	if (node->world->kind == WORLD_OLD_DISKS)
		return;
	node->wall_offset = (int64_t) world_random(node->world, 180000) - 90000;
	world_say(node->world, node, "wall clock jumps to %lld", (long long) node->wall_offset);
}

/* ---- disks ---- */

static void back_up(struct world_node *node)
{
	node->backup = node->disk;
}

static void shorten_log(struct world_node *node)
{
	if (node->disk.seq > 3)
		node->disk.log_base = node->disk.seq - world_random(node->world, 3);
}

/* Also where tombstones are trimmed: one that the peer has lost must not go. */
static bool diverges(struct world *world)
{
	return world->kind == WORLD_DIVERGING ||
	       (world->kind == WORLD_OLD_DISKS && world_random(world, 4) == 0);
}

/* One record turns into an older one of itself, or none, and no log tells. */
static void diverge(struct world_node *node)
{
	size_t slot = world_random(node->world, MODEL_SLOTS);
	struct world_slot before = node->disk.slots[slot];

	if (!diverges(node->world) || before.len == 0)
		return;
	node->disk.slots[slot] = world_random(node->world, 3) == 0 ? (struct world_slot){ 0 }
								   : node->backup.slots[slot];
	model_on_slot_lost(node, slot, &before);
	node->unjudged |= model_bit(slot);
	node->world->counts.divergences++;
	world_say(node->world, node, "slot %zu turns into what it was", slot);
}

/* A bit turns in a record that the other node has, too. */
static void rot(struct world_node *node)
{
	size_t slot = world_random(node->world, MODEL_SLOTS);
	struct world_slot *stored = &node->disk.slots[slot];

	if (node->world->kind != WORLD_DIVERGING || stored->len == 0 ||
		node_peer(node)->disk.slots[slot].len == 0)
		return;
	stored->bytes[world_random(node->world, stored->len)] ^= 1;
	stored->damaged = !disk_is_sound(stored);
	model_on_damage(node->world, slot);
	node->world->counts.damages++;
	world_say(node->world, node, "slot %zu is damaged", slot);
}

/* ---- key manager ---- */

static void lose_manager(struct world_node *node)
{
	node->outage_until = node->world->now + world_random(node->world, 3000);
	world_say(node->world, node, "loses the key manager");
}

/* ---- network ---- */

static void cut(struct world_node *node)
{
	struct world *world = node->world;

	world->cut = !world->cut;
	if (world->cut)
		world->conn_severed = world->conn_last;
	world_say(world, NULL, world->cut ? "link cut" : "link whole");
}

static void sever(struct world_node *node)
{
	node->world->conn_severed = node->world->conn_last;
}

static void stall(struct world_node *node)
{
	uint64_t most = world_random(node->world, 3) == 0 ? 3000 : 800;

	node->world->stalled_until = node->world->now + world_random(node->world, most);
}

/* ---- configuration and release ---- */

static void reconfigure(struct world_node *node)
{
	if (node->world->kind != WORLD_TENANTS_DIFFER || node->core == NULL)
		return;
	node_crash(node);
	node->variant = (uint8_t) world_random(node->world, 2);
	world_say(node->world, node, "is configured as variant %u", node->variant);
}

static void change_release(struct world_node *node)
{
	if (node->world->kind != WORLD_VERSIONS || node->core == NULL)
		return;
	node_crash(node);
	node->version = (uint8_t) (1 + world_random(node->world, WIRE_VERSION_MAX));
	world_say(node->world, node, "is of version %u", node->version);
}

/* ---- which ---- */

static const struct {
	void (*cause)(struct world_node *node);
	unsigned weight;
} faults[] = {
	{ cut, 18 },
	{ sever, 12 },
	{ stall, 48 },
	{ crash, 8 },
	{ stop, 5 },
	{ drain, 3 },
	{ fence, 4 },
	{ freeze, 8 },
	{ back_up, 16 },
	{ shorten_log, 30 },
	{ lose_manager, 12 },
	{ jump_clock, 9 },
	{ slow_down, 12 },
	{ world_connect, 3 },
	{ diverge, 30 },
	{ rot, 20 },
	{ reconfigure, 12 },
	{ change_release, 12 },
};

/* Back to the copy, at once; often its wall clock, too. */
static void fall(struct world_node *node)
{
	struct world *world = node->world;
	uint64_t since_ms = world->now - node->copied_at;

	if (node->core != NULL)
		node_crash(node);
	set_back(node);
	if (world_random(world, 2) == 0)
		node->wall_offset -= (int64_t) since_ms * (1 + WORLD_WALL_SPEED);
	world->counts.crashes++;
	node->restart_at = world->now + 20 + world_random(world, 200);
	node->copied_at = 0;
}

void faults_fall(struct world_node *node)
{
	struct world *world = node->world;

	if (world->kind != WORLD_FALLING || world->now < node->fall_at)
		return;
	node->fall_at = world->now + 1;
	if (node->copied_at != 0) {
		fall(node);
		node->fall_at += world_random(world, 2 * FALL_MEAN_MS);
	} else if (node->core != NULL) {
		node->backup = node->disk;
		node->copied_at = world->now;
		node->fall_at += world_random(world, FALL_DEEP_MS);
	}
}

static uint64_t total_weight(void)
{
	uint64_t total = 0;

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		total += faults[i].weight;
	return total;
}

void faults_cause(struct world *world)
{
	struct world_node *node = &world->nodes[world_random(world, 2)];
	uint64_t at = world_random(world, total_weight());
	bool soon = world_random(world, FAULT_CLUSTERED) == 0;
	size_t i = 0;

	while (at >= faults[i].weight)
		at -= faults[i++].weight;
	faults[i].cause(node);
	world->nodes[0].wake = world->nodes[1].wake = 0;
	world->fault_at =
		world->now + 1 + world_random(world, soon ? FAULT_CLUSTER_MS : 2 * FAULT_MEAN_MS);
}

/* The peer cannot repair it. */
static bool needs_start(const struct world_node *node, const struct world_node *peer)
{
	for (size_t i = 0; i < MODEL_SLOTS; i++)
		if (node->disk.slots[i].damaged &&
			(peer->disk.slots[i].len == 0 || peer->disk.slots[i].damaged))
			return true;
	return false;
}

/* The operator was told, and starts it again: what cannot be read is found then. */
void faults_care(struct world *world)
{
	for (unsigned i = 0; i < 2; i++) {
		struct world_node *node = &world->nodes[i];

		if (node->core != NULL && needs_start(node, node_peer(node)))
			node_crash(node);
	}
}

void faults_end(struct world *world)
{
	world->calm = true;
	world->cut = false;
	world->stalled_until = 0;
	for (unsigned i = 0; i < 2; i++) {
		struct world_node *node = &world->nodes[i];

		node->wake = 0;
		if (node->wall_offset > WORLD_CALM_WALL_MS)
			node->wall_offset = WORLD_CALM_WALL_MS;
		if (node->wall_offset < -WORLD_CALM_WALL_MS)
			node->wall_offset = -WORLD_CALM_WALL_MS;
		/* The upgrade is over, and both configurations are the same again. */
		if (node->variant == 0 && node->version == WIRE_VERSION_MAX)
			continue;
		node->variant = 0;
		node->version = WIRE_VERSION_MAX;
		if (node->core != NULL)
			node_crash(node);
	}
}
