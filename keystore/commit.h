/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Group commit of the keeper (design D4): what becomes ready within one turn of the loop, at most
 * 64 jobs, goes into one LMDB transaction in the next turn. While one is being made durable the
 * next ones gather by themselves, so nobody waits for a timer. After the commit, each job's
 * on_committed runs, in order, from the loop. A commit error ends the process (design D3).
 *
 * Jobs of many records gather over several turns, for as long as each turn brings more and no other
 * job waits. Where they may be, they are written and made durable on another thread: a slow disk
 * and a peer's snapshot together would hold the loop up for seconds. Other jobs wait for that as
 * for any commit that is under way.
 */
#ifndef KEYSTORE_COMMIT_H
#define KEYSTORE_COMMIT_H

#include "base/offload.h"
#include "keystore/cache.h"
#include "keystore/meter.h"

struct commit;

enum {
	COMMIT_JOBS_MAX = 64,
	/* Beyond, the next job waits for the next transaction: the loop must not be kept from its
	 * heartbeats; */
	COMMIT_RECORDS_MAX = 1024,
	/* and on the other thread, who is not of the row must not be kept waiting. */
	COMMIT_APART_RECORDS_MAX = 4096,
	COMMIT_BULK_MIN =
		64, /* a job of so many records is one of a row, and may wait for the next */
	COMMIT_RECORD_BYTES = 1024, /* a record that is longer counts as several */
	COMMIT_QUEUE_MAX = 4096,
	COMMIT_ARENA_MAX = 16 << 20, /* memory of one job */
	COMMIT_EXIT_CODE = 70, /* EX_SOFTWARE: the service manager restarts the node */
};

struct commit_options {
	struct loop *loop;
	struct cache *cache;
	/* After each commit that logged own changes, before the jobs hear of it: replication
	 * streams them. May be NULL. */
	void (*on_logged)(void *ctx, uint64_t last_seq);
	void *ctx;
	struct keystore_meter *meter; /* counts the commits; may be NULL */
};

/* Embedded by the caller; must stay alive until on_committed or commit_cancel. */
struct commit_job {
	/* Writes inside the shared transaction. An error undoes what this job has put, and nothing
	 * of the others (each job has a child transaction when there is more than one), and is
	 * handed to on_committed. The arena is wiped after the job. It may not start, cancel or
	 * flush. */
	enum err (*write)(void *ctx, struct cache_write *write, struct arena *arena);
	void (*on_committed)(void *ctx, enum err err);
	void *ctx;
	size_t record_count; /* that it writes, long ones as more than one; 0: few */
	/* write may run on another thread: it touches nothing that the loop touches, and puts no
	 * secret into the arena. */
	bool apart;
	enum err err;
	struct commit_job *next;
	bool queued;
};

MUST_USE enum err commit_new(struct commit **out, const struct commit_options *options);
/* Forgets what is queued; not from within a callback of this module. */
void commit_free(struct commit *commit);
void commit_set_on_logged(
	struct commit *commit, void (*on_logged)(void *ctx, uint64_t last_seq), void *ctx);
/* ERR_LIMIT when the queue is full. */
MUST_USE enum err commit_start(struct commit *commit, struct commit_job *job);
/* The job is forgotten if it has not been written; if it has, its callback does not come. Waits for
 * one that is being written on the other thread. */
void commit_cancel(struct commit *commit, struct commit_job *job);
/* Commits what is queued now and calls back before it returns: for a clean stop. Not from within a
 * callback of this module. */
void commit_flush(struct commit *commit);

#endif
