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

struct commit {
	struct commit_options options;
	struct arena *arena; /* of the job that is writing */
	struct loop_task task;
	struct job_list queue; /* not yet written */
	struct job_list done; /* written, to be called back */
	size_t gathered; /* jobs that waited in the last turn, for more like them */
	bool busy; /* writing or calling back */
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
	if (!alone)
		must(cache_part_begin(write));
	job->err = job->write(job->ctx, write, commit->arena);
	arena_reset(commit->arena);
	if (alone)
		return;
	if (job->err == ERR_OK)
		must(cache_part_keep(write));
	else
		cache_part_undo(write);
}

static void batch_note(struct commit *commit, size_t jobs, uint64_t took_us)
{
	struct keystore_meter *meter = commit->options.meter;

	if (meter == NULL)
		return;
	meter->commits++;
	meter->committed += jobs;
	histogram_note(&meter->commit_took, took_us);
}

/* Moves what one transaction may hold from the queue to the done list: at least one job. */
static void batch_write(struct commit *commit)
{
	bool alone = commit->queue.count == 1, wrote = false;
	size_t record_count = 0;
	struct cache_write *write;
	uint64_t seq_before, seq, began_us = clock_boot_us();
	size_t done_before = commit->done.count;

	must(cache_write_begin(&write, commit->options.cache));
	seq_before = cache_write_last_seq(write);
	for (size_t i = 0;
		i < COMMIT_JOBS_MAX && commit->queue.count > 0 && record_count < COMMIT_RECORDS_MAX;
		i++) {
		struct commit_job *job = list_take(&commit->queue);

		record_count += job->record_count;
		job_write(commit, job, write, alone);
		wrote |= job->err == ERR_OK;
		list_append(&commit->done, job);
	}
	seq = cache_write_last_seq(write);
	if (!wrote) {
		cache_abort(write);
		return;
	}
	must(cache_commit(write));
	batch_note(commit, commit->done.count - done_before, clock_boot_us() - began_us);
	if (seq != seq_before && commit->options.on_logged != NULL)
		commit->options.on_logged(commit->options.ctx, seq);
}

/* Gives the number of jobs that it ended. */
static size_t batch_run(struct commit *commit)
{
	size_t count;

	ASSERT(!commit->busy);
	commit->busy = true;
	batch_write(commit);
	count = commit->done.count;
	while (commit->done.count > 0) {
		struct commit_job *job = list_take(&commit->done);

		job->queued = false;
		job->on_committed(job->ctx, job->err);
	}
	commit->busy = false;
	return count;
}

static void commit_poke(struct commit *commit)
{
	if (commit->queue.count > 0)
		loop_defer(commit->options.loop, &commit->task);
}

/* What a peer sends in bulk comes in pieces, a few in each turn: they gather while every turn
 * brings more, there is room for it, and nobody else waits. */
static bool batch_grows(struct commit *commit)
{
	bool grew = commit->queue.count > commit->gathered;
	size_t record_count = 0;

	for (struct commit_job *job = commit->queue.first;
		job != NULL && record_count < COMMIT_RECORDS_MAX; job = job->next) {
		if (job->record_count < COMMIT_BULK_MIN)
			return false;
		record_count += job->record_count;
	}
	commit->gathered = commit->queue.count;
	return grew && record_count < COMMIT_RECORDS_MAX && commit->queue.count < COMMIT_JOBS_MAX;
}

static void commit_on_turn(void *ctx)
{
	struct commit *commit = ctx;

	if (commit->queue.count > 0 && !batch_grows(commit)) {
		(void) batch_run(commit);
		commit->gathered = 0;
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
	list_init(&commit->done);
	loop_task_init(&commit->task, commit_on_turn, commit);
	TRY(arena_new(&commit->arena, COMMIT_ARENA_MAX));
	*out = commit;
	commit = NULL;
out:
	free(commit);
	return err;
}

void commit_free(struct commit *commit)
{
	if (commit == NULL)
		return;
	ASSERT(!commit->busy);
	loop_task_cancel(&commit->task);
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
	found = list_remove(&commit->queue, job) || list_remove(&commit->done, job);
	ASSERT(found);
	job->queued = false;
}

void commit_flush(struct commit *commit)
{
	size_t waiting = commit->queue.count;

	for (size_t done = 0; done < waiting && commit->queue.count > 0;)
		done += batch_run(commit);
}
