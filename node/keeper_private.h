/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the keeper share; nobody else includes this. */
#ifndef NODE_KEEPER_PRIVATE_H
#define NODE_KEEPER_PRIVATE_H

#include "base/sm.h"
#include "node/admin.h"
#include "node/authorities.h"
#include "node/cache_guard.h"
#include "node/instances.h"
#include "node/keeper.h"
#include "node/monitor.h"

enum keeper_state {
	KEEPER_STARTING,
	KEEPER_OPEN,
	KEEPER_DRAINING,
	KEEPER_DRAINED,
	KEEPER_STOPPING
};

struct keeper {
	const char *config_path;
	struct config *config; /* as it was started */
	struct config *reloaded; /* the last one; NULL: none yet */
	struct loop *loop;
	struct cache *cache;
	struct cache_guard cache_guard;
	struct kek_table *table;
	struct keystore *keystore;
	struct replication *replication; /* NULL without a peer */
	struct kmip_server *kmip;
	struct instances_policies policies;
	struct kmip_authorities authorities;
	struct workers *workers;
	struct counters_page *counters; /* of all processes; part 0 is ours */
	struct admin *admin;
	struct monitor *monitor; /* NULL when it is switched off */
	struct loop_signal *terminated, *interrupted, *hung_up, *child;
	struct loop_timer *reader_check, *stop_timer;
	struct loop_task drained; /* the workers are gone */
	void (*on_workers_stopped)(void *ctx);
	struct sm sm;
	int listen_fd;
	uint64_t started_ms;
	struct tls_peer leaf; /* the listener's certificate */
	struct tls_peer link_leaf, peer_leaf; /* the link's; zero without a peer */
	uint64_t gaps, gaps_ms; /* of the loop (design D3) */
	bool workers_gone, peer_gone;
};

/* Opening, in this order: keeper_open.c. why: a sentence for the operator. */
MUST_USE enum err keeper_judge_certificate(
	struct keeper *keeper, const struct config *config, char why[CONFIG_WHY_MAX]);
MUST_USE enum err keeper_open_keystore(struct keeper *keeper, char why[CONFIG_WHY_MAX]);
MUST_USE enum err keeper_open_peer(struct keeper *keeper, char why[CONFIG_WHY_MAX]);
struct replication_files keeper_peer_files(const struct config *config);

/* Workers and the port: keeper_drain.c. */
void keeper_drain_init(struct keeper *keeper, void (*on_workers_stopped)(void *ctx));
/* Listens and starts the workers; an error leaves neither. */
MUST_USE enum err keeper_start_workers(struct keeper *keeper, char why[CONFIG_WHY_MAX]);
/* Ends in on_workers_stopped, perhaps at once. */
void keeper_stop_workers(struct keeper *keeper);
/* The workers of a node that is draining have stopped. */
void keeper_on_drained(struct keeper *keeper);

#endif
