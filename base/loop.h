/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop of a process: descriptors, timers, signals, deferred work. One process has one
 * loop and every object of it lives there. libevent stays behind this header. Nothing here calls
 * back from inside a start.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_timer;
struct loop_io;
struct loop_signal;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

MUST_USE enum err loop_new(struct loop **out);
void loop_free(struct loop *loop);
/* Until loop_stop; ERR_SYS when the backend fails. */
MUST_USE enum err loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
/* Boot time in ms, read once per turn of the loop. */
uint64_t loop_now_ms(const struct loop *loop);
/* Called when a turn took longer than gap_ms (design D3); one watcher per loop. */
void loop_watch_gap(
	struct loop *loop, uint32_t gap_ms, void (*on_gap)(void *ctx, uint64_t gap_ms), void *ctx);

/* Timers fire once per loop_timer_set; setting again replaces the deadline; stop and free are safe
 * in any state. */
MUST_USE enum err loop_timer_new(
	struct loop_timer **out, struct loop *loop, void (*on_fire)(void *ctx), void *ctx);
void loop_timer_set(struct loop_timer *timer, uint64_t delay_ms);
void loop_timer_stop(struct loop_timer *timer);
bool loop_timer_is_set(const struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer);

/* Watches a descriptor (borrowed). `events` in on_ready is what is ready, of what was wanted.
 * Starts wanting nothing.
 */
MUST_USE enum err loop_io_new(struct loop_io **out, struct loop *loop, int fd,
	void (*on_ready)(void *ctx, unsigned events), void *ctx);
void loop_io_want(struct loop_io *io, unsigned events);
void loop_io_free(struct loop_io *io);

MUST_USE enum err loop_signal_new(struct loop_signal **out, struct loop *loop, int signal_number,
	void (*on_signal)(void *ctx), void *ctx);
void loop_signal_free(struct loop_signal *signal);

/* Work for the next turn. Embedded by the caller, so that deferring cannot fail; at most once in
 * the queue. */
struct loop_task {
	void (*run)(void *ctx);
	void *ctx;
	struct loop_task *next, *previous;
	struct loop *loop; /* set while queued */
};
void loop_task_init(struct loop_task *task, void (*run)(void *ctx), void *ctx);
void loop_defer(struct loop *loop, struct loop_task *task);
void loop_task_cancel(struct loop_task *task);

#endif
