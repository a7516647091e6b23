/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pair (design D17 to D22): streams own changes to the peer, merges the peer's, acknowledges
 * what is durable, holds answers at the gate, resumes from the log or by a full snapshot. The
 * decisions are made by the pure core (core.h); this is the shell that gives it a link, a clock and
 * a disk. Knows no KMIP.
 */
#ifndef REPLICATION_REPLICATION_H
#define REPLICATION_REPLICATION_H

#include "base/loop.h"
#include "keystore/keystore.h"

struct replication;

enum { REPLICATION_WHY_MAX = 300, REPLICATION_CLUSTER_LEN_MAX = 63 };

/* What HELLO compares of an instance (design D22). */
struct replication_instance {
	struct instance_id id;
	uint8_t digest[32]; /* SHA-256 of id, CRK, key ring */
	uint8_t settings[32]; /* of what should be alike, but leaves the pair whole where it is not
			       */
};

/* PEM files of the link, apart from the KMIP listener's. */
struct replication_files {
	const char *cert_file, *key_file;
	const char *peer_cert_file; /* the peer's leaf, pinned; several while it is renewed */
};

struct replication_options {
	struct loop *loop;
	struct keystore *keystore;
	const char *cluster; /* both nodes have the same */
	uint16_t node, peer_node; /* the lower number dials */
	const char *listen; /* "0.0.0.0:5698"; needed by the higher number */
	const char *peer_address; /* needed by the lower number */
	struct replication_files files; /* read by replication_new */
	uint32_t ack_wait_ms; /* 50 */
	uint8_t version_max; /* of the protocol, not spoken beyond; 0: the latest */
	uint32_t compare_ms; /* between comparisons of the caches; 0: 5 minutes */
	const struct replication_instance *instances; /* copied */
	size_t instance_count;
	/* Until when (boot ms) this node may answer from its cache: the peer's lease (design D19),
	 * granted behind changes that are merged by now; 0: no longer. Called whenever it moves;
	 * before the first call it may not. */
	void (*on_vouch)(void *ctx, uint64_t until_ms);
	/* Whether the lease speaks for an own instance: not for one that the peer does not have, or
	 * has otherwise (design D22). Called before on_vouch, for each at the start (false) and
	 * whenever any changes. */
	void (*on_leased)(void *ctx, const struct instance_id *instance, bool leased);
	void *ctx;
};

MUST_USE enum err replication_new(struct replication **out,
	const struct replication_options *options, char why[REPLICATION_WHY_MAX]);
/* Starts listening or dialling; and installs gate and on_logged at the keystore. */
MUST_USE enum err replication_start(struct replication *replication, char why[REPLICATION_WHY_MAX]);
/* Nobody is served any more: gives up the own lease, tells the peer so (BYE) and makes no link;
 * on_stopped once that is out or 1 s has passed. */
void replication_stop(struct replication *replication, void (*on_stopped)(void *ctx), void *ctx);
/* Takes replication_stop back, after on_stopped. */
void replication_resume(struct replication *replication);
void replication_free(struct replication *replication);
/* Whether the files can be used; nothing else is asked or changed. */
MUST_USE enum err replication_judge(
	const struct replication_files *files, char why[REPLICATION_WHY_MAX]);
/* Takes the link's certificates anew, without losing the pair; an error keeps the old ones. */
MUST_USE enum err replication_reload(struct replication *replication,
	const struct replication_files *files, char why[REPLICATION_WHY_MAX]);
/* The instances were changed by a reload: the link is made anew and compares these. Copied. */
MUST_USE enum err replication_set_instances(struct replication *replication,
	const struct replication_instance *instances, size_t instance_count);
/* Test and operator switch: closes the link and does not open it until resumed (kmipctl peer
 * cut|heal). */
void replication_cut(struct replication *replication, bool cut);

/* The operator knows that the peer is off: nothing waits for its lease until it is heard again. Not
 * kept over a restart, which costs one wait of 2.1 s at most. ERR_STATE while there is a link. */
MUST_USE enum err replication_fence(struct replication *replication);

/* The process stood still for longer than it may (design D3): its own lease is in doubt and
 * dropped; on_vouch(0) comes at once, and the next grant vouches again. */
void replication_drop_lease(struct replication *replication);

/* A full exchange in one direction; boot time. */
struct replication_snapshot {
	uint64_t began_ms; /* 0: none since start */
	uint64_t ended_ms; /* 0: under way, or given up */
	uint64_t record_count;
};

struct replication_status {
	const char
		*state; /* "down", "connecting", "hello", "catching-up", "streaming", "refused" */
	char why[REPLICATION_WHY_MAX]; /* of the last refusal or loss */
	uint64_t since_ms; /* boot time of the last state change */
	uint64_t last_heard_ms; /* boot time, 0: never */
	uint64_t own_seq, peer_acked_seq; /* lag = difference */
	uint64_t peer_seq, merged_seq;
	uint64_t holds; /* answers at the gate now */
	uint64_t snapshots; /* full exchanges since start */
	uint64_t comparisons; /* of all buckets, since start */
	uint64_t differing_buckets; /* in the last one; they are repaired */
	uint64_t compared_ms; /* boot time when it ended, 0: never */
	uint64_t differing_instances;
	uint64_t differing_settings; /* instances in common whose settings differ */
	char peer_version[32];
	uint8_t protocol_version; /* in use; 0: no link */
	uint64_t lag_ms; /* since the oldest own change that is not acknowledged; 0: none */
	uint64_t lease_held_until_ms, lease_granted_until_ms; /* boot time, perhaps past */
	struct {
		uint64_t count, unacknowledged, last_ms, max_ms;
	} waits; /* of answers at the gate, since start */
	struct replication_snapshot snapshot_sent, snapshot_received; /* the last ones */
	uint64_t fenced_ms; /* boot time, 0: not fenced */
	bool cut; /* by replication_cut */
};
void replication_status(const struct replication *replication, struct replication_status *out);

#endif
