/* SPDX-License-Identifier: Apache-2.0 */
/* What core.c and the files that it names share; nobody else includes this. */
#ifndef REPLICATION_CORE_PRIVATE_H
#define REPLICATION_CORE_PRIVATE_H

#include "replication/core.h"
#include "replication/lease.h"

enum {
	PACE_BYTES_MAX = 1048576, /* on their way, while a lease is held */
	PACE_QUESTION_BYTES = PACE_BYTES_MAX / 2, /* asks again after so much */
	PACE_QUESTIONS_MAX = 16,
	LAG_MARKS_MAX = 32,
};

enum feed_mode { FEED_NONE, FEED_SNAPSHOT, FEED_TAIL };

/* The stream to the peer. */
struct feed {
	enum feed_mode mode;
	bool reading; /* a read is under way, at most one */
	bool stale_read; /* the read under way belongs to an earlier link */
	bool dirty; /* the log may hold more than the last read saw */
	bool snapshot_begun;
	struct wire_position own; /* as the last read saw it */
	struct wire_position sent; /* last entry given to the link */
	struct wire_position base; /* of the snapshot under way: the stream goes on behind it */
	struct core_cursor cursor;
	bool told; /* an AS_OF on this link; the last one: */
	uint64_t told_seq;
	bool has_base; /* what no entry of the log stands for, as after a new incarnation, is with
			  the peer, too */
	uint64_t acked_seq;
	bool grant_owed;
	bool granted; /* once on this link */
	uint64_t grant_asked_ms;
	uint64_t snapshots;
	struct core_snapshot snapshot; /* the last one */
};

/* How much of log and snapshot may be on its way when the peer is asked for a lease: an answer
 * comes in time only if the question does not stand behind more than the peer takes in meanwhile.
 */
struct pace {
	uint64_t sent; /* bytes of records, on this link */
	uint64_t asked; /* of these, before the last PING */
	uint64_t answered; /* before the last PING that was answered, */
	uint64_t answered_ms; /* and when that was */
	struct {
		uint64_t ping_ms, sent;
	} questions[PACE_QUESTIONS_MAX]; /* the latest ones */
	size_t question_next;
};

/* How old the oldest change is that the peer has not acknowledged. */
struct lag {
	struct {
		uint64_t seq, logged_ms;
	} marks[LAG_MARKS_MAX]; /* in order; the last one stands for all that came after it */
	size_t count;
};

enum intake_mode { INTAKE_TAIL, INTAKE_SNAPSHOT };

/* The stream from the peer. */
struct intake {
	enum intake_mode mode;
	struct wire_position peer; /* its own position, as its HELLO said */
	struct wire_position received; /* last entry given to the store */
	struct wire_position merged; /* last entry durable here */
	uint64_t started, done; /* merges, over all links: they end in the order of their start */
	bool forget_due; /* the stored position is to be taken back */
	bool forgetting; /* it is being: as one more merge */
	unsigned acks_due;
	bool paused;
	struct core_snapshot snapshot; /* the last one */
	bool taken; /* a grant, once on this link */
	uint64_t taken_ms; /* when the latest of them was asked for */
	/* A grant counts when the merges that were started before it came are done. */
	bool grant_waits;
	uint64_t grant_behind; /* value of `done` that it waits for */
	struct wire_grant grant;
	/* The latest that came while one waited. */
	bool next_waits;
	uint64_t next_behind;
	struct wire_grant next;
};

enum compare_state {
	COMPARE_RESTING, /* until due_ms */
	COMPARE_DUE, /* a read is to be started: to ask, or to answer */
	COMPARE_READING,
	COMPARE_ASKED, /* waits for DIFFER */
	COMPARE_BEHIND, /* answers when the merges that were started before are done */
};

/* The node with the lower number asks, the other one answers. Both send what differs. */
struct compare {
	enum compare_state state;
	uint64_t due_ms;
	uint64_t behind; /* as grant_behind */
	uint16_t first, count; /* the stretch under way */
	unsigned tries; /* of this stretch */
	unsigned again; /* rounds in a row that found a difference */
	struct cache_grave graves[CACHE_GRAVES_MAX]; /* of the stretch that was asked for */
	size_t grave_count;
	struct wire_digest asked; /* what is to be answered; its digests are in: */
	uint8_t digests[WIRE_DIGESTS_MAX * WIRE_DIGEST_LEN];
	uint8_t bits[WIRE_DIGESTS_MAX / 8]; /* of the answer under way */
	uint8_t repair[WIRE_BUCKETS / 8]; /* buckets to be sent */
	size_t repair_count;
	uint16_t repairing; /* the one under way, if the cursor is not at its start */
	struct core_cursor cursor;
	uint64_t found; /* differing, in the round under way */
	uint64_t rounds, differing, ended_ms;
};

struct core {
	struct core_options options;
	enum core_state state;
	uint64_t since_ms;
	char why[CORE_WHY_MAX + 1];
	char peer_software[WIRE_SOFTWARE_LEN_MAX + 1];
	uint32_t link; /* number of the connection */
	uint64_t heard_ms, ever_heard_ms, pinged_ms;
	uint64_t answered_ms; /* the PING that was answered last, on this link */
	uint64_t timer_ms;
	bool full_wanted; /* a full exchange is due: what was applied is of no scope */
	bool proven; /* in this life everything that the peer had was taken once */
	bool incarnation_pending;
	bool stopping;
	uint8_t scope[32];
	struct slice common[WIRE_INSTANCES_MAX]; /* ids within options.instances */
	size_t common_count;
	/* Those that the lease which is held speaks for: in common when it was granted, and
	 * since. */
	struct slice leased[WIRE_INSTANCES_MAX];
	size_t leased_count;
	uint64_t differing;
	struct lease lease;
	struct gate gate;
	struct feed feed;
	struct pace pace;
	struct lag lag;
	uint64_t fenced_ms; /* 0: not fenced */
	struct intake intake;
	struct compare compare;
	uint8_t version; /* that both speak; of this link */
	/* scratch of one step */
	uint64_t now_ms;
	size_t unsent;
	struct core_actions *actions;
	struct slice record_bytes[WIRE_RECORDS_MAX];
};

/* The next action, zeroed but for its kind. */
struct core_action *core_add(struct core *core, enum core_action_kind kind);
struct wire_frame *core_send(struct core *core, enum wire_type type);
void core_move(struct core *core, enum core_state state, const char *why);
/* The one way in which this side gives up a link. */
void core_close(struct core *core, const char *why);
bool core_is_up(const struct core *core); /* HELLOs were exchanged */
/* NULL when the peer is the one that we were configured for. */
const char *hello_judge(const struct core *core, const struct wire_hello *hello);
/* The peer holds more of this node's changes than this node does, or others (design D20). */
bool hello_shows_rollback(const struct core_event *event);
/* The log does not reach back to where it could be compared, or the peer knows changes of another
 * incarnation, perhaps a later one: a rollback cannot be ruled out, so everything is exchanged,
 * once. */
bool hello_is_unproven(const struct core *core, const struct core_event *event);
/* Takes the peer's list of its HELLO. */
void core_compare_instances(struct core *core, struct slice theirs);
/* A lease was taken: it speaks for what is in common now. */
void core_widen_lease(struct core *core);
/* After a grant in either direction: both make the link streaming. */
void core_on_granted(struct core *core);

/* From the peer's HELLO: the tail behind what it applied, or a snapshot. */
void feed_start(struct core *core, const struct core_event *event);
void feed_stop(struct core *core);
void feed_on_ack(struct core *core, const struct wire_position *position);
void feed_on_ping(struct core *core, uint64_t asked_ms);
void feed_on_log(struct core *core, const struct core_event *event);
void feed_on_snapshot(struct core *core, const struct core_event *event);
/* Records are read as they are now, which may be later than the place in the stream that they are
 * sent for: the peer is told before how far they reach. */
void feed_tell_reach(struct core *core, const struct wire_position *own);
/* Those of a snapshot or bucket that are in common, in one frame of the type; how many. */
size_t feed_send_records(struct core *core, enum wire_type type, const struct core_event *event);
/* Starts whatever may be started now. */
void feed_poke(struct core *core);
/* Ends the read under way; false when its result belongs to an earlier link. */
bool feed_finish_read(struct feed *feed);

void lag_on_logged(struct core *core, uint64_t seq);
void lag_on_acked(struct core *core, uint64_t seq);
uint64_t lag_ms(const struct core *core, uint64_t now_ms);

void pace_start(struct core *core);
void pace_on_sent(struct core *core, size_t len);
/* A PING leaves now. */
void pace_on_asked(struct core *core);
void pace_on_answered(struct core *core, uint64_t asked_ms);
/* Nothing more is to be read for the peer now. */
bool pace_is_full(const struct core *core);
bool pace_wants_answer(const struct core *core);

void intake_start(struct core *core, const struct wire_position *applied);
/* A full exchange is due: also after a crash on the way to it, when the peer may have got what
 * makes it look proven. */
void intake_want_all(struct core *core);
/* Takes the scope of the stored position back, if that is due: no link is used until it is durable.
 */
void intake_forget(struct core *core);
/* At the limit of merges the link is not read. */
void intake_pause_if_full(struct core *core);
void intake_on_data(struct core *core, const struct core_event *event);
void intake_on_snap(struct core *core, const struct core_event *event);
void intake_on_grant(struct core *core, const struct wire_grant *grant);
void intake_on_merged(struct core *core, const struct core_event *event);
void intake_on_repair(struct core *core, const struct core_event *event);
void intake_on_as_of(struct core *core, const struct wire_position *position);

void holds_add(struct core *core, struct keystore_hold *hold);
/* Notes which charges the peer has acknowledged, before a question for a lease may be sent: what
 * the peer had logged by then is here with the answer to that, or to a later one. */
void holds_note(struct core *core);
/* When a question is to be sent for that; UINT64_MAX: none is. */
uint64_t holds_question_ms(const struct core *core);
/* Lets go what may be let go. */
void holds_release(struct core *core);

/* On a new link; nothing of an earlier one is under way. */
void compare_start(struct core *core);
void compare_on_digest(struct core *core, const struct wire_digest *digest);
void compare_on_differ(struct core *core, const struct wire_differ *differ);
void compare_on_read(struct core *core, const struct core_event *event);
void compare_on_bucket(struct core *core, const struct core_event *event);
/* The feed has nothing to read: starts the next read of a comparison, if one is due. */
void compare_poke(struct core *core);
/* When compare_poke has something to do; UINT64_MAX: not by the clock. */
uint64_t compare_due_ms(const struct core *core);

#endif
