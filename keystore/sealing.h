/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes too long to be wrapped at once (design D9): sealed with AES-256-GCM under a key that is
 * used for nothing else, and that the root key wraps.
 */
#ifndef KEYSTORE_SEALING_H
#define KEYSTORE_SEALING_H

#include "base/arena.h"
#include "keystore/envelope.h"

enum { SEALING_CHECK_LEN = 32 };
/* Material and its check, to be wrapped. */
MUST_USE enum err sealing_add_check(struct slice *out, struct arena *arena, struct slice material);
/* The material of what was unwrapped (borrowed from it); ERR_CORRUPT when the check fails. */
MUST_USE enum err sealing_check(struct slice *out, struct slice unwrapped);

struct sealing {
	const struct instance_id *instance; /* both go into the AAD */
	const uint8_t *nonce; /* ENVELOPE_NONCE_LEN */
	struct slice key; /* 32 bytes, never used for a second sealing */
};
MUST_USE enum err sealing_close(
	struct slice *out, struct arena *arena, const struct sealing *sealing, struct slice plain);
/* ERR_CORRUPT when it does not open. */
MUST_USE enum err sealing_open(
	struct slice *out, struct arena *arena, const struct sealing *sealing, struct slice sealed);

#endif
