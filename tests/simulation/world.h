/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two nodes, a key manager and clients in a seeded world: drifting and jumping clocks, a network
 * that delays, stalls, cuts and leaves connections half open, disks that forget what was not
 * durable or fall back to an old copy, processes that crash or stand still, a key manager that each
 * node may lose by itself. Cores and merges are the product's own object code; the flows mirror
 * keystore/. One tick is a millisecond. The same seed gives the same run.
 *
 * world.c: time, clients, connections. faults.c: what goes wrong. node.c: the shell around a core.
 * reads.c: what it asks of the disk. disk.c: what survives. flow.c, fetch.c, background.c: what
 * nodes do. manager.c: the key manager. model.c: what was promised.
 */
#ifndef SIMULATION_WORLD_H
#define SIMULATION_WORLD_H

#include "keystore/record.h"
#include "replication/core.h"
#include "replication/mutant.h"
#include "tests/simulation/model.h"

struct world;
struct world_node;
struct world_flow;

enum {
	WORLD_RECORD_LEN_MAX = 1400,
	WORLD_LOG_MAX = 4096,
	WORLD_FLOWS = 64,
	WORLD_JOBS = 2 * WORLD_FLOWS + CORE_MERGES_MAX,
	WORLD_FRAMES = 4096,
	WORLD_INTENTS = 96,
	WORLD_LEDGER = 512,
	WORLD_TENANTS = 2,
	WORLD_CALM_WALL_MS = 2000, /* how wrong a wall clock is after the faults, at most */
	WORLD_WALL_SPEED = 10, /* wall clocks run so much faster than lease clocks, so that
				  deletion, restoration and listing fit into one run */
	/* Seconds of those clocks. A key can be restored for so long, is purged then, and its
	 * tombstone may go then; a disk that has heard of nothing for so long is not used. */
	WORLD_RESTORE_S = 40,
	WORLD_PURGE_S = 45,
	WORLD_GRAVE_AGE_S = 60,
	WORLD_DISK_AGE_S = 50,
};

/* ---- disk ---- */

/* What matters of a record, decoded. */
struct world_view {
	bool exists, dead, compromised, quarantined, unclaimed, removed;
	enum object_life life;
	uint64_t epoch;
	int64_t destroyed; /* date */
	uint32_t note; /* the write that the register shows; 0: none */
	uint32_t adds; /* bit n: the n-th addition is there */
	struct stamp written; /* of a client, whose note is in its date */
};

struct world_slot {
	uint16_t len; /* 0: none */
	bool damaged; /* a bit of it turned: its checksum is wrong */
	uint8_t bytes[WORLD_RECORD_LEN_MAX];
	struct world_view view;
};

enum world_intent_kind { INTENT_NONE, INTENT_CREATE, INTENT_DESTROY, INTENT_LEDGER };
struct world_intent {
	enum world_intent_kind kind;
	uint64_t nonce;
	size_t slot;
	int64_t time;
	uint16_t len; /* of a record for the ledger */
	uint8_t bytes[256];
};

/* What survives a crash. */
struct world_disk {
	struct world_slot slots[MODEL_SLOTS];
	uint8_t incarnation[16];
	uint64_t seq, log_base; /* entries log_base+1..seq can be read */
	uint8_t log_slot[WORLD_LOG_MAX];
	uint8_t log_hash[WORLD_LOG_MAX][32];
	uint64_t changed[MODEL_SLOTS]; /* the last entry of the log for each slot */
	struct wire_applied applied;
	struct wire_position seen;
	struct wire_position reached; /* the furthest that was applied of this incarnation */
	int64_t met; /* when it was made, or last heard of everything from the peer or the key
			manager, in wall seconds */
	uint64_t missing; /* a bit for each key that the key manager does not show any more */
	uint64_t stamp;
	struct world_intent intents[WORLD_INTENTS];
	bool ledger_read[WORLD_LEDGER];
};

/* ---- flows ---- */

typedef void flow_next(struct world_node *node, struct world_flow *flow);

enum flow_kind {
	FLOW_CREATE,
	FLOW_ACTIVATE,
	FLOW_ADD,
	FLOW_NOTE,
	FLOW_REVOKE,
	FLOW_DESTROY,
	FLOW_GET,
	FLOW_CLIENT_ADD,
	FLOW_CLIENT_REMOVE,
	FLOW_BACKGROUND,
	FLOW_KIND_COUNT
};
enum call_verb {
	CALL_WRAP,
	CALL_UNWRAP,
	CALL_POST,
	CALL_GET,
	CALL_DELETE,
	CALL_LOOKUP,
	CALL_LIST,
	CALL_LEDGER
};

struct manager_key {
	bool used, dead, purged;
	int64_t created, updated, deletion;
	uint64_t nonce;
	unsigned deletions, restores;
};

struct world_fetch {
	bool background, unclaimed, has_fresh, restored, unwrapped, by_outage, by_cache;
	struct world_view cached;
	uint64_t epoch;
	flow_next *done;
};

struct world_flow {
	struct keystore_hold hold; /* first: a hold is its flow */
	enum {
		FLOW_FREE,
		FLOW_CALLING,
		FLOW_COMMITTING,
		FLOW_HOLDING,
		FLOW_SLEEPING,
		FLOW_RUNNING
	} state;
	enum flow_kind kind;
	flow_next *next;
	uint64_t begun, due;
	size_t slot;
	uint32_t write; /* note or addition */
	bool compromise;
	uint64_t seq;
	struct wire_position own; /* when it was held */
	enum err err;
	/* a call to the key manager */
	enum call_verb verb;
	uint64_t effect_due;
	bool effective, lost;
	struct manager_key got;
	uint64_t nonce;
	bool troubled; /* the key manager failed it, or it waited behind a node that stood still */
	bool vouched; /* at its begin */
	enum err (*apply)(struct world_node *node, struct world_flow *flow);
	struct world_fetch fetch;
	struct model_seen seen; /* promises as they were at its begin */
	size_t at; /* where a listing or a list of intents has come to */
	size_t listed_count, ledger_count; /* what the listing showed */
	int64_t listed_at; /* wall seconds */
	uint16_t len;
	uint8_t bytes[256]; /* a client's record for the ledger */
};

/* What waits for the next commit, in order. */
struct world_job {
	uint64_t due;
	struct world_flow *flow; /* NULL: a merge */
	uint32_t link;
	uint8_t *bytes; /* records, each behind its length in two bytes */
	size_t count;
	bool has_position, has_seen, is_snapshot_end, is_renewal, is_trim, fails;
	bool stored; /* a merge that the node has not heard of yet */
	uint64_t stamp; /* of a merge: the clock, once it had seen the records */
	struct wire_applied applied;
	struct wire_position seen;
};

struct world_frame {
	uint64_t due, conn;
	uint8_t *bytes; /* NULL: the other side closed */
	size_t len;
};

/* What was sent before a grant left. */
struct world_grant {
	uint64_t asked_ms;
	struct wire_position sent;
};
enum { WORLD_GRANTS = 16 };

struct world_node {
	struct world *world;
	unsigned number; /* 1 or 2 */
	struct core *core; /* NULL: crashed */
	bool dying; /* crashes at the end of this tick; nothing is performed any more */
	uint64_t wake; /* nothing is to be done here before */
	uint64_t restart_at, exit_at, frozen_until;
	uint64_t fall_at, copied_at; /* in a falling world; 0: there is no copy to fall back to */
	uint64_t resume_at; /* drained until then; 0: not */
	uint64_t froze_at; /* by its own clock; 0: it runs */
	uint64_t unjudged; /* a bit for each slot that changed, or whose promises did */
	uint8_t version; /* of the pair's protocol that its release speaks, at most */
	uint8_t peer_version; /* as its HELLO said on this connection */
	uint8_t variant; /* of the second tenant's configuration */
	int64_t drift_permille, offset, wall_offset;
	struct world_disk disk, backup;
	struct stamp_clock clock;
	struct arena *arena;
	struct core_actions actions; /* of the step under way */
	struct world_job jobs[WORLD_JOBS];
	size_t job_first, job_count;
	struct core_action read;
	struct cache_digest digest; /* what the last read of one gave */
	bool reading, releasing, stopping, trimming;
	bool leased[WORLD_TENANTS]; /* the lease speaks for it */
	uint64_t timer_at, vouch_until, last_seq;
	/* unwrapped keys: until when fresh, resident ever after */
	uint64_t fresh_until[MODEL_OBJECTS];
	bool resident[MODEL_OBJECTS];
	struct world_flow flows[WORLD_FLOWS];
	uint64_t active; /* a bit for each flow that is not free */
	struct manager_key listing[MODEL_OBJECTS]; /* what the background's flow was shown */
	bool listed;
	uint64_t settled; /* listings that came to their end in this life */
	uint64_t outage_until, slow_until; /* the disk is slow */
	/* bytes on their way to this node */
	struct world_grant grants[WORLD_GRANTS]; /* the last ones */
	size_t grant_next;
	struct wire_position sent; /* the last change given to this connection */
	uint64_t told; /* of the last AS_OF given to it */
	struct world_frame in[WORLD_FRAMES];
	size_t in_first, in_count, in_bytes;
	uint64_t conn; /* 0: none */
	uint32_t broken_chain; /* link of a merge that failed, as in keystore/peer_merge.c */
	bool paused;
	bool in_snapshot, snapshot_has[MODEL_SLOTS];
	enum core_state state;
};

struct world_counts {
	uint64_t operations, answered, crashes, rollbacks, stops, freezes, snapshots, restores;
	uint64_t discards, damages, comparisons, repairs, divergences, trimmed;
	uint64_t vouched_ms;
};

enum { TRACE_LINES = 240, TRACE_LINE_LEN = 160 };
struct world_trace {
	char lines[TRACE_LINES][TRACE_LINE_LEN];
	uint64_t count;
	bool loud;
};

/* What is special in a world beside the usual faults. */
enum world_kind {
	WORLD_PLAIN,
	WORLD_DIVERGING, /* disks change silently */
	WORLD_TENANTS_DIFFER, /* an instance is configured differently now and then */
	WORLD_VERSIONS, /* nodes change their release */
	WORLD_OLD_DISKS, /* tombstones are trimmed, nodes away and disks older than that */
	WORLD_FALLING, /* machines are often set back to how they were just before */
	WORLD_KIND_COUNT
};

struct world {
	uint64_t random;
	uint64_t now;
	enum world_kind kind;
	uint64_t fault_at, use_at, restore_at; /* the next ones */
	struct world_node nodes[2];
	bool cut; /* no connection can be made */
	uint64_t conn_last, conn_severed; /* what is sent on the severed ones vanishes */
	uint64_t conn_due[2]; /* when each side learns of the newest one; 0: it has */
	uint64_t stalled_until; /* frames wait */
	bool calm; /* no more faults */
	struct manager_key keys[MODEL_OBJECTS];
	size_t key_count;
	struct {
		uint16_t len;
		uint8_t bytes[256];
	} ledger[WORLD_LEDGER];
	size_t ledger_count;
	struct model model;
	struct world_counts counts;
	struct world_trace *trace; /* may be NULL */
};

/* WORLD_KIND_COUNT: the seed picks the kind. */
MUST_USE enum err world_new(
	struct world **out, uint64_t seed, enum world_kind kind, struct world_trace *trace);
void world_free(struct world *world);
/* One millisecond. */
void world_tick(struct world *world);
/* Below bound; bound > 0. */
uint64_t world_random(struct world *world, uint64_t bound);
bool world_chance(struct world *world, uint64_t one_in); /* never while calm */
void world_fail(struct world *world, const char *violation);
/* What went wrong first; NULL: nothing. */
const char *world_violation(const struct world *world);
void world_say(struct world *world, const struct world_node *node, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
const char *world_judge_end(struct world *world);
/* A new connection, if one can be made. */
void world_connect(struct world_node *node);

void faults_cause(struct world *world);
/* In a falling world, beside these. */
void faults_fall(struct world_node *node);
/* No more of them; what they left is set right. */
void faults_end(struct world *world);
/* When there are no more of them, from time to time. */
void faults_care(struct world *world);

void node_start(struct world_node *node);
void node_crash(struct world_node *node);
/* Feeds the core and performs what it says. */
void node_step(struct world_node *node, struct core_event *event);
void node_step_kind(struct world_node *node, enum core_event_kind kind);
void node_tick(struct world_node *node);
/* One that runs alone for too long ends, to begin anew. */
void node_check_age(struct world_node *node);
void node_link_up(struct world_node *node);
uint64_t node_now(const struct world_node *node);
uint64_t node_wall_ms(const struct world_node *node);
bool node_is_vouched(const struct world_node *node, size_t slot);
struct world_node *node_peer(struct world_node *node);
void node_drop_frames(struct world_node *node);
/* The work of the keeper's commit: a flow's write, a merge, a new incarnation. */
struct world_job *node_add_job(struct world_node *node);

struct wire_position disk_position(const struct world_disk *disk);
/* A new entry of the log of own changes. */
void disk_log(struct world_disk *disk, size_t slot);
void disk_new_incarnation(struct world_node *node);
/* Merges and stores; logged: an own change. *seq is its number, 0 when nothing changed. */
MUST_USE enum err disk_put(
	struct world_node *node, const struct record *record, bool logged, uint64_t *seq);
/* Decoded into the node's arena; ERR_MISS. */
MUST_USE enum err disk_get(struct world_node *node, size_t slot, struct record *out);
MUST_USE enum err disk_merge(struct world_node *node, const struct world_job *job);
/* The node hears that it is stored. */
void disk_merged(struct world_node *node, const struct world_job *job);
/* Its checksum is right, or there is none. */
bool disk_is_sound(const struct world_slot *stored);
/* Removes what is still as it was compared. */
void disk_trim(struct world_node *node, const struct world_job *job);
void disk_note_grave(struct cache_grave *out, const struct world_slot *stored, size_t slot);
/* The bucket of a slot, and all slots in the order of their buckets. */
uint16_t disk_bucket(size_t slot);
size_t disk_order(size_t at);
size_t disk_tenant(size_t slot);
size_t disk_slot_of(const struct record *record);
void disk_uid(struct uid *out, size_t slot);
void disk_fingerprint(struct fingerprint *out, size_t slot);
struct world_intent *disk_intent(
	struct world_disk *disk, enum world_intent_kind kind, uint64_t nonce);
void disk_drop_intent(struct world_disk *disk, uint64_t nonce);
extern const struct instance_id world_tenants[WORLD_TENANTS];

/* Does the read that the core asked for. */
void read_tick(struct world_node *node);

void flow_begin(struct world_node *node, enum flow_kind kind, size_t slot);
struct world_flow *flow_take(struct world_node *node, enum flow_kind kind, size_t slot);
void flow_tick(struct world_node *node);
/* When the next flow has something to do. */
uint64_t flow_due(const struct world_node *node);
void flow_on_job(struct world_node *node, struct world_flow *flow);
void flow_release(struct world_node *node, struct world_flow *flow);
void flow_end(struct world_node *node, struct world_flow *flow, enum err err);
void flow_call(
	struct world_node *node, struct world_flow *flow, enum call_verb verb, flow_next *next);
void flow_commit(struct world_node *node, struct world_flow *flow,
	enum err (*apply)(struct world_node *, struct world_flow *), flow_next *next);
void flow_hold(struct world_node *node, struct world_flow *flow, enum keystore_gate_class class,
	flow_next *next);
void flow_sleep(struct world_flow *flow, uint64_t until, flow_next *next);
struct stamp flow_stamp(struct world_node *node);
void flow_see(struct world_node *node, const struct record *record);
MUST_USE enum err flow_put(
	struct world_node *node, struct world_flow *flow, const struct record *record);

void fetch_start(struct world_node *node, struct world_flow *flow, flow_next *done);
void fetch_object(struct object *out, const struct manager_key *key, size_t slot);
void background_start(struct world_node *node);
/* What it was at failed: it begins anew, after a while. */
void background_again(struct world_node *node, struct world_flow *flow);

/* The effect of a call on the key manager, at its time. */
void manager_effect(struct world_node *node, struct world_flow *flow);
int64_t manager_seconds(const struct world *world);
bool manager_is_out(const struct world_node *node);
void manager_restore(struct world *world);

#endif
