/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper's side of its workers: starts them as the same binary in another role, replaces one
 * that dies, serves the frames that they hand over.
 */
#ifndef NODE_WORKERS_H
#define NODE_WORKERS_H

#include "keystore/keystore.h"
#include "kmip/serve.h"
#include "node/config.h"
#include "node/counters.h"
#include "node/ipc.h"

struct workers;

enum { WORKERS_MAX = 256, WORKERS_REQUESTS_MAX = 1024 };

struct workers_options {
	struct loop *loop;
	struct keystore *keystore;
	struct kmip_server *kmip;
	struct kek_table *table;
	struct counters_page *counters;
	struct cache *cache; /* stale readers are checked after a worker's death */
	const char *config_path; /* what relative paths start from */
	/* Borrowed: what only a restart applies, and what was reloaded since (NULL: nothing). */
	const struct config *started, *reloaded;
	int listen_fd; /* borrowed */
	uint32_t count;
	/* All workers have gone after workers_stop. */
	void (*on_stopped)(void *ctx);
	void *ctx;
};

/* How many: as configured, else one for each core. */
uint32_t workers_count(uint32_t configured);
MUST_USE enum err workers_new(struct workers **out, const struct workers_options *options);
MUST_USE enum err workers_start(struct workers *workers);
/* The keeper got SIGCHLD. */
void workers_reap(struct workers *workers);
/* Those that run and those that are born later; borrowed until the next one. */
void workers_reload(struct workers *workers, const struct config *config);
void workers_stop(struct workers *workers);
/* Kills what is left. */
void workers_free(struct workers *workers);

struct workers_status {
	uint32_t running;
	uint64_t restarts;
	uint64_t requests; /* frames handed over and served by the keeper */
};
void workers_status(const struct workers *workers, struct workers_status *out);

#endif
