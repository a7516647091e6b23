/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http_serve.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/listen.h"
#include "base/sm.h"

/*
 *	ASKING -> ANSWERING -> LEAVING (all was sent; the rest of what it says is thrown away, since
 *a close with unread bytes could destroy the answer)
 */
enum visit_state { VISIT_ASKING, VISIT_ANSWERING, VISIT_LEAVING, VISIT_STATE_COUNT };

static const struct sm_state visit_states[VISIT_STATE_COUNT] = {
	[VISIT_ASKING] = { "asking", SM_TO(VISIT_ANSWERING) },
	[VISIT_ANSWERING] = { "answering", SM_TO(VISIT_LEAVING) },
	[VISIT_LEAVING] = { "leaving", 0 },
};

enum { HEAD_LEN_MAX = 512 };

/* One connection. */
struct visit {
	struct http_serve *server;
	struct visit *next, *previous;
	struct loop_io *io;
	struct loop_timer *timer;
	struct sm sm;
	struct buf in, out;
	int fd;
};

struct http_serve {
	struct http_serve_options options;
	struct listener *listener;
	struct visit *visits;
	unsigned count;
};

static void visit_free(struct visit *visit)
{
	struct http_serve *server = visit->server;

	if (visit->next != NULL)
		visit->next->previous = visit->previous;
	if (visit->previous != NULL)
		visit->previous->next = visit->next;
	else
		server->visits = visit->next;
	if (server->count-- == HTTP_SERVE_CONNECTIONS_MAX)
		listener_pause(server->listener, false);
	loop_io_free(visit->io);
	loop_timer_free(visit->timer);
	buf_free(&visit->in);
	buf_free(&visit->out);
	(void) close(visit->fd);
	free(visit);
}

/* ---- the answer ---- */

static const char *reason_of(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 431:
		return "Request Header Fields Too Large";
	case 503:
		return "Service Unavailable";
	default:
		return "Internal Server Error";
	}
}

static enum err visit_fill(struct visit *visit, const struct http_serve_answer *answer)
{
	struct slice body = buf_slice(&answer->body);
	enum err err;

	TRY(buf_printf(&visit->out,
		"HTTP/1.1 %d %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
		"Content-Length: %zu\r\nCache-Control: no-store\r\nConnection: close\r\n%s\r\n",
		answer->status, reason_of(answer->status), body.len,
		answer->status == 405 ? "Allow: GET\r\n" : ""));
	TRY(buf_append(&visit->out, body));
out:
	return err;
}

/* False: the visit is over. */
static bool visit_send(struct visit *visit)
{
	struct slice rest = buf_slice(&visit->out);
	ssize_t sent = 0;

	if (rest.len > 0)
		sent = send(visit->fd, rest.data, rest.len, MSG_NOSIGNAL);
	if (sent < 0 && errno != EAGAIN && errno != EINTR)
		return false;
	if (sent > 0)
		buf_consume(&visit->out, (size_t) sent);
	if (sent < 0 || (size_t) sent < rest.len) {
		loop_io_want(visit->io, LOOP_WRITE);
		return true;
	}
	sm_move(&visit->sm, VISIT_LEAVING, "sent");
	loop_io_want(visit->io, LOOP_READ);
	return shutdown(visit->fd, SHUT_WR) == 0;
}

/* A status of our own, or what the owner says of the path. */
static bool visit_answer(struct visit *visit, int status, struct slice path)
{
	const struct http_serve_options *options = &visit->server->options;
	struct http_serve_answer answer = { .status = status };
	enum err err;

	buf_init(&answer.body, HTTP_SERVE_ANSWER_LEN_MAX);
	if (status == 0) {
		answer.status = 404;
		options->on_get(options->ctx, path, &answer);
	}
	err = visit_fill(visit, &answer);
	buf_free(&answer.body);
	sm_move(&visit->sm, VISIT_ANSWERING, "asked");
	return err == ERR_OK && visit_send(visit);
}

/* ---- the question ---- */

static size_t find(struct slice text, const char *what)
{
	const uint8_t *at = memmem(text.data, text.len, what, strlen(what));

	return at == NULL ? text.len : (size_t) (at - text.data);
}

/* "GET /path?query HTTP/1.1": the status of a wrong one, else 0 and the path. */
static int question_read(struct slice question, struct slice *path)
{
	struct slice line = slice_cut(question, 0, find(question, "\r\n"));
	size_t method_len = find(line, " "), target_len;
	struct slice method = slice_cut(line, 0, method_len);

	if (method_len == line.len)
		return 400;
	line = slice_cut(line, method_len + 1, line.len - method_len - 1);
	target_len = find(line, " ");
	if (target_len == 0 || find(line, " HTTP/1.") != target_len || target_len == line.len ||
		line.data[0] != '/')
		return 400;
	*path = slice_cut(line, 0, target_len);
	*path = slice_cut(*path, 0, find(*path, "?"));
	return slice_equal_text(method, "GET") ? 0 : 405;
}

/* False: the visit is over. */
static bool visit_read(struct visit *visit)
{
	struct slice question, path = SLICE_EMPTY;
	uint8_t *to;
	ssize_t got;
	int status;

	if (buf_reserve(&visit->in, buf_room(&visit->in), &to) != ERR_OK)
		return false;
	got = recv(visit->fd, to, buf_room(&visit->in), 0);
	if (got <= 0)
		return got < 0 && (errno == EAGAIN || errno == EINTR);
	buf_commit(&visit->in, (size_t) got);
	question = buf_slice(&visit->in);
	if (find(question, "\r\n\r\n") == question.len) {
		if (buf_room(&visit->in) == 0)
			return visit_answer(visit, 431, path);
		return true;
	}
	status = question_read(question, &path);
	return visit_answer(visit, status, path);
}

static bool visit_drain(struct visit *visit)
{
	uint8_t thrown_away[HEAD_LEN_MAX];
	ssize_t got = recv(visit->fd, thrown_away, sizeof(thrown_away), 0);

	return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

static void visit_on_ready(void *ctx, unsigned events)
{
	struct visit *visit = ctx;
	bool goes_on;

	(void) events;
	if (visit->sm.state == VISIT_ASKING)
		goes_on = visit_read(visit);
	else if (visit->sm.state == VISIT_ANSWERING)
		goes_on = visit_send(visit);
	else
		goes_on = visit_drain(visit);
	if (!goes_on)
		visit_free(visit);
}

static void visit_on_timer(void *ctx)
{
	visit_free(ctx);
}

/* ---- visits come ---- */

static void serve_on_accept(void *ctx, int fd, const char *remote)
{
	struct http_serve *server = ctx;
	struct visit *visit = calloc(1, sizeof(*visit));

	(void) remote;
	if (visit == NULL) {
		(void) close(fd);
		return;
	}
	*visit = (struct visit){ .server = server, .next = server->visits, .fd = fd };
	if (visit->next != NULL)
		visit->next->previous = visit;
	server->visits = visit;
	if (++server->count == HTTP_SERVE_CONNECTIONS_MAX)
		listener_pause(server->listener, true);
	sm_init(&visit->sm, visit_states, VISIT_STATE_COUNT, "visit", "-");
	visit->sm.quiet = true;
	buf_init(&visit->in, HTTP_SERVE_QUESTION_LEN_MAX);
	buf_init(&visit->out, HTTP_SERVE_ANSWER_LEN_MAX + HEAD_LEN_MAX);
	if (loop_io_new(&visit->io, server->options.loop, fd, visit_on_ready, visit) != ERR_OK ||
		loop_timer_new(&visit->timer, server->options.loop, visit_on_timer, visit) !=
			ERR_OK) {
		visit_free(visit);
		return;
	}
	loop_timer_set(visit->timer, server->options.timeout_ms);
	loop_io_want(visit->io, LOOP_READ);
}

enum err http_serve_new(struct http_serve **out, const struct http_serve_options *options)
{
	struct http_serve *server = calloc(1, sizeof(*server));
	enum err err;

	*out = NULL;
	if (server == NULL)
		return ERR_NOMEM;
	server->options = *options;
	TRY(listener_new(&server->listener, options->loop, options->fd, serve_on_accept, server));
	*out = server;
	server = NULL;
out:
	http_serve_free(server);
	return err;
}

void http_serve_free(struct http_serve *server)
{
	if (server == NULL)
		return;
	while (server->visits != NULL)
		visit_free(server->visits);
	listener_free(server->listener);
	free(server);
}
