/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client connection of a worker: TLS, framing, one request after the other, limits and
 * deadlines. Answers what it can at once and hands the rest to the keeper. Its life is a state
 * machine (session.c).
 */
#ifndef NODE_SESSION_H
#define NODE_SESSION_H

#include "base/stream_tls.h"
#include "kmip/serve.h"
#include "node/counters.h"
#include "node/ipc.h"

struct session;

/* Why a certificate was refused; as the counters that they end in. */
enum session_refusal {
	SESSION_NOT_REGISTERED,
	SESSION_EXPIRED,
	SESSION_STORE_FAILED,
	SESSION_REFUSALS
};

/* What sessions share; owned by the worker. */
struct session_host {
	struct loop *loop;
	struct tls_context *tls; /* the current one; sessions keep theirs */
	struct keystore *keystore;
	struct kmip_server *kmip;
	struct buf answer; /* scratch for one answer, cleared after use */
	struct counters *counters; /* this process's */
	uint64_t connections; /* open now */
	uint32_t refusals[SESSION_REFUSALS]; /* of handshakes that have not ended yet */
	size_t frame_len_max;
	uint32_t handshake_timeout_s, message_timeout_s, idle_timeout_s;
	bool refuse_expired;
	bool stopping; /* finish the request under way, then close */
	/* Sends a frame to the keeper under the session's ticket. */
	enum err (*forward)(
		void *ctx, uint64_t ticket, const struct fingerprint *client, struct slice frame);
	/* The session is gone; its ticket is dead. */
	void (*on_gone)(void *ctx, struct session *session);
	void *ctx;
};

/* Owns fd on success only. */
MUST_USE enum err session_new(
	struct session **out, struct session_host *host, int fd, uint64_t ticket);
/* At once; on_gone is not called. */
void session_free(struct session *session);
uint64_t session_ticket(const struct session *session);
/* The keeper's answer to the forwarded frame; one that comes too late is dropped. */
void session_answer(struct session *session, struct slice response, bool close);
/* The host is stopping: close now if nothing is under way. */
void session_stop(struct session *session);

/* Judges a leaf certificate during the handshake: true when it is a registered client that may be
 * served. */
bool session_accept_client(struct session_host *host, const struct tls_peer *peer);

#endif
