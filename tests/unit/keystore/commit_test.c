/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/resource.h>
#include "cache_folder.h"
#include "keystore/commit.h"

enum { JOBS = 2 * COMMIT_JOBS_MAX + 3 };

static struct cache_folder folder;
static struct cache *cache;
static struct loop *loop;
static struct commit *commit;
static uint64_t logged_seq;
static size_t logged_times;
static sem_t begun, allowed;
static pthread_t loop_thread;

static void on_logged(void *ctx, uint64_t last_seq)
{
	(void) ctx;
	logged_seq = last_seq;
	logged_times++;
}

static void setup(void)
{
	struct commit_options options = { .on_logged = on_logged };
	char why[CACHE_WHY_MAX];

	cache_folder_make(&folder);
	cr_assert_eq(cache_folder_open(&cache, &folder, false, why), ERR_OK, "%s", why);
	cr_assert_eq(loop_new(&loop), ERR_OK);
	options.loop = loop;
	options.cache = cache;
	cr_assert_eq(commit_new(&commit, &options), ERR_OK);
	loop_thread = pthread_self();
	cr_assert_eq(sem_init(&begun, 0, 0), 0);
	cr_assert_eq(sem_init(&allowed, 0, 0), 0);
}

static void teardown(void)
{
	commit_free(commit);
	loop_free(loop);
	cache_close(cache);
	cache_folder_remove(&folder);
}

TestSuite(commit, .init = setup, .fini = teardown);

/* A job that records a client and, when told so, fails after it has put it. */
struct work {
	struct commit_job job;
	uint8_t number;
	enum err answer;
	bool ran, heard;
	enum err err;
	bool is_last;
	struct work *cancels;
	bool waits; /* its write, for `allowed` */
	bool on_loop; /* where it was written */
};

static struct work works[JOBS];
static size_t heard;

static enum err work_write(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct work *work = ctx;
	struct record record = { .kind = RECORD_CLIENT,
		.client = { .fingerprint = { { work->number } }, .added_at = 1 } };
	struct cache_put put = { .record = &record, .logged = true };
	enum err err;

	work->ran = true;
	work->on_loop = pthread_equal(pthread_self(), loop_thread);
	if (work->waits) {
		(void) sem_post(&begun);
		(void) sem_wait(&allowed);
	}
	TRY(cache_merge(write, arena, &put));
	err = work->answer;
out:
	return err;
}

static void work_committed(void *ctx, enum err err)
{
	struct work *work = ctx;

	work->heard = true;
	work->err = err;
	heard++;
	if (work->cancels != NULL)
		commit_cancel(commit, &work->cancels->job);
	if (work->is_last)
		loop_stop(loop);
}

static struct work *start(size_t i)
{
	struct work *work = &works[i];

	work->number = (uint8_t) (i + 1);
	work->job.write = work_write;
	work->job.on_committed = work_committed;
	work->job.ctx = work;
	cr_assert_eq(commit_start(commit, &work->job), ERR_OK);
	return work;
}

static bool is_stored(size_t i)
{
	struct fingerprint fingerprint = { { (uint8_t) (i + 1) } };
	struct cache_read *read;
	struct client client;
	enum err err;

	cr_assert_eq(cache_read_begin(&read, cache), ERR_OK);
	err = cache_get_client(read, &fingerprint, &client);
	cache_read_end(read);
	return err == ERR_OK;
}

/* Jobs that write much share a transaction with few others, in order, and a flush ends them all. */
Test(commit, heavy_jobs_take_turns)
{
	for (size_t i = 0; i < 10; i++)
		start(i)->job.record_count = COMMIT_RECORDS_MAX / 2;
	commit_flush(commit);
	cr_assert_eq(heard, 10);
	cr_assert_eq(logged_times, 5);
	for (size_t i = 0; i < 10; i++)
		cr_assert(is_stored(i), "%zu", i);
	start(10)->job.record_count = 10 * COMMIT_RECORDS_MAX;
	start(11);
	commit_flush(commit);
	cr_assert_eq(heard, 12);
	cr_assert_eq(logged_times, 7);
}

struct piece {
	struct loop_task task;
	size_t left;
};

static void piece_start(void *ctx)
{
	struct piece *piece = ctx;

	start(--piece->left)->job.record_count = COMMIT_BULK_MIN;
	works[piece->left].is_last = piece->left == 0;
	if (piece->left > 0)
		loop_defer(loop, &piece->task);
}

/* A row of jobs of many records, one in each turn, goes into one commit; one that comes alone, or
 * beside a small one, does not wait. */
Test(commit, bulk_gathers)
{
	struct piece piece = { .left = 5 };

	loop_task_init(&piece.task, piece_start, &piece);
	loop_defer(loop, &piece.task);
	cr_assert_eq(loop_run(loop), ERR_OK);
	cr_assert_eq(heard, 5);
	cr_assert_eq(logged_times, 1);
	start(5)->job.record_count = COMMIT_BULK_MIN;
	start(6)->is_last = true;
	cr_assert_eq(loop_run(loop), ERR_OK);
	cr_assert_eq(heard, 7);
	cr_assert_eq(logged_times, 2);
}

/* Nothing happens inside the start; then all jobs are written in as few commits as the maximum
 * allows, and called back in order. */
Test(commit, gathers)
{
	for (size_t i = 0; i < JOBS; i++)
		cr_assert_not(start(i)->ran);
	works[JOBS - 1].is_last = true;
	cr_assert_eq(loop_run(loop), ERR_OK);
	cr_assert_eq(heard, JOBS);
	cr_assert_eq(logged_times, 3);
	cr_assert_eq(logged_seq, JOBS);
	for (size_t i = 0; i < JOBS; i++) {
		cr_assert_eq(works[i].err, ERR_OK);
		cr_assert(is_stored(i));
	}
}

/* A job that fails leaves nothing of its own and hurts no other; alone, there is no commit. */
Test(commit, failure_is_private)
{
	for (size_t i = 0; i < 3; i++)
		(void) start(i);
	works[1].answer = ERR_STATE;
	works[2].is_last = true;
	cr_assert_eq(loop_run(loop), ERR_OK);
	cr_assert_eq(works[1].err, ERR_STATE);
	cr_assert(is_stored(0));
	cr_assert_not(is_stored(1));
	cr_assert(is_stored(2));
	cr_assert_eq(logged_seq, 2);
	works[3].answer = ERR_STATE;
	start(3)->is_last = true;
	cr_assert_eq(loop_run(loop), ERR_OK);
	cr_assert_eq(works[3].err, ERR_STATE);
	cr_assert_not(is_stored(3));
	cr_assert_eq(logged_times, 1);
}

/* A cancelled job is not written; one that was written already is only not called back. */
Test(commit, cancel)
{
	for (size_t i = 0; i < 4; i++)
		(void) start(i);
	commit_cancel(commit, &works[0].job);
	commit_cancel(commit, &works[0].job);
	works[1].cancels = &works[2];
	works[3].is_last = true;
	cr_assert_eq(loop_run(loop), ERR_OK);
	cr_assert_not(works[0].ran);
	cr_assert(works[2].ran);
	cr_assert_not(works[2].heard);
	cr_assert(is_stored(2));
	cr_assert_eq(heard, 2);
}

/* A clean stop commits at once, without the loop. */
Test(commit, flush)
{
	for (size_t i = 0; i < JOBS; i++)
		(void) start(i);
	commit_flush(commit);
	cr_assert_eq(heard, JOBS);
	cr_assert(is_stored(JOBS - 1));
	commit_flush(commit);
}

/* ---- on the other thread ---- */

static struct work *start_apart(size_t i, size_t record_count)
{
	struct work *work = start(i);

	work->job.apart = true;
	work->job.record_count = record_count;
	return work;
}

static void allow(void *ctx)
{
	(void) ctx;
	cr_assert_eq(sem_wait(&begun), 0);
	cr_assert_not(works[0].heard);
	cr_assert_eq(sem_post(&allowed), 0);
}

/* The loop goes on while a bulk job is written, which here waits for just that; who is behind it
 * is written in its turn, on the loop; all hear of it in order. */
Test(commit, bulk_does_not_hold_the_loop)
{
	struct loop_timer *timer;

	start_apart(0, COMMIT_BULK_MIN)->waits = true;
	cr_assert_eq(loop_timer_new(&timer, loop, allow, NULL), ERR_OK);
	loop_timer_set(timer, 1);
	start(1);
	start_apart(2, 1)->is_last = true;
	cr_assert_eq(loop_run(loop), ERR_OK);
	cr_assert_not(works[0].on_loop);
	cr_assert(works[1].on_loop);
	cr_assert(works[2].on_loop, "it is short");
	cr_assert_eq(heard, 3);
	cr_assert_eq(logged_times, 2);
	for (size_t i = 0; i < 3; i++)
		cr_assert(is_stored(i), "%zu", i);
	loop_timer_free(timer);
}

/* Short ones of a row go along with long ones; others, on either side, do not. One that fails
 * leaves nothing and hurts no other. */
Test(commit, a_row_goes_together)
{
	start(0);
	start_apart(1, 1);
	start_apart(2, COMMIT_BULK_MIN);
	start_apart(3, 1)->answer = ERR_STATE;
	start_apart(4, COMMIT_BULK_MIN);
	start(5)->is_last = true;
	cr_assert_eq(loop_run(loop), ERR_OK);
	for (size_t i = 0; i < 6; i++) {
		cr_assert_eq(works[i].on_loop, i < 2 || i == 5, "%zu", i);
		cr_assert_eq(is_stored(i), i != 3, "%zu", i);
		cr_assert_eq(works[i].err, i == 3 ? ERR_STATE : ERR_OK, "%zu", i);
	}
	cr_assert_eq(logged_times, 3);
}

/* More than one transaction holds is written in several. */
Test(commit, bulk_is_bounded)
{
	for (size_t i = 0; i < 9; i++)
		start_apart(i, COMMIT_APART_RECORDS_MAX / 4);
	works[8].is_last = true;
	cr_assert_eq(loop_run(loop), ERR_OK);
	cr_assert_eq(heard, 9);
	cr_assert_eq(logged_times, 3);
}

static void cancel_away(void *ctx)
{
	allow(ctx);
	commit_cancel(commit, &works[0].job);
	cr_assert_not(works[0].job.queued);
	cr_assert_not(works[1].heard, "ends come from the loop");
}

/* A job that is being written is waited for; it is stored, and only not called back. */
Test(commit, cancel_while_away)
{
	struct loop_timer *timer;

	start_apart(0, COMMIT_BULK_MIN)->waits = true;
	start_apart(1, 1)->is_last = true;
	cr_assert_eq(loop_timer_new(&timer, loop, cancel_away, NULL), ERR_OK);
	loop_timer_set(timer, 1);
	cr_assert_eq(loop_run(loop), ERR_OK);
	cr_assert_not(works[0].heard);
	cr_assert(works[1].heard);
	cr_assert(is_stored(0));
	loop_timer_free(timer);
}

static void flush_away(void *ctx)
{
	allow(ctx);
	commit_flush(commit);
	cr_assert_eq(heard, 2);
	loop_stop(loop);
}

/* A clean stop waits for the other thread, then commits the rest itself; nothing ends twice. */
Test(commit, flush_while_away)
{
	struct loop_timer *timer;

	start_apart(0, COMMIT_BULK_MIN)->waits = true;
	start(1);
	cr_assert_eq(loop_timer_new(&timer, loop, flush_away, NULL), ERR_OK);
	loop_timer_set(timer, 1);
	cr_assert_eq(loop_run(loop), ERR_OK);
	start(2)->is_last = true;
	cr_assert_eq(loop_run(loop), ERR_OK);
	cr_assert_eq(heard, 3);
	cr_assert(is_stored(2));
	loop_timer_free(timer);
}

static void end_away(void *ctx)
{
	allow(ctx);
	loop_stop(loop);
}

/* An end in the middle waits for what is being written, and calls nothing. */
Test(commit, ends_while_away)
{
	struct loop_timer *timer;

	start_apart(0, COMMIT_BULK_MIN)->waits = true;
	cr_assert_eq(loop_timer_new(&timer, loop, end_away, NULL), ERR_OK);
	loop_timer_set(timer, 1);
	cr_assert_eq(loop_run(loop), ERR_OK);
	loop_timer_free(timer);
	commit_free(commit);
	commit = NULL;
	cr_assert(is_stored(0));
	cr_assert_not(works[0].heard);
}

static enum err nothing(void *ctx, struct cache_write *write, struct arena *arena)
{
	(void) ctx;
	(void) write;
	(void) arena;
	return ERR_OK;
}

static void unheard(void *ctx, enum err err)
{
	(void) ctx;
	(void) err;
}

/* The queue has a maximum. */
Test(commit, queue_is_bounded)
{
	struct commit_job *jobs = calloc(COMMIT_QUEUE_MAX + 1, sizeof(*jobs));

	for (size_t i = 0; i <= COMMIT_QUEUE_MAX; i++) {
		jobs[i].write = nothing;
		jobs[i].on_committed = unheard;
		cr_assert_eq(
			commit_start(commit, &jobs[i]), i < COMMIT_QUEUE_MAX ? ERR_OK : ERR_LIMIT);
	}
	commit_flush(commit);
	free(jobs);
}

/* A commit that the disk refuses ends the process: what is durable is not known any more. */
Test(commit, failure_ends_the_process, .exit_code = COMMIT_EXIT_CODE)
{
	struct rlimit none = { 0, 0 };

	(void) signal(SIGXFSZ, SIG_IGN);
	(void) start(0);
	/* The open files live on; there is no teardown after an exit. */
	cache_folder_remove(&folder);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
	commit_flush(commit);
	cr_assert_fail("still alive");
}
