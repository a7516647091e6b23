/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a stream, shared by stream_tls.c (its life) and stream_open.c (its birth) only. */
#ifndef BASE_STREAM_PRIVATE_H
#define BASE_STREAM_PRIVATE_H

#include "base/address.h"
#include "base/sm.h"
#include "base/stream_tls.h"
#include "base/tls_private.h"

enum { STREAM_WHY_MAX = 200, STREAM_CIPHER_MAX = 80 };

/*
 *   CONNECTING --> HANDSHAKE --> OPEN --> CLOSING
 *        |             |           |         |
 *        +-------------+-----+-----+---------+
 *                            v
 *                          DEAD --> (on_closed) TOLD
 */
enum stream_state {
	STREAM_CONNECTING,
	STREAM_HANDSHAKE,
	STREAM_OPEN,
	STREAM_CLOSING,
	STREAM_DEAD,
	STREAM_TOLD
};

struct stream {
	struct loop *loop;
	struct tls_context *tls;
	struct stream_handler handler;
	struct sm sm;
	int fd;
	SSL *ssl;
	struct loop_io *io;
	struct loop_timer *timer; /* of the handshake, later of the close */
	struct loop_task work; /* goes on without readiness; tells of the end */
	struct buf in, out;
	uint32_t handshake_timeout_ms;
	unsigned blocked_on; /* what OpenSSL waits for, whatever we want */
	bool read_more; /* stopped reading though OpenSSL may hold more */
	bool paused;
	bool owes_drained; /* on_drained is due when `out` gets empty */
	bool busy; /* in our own code, perhaps in a callback: the memory must live */
	bool freed;
	enum err why;
	char text[STREAM_WHY_MAX];
	bool has_peer;
	struct tls_peer peer;
	char remote[ADDRESS_TEXT_MAX];
	char cipher[STREAM_CIPHER_MAX];
};

/* Ends the stream; on_closed follows in the next turn. Does nothing to one that has ended. */
void stream_fail(struct stream *stream, enum err why, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* For the loop; ctx is the stream. */
void stream_on_io(void *ctx, unsigned events);
void stream_on_work(void *ctx);
void stream_on_timer(void *ctx);

#endif
