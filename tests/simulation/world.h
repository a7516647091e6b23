/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two real cores in a seeded world: drifting clocks, a network that delays, stalls and cuts, stores
 * that forget what was not durable, crashes, a rolled-back disk. One tick is a millisecond. The
 * same seed gives the same run.
 */
#ifndef SIMULATION_WORLD_H
#define SIMULATION_WORLD_H

#include "replication/core.h"

enum {
	WORLD_KEYS = 24,
	WORLD_LOG_MAX = 8192,
	WORLD_HOLDS = 128,
	WORLD_FRAMES = 4096,
	WORLD_MERGES = CORE_MERGES_MAX,
	WORLD_MERGE_RECORDS = WIRE_RECORDS_MAX,
	WORLD_RECORD_LEN = 3,
};

/* Life of a key only goes up, as in the real merge. */
struct world_key {
	bool exists, dead;
};

/* What survives a crash. */
struct world_disk {
	struct world_key keys[WORLD_KEYS];
	uint8_t incarnation[16];
	uint64_t seq, log_base; /* entries log_base+1..seq can be read */
	uint8_t log_key[WORLD_LOG_MAX];
	uint8_t log_hash[WORLD_LOG_MAX][32];
	struct wire_applied applied;
};

struct world_merge {
	uint64_t due;
	uint32_t link;
	uint8_t records[WORLD_MERGE_RECORDS][WORLD_RECORD_LEN];
	size_t count;
	bool has_position;
	struct wire_applied applied;
};

struct world_hold {
	struct keystore_hold hold;
	struct world *world;
	bool used;
	bool destroy;
	uint8_t key;
};

struct world_frame {
	uint64_t due;
	uint8_t *bytes; /* NULL: the other side closed */
	size_t len;
};

struct world_node {
	struct world *world;
	unsigned number; /* 1 or 2 */
	struct core *core; /* NULL: crashed */
	uint64_t restart_at;
	int64_t drift_permille;
	uint64_t offset;
	struct world_disk disk, backup;
	struct world_merge merges[WORLD_MERGES]; /* in the order of their start */
	size_t merge_first, merge_count;
	struct core_action read;
	bool reading, releasing, renewing;
	uint64_t timer_at, vouch_until;
	struct world_hold holds[WORLD_HOLDS];
	/* bytes on their way to this node */
	struct world_frame in[WORLD_FRAMES];
	size_t in_first, in_count, in_bytes;
	bool connected, paused;
	enum core_state state;
};

struct world {
	uint64_t random;
	uint64_t now;
	struct world_node nodes[2];
	bool cut; /* no connection can be made */
	bool severed; /* what is sent on this connection vanishes from now on, nobody is told */
	uint64_t stalled_until; /* frames wait */
	bool calm; /* no more faults */
	bool gone[WORLD_KEYS]; /* a destroy was answered */
	const char *violation; /* what went wrong first; NULL: nothing */
	uint64_t destroys, rollbacks, crashes, vouched_ticks;
};

MUST_USE enum err world_new(struct world **out, uint64_t seed);
void world_free(struct world *world);
/* One millisecond. */
void world_tick(struct world *world);
/* Below bound; bound > 0. */
uint64_t world_random(struct world *world, uint64_t bound);

void node_start(struct world_node *node);
void node_crash(struct world_node *node);
/* Feeds the core and performs what it says. */
void node_step(struct world_node *node, struct core_event *event);
void node_tick(struct world_node *node);
uint64_t node_now(const struct world_node *node);
struct world_node *node_peer(struct world_node *node);
/* An own change: committed, logged, held. */
void node_change(struct world_node *node, uint8_t key, bool destroy);
void node_drop_frames(struct world_node *node);

#endif
