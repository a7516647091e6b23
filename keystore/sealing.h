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

struct sealing {
	const struct instance_id *instance; /* both go into the AAD */
	const uint8_t *nonce; /* ENVELOPE_NONCE_LEN */
	struct slice key; /* 32 bytes, never used for a second sealing */
	const struct uid *uid; /* of the object, where its key has another id: it is bound in, too,
				  so that no key can be made out to be another object's. NULL or
				  zero: the key's own */
};
/* What the root key is asked to wrap: the material with its check, or, where that is too long, the
 * one-time key that `sealed` is under. The key of `sealing` is not used. */
MUST_USE enum err sealing_pack(struct slice *out, struct slice *sealed, struct arena *arena,
	const struct sealing *sealing, struct slice material);
/* The material, copied, of what was unwrapped: that is the key of `sealing`, if `sealed` is not
 * empty. ERR_CORRUPT when the check fails or it does not open. */
MUST_USE enum err sealing_unpack(
	struct slice *out, struct arena *arena, const struct sealing *sealing, struct slice sealed);

MUST_USE enum err sealing_close(
	struct slice *out, struct arena *arena, const struct sealing *sealing, struct slice plain);
/* ERR_CORRUPT when it does not open. */
MUST_USE enum err sealing_open(
	struct slice *out, struct arena *arena, const struct sealing *sealing, struct slice sealed);

#endif
