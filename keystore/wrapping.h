/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A wrapped form that opens: wrap, then unwrap, and compare. A form that the key manager could not
 * open later would be a key lost after a client was told its UID (P1), or a ledger record that
 * keeps nothing.
 */
#ifndef KEYSTORE_WRAPPING_H
#define KEYSTORE_WRAPPING_H

#include "keystore/envelope.h"
#include "keystore/flow.h"

/* Embedded in a flow, whose call it uses. */
struct wrapping {
	struct keystore_pending *flow;
	const struct envelope *envelope; /* its instance and nonce are the AAD */
	struct slice plain; /* in the flow's arena */
	/* With the flow as ctx; the texts are in its arena. ERR_UNAVAILABLE: it does not open. */
	void (*on_wrapped)(void *ctx, const struct keymanager_wrapped *result);

	char aad_hex[2 * ENVELOPE_NONCE_LEN + 1];
	struct keymanager_aad aad;
	struct keymanager_wrapped wrapped;
	uint64_t deadline_ms;
};

/* Both calls within `part` percent of the flow's time. On error nothing is called. */
MUST_USE enum err wrapping_start(struct wrapping *wrapping, uint32_t part);

#endif
