/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "base/address.h"
#include "base/chan.h"
#include "base/clock.h"
#include "base/listen.h"
#include "base/log.h"

/* One loop, a deadline for every test, and a line of letters that the callbacks write. */
struct world {
	struct loop *loop;
	struct loop_timer *deadline;
	struct loop_timer *timer[2];
	struct loop_io *io;
	struct loop_task task[3];
	struct listener *listener;
	struct chan *a, *b;
	char trace[64];
	int fd[2];
	unsigned count;
	enum err why;
	uint64_t gap_ms;
};

static void note(struct world *world, char letter)
{
	size_t len = strlen(world->trace);

	cr_assert_lt(len + 1, sizeof(world->trace));
	world->trace[len] = letter;
}

static void on_deadline(void *ctx)
{
	(void) ctx;
	cr_assert_fail("the test took too long");
}

static void world_open(struct world *world)
{
	*world = (struct world){ .fd = { -1, -1 } };
	log_set_level(LOG_ERROR);
	cr_assert_eq(loop_new(&world->loop), ERR_OK);
	cr_assert_eq(loop_timer_new(&world->deadline, world->loop, on_deadline, world), ERR_OK);
	loop_timer_set(world->deadline, 10000);
}

static void world_run(struct world *world)
{
	cr_assert_eq(loop_run(world->loop), ERR_OK);
}

static void world_close(struct world *world)
{
	chan_free(world->a);
	chan_free(world->b);
	listener_free(world->listener);
	loop_io_free(world->io);
	loop_timer_free(world->timer[0]);
	loop_timer_free(world->timer[1]);
	loop_timer_free(world->deadline);
	loop_free(world->loop);
	for (int i = 0; i < 2; i++)
		if (world->fd[i] >= 0)
			close(world->fd[i]);
}

static void on_timer_a(void *ctx)
{
	note(ctx, 'a');
}

static void on_timer_stop(void *ctx)
{
	struct world *world = ctx;

	note(world, 's');
	loop_timer_free(world->timer[1]);
	world->timer[1] = NULL;
	loop_stop(world->loop);
}

/* Timers fire once, in the order of their deadlines; one frees itself in its callback. */
Test(loop, timers_in_order)
{
	struct world world;
	uint64_t begin_ms = clock_boot_ms();

	world_open(&world);
	cr_assert_eq(loop_timer_new(&world.timer[0], world.loop, on_timer_a, &world), ERR_OK);
	cr_assert_eq(loop_timer_new(&world.timer[1], world.loop, on_timer_stop, &world), ERR_OK);
	loop_timer_set(world.timer[1], 20);
	loop_timer_set(world.timer[0], 60000);
	loop_timer_set(world.timer[0], 5);
	cr_assert(loop_timer_is_set(world.timer[0]));
	world_run(&world);
	cr_assert_str_eq(world.trace, "as");
	cr_assert_geq(clock_boot_ms() - begin_ms, 20);
	cr_assert(!loop_timer_is_set(world.timer[0]));
	loop_timer_stop(world.timer[0]);
	world_close(&world);
}

/* Many timers set, moved and stopped at random still fire in order. */
Test(loop, timer_heap_keeps_order)
{
	struct loop_timer *timers[200];
	struct world world;

	world_open(&world);
	srand(7);
	for (int i = 0; i < 200; i++) {
		cr_assert_eq(loop_timer_new(&timers[i], world.loop, on_deadline, NULL), ERR_OK);
		loop_timer_set(timers[i], 10000 + (uint64_t) rand() % 1000);
	}
	for (int i = 0; i < 200; i += 3)
		loop_timer_stop(timers[i]);
	for (int i = 0; i < 200; i += 2)
		loop_timer_set(timers[i], 10000 + (uint64_t) rand() % 1000);
	cr_assert_eq(loop_timer_new(&world.timer[1], world.loop, on_timer_stop, &world), ERR_OK);
	loop_timer_set(world.timer[1], 0);
	world_run(&world);
	cr_assert_str_eq(world.trace, "s");
	for (int i = 0; i < 200; i++)
		loop_timer_free(timers[i]);
	world_close(&world);
}

static void on_task_first(void *ctx)
{
	struct world *world = ctx;

	note(world, '1');
	loop_defer(world->loop, &world->task[0]);
	loop_task_cancel(&world->task[1]);
}

static void on_task_cancelled(void *ctx)
{
	note(ctx, 'x');
}

static void on_task_last(void *ctx)
{
	struct world *world = ctx;

	note(world, '3');
	if (++world->count == 2)
		loop_stop(world->loop);
	loop_defer(world->loop, &world->task[2]);
}

/* Deferred work runs in order, once; what it defers waits a turn; a cancelled task does not run. */
Test(loop, tasks_are_fifo)
{
	struct world world;

	world_open(&world);
	loop_task_init(&world.task[0], on_task_first, &world);
	loop_task_init(&world.task[1], on_task_cancelled, &world);
	loop_task_init(&world.task[2], on_task_last, &world);
	for (int i = 0; i < 3; i++) {
		loop_defer(world.loop, &world.task[i]);
		loop_defer(world.loop, &world.task[i]);
	}
	world_run(&world);
	cr_assert_str_eq(world.trace, "1313");
	world_close(&world);
}

static void on_pipe_ready(void *ctx, unsigned events)
{
	struct world *world = ctx;

	note(world, events == LOOP_READ ? 'r' : 'w');
	loop_io_free(world->io);
	world->io = NULL;
	loop_stop(world->loop);
}

/* A watcher wants nothing at first, tells what is ready, and may be freed by its own callback. */
Test(loop, io_frees_itself)
{
	struct world world;

	world_open(&world);
	cr_assert_eq(pipe(world.fd), 0);
	cr_assert_eq(
		loop_io_new(&world.io, world.loop, world.fd[0], on_pipe_ready, &world), ERR_OK);
	cr_assert_eq(write(world.fd[1], "x", 1), 1);
	loop_io_want(world.io, LOOP_READ);
	world_run(&world);
	cr_assert_str_eq(world.trace, "r");
	world_close(&world);
}

static void on_signal(void *ctx)
{
	struct world *world = ctx;

	note(world, 'g');
	loop_stop(world->loop);
}

/* Signals arrive in the loop; a broken pipe does not kill. */
Test(loop, signals)
{
	struct loop_signal *watcher;
	struct world world;

	world_open(&world);
	cr_assert_eq(loop_signal_new(&watcher, world.loop, SIGUSR1, on_signal, &world), ERR_OK);
	raise(SIGPIPE);
	raise(SIGUSR1);
	world_run(&world);
	cr_assert_str_eq(world.trace, "g");
	loop_signal_free(watcher);
	world_close(&world);
}

static void on_gap(void *ctx, uint64_t gap_ms)
{
	struct world *world = ctx;

	world->gap_ms = gap_ms;
	loop_stop(world->loop);
}

static void on_slow_task(void *ctx)
{
	uint64_t until_ms = clock_boot_ms() + 30;

	(void) ctx;
	while (clock_boot_ms() < until_ms)
		;
}

/* A turn that takes too long is reported. */
Test(loop, gap_is_reported)
{
	struct world world;

	world_open(&world);
	loop_watch_gap(world.loop, 20, on_gap, &world);
	loop_task_init(&world.task[0], on_slow_task, &world);
	loop_defer(world.loop, &world.task[0]);
	world_run(&world);
	cr_assert_geq(world.gap_ms, 29);
	world_close(&world);
}

static void on_accept(void *ctx, int fd, const char *remote)
{
	struct world *world = ctx;

	note(world, strcmp(remote, "local") == 0 ? 'l' : 't');
	close(fd);
	listener_free(world->listener);
	world->listener = NULL;
	loop_stop(world->loop);
}

static void connect_to(struct world *world, const struct sockaddr *name, socklen_t len)
{
	world->fd[1] = socket(name->sa_family, SOCK_STREAM, 0);
	cr_assert_eq(connect(world->fd[1], name, len), 0);
}

/* A TCP listener accepts; the same port a second time gets a sentence; free in callback is safe. */
Test(listen, tcp)
{
	struct sockaddr_in name;
	socklen_t len = sizeof(name);
	char why[LISTEN_WHY_MAX], address[64];
	struct world world;
	int second;

	world_open(&world);
	cr_assert_eq(listen_tcp(&world.fd[0], "127.0.0.1:0", why), ERR_OK, "%s", why);
	cr_assert_eq(getsockname(world.fd[0], (struct sockaddr *) &name, &len), 0);
	(void) snprintf(address, sizeof(address), "localhost:%u", ntohs(name.sin_port));
	(void) snprintf(address, sizeof(address), "127.0.0.1:%u", ntohs(name.sin_port));
	cr_assert_eq(listen_tcp(&second, address, why), ERR_EXISTS);
	cr_assert_not_null(strstr(why, "in use"));
	cr_assert_eq(
		listener_new(&world.listener, world.loop, world.fd[0], on_accept, &world), ERR_OK);
	listener_pause(world.listener, true);
	listener_pause(world.listener, false);
	connect_to(&world, (struct sockaddr *) &name, len);
	world_run(&world);
	cr_assert_str_eq(world.trace, "t");
	world_close(&world);
}

static enum err look_up(const char *text, char numbers[ADDRESS_TEXT_MAX])
{
	struct address_lookup *lookup;
	enum err err = address_lookup_start(&lookup, text);

	if (err != ERR_OK)
		return err;
	while ((err = address_lookup_poll(lookup, numbers)) == ERR_AGAIN)
		(void) usleep(1000);
	address_lookup_free(lookup);
	return err;
}

/* Shows that a name becomes numbers beside the loop, numbers stay what they are, and a look-up that
 * is given up leaves nothing behind that is used. */
Test(listen, looks_up_beside_the_loop)
{
	char numbers[ADDRESS_TEXT_MAX];
	struct address_lookup *lookup;

	cr_assert_eq(look_up("[::1]:5696", numbers), ERR_OK);
	cr_assert_str_eq(numbers, "[::1]:5696");
	cr_assert_eq(look_up("localhost:5696", numbers), ERR_OK);
	cr_assert(strcmp(numbers, "127.0.0.1:5696") == 0 || strcmp(numbers, "[::1]:5696") == 0);
	cr_assert_eq(look_up("no such host:5696", numbers), ERR_NOT_FOUND);
	cr_assert_eq(look_up("nowhere", numbers), ERR_CONFIG);
	cr_assert_eq(address_lookup_start(&lookup, "localhost:5696"), ERR_OK);
	address_lookup_free(lookup);
}

/* Only proper addresses pass. */
Test(listen, addresses)
{
	static const char *const bad[] = { "", ":", "127.0.0.1", ":80", "127.0.0.1:", "::1:80",
		"[::1:80", "127.0.0.1:65536", "127.0.0.1:-1", "[]:80" };
	struct address found;
	char why[LISTEN_WHY_MAX];
	int fd;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(address_resolve(&found, bad[i]), ERR_CONFIG, "%s", bad[i]);
	cr_assert_eq(address_resolve(&found, "[::1]:80"), ERR_OK);
	cr_assert_eq(found.storage.ss_family, AF_INET6);
	cr_assert_eq(address_resolve(&found, "localhost:80"), ERR_OK);
	cr_assert_eq(listen_tcp(&fd, "nonsense", why), ERR_CONFIG);
	cr_assert_eq(listen_tcp(&fd, "192.0.2.1:0", why), ERR_SYS);
	cr_assert_not_null(strstr(why, "does not have that address"));
}

/* A UNIX listener takes the place of a dead socket file, not of a living one or of a file. */
Test(listen, unix_socket)
{
	char folder[] = "/tmp/pair-test-XXXXXX", why[LISTEN_WHY_MAX];
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct world world;
	struct stat found;
	int fd;

	world_open(&world);
	cr_assert_not_null(mkdtemp(folder));
	(void) snprintf(name.sun_path, sizeof(name.sun_path), "%s/s", folder);
	cr_assert_eq(listen_unix(&fd, name.sun_path, why), ERR_OK, "%s", why);
	cr_assert_eq(stat(name.sun_path, &found), 0);
	cr_assert_eq(found.st_mode & 0777, 0600);
	cr_assert_eq(listen_unix(&world.fd[0], name.sun_path, why), ERR_EXISTS);
	close(fd);
	cr_assert_eq(listen_unix(&world.fd[0], name.sun_path, why), ERR_OK, "%s", why);
	cr_assert_eq(
		listener_new(&world.listener, world.loop, world.fd[0], on_accept, &world), ERR_OK);
	connect_to(&world, (struct sockaddr *) &name, sizeof(name));
	world_run(&world);
	cr_assert_str_eq(world.trace, "l");
	unlink(name.sun_path);
	rmdir(folder);
	world_close(&world);
}

/* Channels: 'm' a message, 'c' the end. */

static void on_message(void *ctx, struct chan *chan, const struct chan_message *message)
{
	struct world *world = ctx;

	cr_assert_eq(message->type, 7);
	cr_assert_eq(message->id, world->count);
	cr_assert_eq(message->body.len, world->count);
	note(world, 'm');
	if (++world->count == 3)
		loop_stop(world->loop);
	else if (world->count == 2)
		chan_pause(chan, true);
}

static void on_chan_closed(void *ctx, struct chan *chan, enum err why)
{
	struct world *world = ctx;

	note(world, 'c');
	world->why = why;
	if (chan == world->a)
		world->a = NULL;
	else
		world->b = NULL;
	chan_free(chan);
	loop_stop(world->loop);
}

static void chan_pair(struct world *world, bool both)
{
	struct chan_options options = { .loop = world->loop,
		.body_max = 8,
		.out_max = 100,
		.on_message = on_message,
		.on_closed = on_chan_closed,
		.ctx = world };

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, world->fd), 0);
	cr_assert_eq(chan_new(&world->a, &options, world->fd[0]), ERR_OK);
	world->fd[0] = -1;
	if (!both)
		return;
	cr_assert_eq(chan_new(&world->b, &options, world->fd[1]), ERR_OK);
	world->fd[1] = -1;
}

static enum err send_body(struct chan *chan, uint64_t id, size_t len)
{
	static const uint8_t body[100];

	return chan_send(
		chan, &(struct chan_message){ .type = 7, .id = id, .body = slice_of(body, len) });
}

static void on_resume(void *ctx)
{
	struct world *world = ctx;

	note(world, 'p');
	chan_pause(world->b, false);
}

/* Whole messages in order; a pause inside a callback holds those that are already here. */
Test(chan, messages_and_pause)
{
	struct world world;

	world_open(&world);
	chan_pair(&world, true);
	for (unsigned i = 0; i < 3; i++)
		cr_assert_eq(send_body(world.a, i, i), ERR_OK);
	cr_assert_eq(chan_unsent(world.a), 51);
	cr_assert_eq(send_body(world.a, 3, 40), ERR_LIMIT);
	cr_assert_eq(loop_timer_new(&world.timer[0], world.loop, on_resume, &world), ERR_OK);
	loop_timer_set(world.timer[0], 20);
	world_run(&world);
	cr_assert_str_eq(world.trace, "mmpm");
	world_close(&world);
}

/* A message longer than agreed, or a head that is none, closes once; so does the other end. */
Test(chan, bad_input_closes)
{
	static const struct {
		const char *bytes;
		size_t len;
		enum err why;
	} rows[] = { { "\0\0\0\x09\0\x07\0\0\0\0\0\0\0\0\0\0", 16, ERR_LIMIT },
		{ "\0\0\0\0\0\x07\0\x01\0\0\0\0\0\0\0\0", 16, ERR_INVALID },
		{ "\0\0\0\x01\0\x07", 6, ERR_CLOSED } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world world;

		world_open(&world);
		chan_pair(&world, false);
		cr_assert_eq(write(world.fd[1], rows[i].bytes, rows[i].len), (ssize_t) rows[i].len);
		if (rows[i].why == ERR_CLOSED) {
			close(world.fd[1]);
			world.fd[1] = -1;
		}
		world_run(&world);
		cr_assert_str_eq(world.trace, "c");
		cr_assert_eq(world.why, rows[i].why, "row %zu: %s", i, err_name(world.why));
		world_close(&world);
	}
}

static void on_message_free(void *ctx, struct chan *chan, const struct chan_message *message)
{
	struct world *world = ctx;

	(void) message;
	note(world, 'm');
	world->a = NULL;
	chan_free(chan);
	loop_stop(world->loop);
}

/* Freed while two messages wait: the second is not delivered, nothing is touched after. */
Test(chan, free_in_callback)
{
	static const uint8_t bytes[32];
	struct world world;
	struct chan_options options;

	world_open(&world);
	options = (struct chan_options){ .loop = world.loop,
		.body_max = 8,
		.out_max = 100,
		.on_message = on_message_free,
		.on_closed = on_chan_closed,
		.ctx = &world };
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, world.fd), 0);
	cr_assert_eq(chan_new(&world.a, &options, world.fd[0]), ERR_OK);
	world.fd[0] = -1;
	cr_assert_eq(write(world.fd[1], bytes, sizeof(bytes)), (ssize_t) sizeof(bytes));
	world_run(&world);
	cr_assert_str_eq(world.trace, "m");
	world_close(&world);
}
