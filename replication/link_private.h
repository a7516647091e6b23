/* SPDX-License-Identifier: Apache-2.0 */
/* What link.c, link_dial.c and link_identity.c share; nobody else includes this. */
#ifndef REPLICATION_LINK_PRIVATE_H
#define REPLICATION_LINK_PRIVATE_H

#include "replication/link.h"
#include "base/address.h"
#include "base/listen.h"
#include "base/stream_tls.h"

/* A dialler knows that it was taken when the first byte comes: TLS 1.3 lets it finish the handshake
 * before the other side has judged its certificate. */
enum slot_use { SLOT_FREE, SLOT_OPENING, SLOT_PROVING, SLOT_CURRENT, SLOT_CLOSING };

struct slot {
	struct link *link;
	enum slot_use use;
	struct stream *stream;
	uint64_t since_ms;
};

/* Who this node is on the link, and whom it accepts. */
struct identity {
	struct tls_context *tls;
	struct tls_peer own;
	struct tls_peer pins[LINK_PINS_MAX];
	size_t pin_count;
};

struct link {
	struct link_options options;
	char *texts[2]; /* what options points to */
	struct identity identity;
	int listen_fd;
	struct listener *listener;
	struct loop_timer *retry;
	struct loop_timer *proof; /* until when the peer has to speak first */
	struct address_lookup *lookup; /* of the peer's address, under way */
	struct loop_task parse;
	unsigned failures;
	bool started, cut, paused;
	bool renewing; /* a connection under the new identity is to replace the one that counts */
	bool pin_differs; /* in the handshake that ends next */
	char failure[LINK_WHY_MAX]; /* of the last attempt, until one succeeds */
	struct slot slots[LINK_SLOTS];
	struct slot *current;
};

/* Ends its connection at once. */
void link_empty_slot(struct slot *slot);
/* The connection of this slot is the one that counts from now on. */
void link_promote(struct slot *slot);
/* Of every connection, whoever began it. */
struct stream_handler link_stream_handler(struct slot *slot);

void link_dial(void *ctx);
void link_dial_later(struct link *link, bool slow);
void link_on_accept(void *ctx, int fd, const char *remote);
/* The peer that was dialled is silent: a timer's function. */
void link_on_no_proof(void *ctx);
/* Told once for each new reason. To the side that listens, strangers knock: of them it tells only
 * that a certificate was not the peer's. */
void link_attempt_failed(struct link *link, const char *why);

/* Into *out, which is overwritten; owned by the caller on success only. */
MUST_USE enum err link_load_identity(struct identity *out, struct link *link,
	const struct link_files *files, char why[LINK_WHY_MAX]);
bool link_is_pinned(const struct link *link, const struct tls_peer *peer);

#endif
