/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include "base/clock.h"

enum { LOOP_TIMERS_FIRST = 16 };

/*
 * Timers are a heap of our own on one CLOCK_BOOTTIME timerfd, since libevent's clock stands still
 * while the machine sleeps. The heap has room for every timer that exists, so setting cannot fail.
 */
struct loop {
	struct event_base *base;
	struct event timer_event;
	int timer_fd;
	uint64_t armed_ms; /* what the timerfd waits for; UINT64_MAX: nothing */
	struct loop_timer **heap; /* the set timers, earliest deadline first */
	size_t heap_len, heap_cap;
	size_t timer_count; /* set or not */
	struct loop_task queue; /* sentinel of a ring */
	uint64_t now_ms;
	uint64_t idle_since_ms; /* end of the turn before */
	bool running, stopping;
	bool in_turn; /* now_ms is of this turn */
	uint32_t gap_ms;
	void (*on_gap)(void *ctx, uint64_t gap_ms);
	void *gap_ctx;
};

struct loop_timer {
	struct loop *loop;
	void (*on_fire)(void *ctx);
	void *ctx;
	uint64_t deadline_ms;
	size_t at; /* index in the heap */
	bool set;
};

struct loop_io {
	struct loop *loop;
	struct event read_event, write_event;
	unsigned wanted;
	void (*on_ready)(void *ctx, unsigned events);
	void *ctx;
};

struct loop_signal {
	struct loop *loop;
	struct event event;
	void (*on_signal)(void *ctx);
	void *ctx;
};

/* The heap of set timers. */

static bool heap_before(const struct loop *loop, size_t a, size_t b)
{
	return loop->heap[a]->deadline_ms < loop->heap[b]->deadline_ms;
}

static void heap_swap(struct loop *loop, size_t a, size_t b)
{
	struct loop_timer *timer = loop->heap[a];

	loop->heap[a] = loop->heap[b];
	loop->heap[b] = timer;
	loop->heap[a]->at = a;
	loop->heap[b]->at = b;
}

static void heap_rise(struct loop *loop, size_t at)
{
	while (at > 0 && heap_before(loop, at, (at - 1) / 2)) {
		heap_swap(loop, at, (at - 1) / 2);
		at = (at - 1) / 2;
	}
}

static void heap_sink(struct loop *loop, size_t at)
{
	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= loop->heap_len)
			return;
		if (child + 1 < loop->heap_len && heap_before(loop, child + 1, child))
			child++;
		if (!heap_before(loop, child, at))
			return;
		heap_swap(loop, at, child);
		at = child;
	}
}

static void heap_add(struct loop *loop, struct loop_timer *timer)
{
	ASSERT(loop->heap_len < loop->heap_cap);
	timer->at = loop->heap_len;
	loop->heap[loop->heap_len++] = timer;
	heap_rise(loop, timer->at);
}

static void heap_remove(struct loop *loop, size_t at)
{
	size_t last = loop->heap_len - 1;

	heap_swap(loop, at, last);
	loop->heap_len--;
	if (at < last) {
		heap_rise(loop, at);
		heap_sink(loop, at);
	}
}

/* The turn. */

static void report_gap(struct loop *loop, uint64_t since_ms, uint64_t until_ms)
{
	if (loop->on_gap != NULL && until_ms > since_ms && until_ms - since_ms > loop->gap_ms)
		loop->on_gap(loop->gap_ctx, until_ms - since_ms);
}

/* Every callback comes through here: the first of a turn reads the clock. */
static void turn_begin(struct loop *loop)
{
	uint64_t due_ms;

	if (loop->in_turn)
		return;
	loop->in_turn = true;
	loop->now_ms = clock_boot_ms();
	/* A timer served late means that the process stood still while it waited. */
	due_ms = loop->heap_len > 0 ? loop->heap[0]->deadline_ms : UINT64_MAX;
	if (due_ms < loop->idle_since_ms)
		due_ms = loop->idle_since_ms;
	report_gap(loop, due_ms, loop->now_ms);
}

static void turn_end(struct loop *loop)
{
	loop->idle_since_ms = clock_boot_ms();
	if (loop->in_turn)
		report_gap(loop, loop->now_ms, loop->idle_since_ms);
	loop->in_turn = false;
}

static void on_timer_fd(evutil_socket_t fd, short what, void *ctx)
{
	struct loop *loop = ctx;
	uint64_t expirations;

	(void) what;
	turn_begin(loop);
	(void) !read(fd, &expirations, sizeof(expirations));
	loop->armed_ms = UINT64_MAX;
	/* Ends: what a callback sets is due after now_ms. */
	while (loop->heap_len > 0 && loop->heap[0]->deadline_ms <= loop->now_ms) {
		struct loop_timer *timer = loop->heap[0];

		heap_remove(loop, 0);
		timer->set = false;
		timer->on_fire(timer->ctx);
	}
}

static enum err arm_timer_fd(struct loop *loop)
{
	uint64_t due_ms = loop->heap_len > 0 ? loop->heap[0]->deadline_ms : UINT64_MAX;
	struct itimerspec when = { .it_value = { 0, 0 } };

	if (due_ms == loop->armed_ms)
		return ERR_OK;
	if (due_ms != UINT64_MAX) {
		when.it_value.tv_sec = (time_t) (due_ms / 1000);
		when.it_value.tv_nsec = (long) (due_ms % 1000 * 1000000);
	}
	if (timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &when, NULL) != 0)
		return ERR_SYS;
	loop->armed_ms = due_ms;
	return ERR_OK;
}

static bool has_tasks(const struct loop *loop)
{
	return loop->queue.next != &loop->queue;
}

/* Runs what was queued before the call; what these queue waits for the next turn. */
static void run_tasks(struct loop *loop)
{
	struct loop_task mark;

	if (!has_tasks(loop))
		return;
	turn_begin(loop);
	loop_task_init(&mark, NULL, NULL);
	loop_defer(loop, &mark);
	while (loop->queue.next != &mark) {
		struct loop_task *task = loop->queue.next;

		loop_task_cancel(task);
		task->run(task->ctx);
	}
	loop_task_cancel(&mark);
}

static enum err loop_turn(struct loop *loop)
{
	enum err err;
	int flags;

	run_tasks(loop);
	/* Time spent waiting is no part of the turn. */
	turn_end(loop);
	if (loop->stopping)
		return ERR_OK;
	TRY(arm_timer_fd(loop));
	flags = EVLOOP_ONCE | (has_tasks(loop) ? EVLOOP_NONBLOCK : 0);
	TRY(event_base_loop(loop->base, flags) < 0 ? ERR_SYS : ERR_OK);
out:
	return err;
}

enum err loop_run(struct loop *loop)
{
	enum err err = ERR_OK;

	loop->running = true;
	loop->idle_since_ms = clock_boot_ms();
	while (!loop->stopping && err == ERR_OK)
		err = loop_turn(loop);
	turn_end(loop);
	loop->running = false;
	loop->stopping = false;
	return err;
}

void loop_stop(struct loop *loop)
{
	loop->stopping = true;
}

uint64_t loop_now_ms(const struct loop *loop)
{
	return loop->in_turn ? loop->now_ms : clock_boot_ms();
}

void loop_watch_gap(
	struct loop *loop, uint32_t gap_ms, void (*on_gap)(void *ctx, uint64_t gap_ms), void *ctx)
{
	loop->gap_ms = gap_ms;
	loop->on_gap = on_gap;
	loop->gap_ctx = ctx;
}

enum err loop_new(struct loop **out)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	enum err err;

	*out = NULL;
	if (loop == NULL)
		return ERR_NOMEM;
	loop->queue.next = loop->queue.previous = &loop->queue;
	loop->armed_ms = UINT64_MAX;
	loop->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	TRY(loop->timer_fd < 0 ? ERR_SYS : ERR_OK);
	loop->base = event_base_new();
	TRY(loop->base == NULL ? ERR_SYS : ERR_OK);
	TRY(event_assign(&loop->timer_event, loop->base, loop->timer_fd, EV_READ | EV_PERSIST,
		    on_timer_fd, loop) != 0
			? ERR_SYS
			: ERR_OK);
	TRY(event_add(&loop->timer_event, NULL) != 0 ? ERR_SYS : ERR_OK);
	/* A peer that has gone shows as EPIPE where we write. */
	TRY(signal(SIGPIPE, SIG_IGN) == SIG_ERR ? ERR_SYS : ERR_OK);
	*out = loop;
	loop = NULL;
out:
	loop_free(loop);
	return err;
}

void loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	ASSERT(!loop->running);
	while (has_tasks(loop))
		loop_task_cancel(loop->queue.next);
	if (loop->base != NULL) {
		if (event_initialized(&loop->timer_event))
			(void) event_del(&loop->timer_event);
		event_base_free(loop->base);
	}
	if (loop->timer_fd >= 0)
		(void) close(loop->timer_fd);
	free(loop->heap);
	free(loop);
}

/* Timers. */

enum err loop_timer_new(
	struct loop_timer **out, struct loop *loop, void (*on_fire)(void *ctx), void *ctx)
{
	struct loop_timer *timer;

	*out = NULL;
	if (loop->timer_count == loop->heap_cap) {
		size_t cap = loop->heap_cap == 0 ? LOOP_TIMERS_FIRST : loop->heap_cap * 2;
		struct loop_timer **heap =
			reallocarray(loop->heap, cap, sizeof(struct loop_timer *));
		if (heap == NULL)
			return ERR_NOMEM;
		loop->heap = heap;
		loop->heap_cap = cap;
	}
	timer = calloc(1, sizeof(*timer));
	if (timer == NULL)
		return ERR_NOMEM;
	*timer = (struct loop_timer){ .loop = loop, .on_fire = on_fire, .ctx = ctx };
	loop->timer_count++;
	*out = timer;
	return ERR_OK;
}

void loop_timer_set(struct loop_timer *timer, uint64_t delay_ms)
{
	uint64_t now_ms = clock_boot_ms();

	loop_timer_stop(timer);
	/* Never due in the turn that sets it: a timer that sets itself must not hold the loop. */
	if (delay_ms == 0)
		delay_ms = 1;
	timer->deadline_ms = delay_ms > INT64_MAX - now_ms ? INT64_MAX : now_ms + delay_ms;
	timer->set = true;
	heap_add(timer->loop, timer);
}

void loop_timer_stop(struct loop_timer *timer)
{
	if (!timer->set)
		return;
	heap_remove(timer->loop, timer->at);
	timer->set = false;
}

bool loop_timer_is_set(const struct loop_timer *timer)
{
	return timer->set;
}

void loop_timer_free(struct loop_timer *timer)
{
	if (timer == NULL)
		return;
	loop_timer_stop(timer);
	timer->loop->timer_count--;
	free(timer);
}

/* Descriptors: an event for each direction, so that one can come and go without the other. */

static void on_fd_ready(evutil_socket_t fd, short what, void *ctx)
{
	struct loop_io *io = ctx;

	(void) fd;
	turn_begin(io->loop);
	io->on_ready(io->ctx, (what & EV_READ) != 0 ? LOOP_READ : LOOP_WRITE);
}

/* Adding once allocates libevent's place for the descriptor, so that loop_io_want does not. */
static enum err watch_start(struct event *event, struct loop_io *io, int fd, short what)
{
	if (event_assign(event, io->loop->base, fd, (short) (what | EV_PERSIST), on_fd_ready, io) !=
			0 ||
		event_add(event, NULL) != 0 || event_del(event) != 0)
		return ERR_SYS;
	return ERR_OK;
}

enum err loop_io_new(struct loop_io **out, struct loop *loop, int fd,
	void (*on_ready)(void *ctx, unsigned events), void *ctx)
{
	struct loop_io *io = calloc(1, sizeof(*io));
	enum err err;

	*out = NULL;
	if (io == NULL)
		return ERR_NOMEM;
	*io = (struct loop_io){ .loop = loop, .on_ready = on_ready, .ctx = ctx };
	TRY(watch_start(&io->read_event, io, fd, EV_READ));
	TRY(watch_start(&io->write_event, io, fd, EV_WRITE));
	*out = io;
	io = NULL;
out:
	free(io);
	return err;
}

static void watch_switch(struct event *event, bool on)
{
	ASSERT((on ? event_add(event, NULL) : event_del(event)) == 0);
}

void loop_io_want(struct loop_io *io, unsigned events)
{
	unsigned changed = io->wanted ^ events;

	ASSERT((events & ~(unsigned) (LOOP_READ | LOOP_WRITE)) == 0);
	if ((changed & LOOP_READ) != 0)
		watch_switch(&io->read_event, (events & LOOP_READ) != 0);
	if ((changed & LOOP_WRITE) != 0)
		watch_switch(&io->write_event, (events & LOOP_WRITE) != 0);
	io->wanted = events;
}

void loop_io_free(struct loop_io *io)
{
	if (io == NULL)
		return;
	loop_io_want(io, 0);
	free(io);
}

/* Signals. */

static void on_signal_event(evutil_socket_t fd, short what, void *ctx)
{
	struct loop_signal *watcher = ctx;

	(void) fd;
	(void) what;
	turn_begin(watcher->loop);
	watcher->on_signal(watcher->ctx);
}

enum err loop_signal_new(struct loop_signal **out, struct loop *loop, int signal_number,
	void (*on_signal)(void *ctx), void *ctx)
{
	struct loop_signal *watcher = calloc(1, sizeof(*watcher));

	*out = NULL;
	if (watcher == NULL)
		return ERR_NOMEM;
	*watcher = (struct loop_signal){ .loop = loop, .on_signal = on_signal, .ctx = ctx };
	if (event_assign(&watcher->event, loop->base, signal_number, EV_SIGNAL | EV_PERSIST,
		    on_signal_event, watcher) != 0 ||
		event_add(&watcher->event, NULL) != 0) {
		free(watcher);
		return ERR_SYS;
	}
	*out = watcher;
	return ERR_OK;
}

void loop_signal_free(struct loop_signal *watcher)
{
	if (watcher == NULL)
		return;
	(void) event_del(&watcher->event);
	free(watcher);
}

/* Deferred work: a ring, so that a task can leave it without asking where it is. */

void loop_task_init(struct loop_task *task, void (*run)(void *ctx), void *ctx)
{
	*task = (struct loop_task){ .run = run, .ctx = ctx };
}

void loop_defer(struct loop *loop, struct loop_task *task)
{
	if (task->loop != NULL)
		return;
	task->loop = loop;
	task->next = &loop->queue;
	task->previous = loop->queue.previous;
	task->previous->next = task;
	loop->queue.previous = task;
}

void loop_task_cancel(struct loop_task *task)
{
	if (task->loop == NULL)
		return;
	task->next->previous = task->previous;
	task->previous->next = task->next;
	task->loop = NULL;
	task->next = task->previous = NULL;
}
