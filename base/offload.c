/* SPDX-License-Identifier: Apache-2.0 */
#include "base/offload.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* First in, first out. */
struct job_queue {
	struct offload_job *first;
	struct offload_job **last;
};

struct offload {
	struct loop_io *io;
	int done_fd;
	pthread_t thread;
	bool has_thread;
	size_t count; /* the loop's */

	pthread_mutex_t mutex; /* for all below */
	pthread_cond_t wake, idle;
	struct job_queue waiting, done;
	bool is_running, is_ending;
};

static void queue_init(struct job_queue *queue)
{
	queue->first = NULL;
	queue->last = &queue->first;
}

static void queue_put(struct job_queue *queue, struct offload_job *job)
{
	job->next = NULL;
	*queue->last = job;
	queue->last = &job->next;
}

static struct offload_job *queue_take(struct job_queue *queue)
{
	struct offload_job *job = queue->first;

	if (job == NULL)
		return NULL;
	queue->first = job->next;
	if (queue->first == NULL)
		queue->last = &queue->first;
	return job;
}

static void *offload_run(void *ctx)
{
	struct offload *offload = ctx;
	uint64_t one = 1;

	pthread_mutex_lock(&offload->mutex);
	while (!offload->is_ending) {
		struct offload_job *job = queue_take(&offload->waiting);

		if (job == NULL) {
			pthread_cond_wait(&offload->wake, &offload->mutex);
			continue;
		}
		offload->is_running = true;
		pthread_mutex_unlock(&offload->mutex);
		job->work(job->ctx);
		pthread_mutex_lock(&offload->mutex);
		offload->is_running = false;
		queue_put(&offload->done, job);
		pthread_cond_signal(&offload->idle);
		while (write(offload->done_fd, &one, sizeof(one)) < 0 && errno == EINTR)
			continue;
	}
	pthread_mutex_unlock(&offload->mutex);
	return NULL;
}

static void offload_call_back(struct offload *offload)
{
	struct offload_job *job;

	pthread_mutex_lock(&offload->mutex);
	job = offload->done.first;
	queue_init(&offload->done);
	pthread_mutex_unlock(&offload->mutex);
	while (job != NULL) {
		struct offload_job *next = job->next;

		offload->count--;
		job->on_done(job->ctx);
		job = next;
	}
}

static void offload_on_done(void *ctx, unsigned events)
{
	struct offload *offload = ctx;
	uint64_t count;

	(void) events;
	if (read(offload->done_fd, &count, sizeof(count)) >= 0)
		offload_call_back(offload);
}

enum err offload_new(struct offload **out, struct loop *loop)
{
	struct offload *offload = calloc(1, sizeof(*offload));
	enum err err = offload == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	queue_init(&offload->waiting);
	queue_init(&offload->done);
	pthread_mutex_init(&offload->mutex, NULL);
	pthread_cond_init(&offload->wake, NULL);
	pthread_cond_init(&offload->idle, NULL);
	offload->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	TRY(offload->done_fd < 0 ? ERR_SYS : ERR_OK);
	TRY(loop_io_new(&offload->io, loop, offload->done_fd, offload_on_done, offload));
	loop_io_want(offload->io, LOOP_READ);
	offload->has_thread = pthread_create(&offload->thread, NULL, offload_run, offload) == 0;
	TRY(offload->has_thread ? ERR_OK : ERR_SYS);
	*out = offload;
	offload = NULL;
out:
	offload_free(offload);
	return err;
}

void offload_free(struct offload *offload)
{
	if (offload == NULL)
		return;
	if (offload->has_thread) {
		pthread_mutex_lock(&offload->mutex);
		offload->is_ending = true;
		pthread_cond_signal(&offload->wake);
		pthread_mutex_unlock(&offload->mutex);
		pthread_join(offload->thread, NULL);
	}
	loop_io_free(offload->io);
	if (offload->done_fd >= 0)
		close(offload->done_fd);
	pthread_cond_destroy(&offload->wake);
	pthread_cond_destroy(&offload->idle);
	pthread_mutex_destroy(&offload->mutex);
	free(offload);
}

enum err offload_start(struct offload *offload, struct offload_job *job)
{
	if (offload->count == OFFLOAD_JOBS_MAX)
		return ERR_LIMIT;
	offload->count++;
	pthread_mutex_lock(&offload->mutex);
	queue_put(&offload->waiting, job);
	pthread_cond_signal(&offload->wake);
	pthread_mutex_unlock(&offload->mutex);
	return ERR_OK;
}

void offload_wait(struct offload *offload)
{
	pthread_mutex_lock(&offload->mutex);
	while (offload->is_running || offload->waiting.first != NULL)
		pthread_cond_wait(&offload->idle, &offload->mutex);
	pthread_mutex_unlock(&offload->mutex);
}

void offload_finish(struct offload *offload)
{
	offload_wait(offload);
	offload_call_back(offload);
}
