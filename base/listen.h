/* SPDX-License-Identifier: Apache-2.0 */
/* Listening sockets: TCP for KMIP and the pair, UNIX for the operator. */
#ifndef BASE_LISTEN_H
#define BASE_LISTEN_H

#include "base/loop.h"
#include "base/slice.h"

enum { LISTEN_ADDRESS_MAX = 280, LISTEN_WHY_MAX = 300 };

/* A bound, listening, non-blocking, close-on-exec socket; why: a sentence for people ("port 5696 of
 * 127.0.0.1 is in use"). */
MUST_USE enum err listen_tcp(int *out_fd, const char *address, char why[LISTEN_WHY_MAX]);
/* Replaces a dead socket file; mode 0600. */
MUST_USE enum err listen_unix(int *out_fd, const char *path, char why[LISTEN_WHY_MAX]);

/* Lifts this process's limit of descriptors as far as it may, for itself and what it starts; the
 * limit that it has now. */
uint64_t listen_lift_limit(void);

struct listener;
/* Accepts from fd (borrowed): on_accept owns the new non-blocking socket (TCP_NODELAY set). Waits
 * out EMFILE. */
MUST_USE enum err listener_new(struct listener **out, struct loop *loop, int fd,
	void (*on_accept)(void *ctx, int fd, const char *remote), void *ctx);
/* At a limit we stop accepting. */
void listener_pause(struct listener *listener, bool paused);
void listener_free(struct listener *listener);

#endif
