/* SPDX-License-Identifier: Apache-2.0 */
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
