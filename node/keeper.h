/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper role of kmipd (design D2): owns every change: key-manager calls, LMDB writes, the
 * pair, the operator's socket. Starts the workers and replaces one that dies.
 */
#ifndef NODE_KEEPER_H
#define NODE_KEEPER_H

#include "base/tls_policy.h"
#include "keystore/keystore.h"
#include "node/config.h"
#include "node/workers.h"
#include "replication/replication.h"

/* Runs until SIGTERM or SIGINT; the exit status of the process. */
int keeper_run(const char *config_path);

/* What the operator's socket may ask of it. */
struct keeper;

struct keeper_status {
	const char *name;
	uint32_t node;
	const char *state; /* "starting", "open", "draining", "drained", "stopping" */
	uint64_t up_ms;
	bool has_peer;
	struct replication_status peer;
	const char *peer_address;
	struct workers_status workers;
	const struct counters_page *counters; /* of all processes */
	struct cache_counts cache;
	size_t keys_in_memory, keys_in_memory_max;
	uint64_t loop_gaps, loop_gaps_ms; /* (design D3) */
	int64_t certificate_not_after;
	int64_t link_not_after, peer_not_after; /* of the link's certificates, 0 without a peer */
	char certificate_fingerprint[2 * TLS_FINGERPRINT_LEN + 1];
};
void keeper_status(struct keeper *keeper, struct keeper_status *out);
/* What an instance's Gets are answered from (design D19). */
const char *keeper_gets_name(const struct keystore_instance_status *instance);
/* Its algorithm policy, as the operator wrote it. */
const char *keeper_policy_text(const struct keeper *keeper, const struct instance_id *instance);
struct keystore *keeper_keystore(struct keeper *keeper);
struct loop *keeper_loop(struct keeper *keeper);
/* Reads the configuration again and applies what can be applied; why: what is wrong, with file and
 * line. Judged whole before anything is applied: after ERR_CONFIG nothing was changed. After
 * ERR_OK why names what only a restart applies. */
MUST_USE enum err keeper_reload(struct keeper *keeper, char why[CONFIG_WHY_MAX]);
/* Whether a link to the peer could be made with the files that the configuration names. */
MUST_USE enum err keeper_judge_peer(const struct config *config, char why[CONFIG_WHY_MAX]);
/* Closes the pair's link and keeps it closed, or opens it again. ERR_STATE without a peer, or when
 * the node is drained. */
MUST_USE enum err keeper_cut_peer(struct keeper *keeper, bool cut);
/* The operator knows that the peer is off. why: a sentence for people. */
MUST_USE enum err keeper_fence_peer(struct keeper *keeper, char why[CONFIG_WHY_MAX]);
/* Closes the port, answers what is under way, tells the peer that this node serves nobody; the
 * state is "drained" when that is done. Refused when the peer would not serve the clients, unless
 * sure. */
MUST_USE enum err keeper_drain(struct keeper *keeper, bool sure, char why[CONFIG_WHY_MAX]);
/* Opens port and link again. */
MUST_USE enum err keeper_undrain(struct keeper *keeper, char why[CONFIG_WHY_MAX]);

#endif
