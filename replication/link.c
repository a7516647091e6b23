/* SPDX-License-Identifier: Apache-2.0 */
#include "replication/link.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "replication/link_private.h"
#include "replication/wire.h"
#include "base/log.h"

/* ---- the connection that counts ---- */

void link_empty_slot(struct slot *slot)
{
	struct link *link = slot->link;

	if (link->current == slot)
		link->current = NULL;
	if (slot->use == SLOT_PROVING)
		loop_timer_stop(link->proof);
	stream_free(slot->stream);
	slot->stream = NULL;
	slot->use = SLOT_FREE;
}

void link_promote(struct slot *slot)
{
	struct link *link = slot->link;
	const struct link_handler *handler = &link->options.handler;

	if (slot->use == SLOT_PROVING)
		loop_timer_stop(link->proof);
	if (link->current != NULL) {
		link_empty_slot(link->current);
		handler->on_down(handler->ctx, "replaced by a new connection");
	}
	log_info("peer-connected", "remote=%s cipher=%s", stream_remote(slot->stream),
		log_quoted(slice_text(stream_cipher(slot->stream))));
	slot->use = SLOT_CURRENT;
	link->failure[0] = '\0';
	link->renewing = false;
	link->current = slot;
	link->paused = false;
	handler->on_up(handler->ctx);
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
		link_empty_slot(slot);
		link_dial_later(link, false);
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
	if (slot->use == SLOT_PROVING)
		link_promote(slot);
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

	if (stream_peer(stream) == NULL || !link_is_pinned(link, stream_peer(stream))) {
		link_empty_slot(slot);
		link_attempt_failed(link, "the peer has no certificate");
		link_dial_later(link, false);
		return;
	}
	if (link->options.peer_address == NULL) {
		link_promote(slot);
		return;
	}
	slot->use = SLOT_PROVING;
	loop_timer_set(link->proof, LINK_HANDSHAKE_MS);
}

static void stream_on_closed(void *ctx, struct stream *stream, enum err err, const char *text)
{
	struct slot *slot = ctx;
	struct link *link = slot->link;
	enum slot_use use = slot->use;
	char why[LINK_WHY_MAX];

	(void) stream;
	(void) snprintf(why, sizeof(why), "%s", text != NULL ? text : err_text(err));
	link_empty_slot(slot);
	if (use == SLOT_CLOSING) {
		link->options.handler.on_closed(link->options.handler.ctx);
		return;
	}
	if (use == SLOT_CURRENT)
		link->options.handler.on_down(link->options.handler.ctx, why);
	else
		link_attempt_failed(link, why);
	if (link->current == NULL || link->renewing)
		link_dial_later(link, false);
}

struct stream_handler link_stream_handler(struct slot *slot)
{
	return (struct stream_handler){
		.on_ready = stream_on_ready,
		.on_data = stream_on_data,
		.on_drained = stream_on_drained,
		.on_closed = stream_on_closed,
		.ctx = slot,
	};
}

/* ---- life ---- */

static enum err keep_text(struct link *link, size_t i, const char **text)
{
	if (*text == NULL)
		return ERR_OK;
	link->texts[i] = strdup(*text);
	*text = link->texts[i];
	return *text == NULL ? ERR_NOMEM : ERR_OK;
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
	link->options.files = (struct link_files){ 0 };
	link->listen_fd = -1;
	for (size_t i = 0; i < LINK_SLOTS; i++)
		link->slots[i].link = link;
	loop_task_init(&link->parse, link_parse, link);
	TRY(keep_text(link, 0, &link->options.listen));
	TRY(keep_text(link, 1, &link->options.peer_address));
	TRY(loop_timer_new(&link->retry, options->loop, link_dial, link));
	TRY(loop_timer_new(&link->proof, options->loop, link_on_no_proof, link));
	TRY(link_load_identity(&link->identity, link, &options->files, why));
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
		&link->listener, link->options.loop, link->listen_fd, link_on_accept, link));
out:
	return err;
}

void link_free(struct link *link)
{
	if (link == NULL)
		return;
	for (size_t i = 0; i < LINK_SLOTS; i++)
		link_empty_slot(&link->slots[i]);
	loop_task_cancel(&link->parse);
	loop_timer_free(link->retry);
	loop_timer_free(link->proof);
	address_lookup_free(link->lookup);
	listener_free(link->listener);
	if (link->listen_fd >= 0)
		(void) close(link->listen_fd);
	tls_context_free(link->identity.tls);
	for (size_t i = 0; i < sizeof(link->texts) / sizeof(link->texts[0]); i++)
		free(link->texts[i]);
	free(link);
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
	link_dial_later(link, slow);
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
		link_empty_slot(&link->slots[i]);
	if (cut)
		loop_timer_stop(link->retry);
	else
		link_dial_later(link, false);
}

bool link_is_cut(const struct link *link)
{
	return link->cut;
}
