/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/world.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORLD_CALM_WALL_MS = 2000 };

uint64_t world_random(struct world *world, uint64_t bound)
{
	/* splitmix64 */
	uint64_t z = world->random += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (z ^ (z >> 31)) % bound;
}

bool world_chance(struct world *world, uint64_t one_in)
{
	return !world->calm && world_random(world, one_in) == 0;
}

void world_say(struct world *world, const struct world_node *node, const char *format, ...)
{
	struct world_trace *trace = world->trace;
	char *line;
	va_list arguments;
	int len;

	if (trace == NULL)
		return;
	line = trace->lines[trace->count++ % TRACE_LINES];
	len = snprintf(line, TRACE_LINE_LEN, "%7llu %u ", (unsigned long long) world->now,
		node == NULL ? 0 : node->number);
	va_start(arguments, format);
	(void) vsnprintf(line + len, (size_t) (TRACE_LINE_LEN - len), format, arguments);
	va_end(arguments);
	if (trace->loud)
		puts(line);
}

void world_fail(struct world *world, const char *violation)
{
	if (world->model.violation != NULL)
		return;
	world->model.violation = violation;
	world_say(world, NULL, "VIOLATION: %s", violation);
}

const char *world_violation(const struct world *world)
{
	return world->model.violation;
}

enum err world_new(struct world **out, uint64_t seed, struct world_trace *trace)
{
	struct world *world = calloc(1, sizeof(*world));

	if (world == NULL)
		return ERR_NOMEM;
	world->random = seed;
	world->trace = trace;
	for (unsigned i = 0; i < 2; i++) {
		struct world_node *node = &world->nodes[i];

		node->world = world;
		node->number = i + 1;
		node->offset = (int64_t) (1000 + world_random(world, 1000000));
		/* At most 2 % wrong, as the leases allow for. */
		node->drift_permille = (int64_t) world_random(world, 39) - 19;
		node->wall_offset = (int64_t) world_random(world, 4000) - 2000;
		node_start(node);
		node->backup = node->disk;
	}
	*out = world;
	return ERR_OK;
}

void world_free(struct world *world)
{
	if (world == NULL)
		return;
	for (unsigned i = 0; i < 2; i++) {
		struct world_node *node = &world->nodes[i];

		node_drop_frames(node);
		for (; node->job_count > 0; node->job_count--) {
			free(node->jobs[node->job_first].bytes);
			node->job_first = (node->job_first + 1) % WORLD_JOBS;
		}
		core_free(node->core);
		arena_free(node->arena);
	}
	free(world);
}

/* ---- faults ---- */

static void roll_back(struct world *world, struct world_node *node)
{
	if (world_random(world, 8) == 0)
		bytes_zero(&node->backup, sizeof(node->backup));
	model_on_rollback(node);
	node->disk = node->backup;
	world->counts.rollbacks++;
	world_say(world, node, "falls back to sequence %llu", (unsigned long long) node->disk.seq);
}

static void crash(struct world *world, struct world_node *node)
{
	if (node->core == NULL)
		return;
	node_crash(node);
	world->counts.crashes++;
	if (world_random(world, 3) == 0)
		roll_back(world, node);
	/* A machine that was started anew begins its clock anew. */
	if (world_random(world, 3) == 0)
		node->offset = 1000 - (int64_t) world->now;
	node->last_tick = 0;
}

/* Leaves as `systemctl stop` does: says so, serves for a moment, is gone. */
static void stop(struct world *world, struct world_node *node)
{
	if (node->core == NULL || node->stopping || node->frozen_until > world->now)
		return;
	world_say(world, node, "is told to stop");
	node->stopping = true;
	node->exit_at = world->now + 20 + world_random(world, 300);
	world->counts.stops++;
	node_step_kind(node, CORE_EVENT_STOP);
}

static void freeze(struct world *world, struct world_node *node)
{
	if (node->core == NULL)
		return;
	node->frozen_until = world->now + world_random(world, 3000);
	world->counts.freezes++;
	world_say(world, node, "stands still until %llu", (unsigned long long) node->frozen_until);
}

static void cause_network_faults(struct world *world)
{
	if (world_chance(world, 3000)) {
		world->cut = !world->cut;
		world_say(world, NULL, world->cut ? "link cut" : "link whole");
	}
	if (world->cut || world_chance(world, 4000))
		world->conn_severed = world->conn_last;
	if (world_chance(world, 2500))
		world->stalled_until = world->now + world_random(world, 3000);
	if (world_chance(world, 1500))
		world->stalled_until = world->now + world_random(world, 800);
	/* What came through late was the last that came through. */
	if (world->stalled_until == world->now && world_chance(world, 3))
		world->conn_severed = world->conn_last;
}

static void cause_faults(struct world *world)
{
	struct world_node *node = &world->nodes[world_random(world, 2)];

	cause_network_faults(world);
	if (world_chance(world, 6000))
		crash(world, node);
	if (world_chance(world, 9000))
		stop(world, node);
	if (world_chance(world, 6000))
		freeze(world, node);
	if (world_chance(world, 3000))
		node->backup = node->disk;
	if (world_chance(world, 1500) && node->disk.seq > 3)
		node->disk.log_base = node->disk.seq - world_random(world, 3);
	if (world_chance(world, 4000)) {
		node->outage_until = world->now + world_random(world, 3000);
		world_say(world, node, "loses the key manager");
	}
	if (world_chance(world, 5000)) {
		node->wall_offset = (int64_t) world_random(world, 180000) - 90000;
		world_say(world, node, "wall clock jumps to %lld", (long long) node->wall_offset);
	}
	if (world_chance(world, 4000))
		node->slow_until = world->now + world_random(world, 2000);
	if (world_chance(world, 100))
		manager_restore(world);
}

/* ---- clients ---- */

/* Parts of 100 in the order of enum flow_kind. */
static const uint8_t shares[FLOW_BACKGROUND] = { 10, 12, 8, 16, 3, 6, 36, 5, 4 };

static enum flow_kind pick_kind(struct world *world)
{
	uint64_t at = world_random(world, 100);
	unsigned kind = 0;

	while (at >= shares[kind])
		at -= shares[kind++];
	return (enum flow_kind) kind;
}

static bool can_begin(const struct world *world, enum flow_kind kind, size_t slot)
{
	const struct model_key *key = &world->model.keys[slot < MODEL_OBJECTS ? slot : 0];

	if (kind == FLOW_GET || kind == FLOW_CREATE)
		return true;
	if (slot >= world->key_count && slot < MODEL_OBJECTS)
		return false;
	if (kind == FLOW_ADD)
		return key->adds_begun < MODEL_ADDS;
	return world->model.note_count + 2 < MODEL_NOTES;
}

static void use(struct world *world)
{
	struct world_node *node = &world->nodes[world_random(world, 2)];
	enum flow_kind kind = pick_kind(world);
	size_t slot = world_random(world, world->key_count + 1);

	if (world_random(world, 10) != 0 || node->core == NULL || node->stopping || node->dying ||
		node->frozen_until > world->now)
		return;
	if (kind == FLOW_CLIENT_ADD || kind == FLOW_CLIENT_REMOVE)
		slot = MODEL_OBJECTS + world_random(world, MODEL_CLIENTS);
	if (can_begin(world, kind, slot))
		flow_begin(node, kind, slot);
}

/* ---- connections ---- */

static void connect_nodes(struct world *world)
{
	struct world_node *a = &world->nodes[0], *b = &world->nodes[1];
	bool whole = a->conn != 0 && a->conn == b->conn && a->conn > world->conn_severed;

	if (world->cut || world->stalled_until > world->now || a->core == NULL || b->core == NULL ||
		world->conn_due[0] != 0 || world->conn_due[1] != 0 ||
		world_random(world, whole ? 20000 : 60) != 0)
		return;
	if (whole && world->calm)
		return;
	world->conn_last++;
	for (unsigned i = 0; i < 2; i++)
		world->conn_due[i] = world->now + 1 + world_random(world, 10);
}

static void finish_connecting(struct world *world)
{
	for (unsigned i = 0; i < 2; i++) {
		struct world_node *node = &world->nodes[i];

		if (world->conn_due[i] == 0 || world->conn_due[i] > world->now ||
			node->frozen_until > world->now)
			continue;
		world->conn_due[i] = 0;
		if (node->core == NULL || node->dying)
			continue;
		if (world_random(world, 2) == 0)
			node_step_kind(node, CORE_EVENT_CONNECTING);
		world_say(world, node, "connection %llu is up",
			(unsigned long long) world->conn_last);
		node_link_up(node);
	}
}

/* ---- time ---- */

static void calm_down(struct world *world)
{
	world->cut = false;
	world->stalled_until = 0;
	for (unsigned i = 0; i < 2; i++) {
		struct world_node *node = &world->nodes[i];

		if (node->wall_offset > WORLD_CALM_WALL_MS)
			node->wall_offset = WORLD_CALM_WALL_MS;
		if (node->wall_offset < -WORLD_CALM_WALL_MS)
			node->wall_offset = -WORLD_CALM_WALL_MS;
	}
}

void world_tick(struct world *world)
{
	world->now++;
	if (!world->calm) {
		cause_faults(world);
		use(world);
	} else {
		calm_down(world);
	}
	connect_nodes(world);
	finish_connecting(world);
	node_tick(&world->nodes[0]);
	node_tick(&world->nodes[1]);
	model_check(&world->nodes[0]);
	model_check(&world->nodes[1]);
}

const char *world_judge_end(struct world *world)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct world_node *node = &world->nodes[i];

		if (node->state != CORE_STREAMING)
			return "not streaming after the faults were over";
		for (size_t j = 0; j < WORLD_FLOWS; j++)
			if (node->flows[j].state != FLOW_FREE &&
				node->flows[j].kind != FLOW_BACKGROUND)
				return "an answer was never given";
	}
	return model_judge_end(world);
}
