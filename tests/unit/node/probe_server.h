/* SPDX-License-Identifier: Apache-2.0 */
/* Two small TLS servers in one loop with a probe that knows them; what they answer is the test's.
 */
#ifndef TESTS_UNIT_NODE_PROBE_SERVER_H
#define TESTS_UNIT_NODE_PROBE_SERVER_H

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <unistd.h>

#include "base/crypt.h"
#include "base/listen.h"
#include "base/log.h"
#include "kmip/result.h"
#include "node/probe_task.h"
#include "tests/unit/base/identity.h"

enum { TIMEOUT_MS = 300, STREAMS_MAX = 64, SERVERS = 2 };

struct server {
	struct world *world;
	int behaviour; /* the test's own */
	int good_requests; /* how often it behaves before it misbehaves */
	int fd;
	char address[64];
	struct listener *listener;
	struct stream *streams[STREAMS_MAX];
	int connections, requests;
};

struct world {
	/* What a server does with a request. */
	void (*on_frame)(struct server *server, struct stream *stream, struct slice frame);
	struct loop *loop;
	struct identity server_id, client_id;
	struct tls_context *server_tls;
	struct server servers[SERVERS];
	struct probe_options options;
	struct probe probe;
};

static struct world world;

static inline void on_ready(void *ctx, struct stream *stream)
{
	(void) ctx;
	(void) stream;
}

static inline void on_data(void *ctx, struct stream *stream)
{
	struct buf *input = stream_input(stream);
	size_t len;

	cr_assert_eq(kmip_frame_len(&len, buf_slice(input), KMIP_FRAME_LEN_MAX), ERR_OK);
	cr_assert_eq(buf_slice(input).len, len);
	world.on_frame(ctx, stream, buf_slice(input));
	buf_consume(input, len);
}

static inline void on_closed(void *ctx, struct stream *stream, enum err why, const char *text)
{
	struct server *server = ctx;

	(void) why;
	(void) text;
	for (int i = 0; i < STREAMS_MAX; i++)
		if (server->streams[i] == stream)
			server->streams[i] = NULL;
	stream_free(stream);
}

static inline void on_accept(void *ctx, int fd, const char *remote)
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

static inline void server_start(struct server *server)
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

static inline void server_stop(struct server *server)
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

static inline struct tls_context *make_tls(enum tls_role role, const struct identity *id)
{
	const struct tls_options options = {
		.role = role, .cert_file = id->cert_file, .key_file = id->key_file
	};
	struct tls_context *context;
	char why[TLS_WHY_MAX];

	cr_assert_eq(tls_context_new(&context, &options, why), ERR_OK, "%s", why);
	return context;
}

static inline void open_world(
	void (*on_frame)(struct server *server, struct stream *stream, struct slice frame))
{
	log_set_level(LOG_ERROR);
	world = (struct world){ .on_frame = on_frame,
		.options = { .endpoint_count = SERVERS, .timeout_ms = TIMEOUT_MS } };
	cr_assert_eq(crypt_start(), ERR_OK);
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

static inline void close_world(void)
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

#endif
