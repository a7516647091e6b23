/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One KMIP request message in, one response message out: decode, run the batch, encode. Workers and
 * the keeper run the same code; a worker that meets a change or a miss hands the whole frame on
 * (ERR_FORWARD). Knows no socket.
 *
 * An operation (op_*.c, one row in the operation table) has two steps. `plan` reads what it needs,
 * judges, and either fills the response or states one effect (create, change, destroy). When it
 * needs an object or material that is not at hand it returns ERR_AGAIN and is run again from the
 * start after the fetch; so plan has no side effects. `finish` fills the response from the effect's
 * outcome, or states the item's next effect and is called again after that one.
 */
#ifndef KMIP_SERVE_H
#define KMIP_SERVE_H

#include "base/buf.h"
#include "keystore/keystore.h"
#include "kmip/authorities.h"
#include "kmip/message.h"
#include "kmip/policy.h"

struct kmip_server;
struct kmip_pending;

enum {
	KMIP_FETCHES_MAX = 40, /* fetches that one batch item may ask for: the parts of a split key,
				  and more */
	/* Ours: decoded request, objects read for it and answer; the longest request takes a tenth.
	 */
	KMIP_ARENA_LEN_MAX = 32 * 1024 * 1024,
};

struct kmip_item_record {
	struct instance_id instance;
	struct fingerprint client;
	const char *operation; /* specification's name, or "unknown" */
	uint32_t code; /* the operation as the client named it; 0: none */
	const char *uid; /* text, or "" */
	enum err err;
	uint64_t took_us; /* in the process that answers, waiting included */
};

struct kmip_options {
	struct keystore *keystore;
	struct loop *loop; /* the keeper's; NULL in a worker */
	const char *vendor; /* Query's Vendor Identification */
	const char *node_name; /* Server Information */
	bool strict_activate; /* Activate of an Active key: Permission Denied instead of Success
				 (design D6) */
	/* The instances' algorithm policies; one that is left out may do everything. */
	const struct instance_policy *policies;
	size_t policy_count;
	const struct kmip_authorities *authorities; /* borrowed; NULL: nothing is certified */
	/* Finished batch items, for metrics and the audit stream: called once per item before the
	 * answer is handed out. May be NULL. */
	void (*on_item)(void *ctx, const struct kmip_item_record *record);
	void *ctx;
};

/* Who asks: established by TLS. */
struct kmip_identity {
	struct instance_id instance;
	struct fingerprint client;
};

/* Borrows what the options point to until kmip_server_free. */
MUST_USE enum err kmip_server_new(struct kmip_server **out, const struct kmip_options *options);
/* Requests of kmip_serve_start that are still pending are cancelled; call it before keystore_free.
 */
void kmip_server_free(struct kmip_server *server);

/* A reload: from the next item on these policies hold; what is under way in pieces goes on.
 * Borrowed as the options'. */
void kmip_server_set_policies(
	struct kmip_server *server, const struct instance_policy *policies, size_t count);

/* When no client is served any more: on_settled comes once, later, as soon as nothing is under way,
 * also of what clients are answered later. A second call takes the place of the first. */
void kmip_server_settle(struct kmip_server *server, void (*on_settled)(void *ctx), void *ctx);

/* Frames are cut off a stream with kmip_frame_len (message.h). */

/* What a session answers to bytes that are no message, before it closes: one Invalid Message item.
 */
MUST_USE enum err kmip_refuse(struct buf *out, struct slice head);

/*
 * Worker: appends the response to out, or ERR_FORWARD: nothing was done and the frame must go to
 * the keeper as it is. *close: framing is lost, close after sending. Any other error: close the
 * connection without an answer.
 */
MUST_USE enum err kmip_serve(struct kmip_server *server, const struct kmip_identity *identity,
	struct slice frame, struct buf *out, bool *close);

struct kmip_served {
	struct slice response; /* borrowed until the callback returns */
	bool close;
};
/* Keeper: the frame is copied. Exactly one callback, later, or kmip_cancel (effects already begun
 * run to their end). An item that the client wants run asynchronously goes on after the callback
 * (later.h). */
MUST_USE enum err kmip_serve_start(struct kmip_pending **out, struct kmip_server *server,
	const struct kmip_identity *identity, struct slice frame,
	void (*on_served)(void *ctx, const struct kmip_served *served), void *ctx);
void kmip_cancel(struct kmip_pending *pending);

#endif
