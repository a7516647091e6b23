/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/stream_private.h"

enum {
	STREAM_READ_LEN = 4096, /* most requests fit; idle streams keep no more */
	STREAM_TURN_MAX = 128 * 1024, /* read at a time, so that others get their turn */
	STREAM_CLOSE_MS = 5000
};

static bool is_state(const struct stream *stream, enum stream_state state)
{
	return !stream->freed && stream->sm.state == (int) state;
}

static bool is_over(const struct stream *stream)
{
	return stream->freed || stream->sm.state >= STREAM_DEAD;
}

/* The end. */

/* A close with unread bytes would reset the connection and could destroy our last answer. */
static void discard_unread(int fd)
{
	uint8_t bytes[STREAM_READ_LEN];
	int rounds = STREAM_TURN_MAX / STREAM_READ_LEN;

	while (rounds-- > 0 && recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

static void stream_shut(struct stream *stream)
{
	loop_task_cancel(&stream->work);
	loop_io_free(stream->io);
	stream->io = NULL;
	loop_timer_free(stream->timer);
	stream->timer = NULL;
	if (stream->fd >= 0) {
		discard_unread(stream->fd);
		(void) close(stream->fd);
	}
	stream->fd = -1;
}

static void stream_release(struct stream *stream)
{
	SSL_free(stream->ssl);
	tls_context_free(stream->tls);
	buf_free(&stream->in);
	buf_free(&stream->out);
	free(stream);
}

void stream_free(struct stream *stream)
{
	if (stream == NULL || stream->freed)
		return;
	stream_shut(stream);
	stream->freed = true;
	if (!stream->busy)
		stream_release(stream);
}

void stream_fail(struct stream *stream, enum err why, const char *format, ...)
{
	va_list list;

	if (is_over(stream))
		return;
	va_start(list, format);
	(void) vsnprintf(stream->text, sizeof(stream->text), format, list);
	va_end(list);
	stream->why = why;
	sm_move(&stream->sm, STREAM_DEAD, stream->text);
	stream_shut(stream);
	buf_clear(&stream->out);
	loop_defer(stream->loop, &stream->work);
}

/* After a call of OpenSSL that did not succeed: waits for the descriptor, or ends the stream. */
static void after_ssl(struct stream *stream, int result, const char *phase)
{
	char text[STREAM_WHY_MAX];
	int number = errno;
	int code = SSL_get_error(stream->ssl, result);

	if (code == SSL_ERROR_WANT_READ) {
		stream->blocked_on |= LOOP_READ;
	} else if (code == SSL_ERROR_WANT_WRITE) {
		stream->blocked_on |= LOOP_WRITE;
	} else {
		enum err why = tls_explain(text, sizeof(text), code, number);
		stream_fail(stream, why, "%.120s %s", text, phase);
	}
	ERR_clear_error();
}

static void ssl_begin(void)
{
	ERR_clear_error();
	errno = 0;
}

/* The steps, in the order of a stream's life. */

static void step_connect(struct stream *stream)
{
	int number = 0;
	socklen_t len = sizeof(number);

	if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &number, &len) != 0)
		number = errno;
	if (number == EINPROGRESS)
		return;
	if (number != 0)
		stream_fail(stream, ERR_IO, "cannot connect to %.100s: %s", stream->remote,
			strerror(number));
	else
		sm_move(&stream->sm, STREAM_HANDSHAKE, "connected");
}

static void step_handshake(struct stream *stream)
{
	X509 *certificate;
	int result;

	ssl_begin();
	result = SSL_do_handshake(stream->ssl);
	if (result != 1) {
		after_ssl(stream, result, "during the handshake");
		return;
	}
	if (is_over(stream))
		return;
	loop_timer_stop(stream->timer);
	certificate = SSL_get0_peer_certificate(stream->ssl);
	stream->has_peer = certificate != NULL &&
			   tls_peer_of_certificate(&stream->peer, certificate) == ERR_OK;
	(void) snprintf(stream->cipher, sizeof(stream->cipher), "%s %s",
		SSL_get_version(stream->ssl), SSL_get_cipher_name(stream->ssl));
	sm_move(&stream->sm, STREAM_OPEN, stream->cipher);
	/* The other side's first bytes may have come along with the handshake. */
	stream->read_more = true;
	stream->handler.on_ready(stream->handler.ctx, stream);
}

static bool may_read(const struct stream *stream)
{
	return is_state(stream, STREAM_OPEN) && !stream->paused && buf_room(&stream->in) > 0;
}

/* Reads one piece; 0 when there is nothing now. */
static size_t read_piece(struct stream *stream)
{
	size_t want = (size_t) SSL_pending(stream->ssl), got = 0;
	uint8_t *to;
	int result;

	if (want < STREAM_READ_LEN)
		want = STREAM_READ_LEN;
	if (want > buf_room(&stream->in))
		want = buf_room(&stream->in);
	if (buf_reserve(&stream->in, want, &to) != ERR_OK) {
		stream_fail(stream, ERR_NOMEM, "no memory to read into");
		return 0;
	}
	ssl_begin();
	result = SSL_read_ex(stream->ssl, to, want, &got);
	if (result == 1)
		buf_commit(&stream->in, got);
	else
		after_ssl(stream, result, "while reading");
	return got;
}

static void step_read(struct stream *stream)
{
	size_t total = 0, got;

	do {
		got = may_read(stream) && total < STREAM_TURN_MAX ? read_piece(stream) : 0;
		total += got;
		/* Set when the loop ends for a limit of ours, since no readiness would tell. */
		stream->read_more = !is_over(stream) && stream->blocked_on == 0 &&
				    SSL_has_pending(stream->ssl) == 1;
	} while (got > 0 && stream->read_more);
	if (total > 0)
		stream->handler.on_data(stream->handler.ctx, stream);
}

static void step_write(struct stream *stream)
{
	size_t sent = 0;
	int result = 1;

	while (!is_over(stream) && result == 1 && buf_slice(&stream->out).len > 0) {
		struct slice bytes = buf_slice(&stream->out);

		ssl_begin();
		result = SSL_write_ex(stream->ssl, bytes.data, bytes.len, &sent);
		if (result == 1)
			buf_consume(&stream->out, sent);
		else
			after_ssl(stream, result, "while writing");
	}
	if (!stream->owes_drained || is_over(stream) || buf_slice(&stream->out).len > 0)
		return;
	stream->owes_drained = false;
	if (stream->handler.on_drained != NULL)
		stream->handler.on_drained(stream->handler.ctx, stream);
}

/* After the last queued byte: close_notify, and no waiting for the other side's. */
static void step_close(struct stream *stream)
{
	int result;

	if (buf_slice(&stream->out).len > 0)
		return;
	ssl_begin();
	result = SSL_shutdown(stream->ssl);
	if (result < 0) {
		after_ssl(stream, result, "while closing");
		if ((stream->blocked_on & LOOP_WRITE) != 0)
			return;
	}
	stream_fail(stream, ERR_CLOSED, "closed by us");
}

/* Wants what can be used now. */
static void stream_watch(struct stream *stream)
{
	unsigned events = stream->blocked_on & LOOP_WRITE;
	bool reading = is_state(stream, STREAM_HANDSHAKE) && (stream->blocked_on & LOOP_READ) != 0;

	if (is_over(stream))
		return;
	if (is_state(stream, STREAM_CONNECTING))
		events |= LOOP_WRITE;
	if (reading || may_read(stream))
		events |= LOOP_READ;
	loop_io_want(stream->io, events);
	if (stream->read_more && may_read(stream))
		loop_defer(stream->loop, &stream->work);
}

/* Everything that can be done now. */
static void stream_advance(struct stream *stream)
{
	stream->busy = true;
	stream->blocked_on = 0;
	if (is_state(stream, STREAM_CONNECTING))
		step_connect(stream);
	if (is_state(stream, STREAM_HANDSHAKE))
		step_handshake(stream);
	if (may_read(stream))
		step_read(stream);
	if (is_state(stream, STREAM_OPEN) || is_state(stream, STREAM_CLOSING))
		step_write(stream);
	if (is_state(stream, STREAM_CLOSING))
		step_close(stream);
	stream->busy = false;
	if (stream->freed)
		stream_release(stream);
	else
		stream_watch(stream);
}

void stream_on_io(void *ctx, unsigned events)
{
	(void) events;
	stream_advance(ctx);
}

void stream_on_work(void *ctx)
{
	struct stream *stream = ctx;

	if (!is_state(stream, STREAM_DEAD)) {
		stream_advance(stream);
		return;
	}
	stream->busy = true;
	sm_move(&stream->sm, STREAM_TOLD, stream->text);
	stream->handler.on_closed(stream->handler.ctx, stream, stream->why, stream->text);
	stream->busy = false;
	if (stream->freed)
		stream_release(stream);
}

void stream_on_timer(void *ctx)
{
	struct stream *stream = ctx;

	if (is_state(stream, STREAM_CLOSING))
		stream_fail(stream, ERR_CLOSED, "closed by us; the other side did not read on");
	else
		stream_fail(stream, ERR_TIMEOUT, "no handshake within %u ms",
			stream->handshake_timeout_ms);
}

/* What the owner does. */

void stream_close(struct stream *stream)
{
	if (is_state(stream, STREAM_CONNECTING) || is_state(stream, STREAM_HANDSHAKE))
		stream_fail(stream, ERR_CLOSED, "closed by us before the handshake was done");
	if (!is_state(stream, STREAM_OPEN))
		return;
	sm_move(&stream->sm, STREAM_CLOSING, "asked to");
	loop_timer_set(stream->timer, STREAM_CLOSE_MS);
	loop_defer(stream->loop, &stream->work);
	if (!stream->busy)
		stream_watch(stream);
}

struct buf *stream_input(struct stream *stream)
{
	/* The owner may be about to consume what kept us from reading on. */
	if (!stream->busy && is_state(stream, STREAM_OPEN) &&
		(stream->read_more || buf_room(&stream->in) == 0))
		loop_defer(stream->loop, &stream->work);
	return &stream->in;
}

enum err stream_send(struct stream *stream, struct slice bytes)
{
	enum err err;

	if (is_over(stream) || is_state(stream, STREAM_CLOSING))
		return ERR_CLOSED;
	if (bytes.len == 0)
		return ERR_OK;
	TRY(buf_append(&stream->out, bytes));
	stream->owes_drained = true;
	/* At the end of the callback or in the next turn: what is sent until then shares a record.
	 */
	if (!stream->busy && is_state(stream, STREAM_OPEN))
		loop_defer(stream->loop, &stream->work);
out:
	return err;
}

size_t stream_unsent(const struct stream *stream)
{
	return buf_slice(&stream->out).len;
}

void stream_pause(struct stream *stream, bool paused)
{
	stream->paused = paused;
	if (stream->busy || !is_state(stream, STREAM_OPEN))
		return;
	if (paused)
		stream_watch(stream);
	else
		loop_defer(stream->loop, &stream->work);
}

const struct tls_peer *stream_peer(const struct stream *stream)
{
	return stream->has_peer ? &stream->peer : NULL;
}

const char *stream_remote(const struct stream *stream)
{
	return stream->remote;
}

const char *stream_cipher(const struct stream *stream)
{
	return stream->cipher;
}
