/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection to the peer (design D22): TLS 1.3, both leaves pinned; one side dials and tries
 * again, the other listens; at most one connection counts, the newest from the right peer. Cuts the
 * bytes into frames and does not know what they mean. link_dial.c: how connections begin.
 * link_identity.c: certificates, and how they are renewed.
 */
#ifndef REPLICATION_LINK_H
#define REPLICATION_LINK_H

#include "base/loop.h"
#include "base/slice.h"

struct link;

enum {
	LINK_WHY_MAX = 300,
	LINK_SLOTS = 6, /* one that counts, the others shaking hands or closing */
	LINK_IN_MAX = 2 * 1048576,
	LINK_OUT_MAX = 4 * 1048576,
	LINK_HANDSHAKE_MS = 3000,
	LINK_LOOKUP_MS = 20, /* between looks at a name that is being looked up */
	LINK_RETRY_MIN_MS = 100,
	LINK_RETRY_MAX_MS = 5000, /* and a quarter more or less, as each pause */
	LINK_RETRY_SLOW_MS = 15000, /* after a refusal: a person must change something first */
	LINK_PINS_MAX = 4, /* certificates of the peer, while they are being renewed */
};

struct link_handler {
	void (*on_connecting)(void *ctx);
	void (*on_up)(void *ctx);
	/* body is borrowed until return; link_close and link_cut are allowed inside. */
	void (*on_frame)(void *ctx, uint8_t type, struct slice body);
	void (*on_drained)(void *ctx);
	/* Not after link_close, link_cut or link_free. */
	void (*on_down)(void *ctx, const char *why);
	/* A connection given to link_close has sent what it had. */
	void (*on_closed)(void *ctx);
	void *ctx;
};

struct link_files {
	const char *cert_file, *key_file;
	const char *peer_cert_file; /* each certificate in it is accepted */
};

struct link_options {
	struct loop *loop;
	const char *listen; /* NULL for the side that dials */
	const char *peer_address; /* of the side that dials */
	struct link_files files; /* read by link_new */
	struct link_handler handler;
};

/* Text is copied. why: a sentence for people. */
MUST_USE enum err link_new(
	struct link **out, const struct link_options *options, char why[LINK_WHY_MAX]);
MUST_USE enum err link_start(struct link *link, char why[LINK_WHY_MAX]);
void link_free(struct link *link);
/* Whether a link could be made with these. why: a sentence for people. */
MUST_USE enum err link_judge(const struct link_files *files, char why[LINK_WHY_MAX]);
/* Takes the certificates anew; an error keeps what was. The side that dials makes a new connection
 * under them and only then gives up the old one; one whose peer is not pinned any more ends at
 * once. May call on_down. */
MUST_USE enum err link_reload(
	struct link *link, const struct link_files *files, char why[LINK_WHY_MAX]);

bool link_is_up(const struct link *link);
/* Why the last attempts to connect failed; "" once one succeeded. */
const char *link_failure(const struct link *link);
/* ERR_STATE without a connection; else as stream_send. */
MUST_USE enum err link_send(struct link *link, struct slice bytes);
size_t link_unsent(const struct link *link);
void link_pause(struct link *link, bool paused);
/* Sends what is queued and ends the connection; dials again later, much later when slow. */
void link_close(struct link *link, bool slow);
/* The connection proved useful: the next dialling starts without delay. */
void link_settle(struct link *link);
/* Ends everything at once, and opens nothing until cut is false again. */
void link_cut(struct link *link, bool cut);
bool link_is_cut(const struct link *link);

#endif
