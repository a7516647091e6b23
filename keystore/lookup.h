/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks for a standard key by the name that we gave it (design D9): what to do when it is not known
 * whether a creation reached the key manager. Lists by creation date, newest first, and compares
 * names here; looks again until the flow's time is over.
 */
#ifndef KEYSTORE_LOOKUP_H
#define KEYSTORE_LOOKUP_H

#include "keystore/envelope.h"
#include "keystore/flow.h"

enum {
	LOOKUP_MARGIN_S = 60, /* between the clocks here and there (design D9) */
	LOOKUP_AGAIN_MS = 250,
	LOOKUP_PAGES_MAX = 40
};

/* Embedded in a flow, whose call and timer it uses. */
struct lookup {
	struct keystore_pending *flow;
	char name[ENVELOPE_NAME_LEN];
	int64_t since;
	bool once; /* one complete look is enough */
	uint32_t page;
	/* ERR_OK with the id; ERR_NOT_FOUND after a complete look; an error of the key manager;
	 * with the flow as ctx. */
	void (*on_found)(void *ctx, enum err err, const struct uid *id);
};
MUST_USE enum err lookup_start(struct lookup *lookup);

#endif
