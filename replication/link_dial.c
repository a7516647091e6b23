/* SPDX-License-Identifier: Apache-2.0 */
/* How connections begin: dialled, again and again, or accepted. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "replication/link_private.h"
#include "base/log.h"
#include "base/rand.h"

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
	link_empty_slot(oldest);
	return oldest;
}

static void slot_open(struct slot *slot, struct stream *stream)
{
	slot->stream = stream;
	slot->use = SLOT_OPENING;
	slot->since_ms = loop_now_ms(slot->link->options.loop);
}

static struct stream_options stream_options_of(const struct link *link)
{
	return (struct stream_options){
		.loop = link->options.loop,
		.tls = link->identity.tls,
		.in_max = LINK_IN_MAX,
		.out_max = LINK_OUT_MAX,
		.handshake_timeout_ms = LINK_HANDSHAKE_MS,
	};
}

void link_attempt_failed(struct link *link, const char *why)
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
	log_warning(link->renewing ? "peer-renewal-failed" : "peer-unreachable", "why=%s",
		log_quoted(slice_text(why)));
}

/* ---- dialling ---- */

void link_dial_later(struct link *link, bool slow)
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

void link_on_no_proof(void *ctx)
{
	struct link *link = ctx;

	for (size_t i = 0; i < LINK_SLOTS; i++)
		if (link->slots[i].use == SLOT_PROVING)
			link_empty_slot(&link->slots[i]);
	link_attempt_failed(link, "the peer takes the connection and says nothing");
	link_dial_later(link, false);
}

static bool is_dialling(const struct link *link)
{
	for (size_t i = 0; i < LINK_SLOTS; i++)
		if (link->slots[i].use == SLOT_OPENING || link->slots[i].use == SLOT_PROVING)
			return true;
	return false;
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
		link_attempt_failed(link, "its name has no address");
		link_dial_later(link, false);
	}
	return err == ERR_OK;
}

void link_dial(void *ctx)
{
	struct link *link = ctx;
	char address[ADDRESS_TEXT_MAX];
	struct stream_options options = stream_options_of(link);
	struct stream *stream;

	/* An attempt under way ends by itself, and then decides whether to try again. */
	if ((link->current != NULL && !link->renewing) || link->cut || is_dialling(link) ||
		!peer_is_found(link, address))
		return;
	struct slot *slot = slot_take(link);
	struct stream_handler handler = link_stream_handler(slot);
	link->options.handler.on_connecting(link->options.handler.ctx);
	if (stream_connect(&stream, &options, &handler, address) == ERR_OK)
		slot_open(slot, stream);
	else
		link_dial_later(link, false);
}

/* ---- listening ---- */

void link_on_accept(void *ctx, int fd, const char *remote)
{
	struct link *link = ctx;
	struct slot *slot = slot_take(link);
	struct stream_options options = stream_options_of(link);
	struct stream_handler handler = link_stream_handler(slot);
	struct stream *stream;

	if (link->cut || stream_new(&stream, &options, &handler, fd) != ERR_OK) {
		log_debug("peer-attempt-dropped", "remote=%s", remote);
		(void) close(fd);
		return;
	}
	slot_open(slot, stream);
}
