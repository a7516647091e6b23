/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/listen.h"
#include "base/log.h"
#include "base/stream_tls.h"
#include "tests/unit/base/identity.h"

enum { IN_MAX = 20000, OUT_MAX = 400000 };

/* A server and a client in one loop. The test goes on when `until` of the ends are closed, or when
 * a callback stops the loop. */
struct end {
	struct world *world;
	struct stream *stream;
	bool ready, drained, closed;
	enum err why;
	char text[256];
	size_t received;
	bool echo; /* sends back what comes */
	bool free_on_data, free_on_ready, close_on_ready, keep;
	size_t stop_at; /* stops the loop when so many bytes came; 0: never */
};

struct world {
	struct loop *loop;
	struct loop_timer *deadline;
	struct identity server_id, client_id;
	struct tls_context *server_tls, *client_tls;
	struct end server, client;
	const struct identity *accepted;
	int fd[2];
	int until;
	int64_t judged_not_after;
};

static bool accept_known(void *ctx, const struct tls_peer *peer)
{
	struct world *world = ctx;

	world->judged_not_after = peer->not_after;
	return slice_equal(slice_of(peer->fingerprint, TLS_FINGERPRINT_LEN),
		slice_of(world->accepted->peer.fingerprint, TLS_FINGERPRINT_LEN));
}

static void end_free(struct end *end)
{
	stream_free(end->stream);
	end->stream = NULL;
}

static void on_ready(void *ctx, struct stream *stream)
{
	struct end *end = ctx;

	cr_assert_eq(stream, end->stream);
	end->ready = true;
	if (end->free_on_ready) {
		end_free(end);
		loop_stop(end->world->loop);
	} else if (end->close_on_ready) {
		stream_close(stream);
	}
}

static void on_data(void *ctx, struct stream *stream)
{
	struct end *end = ctx;
	struct buf *input = stream_input(stream);
	struct slice bytes = buf_slice(input);

	cr_assert_gt(bytes.len, 0);
	cr_assert_leq(bytes.len, IN_MAX);
	if (end->free_on_data) {
		end_free(end);
		loop_stop(end->world->loop);
		return;
	}
	if (end->keep)
		return;
	end->received += bytes.len;
	if (end->echo)
		cr_assert_eq(stream_send(stream, bytes), ERR_OK);
	buf_consume(input, bytes.len);
	if (end->stop_at > 0 && end->received >= end->stop_at)
		loop_stop(end->world->loop);
}

static void on_drained(void *ctx, struct stream *stream)
{
	struct end *end = ctx;

	cr_assert_eq(stream_unsent(stream), 0);
	end->drained = true;
}

static void on_closed(void *ctx, struct stream *stream, enum err why, const char *text)
{
	struct end *end = ctx;

	cr_assert_eq(stream, end->stream);
	cr_assert(!end->closed, "told once");
	end->closed = true;
	end->why = why;
	(void) snprintf(end->text, sizeof(end->text), "%s", text);
	end_free(end);
	if (--end->world->until == 0)
		loop_stop(end->world->loop);
}

static void on_deadline(void *ctx)
{
	(void) ctx;
	cr_assert_fail("the test took too long");
}

static struct tls_context *context_make(
	struct world *world, enum tls_role role, const struct identity *id)
{
	struct tls_options options = { .role = role, .accept = accept_known, .accept_ctx = world };
	struct tls_context *context;
	char why[TLS_WHY_MAX];

	if (id != NULL) {
		options.cert_file = id->cert_file;
		options.key_file = id->key_file;
	}
	/* The server's certificate is of no interest here; peers judge both ways in one test. */
	if (role == TLS_KMIP_CLIENT)
		options.accept = NULL;
	cr_assert_eq(tls_context_new(&context, &options, why), ERR_OK, "%s", why);
	return context;
}

static void world_open(struct world *world)
{
	*world = (struct world){ .fd = { -1, -1 }, .until = 2 };
	log_set_level(LOG_ERROR);
	cr_assert_eq(loop_new(&world->loop), ERR_OK);
	cr_assert_eq(loop_timer_new(&world->deadline, world->loop, on_deadline, world), ERR_OK);
	loop_timer_set(world->deadline, 15000);
	identity_make(&world->server_id, -60, 3600);
	identity_make(&world->client_id, -7200, -3600);
	world->accepted = &world->client_id;
	world->server_tls = context_make(world, TLS_KMIP_SERVER, &world->server_id);
	world->client_tls = context_make(world, TLS_KMIP_CLIENT, &world->client_id);
	world->server.world = world->client.world = world;
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, world->fd), 0);
}

static void world_close(struct world *world)
{
	end_free(&world->server);
	end_free(&world->client);
	tls_context_free(world->server_tls);
	tls_context_free(world->client_tls);
	identity_remove(&world->server_id);
	identity_remove(&world->client_id);
	loop_timer_free(world->deadline);
	loop_free(world->loop);
	for (int i = 0; i < 2; i++)
		if (world->fd[i] >= 0)
			close(world->fd[i]);
}

static struct stream_options options_of(struct world *world, struct tls_context *tls)
{
	return (struct stream_options){ .loop = world->loop,
		.tls = tls,
		.in_max = IN_MAX,
		.out_max = OUT_MAX,
		.handshake_timeout_ms = 10000 };
}

static struct stream_handler handler_of(struct end *end)
{
	return (struct stream_handler){ on_ready, on_data, on_drained, on_closed, end };
}

static void start_end(struct world *world, struct end *end, int *fd, uint32_t timeout_ms)
{
	struct tls_context *tls = end == &world->server ? world->server_tls : world->client_tls;
	struct stream_options options = options_of(world, tls);
	struct stream_handler handler = handler_of(end);

	options.handshake_timeout_ms = timeout_ms;
	cr_assert_eq(stream_new(&end->stream, &options, &handler, *fd), ERR_OK);
	*fd = -1;
}

static void start_both(struct world *world)
{
	start_end(world, &world->server, &world->fd[0], 10000);
	start_end(world, &world->client, &world->fd[1], 10000);
}

static void world_run(struct world *world)
{
	cr_assert_eq(loop_run(world->loop), ERR_OK);
}

/* Bytes sent before the handshake arrive after it, come back, and both sides know each other. An
 * expired client certificate is no obstacle. */
Test(stream, echo)
{
	struct world world;

	world_open(&world);
	start_both(&world);
	world.server.echo = true;
	world.client.stop_at = 5;
	cr_assert_null(stream_peer(world.server.stream));
	cr_assert_eq(stream_send(world.client.stream, SLICE_LITERAL("hel")), ERR_OK);
	cr_assert_eq(stream_send(world.client.stream, SLICE_LITERAL("lo")), ERR_OK);
	cr_assert_eq(stream_unsent(world.client.stream), 5);
	world_run(&world);
	cr_assert_eq(world.client.received, 5);
	cr_assert(world.client.drained);
	cr_assert_eq(memcmp(stream_peer(world.server.stream)->fingerprint,
			     world.client_id.peer.fingerprint, 32),
		0);
	cr_assert_eq(world.judged_not_after, world.client_id.peer.not_after);
	cr_assert_eq(strncmp(stream_cipher(world.server.stream), "TLSv1.3 TLS_AES_256", 19), 0);
	cr_assert_str_eq(stream_remote(world.server.stream), "local");
	world_close(&world);
}

/* More than buffers and sockets hold goes through whole; beyond out_max sending is refused. */
Test(stream, bulk_and_out_max)
{
	static const uint8_t bytes[OUT_MAX];
	struct world world;

	world_open(&world);
	start_both(&world);
	world.server.stop_at = OUT_MAX;
	cr_assert_eq(stream_send(world.client.stream, slice_of(bytes, OUT_MAX)), ERR_OK);
	cr_assert_eq(stream_send(world.client.stream, slice_of(bytes, 1)), ERR_LIMIT);
	world_run(&world);
	cr_assert_eq(world.server.received, OUT_MAX);
	world_close(&world);
}

static void on_consume(void *ctx)
{
	struct world *world = ctx;
	struct buf *input = stream_input(world->server.stream);

	cr_assert_eq(buf_slice(input).len, IN_MAX);
	world->server.keep = false;
	world->server.received += buf_slice(input).len;
	buf_consume(input, buf_slice(input).len);
}

/* A full input stops reading; consuming it later, with nothing new on the wire, goes on. */
Test(stream, consuming_resumes)
{
	static const uint8_t bytes[IN_MAX + 5000];
	struct loop_timer *timer;
	struct world world;

	world_open(&world);
	start_both(&world);
	world.server.keep = true;
	world.server.stop_at = sizeof(bytes);
	cr_assert_eq(stream_send(world.client.stream, slice_of(bytes, sizeof(bytes))), ERR_OK);
	cr_assert_eq(loop_timer_new(&timer, world.loop, on_consume, &world), ERR_OK);
	loop_timer_set(timer, 200);
	world_run(&world);
	cr_assert_eq(world.server.received, sizeof(bytes));
	loop_timer_free(timer);
	world_close(&world);
}

static void on_unpause(void *ctx)
{
	struct world *world = ctx;

	cr_assert_eq(world->server.received, 0);
	stream_pause(world->server.stream, false);
}

/* A paused stream delivers nothing until it is resumed. */
Test(stream, pause)
{
	struct loop_timer *timer;
	struct world world;

	world_open(&world);
	start_both(&world);
	stream_pause(world.server.stream, true);
	world.server.stop_at = 5;
	cr_assert_eq(stream_send(world.client.stream, SLICE_LITERAL("hello")), ERR_OK);
	cr_assert_eq(loop_timer_new(&timer, world.loop, on_unpause, &world), ERR_OK);
	loop_timer_set(timer, 100);
	world_run(&world);
	cr_assert_eq(world.server.received, 5);
	loop_timer_free(timer);
	world_close(&world);
}

/* A close sends what is queued first, and both ends are told of an orderly close. */
Test(stream, close_flushes)
{
	static const uint8_t bytes[100000];
	struct world world;

	world_open(&world);
	start_both(&world);
	world.client.close_on_ready = true;
	cr_assert_eq(stream_send(world.client.stream, slice_of(bytes, sizeof(bytes))), ERR_OK);
	world_run(&world);
	cr_assert_eq(world.server.received, sizeof(bytes));
	cr_assert_eq(world.server.why, ERR_CLOSED);
	cr_assert_str_eq(world.client.text, "closed by us");
	world_close(&world);
}

/* Freeing inside on_ready and inside on_data is safe; the other side sees a bare close. */
Test(stream, free_in_callback)
{
	for (int i = 0; i < 2; i++) {
		struct world world;

		world_open(&world);
		start_both(&world);
		world.server.free_on_ready = i == 0;
		world.server.free_on_data = i == 1;
		cr_assert_eq(stream_send(world.client.stream, SLICE_LITERAL("hello")), ERR_OK);
		world_run(&world);
		cr_assert_null(world.server.stream);
		world.until = 1;
		world_run(&world);
		cr_assert_eq(world.client.why, ERR_CLOSED, "%s", world.client.text);
		world_close(&world);
	}
}

/* A leaf that is not accepted, and a client without one, end the handshake on both sides. */
Test(stream, wrong_or_no_certificate)
{
	for (int i = 0; i < 2; i++) {
		struct world world;

		world_open(&world);
		if (i == 0) {
			world.accepted = &world.server_id;
		} else {
			tls_context_free(world.client_tls);
			world.client_tls = context_make(&world, TLS_KMIP_CLIENT, NULL);
		}
		start_both(&world);
		world_run(&world);
		cr_assert(!world.server.ready);
		cr_assert_eq(world.server.why, ERR_AUTH, "%s", world.server.text);
		cr_assert_eq(world.client.why, ERR_AUTH, "%s", world.client.text);
		world_close(&world);
	}
}

/* A client that knows only TLS 1.2 is no peer, though it may be a KMIP client. */
Test(stream, peers_want_tls13)
{
	struct world world;

	world_open(&world);
	tls_context_free(world.server_tls);
	world.server_tls = context_make(&world, TLS_PEER_SERVER, &world.server_id);
	start_end(&world, &world.server, &world.fd[0], 1000);
	SSL_CTX *old = SSL_CTX_new(TLS_client_method());
	cr_assert_eq(SSL_CTX_set_max_proto_version(old, TLS1_2_VERSION), 1);
	SSL *ssl = SSL_new(old);
	cr_assert_eq(SSL_set_fd(ssl, world.fd[1]), 1);
	cr_assert_leq(SSL_connect(ssl), 0);
	world.until = 1;
	world_run(&world);
	cr_assert_eq(world.server.why, ERR_CRYPTO, "%s", world.server.text);
	SSL_free(ssl);
	SSL_CTX_free(old);
	world_close(&world);
}

/* A bare connect and close, before any byte or in the middle of the hello, is an everyday close. */
Test(stream, bare_close)
{
	for (int i = 0; i < 2; i++) {
		struct world world;

		world_open(&world);
		start_end(&world, &world.server, &world.fd[0], 10000);
		if (i == 1)
			cr_assert_eq(write(world.fd[1], "\x16\x03\x01\x01", 4), 4);
		close(world.fd[1]);
		world.fd[1] = -1;
		world.until = 1;
		world_run(&world);
		cr_assert_eq(world.server.why, ERR_CLOSED, "%s", world.server.text);
		world_close(&world);
	}
}

/* Who says nothing is dropped in time; who talks something else, at once. */
Test(stream, silent_or_not_tls)
{
	struct world world;

	world_open(&world);
	start_end(&world, &world.server, &world.fd[0], 50);
	world.until = 1;
	world_run(&world);
	cr_assert_eq(world.server.why, ERR_TIMEOUT);
	cr_assert_str_eq(world.server.text, "no handshake within 50 ms");
	world_close(&world);
	world_open(&world);
	start_end(&world, &world.server, &world.fd[0], 10000);
	cr_assert_eq(write(world.fd[1], "GET / HTTP/1.1\r\n\r\n", 18), 18);
	world.until = 1;
	world_run(&world);
	cr_assert_eq(world.server.why, ERR_CRYPTO);
	world_close(&world);
}

/* Carries bytes between two sockets one at a time. */
struct drip {
	struct loop *loop;
	struct loop_task task;
	int fd[2];
};

static void on_drip(void *ctx)
{
	struct drip *drip = ctx;

	for (int i = 0; i < 2; i++) {
		uint8_t byte;
		if (recv(drip->fd[i], &byte, 1, MSG_DONTWAIT) == 1)
			cr_assert_eq(send(drip->fd[1 - i], &byte, 1, 0), 1);
	}
	loop_defer(drip->loop, &drip->task);
}

/* One byte at a time is as good as all at once. */
Test(stream, byte_by_byte)
{
	struct world world;
	struct drip drip;
	int far[2];

	world_open(&world);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, far), 0);
	drip = (struct drip){ .loop = world.loop, .fd = { world.fd[1], far[0] } };
	world.fd[1] = far[1];
	start_both(&world);
	world.server.echo = true;
	world.client.stop_at = 5;
	loop_task_init(&drip.task, on_drip, &drip);
	loop_defer(world.loop, &drip.task);
	cr_assert_eq(stream_send(world.client.stream, SLICE_LITERAL("hello")), ERR_OK);
	world_run(&world);
	cr_assert_eq(world.client.received, 5);
	loop_task_cancel(&drip.task);
	close(drip.fd[0]);
	close(drip.fd[1]);
	world_close(&world);
}

static void on_accepted(void *ctx, int fd, const char *remote)
{
	struct world *world = ctx;

	cr_assert_eq(strncmp(remote, "127.0.0.1:", 10), 0);
	start_end(world, &world->server, &fd, 10000);
}

/* Connecting over loopback between two pinned peers works; a dead port is told later, in words. */
Test(stream, connects)
{
	struct sockaddr_in name;
	socklen_t len = sizeof(name);
	struct listener *listener;
	char why[LISTEN_WHY_MAX], address[64];
	struct stream_options options;
	struct stream_handler handler;
	struct world world;
	int fd;

	world_open(&world);
	tls_context_free(world.client_tls);
	world.client_tls = context_make(&world, TLS_PEER_CLIENT, &world.server_id);
	tls_context_free(world.server_tls);
	world.server_tls = context_make(&world, TLS_PEER_SERVER, &world.server_id);
	world.accepted = &world.server_id;
	cr_assert_eq(listen_tcp(&fd, "127.0.0.1:0", why), ERR_OK);
	cr_assert_eq(getsockname(fd, (struct sockaddr *) &name, &len), 0);
	(void) snprintf(address, sizeof(address), "127.0.0.1:%u", ntohs(name.sin_port));
	cr_assert_eq(listener_new(&listener, world.loop, fd, on_accepted, &world), ERR_OK);
	options = options_of(&world, world.client_tls);
	options.server_name = "localhost";
	handler = handler_of(&world.client);
	cr_assert_eq(stream_connect(&world.client.stream, &options, &handler, address), ERR_OK);
	world.client.close_on_ready = true;
	world_run(&world);
	cr_assert(world.client.ready && world.client.why == ERR_CLOSED, "%s", world.client.text);
	listener_free(listener);
	close(fd);
	world.client.closed = false;
	world.until = 1;
	cr_assert_eq(stream_connect(&world.client.stream, &options, &handler, address), ERR_OK);
	world_run(&world);
	cr_assert_eq(world.client.why, ERR_IO);
	cr_assert_not_null(strstr(world.client.text, "Connection refused"));
	cr_assert_eq(stream_connect(&world.client.stream, &options, &handler, "x"), ERR_CONFIG);
	world_close(&world);
}

/* Every mistake in the files is told in a sentence that names the file. */
Test(tls_policy, explains_files)
{
	struct tls_options options = { .role = TLS_KMIP_SERVER };
	struct tls_context *context;
	struct identity a, b;
	struct tls_peer leaf;
	char why[TLS_WHY_MAX];

	identity_make(&a, 0, 60);
	identity_make(&b, 0, 60);
	cr_assert_eq(tls_context_new(&context, &options, why), ERR_CONFIG);
	cr_assert_str_eq(why, "a certificate and its key are needed");
	options.cert_file = "/nonexistent/cert.pem";
	options.key_file = a.key_file;
	cr_assert_eq(tls_context_new(&context, &options, why), ERR_CONFIG);
	cr_assert_not_null(strstr(why, "/nonexistent/cert.pem: No such file"), "%s", why);
	options.cert_file = b.cert_file;
	cr_assert_eq(tls_context_new(&context, &options, why), ERR_CONFIG);
	cr_assert_not_null(strstr(why, "does not belong to"), "%s", why);
	options.key_file = b.cert_file;
	cr_assert_eq(tls_context_new(&context, &options, why), ERR_CONFIG);
	cr_assert_not_null(strstr(why, "cannot read the private key"), "%s", why);
	options.key_file = b.key_file;
	options.legacy_suites = true;
	cr_assert_eq(tls_context_new(&context, &options, why), ERR_OK, "%s", why);
	tls_context_leaf(tls_context_ref(context), &leaf);
	cr_assert_eq(memcmp(leaf.fingerprint, b.peer.fingerprint, 32), 0);
	cr_assert_eq(leaf.not_after - leaf.not_before, 60);
	tls_context_free(context);
	tls_context_free(context);
	cr_assert_eq(tls_leaf_of_pem(&leaf, SLICE_LITERAL("no certificate")), ERR_INVALID);
	cr_assert_eq(tls_leaf_of_pem(&leaf, SLICE_EMPTY), ERR_INVALID);
	cr_assert_eq(tls_leaf_of_file(&leaf, "/nonexistent"), ERR_NOT_FOUND);
	identity_remove(&a);
	identity_remove(&b);
}
