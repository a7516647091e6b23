/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to a KMIP server: a request goes out, the whole answer comes back, in time or not
 * at all. It knows nothing of what the messages mean, nor of other endpoints.
 */
#ifndef NODE_PROBE_CLIENT_H
#define NODE_PROBE_CLIENT_H

#include "base/arena.h"
#include "base/stream_tls.h"

struct probe_client;

struct probe_reply {
	enum err err; /* ERR_TIMEOUT, ERR_CLOSED, ERR_MESSAGE, ...: the connection is dead */
	const char *text; /* why, for people; borrowed until the callback returns */
	struct slice frame; /* ERR_OK: the answer, in the arena */
};

struct probe_client_options {
	struct loop *loop;
	struct tls_context *tls;
	const char *address;
	const char *server_name; /* what the certificate must vouch for; NULL: anything */
	struct arena *arena; /* answers are put here; resetting it is the owner's */
	/* The end of an ask. The client may be freed or asked again in it. */
	void (*on_reply)(void *ctx, const struct probe_reply *reply);
	void *ctx;
};

/* Begins to connect; borrows all that the options point to. ERR_CONFIG: not an address. */
MUST_USE enum err probe_client_new(
	struct probe_client **out, const struct probe_client_options *options);
/* At once, without callback. NULL is fine. */
void probe_client_free(struct probe_client *client);
/* One at a time. Ends in one on_reply within timeout_ms, connecting included; on a dead connection
 * too. ERR_LIMIT, ERR_NOMEM: it did not start. */
MUST_USE enum err probe_client_ask(
	struct probe_client *client, struct slice request, uint32_t timeout_ms);
/* NULL while not connected; borrowed until the next callback of the loop. */
const struct stream *probe_client_stream(const struct probe_client *client);

#endif
