/* SPDX-License-Identifier: Apache-2.0 */
#include "node/session.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sm.h"
#include "base/text.h"

/*
 *   HANDSHAKE -> IDLE <-> READING -> WAITING (at the keeper) -> IDLE
 *        \________\_________\___________\______> CLOSING (answers are being sent) -> GONE
 */
enum session_state {
	SESSION_HANDSHAKE,
	SESSION_IDLE,
	SESSION_READING,
	SESSION_WAITING,
	SESSION_CLOSING,
	SESSION_GONE
};

enum {
	SESSION_FRAMES_PER_TURN_MAX =
		16, /* pipelined requests answered before others get their turn */
	SESSION_STREAM_EXTRA = 65536, /* input beyond one frame: pipelining */
	SESSION_KEEPER_TIMEOUT_MS =
		30000, /* the keeper answers within seconds; past this it is broken */
	FINGERPRINT_TEXT_LEN = 2 * TLS_FINGERPRINT_LEN + 1,
};

static const struct sm_state session_states[] = {
	[SESSION_HANDSHAKE] = { "handshake", SM_TO(SESSION_IDLE) | SM_TO(SESSION_GONE) },
	[SESSION_IDLE] = { "idle", SM_TO(SESSION_READING) | SM_TO(SESSION_WAITING) |
					   SM_TO(SESSION_CLOSING) | SM_TO(SESSION_GONE) },
	[SESSION_READING] = { "reading", SM_TO(SESSION_IDLE) | SM_TO(SESSION_WAITING) |
						 SM_TO(SESSION_CLOSING) | SM_TO(SESSION_GONE) },
	[SESSION_WAITING] = { "waiting",
		SM_TO(SESSION_IDLE) | SM_TO(SESSION_CLOSING) | SM_TO(SESSION_GONE) },
	[SESSION_CLOSING] = { "closing", SM_TO(SESSION_GONE) },
	[SESSION_GONE] = { "gone", 0 },
};

struct session {
	struct session_host *host;
	struct stream *stream;
	struct loop_timer *timer; /* what it means depends on the state */
	struct loop_task more; /* frames left for the next turn */
	struct sm sm;
	uint64_t ticket;
	size_t frame_len; /* of the request that the keeper has */
	uint64_t frame_began_us; /* when the request under work was whole */
	struct fingerprint client;
};

static bool client_may_be_served(struct session_host *host, const struct client *client)
{
	if (client->not_after >= clock_wall_seconds())
		return true;
	counters_add(host->counters, COUNTER_EXPIRED_CLIENTS);
	return !host->refuse_expired;
}

bool session_accept_client(struct session_host *host, const struct tls_peer *peer)
{
	struct fingerprint fingerprint;
	struct client client;
	char hex[FINGERPRINT_TEXT_LEN];
	bytes_copy(fingerprint.bytes, peer->fingerprint, sizeof(fingerprint.bytes));
	text_hex(hex, slice_of(peer->fingerprint, TLS_FINGERPRINT_LEN));
	enum err err = keystore_client_find(host->keystore, &fingerprint, &client);
	if (err != ERR_OK) {
		log_info("client-refused", "fingerprint=%s why=%s", hex,
			err == ERR_NOT_FOUND ? "not-registered" : err_name(err));
		host->refusals[err == ERR_NOT_FOUND ? SESSION_NOT_REGISTERED
						    : SESSION_STORE_FAILED]++;
		return false;
	}
	if (client_may_be_served(host, &client))
		return true;
	host->refusals[SESSION_EXPIRED]++;
	log_warning("client-refused", "fingerprint=%s why=certificate-expired", hex);
	return false;
}

/* The single exit: every end of a session comes through here with its reason. */
static void session_end(struct session *session, const char *why)
{
	struct session_host *host = session->host;
	sm_move(&session->sm, SESSION_GONE, why);
	host->on_gone(host->ctx, session);
	session_free(session);
}

/* Sends what is queued and says goodbye; on_closed ends the session. */
static void session_close(struct session *session, const char *why)
{
	sm_move(&session->sm, SESSION_CLOSING, why);
	loop_timer_stop(session->timer);
	loop_task_cancel(&session->more);
	stream_close(session->stream);
}

static bool session_send(struct session *session, struct slice response)
{
	return stream_send(session->stream, response) == ERR_OK;
}

static void session_wait_for_bytes(struct session *session, bool partial)
{
	int next = partial ? SESSION_READING : SESSION_IDLE;
	if (session->sm.state == next && (partial || loop_timer_is_set(session->timer)))
		return;
	if (session->sm.state != next)
		sm_move(&session->sm, next, "frame");
	uint32_t seconds =
		partial ? session->host->message_timeout_s : session->host->idle_timeout_s;
	loop_timer_set(session->timer, 1000ull * seconds);
}

static void session_refuse_bytes(struct session *session, struct slice head)
{
	struct session_host *host = session->host;
	if (kmip_refuse(&host->answer, head) == ERR_OK)
		(void) session_send(session, buf_slice(&host->answer));
	buf_clear(&host->answer);
	session_close(session, "not a KMIP request");
}

static void session_forward(struct session *session, struct slice frame)
{
	struct session_host *host = session->host;
	if (host->forward(host->ctx, session->ticket, &session->client, frame) != ERR_OK) {
		session_close(session, "keeper is overloaded");
		return;
	}
	counters_add(host->counters, COUNTER_FORWARDED);
	session->frame_len = frame.len;
	sm_move(&session->sm, SESSION_WAITING, "keeper");
	loop_timer_set(session->timer, SESSION_KEEPER_TIMEOUT_MS);
	stream_pause(session->stream, true);
}

static void session_frame_done(struct session *session, size_t frame_len, bool close)
{
	if (close || session->host->stopping)
		session_close(session, close ? "framing lost" : "stopping");
	else
		buf_consume(stream_input(session->stream), frame_len);
}

/* False: the client may not be served any more, and the session is closing. */
static bool session_identify(struct session *session, struct kmip_identity *identity)
{
	struct client client;
	if (keystore_client_find(session->host->keystore, &session->client, &client) != ERR_OK) {
		session_close(session, "client is not registered any more");
		return false;
	}
	if (!client_may_be_served(session->host, &client)) {
		session_close(session, "client certificate has expired");
		return false;
	}
	identity->instance = client.instance;
	identity->client = session->client;
	return true;
}

static void session_note_took(struct session *session, enum counters_frame by)
{
	histogram_note(&session->host->counters->frame_took[by],
		clock_boot_us() - session->frame_began_us);
}

static void session_serve(struct session *session, struct slice frame)
{
	struct session_host *host = session->host;
	struct kmip_identity identity;
	bool close = false;
	if (!session_identify(session, &identity))
		return;
	/* Without anybody who vouches, what this node knows may be old: who may ask, and of what.
	 */
	enum err err = ERR_FORWARD;
	if (keystore_is_vouched(host->keystore, &identity.instance))
		err = kmip_serve(host->kmip, &identity, frame, &host->answer, &close);
	if (err == ERR_FORWARD) {
		buf_clear(&host->answer);
		session_forward(session, frame);
		return;
	}
	bool sent = err == ERR_OK && session_send(session, buf_slice(&host->answer));
	buf_clear(&host->answer);
	if (!sent) {
		session_close(session, err == ERR_OK ? "client does not read" : err_name(err));
		return;
	}
	counters_add(host->counters, COUNTER_SERVED);
	session_note_took(session, COUNTERS_BY_WORKER);
	session_frame_done(session, frame.len, close);
}

static bool session_takes_frames(const struct session *session)
{
	return session->sm.state == SESSION_IDLE || session->sm.state == SESSION_READING;
}

/* The one place that decides whether the next request can be taken; called after anything that
 * could change it. */
static void session_poke(struct session *session)
{
	for (int i = 0; session_takes_frames(session); i++) {
		struct slice input = buf_slice(stream_input(session->stream));
		size_t frame_len = 0;
		if (i == SESSION_FRAMES_PER_TURN_MAX) {
			loop_defer(session->host->loop, &session->more);
			return;
		}
		enum err err = input.len == 0 ? ERR_TRUNCATED
					      : kmip_frame_len(&frame_len, input,
							session->host->frame_len_max);
		if (err == ERR_TRUNCATED || (err == ERR_OK && input.len < frame_len)) {
			session_wait_for_bytes(session, input.len > 0);
			return;
		}
		if (err != ERR_OK) {
			session_refuse_bytes(session, input);
			return;
		}
		loop_timer_stop(session->timer);
		session->frame_began_us = clock_boot_us();
		session_serve(session, slice_cut(input, 0, frame_len));
	}
}

static void session_on_more(void *ctx)
{
	session_poke(ctx);
}

void session_answer(struct session *session, struct slice response, bool close)
{
	/* It may come after we gave the keeper up, while the stream is still closing. */
	if (session->sm.state != SESSION_WAITING)
		return;
	loop_timer_stop(session->timer);
	if (!session_send(session, response)) {
		session_close(session, "client does not read");
		return;
	}
	session_note_took(session, COUNTERS_BY_KEEPER);
	sm_move(&session->sm, SESSION_IDLE, "answer");
	stream_pause(session->stream, false);
	session_frame_done(session, session->frame_len, close);
	if (session_takes_frames(session))
		loop_defer(session->host->loop, &session->more);
}

void session_stop(struct session *session)
{
	if (session->sm.state == SESSION_IDLE)
		session_close(session, "stopping");
}

static void session_on_ready(void *ctx, struct stream *stream)
{
	struct session *session = ctx;
	const struct tls_peer *peer = stream_peer(stream);
	ASSERT(peer != NULL);
	bytes_copy(session->client.bytes, peer->fingerprint, sizeof(session->client.bytes));
	log_debug("session-ready", "remote=%s cipher=%s", stream_remote(stream),
		log_quoted(slice_text(stream_cipher(stream))));
	sm_move(&session->sm, SESSION_IDLE, "handshake done");
	counters_add(session->host->counters, COUNTER_HANDSHAKES_GOOD);
	loop_timer_set(session->timer, 1000ull * session->host->idle_timeout_s);
	if (session->host->stopping)
		session_close(session, "stopping");
}

static void session_on_data(void *ctx, struct stream *stream)
{
	(void) stream;
	session_poke(ctx);
}

/* A certificate was judged before its handshake ended, which one does not matter for the counts. */
static enum counter handshake_end(struct session_host *host, enum err why)
{
	static const enum counter counters[SESSION_REFUSALS] = {
		[SESSION_NOT_REGISTERED] = COUNTER_HANDSHAKES_NOT_REGISTERED,
		[SESSION_EXPIRED] = COUNTER_HANDSHAKES_EXPIRED,
		[SESSION_STORE_FAILED] = COUNTER_HANDSHAKES_STORE_FAILED,
	};
	if (why == ERR_TIMEOUT)
		return COUNTER_HANDSHAKES_TIMEOUT;
	if (why == ERR_CLOSED)
		return COUNTER_HANDSHAKES_CLOSED;
	for (int i = 0; why == ERR_AUTH && i < SESSION_REFUSALS; i++)
		if (host->refusals[i] > 0) {
			host->refusals[i]--;
			return counters[i];
		}
	return why == ERR_AUTH ? COUNTER_HANDSHAKES_NO_CERTIFICATE : COUNTER_HANDSHAKES_TLS;
}

static void session_on_closed(void *ctx, struct stream *stream, enum err why, const char *text)
{
	struct session *session = ctx;
	if (session->sm.state == SESSION_HANDSHAKE)
		counters_add(session->host->counters, handshake_end(session->host, why));
	log_debug("session-closed", "remote=%s err=%s why=%s", stream_remote(stream), err_name(why),
		log_quoted(slice_text(text)));
	session_end(session, "connection closed");
}

static void session_on_timer(void *ctx)
{
	struct session *session = ctx;
	if (session->sm.state == SESSION_IDLE)
		session_close(session, "idle");
	else if (session->sm.state == SESSION_READING)
		session_close(session, "request takes too long");
	else
		session_close(session, "keeper takes too long");
}

enum err session_new(struct session **out, struct session_host *host, int fd, uint64_t ticket)
{
	enum err err = ERR_NOMEM;
	struct session *session = calloc(1, sizeof(*session));
	if (session == NULL)
		goto out;
	session->host = host;
	session->ticket = ticket;
	sm_init(&session->sm, session_states, SESSION_GONE + 1, "session", "-");
	session->sm.quiet = true;
	loop_task_init(&session->more, session_on_more, session);
	TRY(loop_timer_new(&session->timer, host->loop, session_on_timer, session));
	struct stream_options options = { .loop = host->loop,
		.tls = host->tls,
		.in_max = host->frame_len_max + SESSION_STREAM_EXTRA,
		.out_max = IPC_RESPONSE_LEN_MAX + SESSION_STREAM_EXTRA,
		.handshake_timeout_ms = 1000 * host->handshake_timeout_s };
	struct stream_handler handler = { .on_ready = session_on_ready,
		.on_data = session_on_data,
		.on_closed = session_on_closed,
		.ctx = session };
	TRY(stream_new(&session->stream, &options, &handler, fd));
	*out = session;
	session = NULL;
out:
	session_free(session);
	return err;
}

uint64_t session_ticket(const struct session *session)
{
	return session->ticket;
}

void session_free(struct session *session)
{
	if (session == NULL)
		return;
	stream_free(session->stream);
	loop_timer_free(session->timer);
	loop_task_cancel(&session->more);
	free(session);
}
