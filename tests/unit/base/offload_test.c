/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs run on the other thread, in order, and end on the loop; too many are refused; an end in the
 * middle calls nothing. */
#include <criterion/criterion.h>
#include <pthread.h>
#include "base/offload.h"

enum { JOBS = 5 };

struct counted {
	struct offload_job job;
	struct loop *loop;
	pthread_t thread;
	int *done;
	int number;
};

static void work(void *ctx)
{
	struct counted *counted = ctx;

	counted->thread = pthread_self();
}

static void on_done(void *ctx)
{
	struct counted *counted = ctx;

	cr_assert_eq(*counted->done, counted->number);
	cr_assert_not(pthread_equal(counted->thread, pthread_self()));
	if (++*counted->done == JOBS)
		loop_stop(counted->loop);
}

Test(offload, runs_in_order)
{
	struct counted jobs[JOBS];
	struct offload *offload;
	struct loop *loop;
	int done = 0;

	cr_assert_eq(loop_new(&loop), ERR_OK);
	cr_assert_eq(offload_new(&offload, loop), ERR_OK);
	for (int i = 0; i < JOBS; i++) {
		jobs[i] = (struct counted){
			.job = { .work = work, .on_done = on_done, .ctx = &jobs[i] },
			.loop = loop,
			.done = &done,
			.number = i
		};
		cr_assert_eq(offload_start(offload, &jobs[i].job), ERR_OK);
	}
	cr_assert_eq(done, 0, "nothing ends inside a start");
	cr_assert_eq(loop_run(loop), ERR_OK);
	cr_assert_eq(done, JOBS);
	offload_free(offload);
	loop_free(loop);
}

/* Waiting lets every job end, and calls nothing yet; finishing calls all, once. */
Test(offload, waits_and_finishes)
{
	struct counted jobs[JOBS];
	struct offload *offload;
	struct loop *loop;
	int done = 0;

	cr_assert_eq(loop_new(&loop), ERR_OK);
	cr_assert_eq(offload_new(&offload, loop), ERR_OK);
	for (int i = 0; i < JOBS - 1; i++) {
		jobs[i] = (struct counted){
			.job = { .work = work, .on_done = on_done, .ctx = &jobs[i] },
			.loop = loop,
			.done = &done,
			.number = i
		};
		cr_assert_eq(offload_start(offload, &jobs[i].job), ERR_OK);
	}
	offload_wait(offload);
	cr_assert_eq(done, 0);
	offload_finish(offload);
	cr_assert_eq(done, JOBS - 1);
	jobs[0].number = JOBS - 1;
	cr_assert_eq(offload_start(offload, &jobs[0].job), ERR_OK);
	cr_assert_eq(loop_run(loop), ERR_OK);
	cr_assert_eq(done, JOBS);
	offload_free(offload);
	loop_free(loop);
}

static void never(void *ctx)
{
	(void) ctx;
	cr_assert(false, "called after the end");
}

Test(offload, is_bounded_and_ends)
{
	struct counted jobs[OFFLOAD_JOBS_MAX + 1];
	struct offload *offload;
	struct loop *loop;

	cr_assert_eq(loop_new(&loop), ERR_OK);
	cr_assert_eq(offload_new(&offload, loop), ERR_OK);
	for (int i = 0; i <= OFFLOAD_JOBS_MAX; i++) {
		jobs[i].job =
			(struct offload_job){ .work = work, .on_done = never, .ctx = &jobs[i] };
		cr_assert_eq(offload_start(offload, &jobs[i].job),
			i < OFFLOAD_JOBS_MAX ? ERR_OK : ERR_LIMIT);
	}
	offload_free(offload);
	loop_free(loop);
}
