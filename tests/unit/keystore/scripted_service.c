/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/keystore/scripted_service.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/listen.h"

enum { INPUT_MAX = 1 << 20, OUTPUT_MAX = 16 << 20, HUGE_LEN = 8 << 20, GUARD_MS = 10000 };

struct connection {
	struct connection *next;
	struct service *service;
	struct loop_io *io;
	int fd; /* -1: closed */
	struct buf in, out;
};

static const struct line good_token = { .request = "POST /identity/token",
	.status = 200,
	.body = "{\"access_token\":\"token-1\",\"refresh_token\":\"not_supported\","
		"\"ims_user_id\":0,\"token_type\":\"Bearer\",\"expires_in\":3600,"
		"\"expiration\":1767225600,\"scope\":\"ibm openid\"}" };
static const struct line nothing_fits = { .status = 500, .body = "no line for this" };

/* Playing. */

static void connection_close(struct connection *connection)
{
	loop_io_free(connection->io);
	connection->io = NULL;
	(void) close(connection->fd);
	connection->fd = -1;
}

static bool begins(const char *text, const char *beginning)
{
	return strncmp(text, beginning, strlen(beginning)) == 0;
}

static const struct line *line_for(struct service *service, const char *request)
{
	for (size_t i = 0; i < service->line_count; i++) {
		struct line *line = &service->lines[i];

		if ((line->times != 0 && line->used >= line->times) ||
			!begins(request, line->request))
			continue;
		line->used++;
		return line;
	}
	if (begins(request, good_token.request))
		return &good_token;
	service->stray++;
	return &nothing_fits;
}

static void connection_flush(struct connection *connection)
{
	struct slice rest = buf_slice(&connection->out);
	ssize_t sent;

	while (rest.len > 0) {
		sent = write(connection->fd, rest.data, rest.len);
		if (sent <= 0)
			break;
		buf_consume(&connection->out, (size_t) sent);
		rest = buf_slice(&connection->out);
	}
	loop_io_want(connection->io, LOOP_READ | (rest.len > 0 ? LOOP_WRITE : 0u));
}

static void play_answer(struct connection *connection, const struct line *line)
{
	size_t len = line->body == NULL ? 0 : strlen(line->body);
	size_t told = line->act == LINE_HUGE ? HUGE_LEN : line->act == LINE_HALF ? len + 64 : len;

	cr_assert_eq(buf_printf(&connection->out,
			     "HTTP/1.1 %d Scripted\r\nContent-Length: %zu\r\n%s\r\n%s",
			     line->status, told, line->headers == NULL ? "" : line->headers,
			     line->body == NULL ? "" : line->body),
		ERR_OK);
	if (line->act == LINE_HUGE)
		cr_assert_eq(buf_append_zeros(&connection->out, HUGE_LEN - len), ERR_OK);
	connection_flush(connection);
}

static void play(struct connection *connection, char *request)
{
	struct service *service = connection->service;
	const struct line *line;

	cr_assert_lt(service->request_count, REQUESTS_MAX);
	service->requests[service->request_count++] = request;
	line = line_for(service, request);
	if (line->act == LINE_CUT)
		connection_close(connection);
	else if (line->act != LINE_SILENT)
		play_answer(connection, line);
}

/* The whole request in front of the input as text, consumed; NULL while it is not there. */
static char *take_request(struct connection *connection)
{
	struct slice input = buf_slice(&connection->in);
	char *text = strndup((const char *) input.data, input.len);
	char *end = text == NULL ? NULL : strstr(text, "\r\n\r\n");
	char *length = text == NULL ? NULL : strcasestr(text, "\r\nContent-Length:");
	size_t total;

	if (end == NULL) {
		free(text);
		return NULL;
	}
	total = (size_t) (end + 4 - text);
	if (length != NULL && length < end)
		total += strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
	if (input.len < total) {
		free(text);
		return NULL;
	}
	text[total] = '\0';
	buf_consume(&connection->in, total);
	return text;
}

static void connection_on_ready(void *ctx, unsigned events)
{
	struct connection *connection = ctx;
	uint8_t bytes[16384];
	ssize_t got;
	char *request;

	if ((events & LOOP_WRITE) != 0)
		connection_flush(connection);
	if ((events & LOOP_READ) == 0)
		return;
	got = read(connection->fd, bytes, sizeof(bytes));
	if (got <= 0) {
		connection_close(connection);
		return;
	}
	cr_assert_eq(buf_append(&connection->in, slice_of(bytes, (size_t) got)), ERR_OK);
	while (connection->fd >= 0 && buf_slice(&connection->in).len > 0 &&
		(request = take_request(connection)) != NULL)
		play(connection, request);
}

static void service_on_accept(void *ctx, int fd, const char *remote)
{
	struct service *service = ctx;
	struct connection *connection = calloc(1, sizeof(*connection));

	(void) remote;
	cr_assert_not_null(connection);
	connection->service = service;
	connection->fd = fd;
	buf_init(&connection->in, INPUT_MAX);
	buf_init(&connection->out, OUTPUT_MAX);
	cr_assert_eq(
		loop_io_new(&connection->io, service->loop, fd, connection_on_ready, connection),
		ERR_OK);
	loop_io_want(connection->io, LOOP_READ);
	connection->next = service->connections;
	service->connections = connection;
}

/* Life. */

static void service_on_guard(void *ctx)
{
	struct service *service = ctx;

	if (service->waiting != 0)
		cr_assert_fail("%u answers after %u ms", service->answers, GUARD_MS);
	loop_stop(service->loop);
}

struct keymanager_options service_options(struct service *service)
{
	return (struct keymanager_options){ .loop = service->loop,
		.kind = "key-protect",
		.url = service->url,
		.iam_url = service->url,
		.service_instance = SERVICE_GUID,
		.api_key_file = service->key_file,
		.key_ring = "kmip-ring",
		.root_key = SERVICE_ROOT_ID,
		.name = "tenant" };
}

static void write_key_file(struct service *service)
{
	int fd;

	(void) snprintf(service->key_file, sizeof(service->key_file), "/tmp/scripted-key-XXXXXX");
	fd = mkstemp(service->key_file);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, "dev-manager-key\n", 16), 16);
	(void) close(fd);
}

void service_start(struct service *service)
{
	struct sockaddr_in address;
	socklen_t len = sizeof(address);
	char why[LISTEN_WHY_MAX], reason[KEYMANAGER_WHY_MAX] = "";
	struct keymanager_options options;

	*service = (struct service){ 0 };
	cr_assert_eq(loop_new(&service->loop), ERR_OK);
	cr_assert_eq(listen_tcp(&service->listen_fd, "127.0.0.1:0", why), ERR_OK, "%s", why);
	cr_assert_eq(getsockname(service->listen_fd, (struct sockaddr *) &address, &len), 0);
	(void) snprintf(
		service->url, sizeof(service->url), "http://127.0.0.1:%u", ntohs(address.sin_port));
	cr_assert_eq(listener_new(&service->listener, service->loop, service->listen_fd,
			     service_on_accept, service),
		ERR_OK);
	cr_assert_eq(
		loop_timer_new(&service->guard, service->loop, service_on_guard, service), ERR_OK);
	write_key_file(service);
	options = service_options(service);
	cr_assert_eq(keymanager_new(&service->keymanager, &options, reason), ERR_OK, "%s", reason);
}

void service_stop_listening(struct service *service)
{
	listener_free(service->listener);
	service->listener = NULL;
	if (service->listen_fd >= 0)
		(void) close(service->listen_fd);
	service->listen_fd = -1;
}

void service_stop(struct service *service)
{
	struct connection *connection;

	keymanager_free(service->keymanager);
	service_stop_listening(service);
	while ((connection = service->connections) != NULL) {
		service->connections = connection->next;
		if (connection->fd >= 0)
			connection_close(connection);
		buf_free(&connection->in);
		buf_free(&connection->out);
		free(connection);
	}
	for (size_t i = 0; i < service->request_count; i++)
		free(service->requests[i]);
	loop_timer_free(service->guard);
	loop_free(service->loop);
	(void) unlink(service->key_file);
}

void service_line(struct service *service, struct line line)
{
	cr_assert_lt(service->line_count, LINES_MAX);
	service->lines[service->line_count++] = line;
}

void service_run(struct service *service, unsigned answers)
{
	service->waiting = answers;
	if (service->answers < answers) {
		loop_timer_set(service->guard, GUARD_MS);
		cr_assert_eq(loop_run(service->loop), ERR_OK);
	}
	service->waiting = 0;
	loop_timer_stop(service->guard);
}

void service_run_for(struct service *service, uint64_t ms)
{
	loop_timer_set(service->guard, ms);
	cr_assert_eq(loop_run(service->loop), ERR_OK);
}

/* Looking. */

unsigned service_count(const struct service *service, const char *beginning)
{
	unsigned count = 0;

	for (size_t i = 0; i < service->request_count; i++)
		count += begins(service->requests[i], beginning) ? 1 : 0;
	return count;
}

const char *service_last(const struct service *service, const char *beginning)
{
	for (size_t i = service->request_count; i > 0; i--)
		if (begins(service->requests[i - 1], beginning))
			return service->requests[i - 1];
	return NULL;
}

bool service_last_has(const struct service *service, const char *beginning, const char *text)
{
	const char *request = service_last(service, beginning);

	return request != NULL && strcasestr(request, text) != NULL;
}
