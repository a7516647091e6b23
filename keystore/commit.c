/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/commit.h"
#include <stdlib.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"

struct job_list {
	struct commit_job *first;
	struct commit_job **end; /* where the next one is linked in */
	size_t count;
};

/* One transaction. */
struct batch {
	struct job_list jobs; /* not yet called back */
	bool wrote;
	uint64_t seq_before, seq; /* of the log */
	uint64_t took_us;
};

struct commit {
	struct commit_options options;
	struct loop_task task;
	struct job_list queue; /* not yet written */
	size_t gathered; /* jobs that waited in the last turn, for more like them */
	bool busy; /* writing on the loop, or calling back */
	struct offload *offload;
	struct offload_job writing;
	bool away; /* the batch is the other thread's */
	struct batch batch;
	struct arena *arena, *apart_arena; /* of the job that is writing; on the other thread */
};

/* ---- lists ---- */

static void list_init(struct job_list *list)
{
	list->first = NULL;
	list->end = &list->first;
	list->count = 0;
}

static void list_append(struct job_list *list, struct commit_job *job)
{
	job->next = NULL;
	*list->end = job;
	list->end = &job->next;
	list->count++;
}

static struct commit_job *list_take(struct job_list *list)
{
	struct commit_job *job = list->first;

	list->first = job->next;
	list->count--;
	if (list->first == NULL)
		list->end = &list->first;
	return job;
}

static bool list_remove(struct job_list *list, struct commit_job *job)
{
	struct commit_job **link = &list->first;

	while (*link != NULL && *link != job)
		link = &(*link)->next;
	if (*link == NULL)
		return false;
	*link = job->next;
	if (list->end == &job->next)
		list->end = link;
	list->count--;
	return true;
}

/* ---- one transaction ---- */

/* What is durable is not known any more; a new process reads it from the file (design D3). */
static _Noreturn void commit_failed(enum err err)
{
	log_error("commit-failed", "error=%s why=\"%s\" effect=\"the process ends\"", err_name(err),
		err_text(err));
	_exit(COMMIT_EXIT_CODE);
}

static void must(enum err err)
{
	if (err != ERR_OK)
		commit_failed(err);
}

/* A lone job needs no child transaction: when it fails there is nothing to keep. */
static void job_write(
	struct commit *commit, struct commit_job *job, struct cache_write *write, bool alone)
{
	struct arena *arena = commit->away ? commit->apart_arena : commit->arena;

	if (!alone)
		must(cache_part_begin(write));
	job->err = job->write(job->ctx, write, arena);
	arena_reset(arena);
	if (alone)
		return;
	if (job->err == ERR_OK)
		must(cache_part_keep(write));
	else
		cache_part_undo(write);
}

static bool is_bulk(const struct commit_job *job)
{
	return job->record_count >= COMMIT_BULK_MIN;
}

/* A row of jobs for the other thread begins the queue, and one of them is long. */
static bool is_apart(const struct commit *commit)
{
	const struct commit_job *job = commit->queue.first;

	while (job != NULL && job->apart && !is_bulk(job))
		job = job->next;
	return job != NULL && job->apart;
}

/* Moves what one transaction may hold from the queue to the batch: at least one job. */
static void batch_take(struct commit *commit, bool apart)
{
	struct batch *batch = &commit->batch;
	size_t records_max = apart ? COMMIT_APART_RECORDS_MAX : COMMIT_RECORDS_MAX;
	size_t record_count = 0;

	*batch = (struct batch){ 0 };
	list_init(&batch->jobs);
	while (batch->jobs.count < COMMIT_JOBS_MAX && commit->queue.count > 0 &&
		record_count < records_max) {
		const struct commit_job *next = commit->queue.first;

		/* Neither takes along what is the other one's. */
		if (batch->jobs.count > 0 && (apart ? !next->apart : next->apart && is_bulk(next)))
			break;
		record_count += next->record_count;
		list_append(&batch->jobs, list_take(&commit->queue));
	}
}

/* On the loop or on the other thread. */
static void batch_write(void *ctx)
{
	struct commit *commit = ctx;
	struct batch *batch = &commit->batch;
	bool alone = batch->jobs.count == 1;
	uint64_t began_us = clock_boot_us();
	struct cache_write *write;

	must(cache_write_begin(&write, commit->options.cache));
	batch->seq_before = cache_write_last_seq(write);
	for (struct commit_job *job = batch->jobs.first; job != NULL; job = job->next) {
		job_write(commit, job, write, alone);
		batch->wrote |= job->err == ERR_OK;
	}
	batch->seq = cache_write_last_seq(write);
	if (batch->wrote)
		must(cache_commit(write));
	else
		cache_abort(write);
	batch->took_us = clock_boot_us() - began_us;
}

static void batch_note(struct commit *commit)
{
	struct keystore_meter *meter = commit->options.meter;
	const struct batch *batch = &commit->batch;

	if (meter != NULL) {
		meter->commits++;
		meter->committed += batch->jobs.count;
		histogram_note(&meter->commit_took, batch->took_us);
	}
	if (batch->seq != batch->seq_before && commit->options.on_logged != NULL)
		commit->options.on_logged(commit->options.ctx, batch->seq);
}

static void batch_end(struct commit *commit)
{
	struct job_list *jobs = &commit->batch.jobs;

	commit->busy = true;
	if (commit->batch.wrote)
		batch_note(commit);
	while (jobs->count > 0) {
		struct commit_job *job = list_take(jobs);

		job->queued = false;
		job->on_committed(job->ctx, job->err);
	}
	commit->busy = false;
}

/* Gives the number of jobs that it ended. */
static size_t batch_run(struct commit *commit)
{
	size_t count;

	ASSERT(!commit->busy && !commit->away);
	batch_take(commit, false);
	count = commit->batch.jobs.count;
	commit->busy = true;
	batch_write(commit);
	batch_end(commit);
	return count;
}

static void commit_poke(struct commit *commit)
{
	if (commit->queue.count > 0 && !commit->away)
		loop_defer(commit->options.loop, &commit->task);
}

static void batch_send_away(struct commit *commit)
{
	enum err err;

	ASSERT(!commit->busy && !commit->away);
	batch_take(commit, true);
	commit->away = true;
	err = offload_start(commit->offload, &commit->writing);
	ASSERT(err == ERR_OK); /* it has no other job */
}

static void commit_on_written(void *ctx)
{
	struct commit *commit = ctx;

	ASSERT(!commit->busy && commit->away);
	commit->away = false;
	batch_end(commit);
	commit_poke(commit);
}

/* What a peer sends in bulk comes in pieces, a few in each turn: they gather while every turn
 * brings more, there is room for it, and nobody else waits. */
static bool batch_grows(struct commit *commit, bool apart)
{
	size_t records_max = apart ? COMMIT_APART_RECORDS_MAX : COMMIT_RECORDS_MAX;
	bool grew = commit->queue.count > commit->gathered;
	size_t record_count = 0;

	for (struct commit_job *job = commit->queue.first;
		job != NULL && record_count < records_max; job = job->next) {
		if (!is_bulk(job))
			return false;
		record_count += job->record_count;
	}
	commit->gathered = commit->queue.count;
	return grew && record_count < records_max && commit->queue.count < COMMIT_JOBS_MAX;
}

static void commit_on_turn(void *ctx)
{
	struct commit *commit = ctx;
	bool apart = is_apart(commit);

	if (commit->queue.count > 0 && !commit->away && !batch_grows(commit, apart)) {
		commit->gathered = 0;
		if (apart)
			batch_send_away(commit);
		else
			(void) batch_run(commit);
	}
	commit_poke(commit);
}

/* ---- the contract ---- */

enum err commit_new(struct commit **out, const struct commit_options *options)
{
	struct commit *commit = calloc(1, sizeof(*commit));
	enum err err;

	*out = NULL;
	if (commit == NULL)
		return ERR_NOMEM;
	commit->options = *options;
	list_init(&commit->queue);
	list_init(&commit->batch.jobs);
	loop_task_init(&commit->task, commit_on_turn, commit);
	commit->writing = (struct offload_job){
		.work = batch_write, .on_done = commit_on_written, .ctx = commit
	};
	TRY(arena_new(&commit->arena, COMMIT_ARENA_MAX));
	/* Locking and unlocking memory for each job would cost as much as writing it. */
	TRY(arena_new_public(&commit->apart_arena, COMMIT_ARENA_MAX));
	TRY(offload_new(&commit->offload, options->loop));
	*out = commit;
	commit = NULL;
out:
	commit_free(commit);
	return err;
}

void commit_free(struct commit *commit)
{
	if (commit == NULL)
		return;
	ASSERT(!commit->busy);
	offload_free(commit->offload);
	loop_task_cancel(&commit->task);
	arena_free(commit->apart_arena);
	arena_free(commit->arena);
	free(commit);
}

void commit_set_on_logged(
	struct commit *commit, void (*on_logged)(void *ctx, uint64_t last_seq), void *ctx)
{
	commit->options.on_logged = on_logged;
	commit->options.ctx = ctx;
}

enum err commit_start(struct commit *commit, struct commit_job *job)
{
	ASSERT(!job->queued);
	if (commit->queue.count >= COMMIT_QUEUE_MAX)
		return ERR_LIMIT;
	job->queued = true;
	job->err = ERR_OK;
	list_append(&commit->queue, job);
	commit_poke(commit);
	return ERR_OK;
}

void commit_cancel(struct commit *commit, struct commit_job *job)
{
	bool found;

	if (!job->queued)
		return;
	found = list_remove(&commit->queue, job);
	if (!found && commit->away)
		offload_wait(commit->offload);
	found = found || list_remove(&commit->batch.jobs, job);
	ASSERT(found);
	job->queued = false;
}

void commit_flush(struct commit *commit)
{
	size_t waiting;

	if (commit->away)
		offload_finish(commit->offload);
	waiting = commit->queue.count;
	for (size_t done = 0; done < waiting && commit->queue.count > 0;)
		done += batch_run(commit);
}
