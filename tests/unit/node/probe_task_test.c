/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client and the walk between endpoints, against two small TLS servers in the same loop that
 * answer Discover Versions, or misbehave as told.
 */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <unistd.h>

#include "base/listen.h"
#include "base/log.h"
#include "kmip/result.h"
#include "node/probe_task.h"
#include "tests/unit/base/identity.h"

enum { TIMEOUT_MS = 300, STREAMS_MAX = 16, SERVERS = 2 };

enum behaviour { ANSWERS, IS_SILENT, CLOSES, TALKS_RUBBISH, ANSWERS_TWICE, FAILS, REFUSES };

struct server {
	struct world *world;
	enum behaviour behaviour;
	/* How often it behaves before it misbehaves: the greeting is one request. */
	int good_requests;
	int fd;
	char address[64];
	struct listener *listener;
	struct stream *streams[STREAMS_MAX];
	int connections, requests;
};

struct world {
	struct loop *loop;
	struct identity server_id, client_id;
	struct tls_context *server_tls;
	struct server servers[SERVERS];
	struct probe_options options;
	struct probe probe;
};

static struct world world;

/* ---- the servers ---- */

static void answer(struct server *server, struct stream *stream, struct slice frame, enum err err)
{
	struct arena *arena;
	struct kmip_request request;
	struct kmip_protocol_version version = kmip_protocol_version(KMIP_1_1);
	struct kmip_discover_versions_response payload = { .versions = { &version, 1 } };
	struct codec codec = { .version = KMIP_1_1 };
	struct kmip_response_header header = {
		.version = &version, .time_stamp = KMIP_LONG(1700000000), .batch_count = KMIP_INT(1)
	};
	struct kmip_response_item item;
	struct buf bytes;

	buf_init(&bytes, 4096);
	cr_assert_eq(arena_new(&arena, 65536), ERR_OK);
	codec.arena = arena;
	cr_assert_eq(kmip_request_decode(&request, arena, frame), ERR_OK);
	item = (struct kmip_response_item){ .operation = request.entries[0].item.operation,
		.id = request.entries[0].item.id };
	kmip_result_fill(&item, err, KMIP_1_1);
	if (err == ERR_OK)
		cr_assert_eq(kmip_payload_encode(&item.payload, &codec,
				     &kmip_discover_versions_response_table, &payload),
			ERR_OK);
	cr_assert_eq(kmip_response_encode(&bytes, &header, &item), ERR_OK);
	cr_assert_eq(stream_send(stream, buf_slice(&bytes)), ERR_OK);
	if (server->behaviour == ANSWERS_TWICE && server->requests > server->good_requests)
		cr_assert_eq(stream_send(stream, buf_slice(&bytes)), ERR_OK);
	buf_free(&bytes);
	arena_free(arena);
}

static void behave(struct server *server, struct stream *stream, struct slice frame)
{
	bool is_good = server->requests++ < server->good_requests;

	switch (is_good ? ANSWERS : server->behaviour) {
	case ANSWERS:
	case ANSWERS_TWICE:
		answer(server, stream, frame, ERR_OK);
		break;
	case FAILS:
		answer(server, stream, frame, ERR_UNAVAILABLE);
		break;
	case REFUSES:
		answer(server, stream, frame, ERR_NOT_FOUND);
		break;
	case TALKS_RUBBISH:
		cr_assert_eq(stream_send(stream, SLICE_LITERAL("HTTP/1.1 200 OK\r\n")), ERR_OK);
		break;
	case CLOSES:
		stream_close(stream);
		break;
	case IS_SILENT:
		break;
	}
}

static void on_ready(void *ctx, struct stream *stream)
{
	(void) ctx;
	(void) stream;
}

static void on_data(void *ctx, struct stream *stream)
{
	struct buf *input = stream_input(stream);
	size_t len;

	cr_assert_eq(kmip_frame_len(&len, buf_slice(input), KMIP_FRAME_LEN_MAX), ERR_OK);
	cr_assert_eq(buf_slice(input).len, len);
	behave(ctx, stream, buf_slice(input));
	buf_consume(input, len);
}

static void on_closed(void *ctx, struct stream *stream, enum err why, const char *text)
{
	struct server *server = ctx;

	(void) why;
	(void) text;
	for (int i = 0; i < STREAMS_MAX; i++)
		if (server->streams[i] == stream)
			server->streams[i] = NULL;
	stream_free(stream);
}

static void on_accept(void *ctx, int fd, const char *remote)
{
	struct server *server = ctx;
	const struct stream_options options = { .loop = world.loop,
		.tls = world.server_tls,
		.in_max = 65536,
		.out_max = 65536,
		.handshake_timeout_ms = 5000 };
	const struct stream_handler handler = {
		.on_ready = on_ready, .on_data = on_data, .on_closed = on_closed, .ctx = server
	};

	(void) remote;
	cr_assert_lt(server->connections, STREAMS_MAX);
	cr_assert_eq(stream_new(&server->streams[server->connections++], &options, &handler, fd),
		ERR_OK);
}

static void server_start(struct server *server)
{
	struct sockaddr_in name;
	socklen_t len = sizeof(name);
	char why[LISTEN_WHY_MAX];

	cr_assert_eq(listen_tcp(&server->fd, "127.0.0.1:0", why), ERR_OK, "%s", why);
	cr_assert_eq(getsockname(server->fd, (struct sockaddr *) &name, &len), 0);
	(void) snprintf(
		server->address, sizeof(server->address), "127.0.0.1:%u", ntohs(name.sin_port));
	cr_assert_eq(
		listener_new(&server->listener, world.loop, server->fd, on_accept, server), ERR_OK);
}

static void server_stop(struct server *server)
{
	if (server->listener == NULL)
		return;
	listener_free(server->listener);
	server->listener = NULL;
	close(server->fd);
	for (int i = 0; i < STREAMS_MAX; i++) {
		stream_free(server->streams[i]);
		server->streams[i] = NULL;
	}
}

/* ---- the world ---- */

static struct tls_context *make_tls(enum tls_role role, const struct identity *id)
{
	const struct tls_options options = {
		.role = role, .cert_file = id->cert_file, .key_file = id->key_file
	};
	struct tls_context *context;
	char why[TLS_WHY_MAX];

	cr_assert_eq(tls_context_new(&context, &options, why), ERR_OK, "%s", why);
	return context;
}

static void open_world(void)
{
	log_set_level(LOG_ERROR);
	world = (struct world){ .options = {
					.endpoint_count = SERVERS, .timeout_ms = TIMEOUT_MS } };
	cr_assert_eq(loop_new(&world.loop), ERR_OK);
	identity_make(&world.server_id, -60, 3600);
	identity_make(&world.client_id, -60, 3600);
	world.server_tls = make_tls(TLS_KMIP_SERVER, &world.server_id);
	for (int i = 0; i < SERVERS; i++) {
		world.servers[i].world = &world;
		server_start(&world.servers[i]);
		world.options.endpoints[i] =
			(struct probe_endpoint){ .address = world.servers[i].address,
				.name = "127.0.0.1" };
	}
	world.probe = (struct probe){ .options = &world.options,
		.loop = world.loop,
		.tls = make_tls(TLS_KMIP_CLIENT, &world.client_id) };
	cr_assert_eq(arena_new(&world.probe.arena, PROBE_ARENA_MAX), ERR_OK);
}

static void close_world(void)
{
	for (int i = 0; i < SERVERS; i++)
		server_stop(&world.servers[i]);
	tls_context_free(world.server_tls);
	tls_context_free(world.probe.tls);
	arena_free(world.probe.arena);
	identity_remove(&world.server_id);
	identity_remove(&world.client_id);
	loop_free(world.loop);
}

TestSuite(probe_task, .init = open_world, .fini = close_world, .timeout = 20);

static const struct probe_request discover = { .operation = KMIP_OPERATION_DISCOVER_VERSIONS };

/* A task keeps its connection: the greeting and two questions are three requests on one. */
Test(probe_task, keeps_its_connection)
{
	struct probe_task task;
	struct probe_answer answered;

	probe_task_begin(&task, &world.probe, 0);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(probe_task_ask(&task, &discover, &answered), ERR_OK, "%s", task.text);
		cr_assert_eq(answered.err, ERR_OK);
		cr_assert_eq(answered.version_count, 1);
	}
	cr_assert_eq(world.servers[0].connections, 1);
	cr_assert_eq(world.servers[0].requests, 3);
	cr_assert_eq(stream_peer(probe_client_stream(task.client))->not_after,
		world.server_id.peer.not_after);
	probe_task_end(&task);
}

/* Each way to fail has its error and its words, and the task can go on afterwards. */
Test(probe_task, failures)
{
	static const struct {
		enum behaviour behaviour;
		enum err err;
		const char *text;
	} cases[] = {
		{ IS_SILENT, ERR_TIMEOUT, "no answer within" },
		{ CLOSES, ERR_CLOSED, "the connection broke" },
		{ TALKS_RUBBISH, ERR_MESSAGE, "not KMIP" },
		{ ANSWERS_TWICE, ERR_MESSAGE, "more than it was asked for" },
		{ FAILS, ERR_UNAVAILABLE, "General Failure" },
	};
	struct probe_task task;
	struct probe_answer answered;

	probe_task_begin(&task, &world.probe, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		world.servers[0].behaviour = cases[i].behaviour;
		cr_assert_eq(probe_task_ask(&task, &discover, &answered), cases[i].err, "%zu: %s",
			i, task.text);
		cr_assert_not_null(strstr(task.text, cases[i].text), "%s", task.text);
		cr_assert_null(task.client);
	}
	world.servers[0].behaviour = ANSWERS;
	cr_assert_eq(probe_task_ask(&task, &discover, &answered), ERR_OK, "%s", task.text);
	probe_task_end(&task);
}

/* The step goes on to the other endpoint, whether the first is down, silent or failing, also in the
 * middle of a task; and stays there. */
Test(probe_task, walks)
{
	static const enum behaviour behaviours[] = { IS_SILENT, CLOSES, FAILS };
	struct probe_answer answered;
	struct probe_task task;

	for (size_t i = 0; i < sizeof(behaviours) / sizeof(behaviours[0]); i++) {
		world.servers[0].behaviour = behaviours[i];
		world.servers[0].good_requests = world.servers[0].requests + (int) i;
		probe_task_begin(&task, &world.probe, 0);
		cr_assert_eq(probe_task_step(&task, &discover, &answered), ERR_OK, "%s", task.text);
		if (i == 2)
			cr_assert_eq(probe_task_step(&task, &discover, &answered), ERR_OK, "%s",
				task.text);
		cr_assert_eq(task.endpoint, 1);
		cr_assert(task.walked);
		cr_assert_str_eq(task.text, "");
		probe_task_end(&task);
	}
	cr_assert_eq(world.probe.counts.walks, 3);
	server_stop(&world.servers[0]);
	probe_task_begin(&task, &world.probe, 0);
	cr_assert_eq(probe_task_step(&task, &discover, &answered), ERR_OK, "%s", task.text);
	cr_assert_eq(task.endpoint, 1);
	cr_assert_eq(world.probe.counts.all_failed, 0);
	probe_task_end(&task);
}

/* A refusal is an answer and no reason to walk. */
Test(probe_task, refusal_stays)
{
	struct probe_answer answered;
	struct probe_task task;

	world.servers[0].behaviour = REFUSES;
	world.servers[0].good_requests = 1;
	probe_task_begin(&task, &world.probe, 0);
	cr_assert_eq(probe_task_step(&task, &discover, &answered), ERR_OK);
	cr_assert_eq(answered.err, ERR_NOT_FOUND);
	cr_assert_eq(world.probe.counts.walks, 0);
	probe_task_end(&task);
}

/* When all fail, the text says why of each. */
Test(probe_task, all_fail)
{
	struct probe_answer answered;
	struct probe_task task;

	world.servers[0].behaviour = FAILS;
	world.servers[0].good_requests = 1;
	server_stop(&world.servers[1]);
	probe_task_begin(&task, &world.probe, 0);
	cr_assert_neq(probe_task_step(&task, &discover, &answered), ERR_OK);
	cr_assert_not_null(strstr(task.text, "General Failure"), "%s", task.text);
	cr_assert_not_null(strstr(task.text, world.servers[1].address), "%s", task.text);
	cr_assert_eq(world.probe.counts.all_failed, 1);
	probe_task_end(&task);
}

/* The seed alone decides the draws. */
Test(probe_task, draws_repeat)
{
	struct probe one = { .options = &world.options, .random = 7 }, two = one;
	size_t ones = 0;

	for (int i = 0; i < 1000; i++) {
		size_t drawn = probe_draw_endpoint(&one);
		cr_assert_eq(probe_draw_endpoint(&two), drawn);
		ones += drawn;
	}
	cr_assert(ones > 400 && ones < 600, "%zu", ones);
}
