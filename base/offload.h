/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A second thread for work that would hold a loop up: making key pairs, deriving keys from
 * passwords, storing much at once. A job runs alone on that thread and may touch nothing that the
 * loop touches meanwhile.
 */
#ifndef BASE_OFFLOAD_H
#define BASE_OFFLOAD_H

#include "base/loop.h"

enum { OFFLOAD_JOBS_MAX = 64 }; /* waiting and running; beyond: ERR_LIMIT */

struct offload;

/* Embedded by the caller, who keeps it until on_done. */
struct offload_job {
	void (*work)(void *ctx); /* on the thread */
	void (*on_done)(void *ctx); /* on the loop, once, later */
	void *ctx;
	struct offload_job *next;
};

MUST_USE enum err offload_new(struct offload **out, struct loop *loop);
/* Waits for the job that runs; no callback comes any more. */
void offload_free(struct offload *offload);
MUST_USE enum err offload_start(struct offload *offload, struct offload_job *job);
/* Holds the loop up until no job waits or runs; their ends come later, as always. */
void offload_wait(struct offload *offload);
/* The same, and calls back before it returns. Not from within on_done. */
void offload_finish(struct offload *offload);

#endif
