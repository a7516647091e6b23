/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of the link: its own, and those of the peer that are pinned (design D22). Of the
 * peer there may be several, so that a pair renews them one node after the other. */
#include <stdio.h>
#include "replication/link_private.h"
#include "base/log.h"

bool link_is_pinned(const struct link *link, const struct tls_peer *peer)
{
	struct slice leaf = slice_of(peer->fingerprint, TLS_FINGERPRINT_LEN);

	for (size_t i = 0; i < link->identity.pin_count; i++)
		if (slice_equal(leaf,
			    slice_of(link->identity.pins[i].fingerprint, TLS_FINGERPRINT_LEN)))
			return true;
	return false;
}

static bool pin_accept(void *ctx, const struct tls_peer *peer)
{
	struct link *link = ctx;

	link->pin_differs = !link_is_pinned(link, peer);
	return !link->pin_differs;
}

static enum err load_pins(
	struct identity *out, const struct link_files *files, char why[LINK_WHY_MAX])
{
	enum err err = tls_leaves_of_file(
		out->pins, LINK_PINS_MAX, &out->pin_count, files->peer_cert_file);

	if (err == ERR_LIMIT)
		(void) snprintf(why, LINK_WHY_MAX,
			"%s holds more than %d certificates of the peer: the old and the new one "
			"are enough",
			files->peer_cert_file, LINK_PINS_MAX);
	else if (err != ERR_OK)
		(void) snprintf(why, LINK_WHY_MAX, "the peer's certificate %s cannot be read: %s",
			files->peer_cert_file, err_text(err));
	return err;
}

static enum err load(struct identity *out, enum tls_role role, struct link *link,
	const struct link_files *files, char why[LINK_WHY_MAX])
{
	struct tls_options options = {
		.role = role,
		.cert_file = files->cert_file,
		.key_file = files->key_file,
		.accept = pin_accept,
		.accept_ctx = link,
	};
	char tls_why[TLS_WHY_MAX] = "";
	enum err err;

	*out = (struct identity){ 0 };
	err = load_pins(out, files, why);
	if (err != ERR_OK)
		return err;
	err = tls_context_new(&out->tls, &options, tls_why);
	if (err == ERR_OK)
		tls_context_leaf(out->tls, &out->own);
	else
		(void) snprintf(why, LINK_WHY_MAX, "%s", tls_why);
	return err;
}

enum err link_load_identity(struct identity *out, struct link *link, const struct link_files *files,
	char why[LINK_WHY_MAX])
{
	return load(out, link->options.peer_address != NULL ? TLS_PEER_CLIENT : TLS_PEER_SERVER,
		link, files, why);
}

enum err link_judge(const struct link_files *files, char why[LINK_WHY_MAX])
{
	struct identity identity;
	enum err err = load(&identity, TLS_PEER_SERVER, NULL, files, why);

	if (err == ERR_OK)
		tls_context_free(identity.tls);
	return err;
}

static bool is_same(const struct identity *a, const struct identity *b)
{
	return slice_equal(slice_of(a->own.fingerprint, TLS_FINGERPRINT_LEN),
		       slice_of(b->own.fingerprint, TLS_FINGERPRINT_LEN)) &&
	       a->pin_count == b->pin_count &&
	       slice_equal(slice_of(a->pins, a->pin_count * sizeof(a->pins[0])),
		       slice_of(b->pins, b->pin_count * sizeof(b->pins[0])));
}

/* The connection that counts was made under the identity before this one. */
static void renew(struct link *link)
{
	const struct link_handler *handler = &link->options.handler;

	if (!link_is_pinned(link, stream_peer(link->current->stream))) {
		log_warning("peer-dropped", "why=%s",
			log_quoted(SLICE_LITERAL("its certificate is not pinned any more")));
		link_empty_slot(link->current);
		handler->on_down(handler->ctx, "the peer's certificate is not pinned any more");
	} else if (link->options.peer_address == NULL) {
		/* The other side dials, when it is told of its own new files. */
		return;
	} else {
		link->renewing = true;
	}
	if (link->options.peer_address != NULL)
		loop_timer_set(link->retry, 0);
}

enum err link_reload(struct link *link, const struct link_files *files, char why[LINK_WHY_MAX])
{
	struct identity next;
	enum err err = link_load_identity(&next, link, files, why);
	bool same;

	if (err != ERR_OK)
		return err;
	same = is_same(&link->identity, &next);
	tls_context_free(link->identity.tls);
	link->identity = next;
	link->failures = 0;
	if (link->current == NULL)
		link_dial_later(link, false);
	else if (!same)
		renew(link);
	return ERR_OK;
}
