/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Group commit of the keeper (design D4): gathers changes for at most 64 jobs or 1 ms into one LMDB
 * transaction. After the commit, each job's on_committed runs, in order, from the loop. A commit
 * error ends the process (design D3).
 */
#ifndef KEYSTORE_COMMIT_H
#define KEYSTORE_COMMIT_H

#include "base/loop.h"
#include "keystore/cache.h"

struct commit;

enum { COMMIT_JOBS_MAX = 64, COMMIT_DELAY_MAX_MS = 1, COMMIT_QUEUE_MAX = 4096 };

struct commit_options {
	struct loop *loop;
	struct cache *cache;
	/* After each commit that logged own changes: replication streams them. */
	void (*on_logged)(void *ctx, uint64_t last_seq);
	void *ctx;
};

/* Embedded by the caller; must stay alive until on_committed or commit_cancel. */
struct commit_job {
	/* Writes inside the shared transaction. An error undoes this job alone (nothing of it may
	 * have been put: decide first, put last) and is handed to on_committed. */
	enum err (*write)(void *ctx, struct cache_write *write, struct arena *arena);
	void (*on_committed)(void *ctx, enum err err);
	void *ctx;
	enum err err;
	struct commit_job *next;
	bool queued;
};

MUST_USE enum err commit_new(struct commit **out, const struct commit_options *options);
void commit_free(struct commit *commit);
void commit_set_on_logged(
	struct commit *commit, void (*on_logged)(void *ctx, uint64_t last_seq), void *ctx);
/* ERR_LIMIT when the queue is full. */
MUST_USE enum err commit_start(struct commit *commit, struct commit_job *job);
/* The job is forgotten if it has not been written; if it has, its callback does not come. */
void commit_cancel(struct commit *commit, struct commit_job *job);
/* Commits what is queued now: for a clean stop. */
void commit_flush(struct commit *commit);

#endif
