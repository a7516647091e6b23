/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decisions of the pair (design D17 to D22), pure: core_step(core, event, actions). Time and
 * what was read come in the event; what is to be sent, read, merged or let go comes out as actions,
 * to be performed in the order given. No clock, no I/O, no store: kmipd and the simulation run the
 * same code.
 *
 * core.c: link, states, timers. hello.c: what the peer's HELLO says. scope.c: instances in common.
 * feed.c: the stream to the peer. intake.c: the stream from it. holds.c: answers that wait.
 * compare.c: digests and repair. standing.c: what is told of it.
 */
#ifndef REPLICATION_CORE_H
#define REPLICATION_CORE_H

#include "keystore/cache_digest.h"
#include "replication/gate.h"
#include "replication/wire.h"

struct core;

enum core_state {
	CORE_DOWN,
	CORE_CONNECTING,
	CORE_HELLO,
	CORE_CATCHING_UP,
	CORE_STREAMING, /* both directions are up to date, leases run */
	CORE_REFUSED,
	CORE_STATE_COUNT
};

enum {
	CORE_PING_MS = 250,
	CORE_SILENCE_MS = 1000, /* a link that is silent for so long is dead */
	CORE_LOG_ENTRIES_MAX = 64, /* of one read */
	CORE_CHUNK_BYTES_MAX = 262144, /* of one read of log or snapshot, the last record aside */
	CORE_UNSENT_MAX = 524288, /* beyond, log and snapshot are not read */
	CORE_MERGES_MAX = 64, /* under way, and one of no link; beyond, the link is not read */
	CORE_COMPARE_MS = 300000, /* from one comparison of all buckets to the next */
	CORE_COMPARE_FIRST = 30, /* the first one on a link comes after so small a part of that */
	CORE_COMPARE_AGAIN_MAX = 3, /* rounds so soon, while buckets differ */
	CORE_COMPARE_PAUSE_MS = 100, /* before a stretch is asked for again, */
	CORE_COMPARE_TRIES_MAX = 5, /* while changes under way may be why it differs */
	CORE_ACK_EVERY = 16, /* merges, while more are under way */
	CORE_ACTIONS_MAX = CORE_LOG_ENTRIES_MAX + 16,
	CORE_WHY_MAX = 200,
};

struct core_options {
	const char *cluster; /* borrowed, as all text here */
	const char *software;
	uint16_t node, peer_node;
	uint32_t ack_wait_ms;
	struct slice instances; /* as in struct wire_hello, sorted by id; borrowed */
	struct slice settings; /* the same; may be empty */
	uint8_t version_max; /* speaks no later version; 0: WIRE_VERSION_MAX */
	uint32_t compare_ms; /* 0: CORE_COMPARE_MS */
	uint64_t now_ms;
};

/* A record and the tenant whose it is. */
struct core_record {
	struct slice bytes;
	struct instance_id instance;
};

struct core_log_entry {
	uint64_t seq;
	uint8_t hash[32];
	struct core_record record; /* empty bytes: cannot be sent (damaged) */
};

/* Where a snapshot has come to. */
struct core_cursor {
	enum record_kind kind;
	uint8_t after_len; /* 0: from the start of the kind */
	uint8_t after[RECORD_KEY_LEN_MAX];
};

enum core_event_kind {
	CORE_EVENT_CONNECTING,
	CORE_EVENT_LINK_UP, /* TLS is up, the pin fits */
	CORE_EVENT_LINK_DOWN,
	CORE_EVENT_FRAME,
	CORE_EVENT_DRAINED,
	CORE_EVENT_COMMITTED, /* own changes were logged */
	CORE_EVENT_MERGED,
	CORE_EVENT_LOG_READ,
	CORE_EVENT_SNAPSHOT_READ,
	CORE_EVENT_DIGEST_READ,
	CORE_EVENT_BUCKET_READ,
	CORE_EVENT_INCARNATION, /* the new one is durable */
	CORE_EVENT_HOLD,
	CORE_EVENT_TIMER,
	CORE_EVENT_GAP, /* the process stood still: what it holds by the clock is in doubt */
	CORE_EVENT_STOP, /* nobody is served any more, and there is to be no link */
	CORE_EVENT_RESUME, /* that is over; the shell opens links again */
	CORE_EVENT_FENCE, /* the operator knows that the peer is off; ignored while there is a link
			   */
};

struct core_event {
	enum core_event_kind kind;
	uint64_t now_ms; /* boot time, never less than before */
	size_t unsent; /* bytes that the link has not handed to the system yet */
	union {
		struct {
			struct wire_position own;
			struct wire_applied applied; /* the facts; all zero: none */
			struct wire_position seen;
		} up;
		const char *why; /* LINK_DOWN */
		struct {
			const struct wire_frame *frame;
			const struct core_record *records; /* of DATA (one) and SNAP */
			size_t record_count;
			/* HELLO: own position now, and the own running hashes at what the peer says
			 * that it applied, and has seen; NULL when the log does not reach back so
			 * far. */
			struct wire_position own;
			const uint8_t *hash_at, *seen_hash_at;
		} frame;
		uint64_t committed_seq;
		struct {
			uint32_t link; /* as in the action */
			bool ok;
			bool has_position;
			struct wire_position position;
		} merged;
		struct {
			const struct core_log_entry *entries;
			size_t entry_count;
			bool trimmed; /* the log does not reach back to the first entry asked for */
			bool more;
			struct wire_position own; /* in the same transaction */
		} log;
		struct {
			const struct core_record *records;
			size_t record_count;
			struct core_cursor at; /* behind the last one read */
			bool end; /* of all kinds; of the bucket */
			struct wire_position own;
		} snapshot; /* SNAPSHOT_READ, BUCKET_READ */
		struct {
			const struct cache_digest *digest;
			struct wire_position own, applied; /* in the same transaction */
		} digest;
		struct wire_position incarnation;
		struct keystore_hold *hold;
	};
};

enum core_action_kind {
	CORE_ACTION_STATE,
	CORE_ACTION_SEND,
	CORE_ACTION_CLOSE,
	CORE_ACTION_PAUSE,
	CORE_ACTION_MERGE, /* ends in CORE_EVENT_MERGED, in the order of the actions */
	CORE_ACTION_READ_LOG, /* ends in CORE_EVENT_LOG_READ; later, as all reads */
	CORE_ACTION_READ_SNAPSHOT,
	CORE_ACTION_READ_DIGEST, /* of records of core_is_common */
	CORE_ACTION_READ_BUCKET,
	CORE_ACTION_TRIM, /* graves that the peer has, too; may be left undone */
	CORE_ACTION_COMPARED, /* all buckets were */
	CORE_ACTION_NEW_INCARNATION,
	CORE_ACTION_RELEASE, /* take from core_take_released until there is none; later */
	CORE_ACTION_SCOPE, /* the lease that is held speaks for these instances alone */
	CORE_ACTION_VOUCH,
	CORE_ACTION_TIMER, /* replaces the earlier one */
};

struct core_merge {
	uint32_t link; /* 0: of none */
	const struct slice *records;
	size_t record_count;
	bool has_position;
	struct wire_applied applied; /* becomes the fact, in the same transaction */
	bool has_seen; /* of no record; never with has_position */
	struct wire_position seen; /* becomes the other fact, before the merges that follow */
};

/* What it points to is borrowed until the next core_step. */
struct core_action {
	enum core_action_kind kind;
	union {
		struct {
			enum core_state state;
			const char *why;
		} move;
		struct wire_frame frame;
		bool rolled_back; /* NEW_INCARNATION: else that cannot be ruled out */
		struct {
			const char *why;
			bool slow; /* trying again soon would be of no use */
		} close;
		bool pause;
		struct core_merge merge;
		uint64_t log_first;
		struct core_cursor cursor; /* READ_SNAPSHOT */
		struct {
			uint16_t first, count;
			struct core_cursor cursor; /* READ_BUCKET: within the first */
		} buckets;
		struct {
			const struct cache_grave *graves;
			size_t count;
		} trim;
		uint64_t differing; /* COMPARED: buckets, which are being repaired */
		struct {
			const struct slice *ids; /* zero-filled, in order */
			size_t count;
		} scope;
		uint64_t until_ms; /* VOUCH */
		uint64_t at_ms; /* TIMER */
	};
};

struct core_actions {
	struct core_action items[CORE_ACTIONS_MAX];
	size_t count;
};

MUST_USE enum err core_new(struct core **out, const struct core_options *options);
void core_free(struct core *core);
/* Overwrites actions. */
void core_step(struct core *core, const struct core_event *event, struct core_actions *actions);
void core_cancel(struct core *core, struct keystore_hold *hold);
struct keystore_hold *core_take_released(struct core *core);

/* Both nodes have it, and configured alike. */
bool core_is_common(const struct core *core, const struct instance_id *instance);
/* Other instances to compare at the next HELLO; only while there is no link, and after
 * CORE_EVENT_GAP: a lease that is held does not speak for them. Borrowed. */
void core_set_instances(struct core *core, struct slice instances);
/* What the next HELLO tells of them; nothing here depends on it. */
void core_set_settings(struct core *core, struct slice settings);

/* A full exchange, in one direction. */
struct core_snapshot {
	uint64_t began_ms; /* 0: none */
	uint64_t ended_ms; /* 0: under way, or given up */
	uint64_t record_count;
};

struct core_status {
	enum core_state state;
	const char *why; /* borrowed until the next step */
	uint64_t since_ms, last_heard_ms;
	uint64_t own_seq, acked_seq, peer_seq, merged_seq;
	uint64_t holds, snapshots, differing_instances;
	uint64_t comparisons, differing_buckets; /* complete ones on all links; in the last one */
	uint64_t compared_ms; /* when it ended; 0: never */
	uint64_t granted_until_ms, held_until_ms;
	const char *peer_software;
	uint8_t version; /* of the protocol that both speak; 0: no link */
	uint64_t lag_ms; /* since the oldest change that is not acknowledged; 0: none */
	struct gate_waits waits;
	struct core_snapshot snapshot_sent, snapshot_received; /* the last ones */
	uint64_t fenced_ms; /* when the operator said so; 0: not fenced */
};
void core_status(const struct core *core, uint64_t now_ms, struct core_status *out);
const char *core_state_name(enum core_state state);

#endif
