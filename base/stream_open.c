/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/stream_private.h"

static const struct sm_state stream_states[] = {
	[STREAM_CONNECTING] = { "connecting", SM_TO(STREAM_HANDSHAKE) | SM_TO(STREAM_DEAD) },
	[STREAM_HANDSHAKE] = { "handshake", SM_TO(STREAM_OPEN) | SM_TO(STREAM_DEAD) },
	[STREAM_OPEN] = { "open", SM_TO(STREAM_CLOSING) | SM_TO(STREAM_DEAD) },
	[STREAM_CLOSING] = { "closing", SM_TO(STREAM_DEAD) },
	[STREAM_DEAD] = { "dead", SM_TO(STREAM_TOLD) },
	[STREAM_TOLD] = { "told", 0 },
};

/* All but the descriptor. */
static enum err stream_make(struct stream **out, const struct stream_options *options,
	const struct stream_handler *handler, enum stream_state state)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	enum err err;

	*out = NULL;
	if (stream == NULL)
		return ERR_NOMEM;
	ASSERT(handler->on_ready != NULL && handler->on_data != NULL && handler->on_closed != NULL);
	ASSERT(options->in_max > 0 && options->out_max > 0);
	stream->loop = options->loop;
	stream->handler = *handler;
	stream->handshake_timeout_ms = options->handshake_timeout_ms;
	stream->fd = -1;
	buf_init(&stream->in, options->in_max);
	buf_init(&stream->out, options->out_max);
	loop_task_init(&stream->work, stream_on_work, stream);
	sm_init(&stream->sm, stream_states, STREAM_TOLD + 1, "stream", stream->remote);
	stream->sm.state = (int) state;
	stream->sm.quiet = true;
	stream->tls = tls_context_ref(options->tls);
	TRY(tls_session_new(&stream->ssl, options->tls, options->server_name));
	TRY(loop_timer_new(&stream->timer, options->loop, stream_on_timer, stream));
	if (options->handshake_timeout_ms > 0)
		loop_timer_set(stream->timer, options->handshake_timeout_ms);
	*out = stream;
	stream = NULL;
out:
	ERR_clear_error();
	stream_free(stream);
	return err;
}

static enum err stream_attach(struct stream *stream, int fd)
{
	enum err err;

	TRY(SSL_set_fd(stream->ssl, fd) != 1 ? ERR_NOMEM : ERR_OK);
	TRY(loop_io_new(&stream->io, stream->loop, fd, stream_on_io, stream));
	stream->fd = fd;
	loop_defer(stream->loop, &stream->work);
out:
	return err;
}

enum err stream_new(struct stream **out, const struct stream_options *options,
	const struct stream_handler *handler, int fd)
{
	enum err err;

	TRY(stream_make(out, options, handler, STREAM_HANDSHAKE));
	address_of_peer((*out)->remote, fd);
	TRY(stream_attach(*out, fd));
	return ERR_OK;
out:
	stream_free(*out);
	*out = NULL;
	return err;
}

/* Begins to connect; what the network says is told later. */
static enum err connect_begin(struct stream *stream, const struct address *address)
{
	int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;
	enum err err;

	if (fd < 0)
		return ERR_SYS;
	(void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (const struct sockaddr *) &address->storage, address->len) != 0 &&
		errno != EINPROGRESS) {
		stream_fail(stream, ERR_IO, "cannot connect to %.100s: %s", stream->remote,
			strerror(errno));
		(void) close(fd);
		return ERR_OK;
	}
	err = stream_attach(stream, fd);
	if (err != ERR_OK)
		(void) close(fd);
	/* The attempt waits for writability, not for the next turn. */
	else {
		loop_task_cancel(&stream->work);
		loop_io_want(stream->io, LOOP_WRITE);
	}
	return err;
}

enum err stream_connect(struct stream **out, const struct stream_options *options,
	const struct stream_handler *handler, const char *address)
{
	struct address found;
	enum err err = address_resolve(&found, address);

	*out = NULL;
	if (err != ERR_OK && err != ERR_NOT_FOUND)
		return err;
	ASSERT(!tls_context_is_server(options->tls));
	if (stream_make(out, options, handler, STREAM_CONNECTING) != ERR_OK)
		return ERR_NOMEM;
	(void) snprintf((*out)->remote, sizeof((*out)->remote), "%s", address);
	if (err == ERR_NOT_FOUND) {
		stream_fail(*out, err, "the name in %.100s has no address", address);
		return ERR_OK;
	}
	err = connect_begin(*out, &found);
	if (err != ERR_OK) {
		stream_free(*out);
		*out = NULL;
	}
	return err;
}
