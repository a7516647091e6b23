/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TLS connection on the loop: bytes in, bytes out, bounded buffers, deadlines. SSL_read and
 * SSL_write directly on events. Knows nothing of what the bytes mean.
 */
#ifndef BASE_STREAM_TLS_H
#define BASE_STREAM_TLS_H

#include "base/buf.h"
#include "base/loop.h"
#include "base/tls_policy.h"

struct stream;

struct stream_handler {
	/* The handshake is done; stream_peer is known. */
	void (*on_ready)(void *ctx, struct stream *stream);
	/* New bytes were appended to stream_input. Called again only after more bytes came. */
	void (*on_data)(void *ctx, struct stream *stream);
	/* Everything given to stream_send has been handed to the kernel. May be NULL. */
	void (*on_drained)(void *ctx, struct stream *stream);
	/* The last call. ERR_CLOSED: an orderly or bare close; text says what happened, for the
	 * log. The stream is dead: free it. */
	void (*on_closed)(void *ctx, struct stream *stream, enum err why, const char *text);
	void *ctx;
};

struct stream_options {
	struct loop *loop;
	struct tls_context *tls; /* a reference is taken; its role decides server or client */
	size_t in_max; /* bytes unread by the owner before we stop reading */
	size_t out_max; /* bytes unsent before stream_send says ERR_LIMIT */
	uint32_t handshake_timeout_ms; /* from the start, connecting included; 0: none */
	const char *server_name; /* client: SNI and name check when ca_file judges; NULL: no name
				    check */
};

/* Over a connected, non-blocking socket. Owns fd on success only. */
MUST_USE enum err stream_new(struct stream **out, const struct stream_options *options,
	const struct stream_handler *handler, int fd);
/* Connects to a numeric address or name ("127.0.0.1:5696", "[::1]:5696", "host:port"). A name is
 * looked up here and now, which blocks. ERR_CONFIG: not an address; all else comes by on_closed. */
MUST_USE enum err stream_connect(struct stream **out, const struct stream_options *options,
	const struct stream_handler *handler, const char *address);
/* At once, without callback; the descriptor is closed. NULL is fine. Safe inside any callback. */
void stream_free(struct stream *stream);
/* Sends what is queued, then close_notify, then on_closed(ERR_CLOSED). Reading ends at once. */
void stream_close(struct stream *stream);

/* Bytes received and not yet consumed; consume with buf_consume, which also resumes reading on the
 * next turn. Ask for it afresh each time: a full input is looked at again only after this call. */
struct buf *stream_input(struct stream *stream);
/* Copies and sends in as few records as possible. ERR_LIMIT, ERR_NOMEM, ERR_CLOSED. */
MUST_USE enum err stream_send(struct stream *stream, struct slice bytes);
size_t stream_unsent(const struct stream *stream);
/* Stops or resumes reading: backpressure of the owner. */
void stream_pause(struct stream *stream, bool paused);

/* NULL when the other side showed no certificate. Borrowed until stream_free. */
const struct tls_peer *stream_peer(const struct stream *stream);
/* "192.0.2.1:40312" and "TLSv1.3 TLS_AES_256_GCM_SHA384"; borrowed until stream_free. */
const char *stream_remote(const struct stream *stream);
const char *stream_cipher(const struct stream *stream);

#endif
