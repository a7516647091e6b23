/* SPDX-License-Identifier: Apache-2.0 */
#include "replication/link.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "replication/wire.h"
#include "base/address.h"
#include "base/listen.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/stream_tls.h"

enum slot_use { SLOT_FREE, SLOT_OPENING, SLOT_CURRENT, SLOT_CLOSING };

struct slot {
	struct link *link;
	enum slot_use use;
	struct stream *stream;
	uint64_t since_ms;
};

struct link {
	struct link_options options;
	char *texts[5]; /* what options points to */
	struct tls_context *tls;
	struct tls_peer pin;
	int listen_fd;
	struct listener *listener;
	struct loop_timer *retry;
	struct address_lookup *lookup; /* of the peer's address, under way */
	struct loop_task parse;
	unsigned failures;
	bool started, cut, paused;
	bool pin_differs; /* in the handshake that ends next */
	char failure[LINK_WHY_MAX]; /* of the last attempt, until one succeeds */
	struct slot slots[LINK_SLOTS];
	struct slot *current;
};

/* ---- slots ---- */

static void slot_empty(struct slot *slot)
{
	if (slot->link->current == slot)
		slot->link->current = NULL;
	stream_free(slot->stream);
	slot->stream = NULL;
	slot->use = SLOT_FREE;
}

/* A free one, else the oldest that does not count: a stranger's half-open handshake must not keep
 * the peer out. */
static struct slot *slot_take(struct link *link)
{
	struct slot *oldest = NULL;

	for (size_t i = 0; i < LINK_SLOTS; i++) {
		struct slot *slot = &link->slots[i];

		if (slot->use == SLOT_FREE)
			return slot;
		if (slot->use != SLOT_CURRENT &&
			(oldest == NULL || slot->since_ms < oldest->since_ms))
			oldest = slot;
	}
	ASSERT(oldest != NULL);
	slot_empty(oldest);
	return oldest;
}

/* ---- dialling ---- */

static void retry_later(struct link *link, bool slow)
{
	uint32_t delay_ms = LINK_RETRY_SLOW_MS;

	if (link->options.peer_address == NULL || !link->started || link->cut)
		return;
	if (!slow) {
		delay_ms = (uint32_t) LINK_RETRY_MIN_MS << link->failures;
		if (delay_ms > LINK_RETRY_MAX_MS)
			delay_ms = LINK_RETRY_MAX_MS;
		else
			link->failures++;
	}
	/* A quarter more or less, so that two nodes' attempts do not march in step. */
	delay_ms = delay_ms * 3 / 4 + rand_below(delay_ms / 2);
	loop_timer_set(link->retry, delay_ms);
}

static bool pin_accept(void *ctx, const struct tls_peer *peer)
{
	struct link *link = ctx;

	link->pin_differs = !slice_equal(slice_of(peer->fingerprint, TLS_FINGERPRINT_LEN),
		slice_of(link->pin.fingerprint, TLS_FINGERPRINT_LEN));
	return !link->pin_differs;
}

/* Told once for each new reason. To the side that listens, strangers knock: of them it tells only
 * that a certificate was not the peer's. */
static void attempt_failed(struct link *link, const char *why)
{
	bool pin_differs = link->pin_differs;

	link->pin_differs = false;
	if (pin_differs)
		why = "the other side's certificate is not the pinned one (peer-certificate)";
	log_debug("peer-attempt-failed", "why=%s", log_quoted(slice_text(why)));
	if (link->options.peer_address == NULL && !pin_differs)
		return;
	if (strcmp(link->failure, why) == 0)
		return;
	(void) snprintf(link->failure, sizeof(link->failure), "%s", why);
	log_warning("peer-unreachable", "why=%s", log_quoted(slice_text(why)));
}

/* ---- bytes ---- */

/* One frame; false when there is none to take now. */
static bool parse_one(struct link *link)
{
	struct slot *slot = link->current;
	struct buf *input;
	struct stream *stream;
	struct slice body;
	size_t frame_len;
	uint8_t type;
	enum err err;

	if (slot == NULL || link->paused)
		return false;
	stream = slot->stream;
	input = stream_input(stream);
	err = wire_split(buf_slice(input), &type, &body, &frame_len);
	if (err == ERR_TRUNCATED)
		return false;
	if (err != ERR_OK) {
		slot_empty(slot);
		retry_later(link, false);
		link->options.handler.on_down(
			link->options.handler.ctx, "the peer sent what is not a frame");
		return false;
	}
	link->options.handler.on_frame(link->options.handler.ctx, type, body);
	if (link->current != slot || slot->stream != stream)
		return false;
	buf_consume(input, frame_len);
	return true;
}

static void link_parse(void *ctx)
{
	while (parse_one(ctx))
		;
}

static void stream_on_data(void *ctx, struct stream *stream)
{
	struct slot *slot = ctx;

	(void) stream;
	if (slot->use == SLOT_CURRENT)
		link_parse(slot->link);
}

static void stream_on_drained(void *ctx, struct stream *stream)
{
	struct slot *slot = ctx;

	(void) stream;
	if (slot->use == SLOT_CURRENT)
		slot->link->options.handler.on_drained(slot->link->options.handler.ctx);
}

static void stream_on_ready(void *ctx, struct stream *stream)
{
	struct slot *slot = ctx;
	struct link *link = slot->link;
	const struct link_handler *handler = &link->options.handler;

	if (stream_peer(stream) == NULL || !pin_accept(link, stream_peer(stream))) {
		slot_empty(slot);
		attempt_failed(link, "the peer has no certificate");
		retry_later(link, false);
		return;
	}
	if (link->current != NULL) {
		slot_empty(link->current);
		handler->on_down(handler->ctx, "replaced by a new connection");
	}
	log_info("peer-connected", "remote=%s cipher=%s", stream_remote(stream),
		log_quoted(slice_text(stream_cipher(stream))));
	slot->use = SLOT_CURRENT;
	link->failure[0] = '\0';
	link->current = slot;
	link->paused = false;
	handler->on_up(handler->ctx);
}

static void stream_on_closed(void *ctx, struct stream *stream, enum err err, const char *text)
{
	struct slot *slot = ctx;
	struct link *link = slot->link;
	enum slot_use use = slot->use;
	char why[LINK_WHY_MAX];

	(void) stream;
	(void) snprintf(why, sizeof(why), "%s", text != NULL ? text : err_text(err));
	slot_empty(slot);
	if (use == SLOT_CLOSING) {
		link->options.handler.on_closed(link->options.handler.ctx);
		return;
	}
	if (use == SLOT_CURRENT)
		link->options.handler.on_down(link->options.handler.ctx, why);
	else
		attempt_failed(link, why);
	if (link->current == NULL)
		retry_later(link, false);
}

static struct stream_handler stream_handler_of(struct slot *slot)
{
	return (struct stream_handler){
		.on_ready = stream_on_ready,
		.on_data = stream_on_data,
		.on_drained = stream_on_drained,
		.on_closed = stream_on_closed,
		.ctx = slot,
	};
}

static struct stream_options stream_options_of(const struct link *link)
{
	return (struct stream_options){
		.loop = link->options.loop,
		.tls = link->tls,
		.in_max = LINK_IN_MAX,
		.out_max = LINK_OUT_MAX,
		.handshake_timeout_ms = LINK_HANDSHAKE_MS,
	};
}

static void slot_open(struct slot *slot, struct stream *stream)
{
	slot->stream = stream;
	slot->use = SLOT_OPENING;
	slot->since_ms = loop_now_ms(slot->link->options.loop);
}

/* Beside the loop, and for each attempt: a name server may be slow, and the peer may move. */
static bool peer_is_found(struct link *link, char address[ADDRESS_TEXT_MAX])
{
	enum err err;

	if (link->lookup == NULL)
		TRY(address_lookup_start(&link->lookup, link->options.peer_address));
	err = address_lookup_poll(link->lookup, address);
	if (err == ERR_AGAIN) {
		loop_timer_set(link->retry, LINK_LOOKUP_MS);
		return false;
	}
	address_lookup_free(link->lookup);
	link->lookup = NULL;
out:
	if (err != ERR_OK) {
		attempt_failed(link, "its name has no address");
		retry_later(link, false);
	}
	return err == ERR_OK;
}

static void link_dial(void *ctx)
{
	struct link *link = ctx;
	char address[ADDRESS_TEXT_MAX];
	struct stream_options options = stream_options_of(link);
	struct stream *stream;

	if (link->current != NULL || link->cut || !peer_is_found(link, address))
		return;
	struct slot *slot = slot_take(link);
	struct stream_handler handler = stream_handler_of(slot);
	link->options.handler.on_connecting(link->options.handler.ctx);
	if (stream_connect(&stream, &options, &handler, address) == ERR_OK)
		slot_open(slot, stream);
	else
		retry_later(link, false);
}

static void listener_on_accept(void *ctx, int fd, const char *remote)
{
	struct link *link = ctx;
	struct slot *slot = slot_take(link);
	struct stream_options options = stream_options_of(link);
	struct stream_handler handler = stream_handler_of(slot);
	struct stream *stream;

	if (link->cut || stream_new(&stream, &options, &handler, fd) != ERR_OK) {
		log_debug("peer-attempt-dropped", "remote=%s", remote);
		(void) close(fd);
		return;
	}
	slot_open(slot, stream);
}

/* ---- life ---- */

static enum err tls_load(const struct link *link, struct tls_context **tls, struct tls_peer *pin,
	char why[LINK_WHY_MAX])
{
	struct tls_options options = {
		.role = link->options.peer_address != NULL ? TLS_PEER_CLIENT : TLS_PEER_SERVER,
		.cert_file = link->options.cert_file,
		.key_file = link->options.key_file,
		.accept = pin_accept,
		.accept_ctx = (void *) link,
	};
	char tls_why[TLS_WHY_MAX] = "";
	enum err err = tls_leaf_of_file(pin, link->options.peer_cert_file);

	if (err != ERR_OK) {
		(void) snprintf(why, LINK_WHY_MAX, "the peer's certificate %s cannot be read: %s",
			link->options.peer_cert_file, err_text(err));
		return err;
	}
	err = tls_context_new(tls, &options, tls_why);
	if (err != ERR_OK)
		(void) snprintf(why, LINK_WHY_MAX, "%s", tls_why);
	return err;
}

static enum err keep_text(struct link *link, size_t i, const char **text)
{
	if (*text == NULL)
		return ERR_OK;
	link->texts[i] = strdup(*text);
	*text = link->texts[i];
	return *text == NULL ? ERR_NOMEM : ERR_OK;
}

static enum err keep_options(struct link *link)
{
	enum err err;

	TRY(keep_text(link, 0, &link->options.listen));
	TRY(keep_text(link, 1, &link->options.peer_address));
	TRY(keep_text(link, 2, &link->options.cert_file));
	TRY(keep_text(link, 3, &link->options.key_file));
	TRY(keep_text(link, 4, &link->options.peer_cert_file));
out:
	return err;
}

enum err link_new(struct link **out, const struct link_options *options, char why[LINK_WHY_MAX])
{
	struct link *link = calloc(1, sizeof(*link));
	enum err err = ERR_OK;

	(void) snprintf(why, LINK_WHY_MAX, "%s", err_text(ERR_NOMEM));
	if (link == NULL)
		return ERR_NOMEM;
	ASSERT((options->listen == NULL) != (options->peer_address == NULL));
	link->options = *options;
	link->listen_fd = -1;
	for (size_t i = 0; i < LINK_SLOTS; i++)
		link->slots[i].link = link;
	loop_task_init(&link->parse, link_parse, link);
	TRY(keep_options(link));
	TRY(loop_timer_new(&link->retry, options->loop, link_dial, link));
	TRY(tls_load(link, &link->tls, &link->pin, why));
	*out = link;
	link = NULL;
out:
	link_free(link);
	return err;
}

enum err link_start(struct link *link, char why[LINK_WHY_MAX])
{
	enum err err = ERR_OK;

	link->started = true;
	if (link->options.peer_address != NULL) {
		loop_timer_set(link->retry, 0);
		return ERR_OK;
	}
	TRY(listen_tcp(&link->listen_fd, link->options.listen, why));
	TRY(listener_new(
		&link->listener, link->options.loop, link->listen_fd, listener_on_accept, link));
out:
	return err;
}

void link_free(struct link *link)
{
	if (link == NULL)
		return;
	for (size_t i = 0; i < LINK_SLOTS; i++)
		slot_empty(&link->slots[i]);
	loop_task_cancel(&link->parse);
	loop_timer_free(link->retry);
	address_lookup_free(link->lookup);
	listener_free(link->listener);
	if (link->listen_fd >= 0)
		(void) close(link->listen_fd);
	tls_context_free(link->tls);
	for (size_t i = 0; i < sizeof(link->texts) / sizeof(link->texts[0]); i++)
		free(link->texts[i]);
	free(link);
}

enum err link_reload(struct link *link, char why[LINK_WHY_MAX])
{
	struct tls_context *tls = NULL;
	struct tls_peer pin;
	enum err err = tls_load(link, &tls, &pin, why);

	if (err != ERR_OK)
		return err;
	tls_context_free(link->tls);
	link->tls = tls;
	link->pin = pin;
	link->failures = 0;
	if (link->current == NULL)
		retry_later(link, false);
	return ERR_OK;
}

const char *link_failure(const struct link *link)
{
	return link->failure;
}

bool link_is_up(const struct link *link)
{
	return link->current != NULL;
}

enum err link_send(struct link *link, struct slice bytes)
{
	if (link->current == NULL)
		return ERR_STATE;
	return stream_send(link->current->stream, bytes);
}

size_t link_unsent(const struct link *link)
{
	return link->current == NULL ? 0 : stream_unsent(link->current->stream);
}

void link_pause(struct link *link, bool paused)
{
	link->paused = paused;
	if (link->current == NULL)
		return;
	stream_pause(link->current->stream, paused);
	/* What had arrived before the pause is told by nobody else. */
	if (!paused)
		loop_defer(link->options.loop, &link->parse);
}

void link_close(struct link *link, bool slow)
{
	struct slot *slot = link->current;

	if (slot == NULL)
		return;
	link->current = NULL;
	slot->use = SLOT_CLOSING;
	slot->since_ms = loop_now_ms(link->options.loop);
	stream_close(slot->stream);
	retry_later(link, slow);
}

void link_settle(struct link *link)
{
	link->failures = 0;
}

void link_cut(struct link *link, bool cut)
{
	if (link->cut == cut)
		return;
	link->cut = cut;
	link->failures = 0;
	for (size_t i = 0; cut && i < LINK_SLOTS; i++)
		slot_empty(&link->slots[i]);
	if (cut)
		loop_timer_stop(link->retry);
	else
		retry_later(link, false);
}

bool link_is_cut(const struct link *link)
{
	return link->cut;
}
