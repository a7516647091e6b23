/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shows that the little HTTP server answers GET and nothing else, keeps to its bounds (length of a
 * question, connections, time), and leaves nothing behind when it is freed with connections open.
 * The server runs in a thread, the clients are blocking sockets.
 */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/http_serve.h"
#include "base/listen.h"

enum { PATIENCE_MS = 30000, SHORT_MS = 200, ANSWER_MAX = 4096 };

struct world {
	struct loop *loop;
	struct http_serve *server;
	struct loop_io *stop_io;
	int stop[2];
	struct sockaddr_in address;
	int fd;
	pthread_t thread;
};

static void on_get(void *ctx, struct slice path, struct http_serve_answer *answer)
{
	(void) ctx;
	if (!slice_equal_text(path, "/there"))
		return;
	answer->status = 200;
	cr_assert_eq(buf_append(&answer->body, SLICE_LITERAL("body of the answer\n")), ERR_OK);
}

static void on_stop(void *ctx, unsigned events)
{
	struct world *world = ctx;

	(void) events;
	loop_stop(world->loop);
}

static void *run(void *ctx)
{
	struct world *world = ctx;

	return loop_run(world->loop) == ERR_OK ? world : NULL;
}

static void world_open(struct world *world, uint32_t timeout_ms)
{
	struct http_serve_options options = { .on_get = on_get, .timeout_ms = timeout_ms };
	socklen_t len = sizeof(world->address);
	char why[LISTEN_WHY_MAX];

	*world = (struct world){ 0 };
	cr_assert_eq(loop_new(&world->loop), ERR_OK);
	cr_assert_eq(pipe(world->stop), 0);
	cr_assert_eq(
		loop_io_new(&world->stop_io, world->loop, world->stop[0], on_stop, world), ERR_OK);
	loop_io_want(world->stop_io, LOOP_READ);
	cr_assert_eq(listen_tcp(&world->fd, "127.0.0.1:0", why), ERR_OK);
	options.fd = world->fd;
	cr_assert_eq(getsockname(options.fd, (struct sockaddr *) &world->address, &len), 0);
	options.loop = world->loop;
	cr_assert_eq(http_serve_new(&world->server, &options), ERR_OK);
	cr_assert_eq(pthread_create(&world->thread, NULL, run, world), 0);
}

static void world_close(struct world *world)
{
	void *result = NULL;

	cr_assert_eq(write(world->stop[1], "x", 1), 1);
	cr_assert_eq(pthread_join(world->thread, &result), 0);
	cr_assert_eq(result, world);
	http_serve_free(world->server);
	loop_io_free(world->stop_io);
	loop_free(world->loop);
	close(world->fd);
	close(world->stop[0]);
	close(world->stop[1]);
}

static int client_connect(const struct world *world)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert_eq(
		connect(fd, (const struct sockaddr *) &world->address, sizeof(world->address)), 0);
	return fd;
}

static void client_send(int fd, const char *text)
{
	cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t) strlen(text));
}

/* What comes until `end` was seen or the connection is closed; false when nothing more comes. */
static bool client_read(int fd, char out[ANSWER_MAX], const char *end, int patience_ms)
{
	size_t len = 0;

	out[0] = '\0';
	for (;;) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		ssize_t got;

		if (poll(&ready, 1, patience_ms) != 1)
			return false;
		got = recv(fd, out + len, ANSWER_MAX - 1 - len, 0);
		if (got <= 0)
			return true;
		len += (size_t) got;
		out[len] = '\0';
		if (end != NULL && strstr(out, end) != NULL)
			return true;
	}
}

static void expect(struct world *world, const char *question, const char *status, const char *part)
{
	char answer[ANSWER_MAX];
	int fd = client_connect(world);

	client_send(fd, question);
	cr_assert(client_read(fd, answer, NULL, PATIENCE_MS), "no end after %s", answer);
	cr_assert(
		strncmp(answer, status, strlen(status)) == 0, "after %.40s: %s", question, answer);
	cr_assert(strstr(answer, part) != NULL, "%s", answer);
	close(fd);
}

Test(http_serve, answers_get_and_nothing_else)
{
	struct world world;

	world_open(&world, PATIENCE_MS);
	expect(&world, "GET /there?a=b HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\n",
		"\r\nContent-Length: 19\r\n");
	expect(&world, "GET /there HTTP/1.0\r\n\r\n", "HTTP/1.1 200",
		"\r\n\r\nbody of the answer\n");
	expect(&world, "GET /there HTTP/1.1\r\n\r\nand more that nobody reads", "HTTP/1.1 200", "");
	expect(&world, "GET /nowhere HTTP/1.1\r\n\r\n", "HTTP/1.1 404", "");
	expect(&world, "GET /there/ HTTP/1.1\r\n\r\n", "HTTP/1.1 404", "");
	expect(&world, "POST /there HTTP/1.1\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 405",
		"Allow: GET");
	expect(&world, "get /there HTTP/1.1\r\n\r\n", "HTTP/1.1 405", "");
	world_close(&world);
}

Test(http_serve, refuses_what_is_no_question)
{
	static const char *const wrong[] = { "\r\n\r\n", "GET\r\n\r\n", "GET \r\n\r\n",
		"GET /there\r\n\r\n", "GET  /there HTTP/1.1\r\n\r\n", "GET there HTTP/1.1\r\n\r\n",
		"GET /there HTTP/2\r\n\r\n", "GET /the re HTTP/1.1\r\n\r\n",
		" GET /there HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02 is TLS\r\n\r\n" };
	struct world world;

	world_open(&world, PATIENCE_MS);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		expect(&world, wrong[i], "HTTP/1.1 400", "");
	world_close(&world);
}

Test(http_serve, keeps_to_the_length_of_a_question)
{
	char question[HTTP_SERVE_QUESTION_LEN_MAX + 1];
	struct world world;
	int len = snprintf(question, sizeof(question), "GET /there HTTP/1.1\r\nX: ");

	world_open(&world, PATIENCE_MS);
	memset(question + len, 'x', sizeof(question) - (size_t) len);
	memcpy(question + sizeof(question) - 5, "\r\n\r\n", 5);
	expect(&world, question, "HTTP/1.1 200", "");
	memcpy(question + sizeof(question) - 5, "xxxx", 5);
	expect(&world, question, "HTTP/1.1 431", "");
	world_close(&world);
}

/* A question may come byte by byte. */
Test(http_serve, waits_for_the_whole_question)
{
	static const char question[] = "GET /there HTTP/1.1\r\nHost: x\r\n\r\n";
	struct world world;
	char answer[ANSWER_MAX];

	world_open(&world, PATIENCE_MS);
	int fd = client_connect(&world);
	for (size_t i = 0; i + 1 < sizeof(question); i++) {
		cr_assert(!client_read(fd, answer, NULL, 0), "after %zu bytes", i);
		cr_assert_eq(send(fd, question + i, 1, MSG_NOSIGNAL), 1);
	}
	cr_assert(client_read(fd, answer, NULL, PATIENCE_MS));
	cr_assert(strstr(answer, "body of the answer") != NULL);
	close(fd);
	world_close(&world);
}

/* One more than the maximum waits until another one goes; it is not refused. */
Test(http_serve, keeps_to_the_number_of_connections)
{
	struct world world;
	char answer[ANSWER_MAX];
	int fd[HTTP_SERVE_CONNECTIONS_MAX], late;

	world_open(&world, PATIENCE_MS);
	for (int i = 0; i < HTTP_SERVE_CONNECTIONS_MAX; i++) {
		fd[i] = client_connect(&world);
		client_send(fd[i], "GET /there");
	}
	late = client_connect(&world);
	client_send(late, "GET /there HTTP/1.1\r\n\r\n");
	cr_assert(!client_read(late, answer, NULL, SHORT_MS));
	close(fd[0]);
	cr_assert(client_read(late, answer, NULL, PATIENCE_MS));
	cr_assert(strstr(answer, "body of the answer") != NULL);
	close(late);
	/* The rest is open when the server goes. */
	world_close(&world);
	for (int i = 1; i < HTTP_SERVE_CONNECTIONS_MAX; i++)
		close(fd[i]);
}

Test(http_serve, gives_up_a_client_that_says_nothing)
{
	struct world world;
	char answer[ANSWER_MAX];

	world_open(&world, SHORT_MS);
	int silent = client_connect(&world), half = client_connect(&world);
	client_send(half, "GET /there HT");
	cr_assert(client_read(silent, answer, NULL, PATIENCE_MS));
	cr_assert(client_read(half, answer, NULL, PATIENCE_MS));
	cr_assert_str_empty(answer);
	close(silent);
	close(half);
	world_close(&world);
}
