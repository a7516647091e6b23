/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small HTTP server for monitoring tools: one GET on each connection, answered at once; few
 * connections, short questions, one deadline. Neither TLS nor passwords: it belongs on a loopback
 * address. By hand, since libevent's evhttp cannot bound the number of its connections.
 */
#ifndef BASE_HTTP_SERVE_H
#define BASE_HTTP_SERVE_H

#include "base/buf.h"
#include "base/loop.h"

struct http_serve;

enum {
	HTTP_SERVE_CONNECTIONS_MAX = 16, /* more wait in the kernel's queue */
	HTTP_SERVE_QUESTION_LEN_MAX = 8192,
	HTTP_SERVE_ANSWER_LEN_MAX = 4 * 1024 * 1024,
};

struct http_serve_answer {
	int status; /* 200, 404 (at first), 500 or 503 */
	struct buf body; /* text; empty at first, freed by the server */
};

struct http_serve_options {
	struct loop *loop;
	int fd; /* a listening socket, borrowed */
	uint32_t timeout_ms; /* of a connection, from its beginning to its end */
	/* path: without query; borrowed until it returns. */
	void (*on_get)(void *ctx, struct slice path, struct http_serve_answer *answer);
	void *ctx;
};

MUST_USE enum err http_serve_new(struct http_serve **out, const struct http_serve_options *options);
/* Connections end without an answer. NULL is fine. */
void http_serve_free(struct http_serve *server);

#endif
