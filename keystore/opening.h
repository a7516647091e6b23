/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a standard key by id and opens it, as a part of a background flow: GET -> envelope of ours
 * -> unwrap -> material. Touches no record. Embedded in the flow, which may do nothing else
 * meanwhile.
 */
#ifndef KEYSTORE_OPENING_H
#define KEYSTORE_OPENING_H

#include "keystore/envelope.h"
#include "keystore/flow.h"

struct opening {
	/* Filled by the caller. ERR_DESTROYED; ERR_MISSING: not shown; ERR_CORRUPT: no key of an
	 * object of ours, or it does not open; all others are the key manager's. */
	struct keystore_pending *flow;
	void (*on_opened)(void *flow, enum err err);
	/* What was found; in the arena of the flow. */
	struct uid id;
	struct envelope envelope;
	struct slice payload, material;
	int64_t created;
	enum keymanager_crk crk; /* which root key opened it */
	char aad_hex[2 * ENVELOPE_NONCE_LEN + 1];
};

/* Ends in on_opened, later or, where it cannot even begin, at once. */
void opening_start(struct opening *opening, const struct uid *id);

#endif
