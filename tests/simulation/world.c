/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/world.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	USE_MEAN_MS = 4,
	RESTORE_MEAN_MS = 100,
	CONNECT_ONE_IN = 60, /* of a millisecond without a link */
	JUDGE_ALL_MS = 512, /* all slots are judged again: no bookkeeping is trusted for longer */
	COUNT_MS = 16,
	CARE_MS = 4096,
};

uint64_t world_random(struct world *world, uint64_t bound)
{
	/* splitmix64 */
	uint64_t z = world->random += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	z ^= z >> 31;
	return (uint64_t) ((unsigned __int128) z * bound >> 64);
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

/* Three of eight worlds are plain. */
static enum world_kind pick_world(struct world *world)
{
	uint64_t kind = world_random(world, 8);

	return kind < WORLD_KIND_COUNT ? (enum world_kind) kind : WORLD_PLAIN;
}

static void node_init(struct world *world, unsigned i)
{
	struct world_node *node = &world->nodes[i];

	node->world = world;
	node->number = i + 1;
	node->offset = (int64_t) (1000 + world_random(world, 1000000));
	/* At most 2 % wrong, as the leases allow for. */
	node->drift_permille = (int64_t) world_random(world, 39) - 19;
	node->wall_offset = (int64_t) world_random(world, 4000) - 2000;
	node->version = WIRE_VERSION_MAX;
	if (world->kind == WORLD_VERSIONS)
		node->version = WIRE_VERSION_MIN;
	if (world->kind == WORLD_TENANTS_DIFFER)
		node->variant = (uint8_t) world_random(world, 2);
	node_start(node);
	node->backup = node->disk;
}

enum err world_new(
	struct world **out, uint64_t seed, enum world_kind kind, struct world_trace *trace)
{
	struct world *world = calloc(1, sizeof(*world));

	if (world == NULL)
		return ERR_NOMEM;
	world->random = seed;
	world->trace = trace;
	world->kind = pick_world(world);
	if (kind < WORLD_KIND_COUNT)
		world->kind = kind;
	for (unsigned i = 0; i < 2; i++)
		node_init(world, i);
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

/* ---- clients ---- */

/* Parts of 100 in the order of enum flow_kind. */
static const uint8_t shares[FLOW_BACKGROUND] = { 4, 10, 6, 16, 2, 4, 50, 4, 4 };

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

	world->use_at = world->now + 1 + world_random(world, 2 * USE_MEAN_MS);
	if (node->core == NULL || node->stopping || node->dying || node->frozen_until > world->now)
		return;
	if (kind == FLOW_CLIENT_ADD || kind == FLOW_CLIENT_REMOVE)
		slot = MODEL_OBJECTS + world_random(world, MODEL_CLIENTS);
	if (can_begin(world, kind, slot))
		flow_begin(node, kind, slot);
}

/* ---- connections ---- */

void world_connect(struct world_node *node)
{
	struct world *world = node->world;

	if (world->cut || world->stalled_until > world->now || world->nodes[0].core == NULL ||
		world->nodes[1].core == NULL || world->conn_due[0] != 0 || world->conn_due[1] != 0)
		return;
	world->conn_last++;
	for (unsigned i = 0; i < 2; i++)
		world->conn_due[i] = world->now + 1 + world_random(world, 10);
}

static bool is_whole(const struct world *world)
{
	const struct world_node *a = &world->nodes[0], *b = &world->nodes[1];

	return a->conn != 0 && a->conn == b->conn && a->conn > world->conn_severed;
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

static void storm(struct world *world)
{
	if (world->now >= world->fault_at)
		faults_cause(world);
	for (unsigned i = 0; i < 2; i++)
		faults_fall(&world->nodes[i]);
	if (world->now >= world->use_at)
		use(world);
	if (world->now >= world->restore_at) {
		manager_restore(world);
		world->restore_at = world->now + 1 + world_random(world, 2 * RESTORE_MEAN_MS);
	}
	/* What came through late was the last that came through. */
	if (world->stalled_until == world->now && world_random(world, 3) == 0)
		world->conn_severed = world->conn_last;
}

/* A node goes on from where the peer says that it is only as long as all that the peer has seen of
 * it is in its log, or else asks for everything: what it forgot it must not contradict. */
static void judge_reach(struct world *world, const struct world_node *node)
{
	const struct world_node *peer = &world->nodes[2 - node->number];
	const struct wire_position *seen = &peer->disk.seen;
	const struct wire_position own = disk_position(&node->disk);

	if (!is_whole(world) || (node->state != CORE_CATCHING_UP && node->state != CORE_STREAMING))
		return;
	if (!wire_incarnation_equal(seen, &own) || seen->seq <= node->disk.log_base)
		return;
	if (seen->seq > own.seq || !slice_equal(slice_of(seen->hash, 32),
					   slice_of(node->disk.log_hash[seen->seq], 32)))
		world_fail(world, "the peer has seen what a node forgot, and that went unnoticed");
}

static void judge(struct world *world)
{
	for (unsigned i = 0; i < 2; i++) {
		struct world_node *node = &world->nodes[i];

		if (world->now % JUDGE_ALL_MS == 0)
			node->unjudged = MODEL_ALL_SLOTS;
		model_check(node);
		judge_reach(world, node);
		if (world->now % COUNT_MS != 0)
			continue;
		if (node_is_vouched(node, 0))
			world->counts.vouched_ms += COUNT_MS;
		node_check_age(node);
	}
}

void world_tick(struct world *world)
{
	world->now++;
	if (!world->calm)
		storm(world);
	else if (world->now % CARE_MS == 0)
		faults_care(world);
	if (!is_whole(world) && world_random(world, CONNECT_ONE_IN) == 0)
		world_connect(&world->nodes[0]);
	if (world->conn_due[0] != 0 || world->conn_due[1] != 0)
		finish_connecting(world);
	for (unsigned i = 0; i < 2; i++)
		if (world->now >= world->nodes[i].wake)
			node_tick(&world->nodes[i]);
	judge(world);
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
