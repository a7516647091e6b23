/* SPDX-License-Identifier: Apache-2.0 */
/* The names of things: objects, instances, clients. Small values, copied freely. */
#ifndef KEYSTORE_IDS_H
#define KEYSTORE_IDS_H

#include "base/err.h"
#include "base/slice.h"
#include "base/text.h"

/* KMIP Unique Identifier = id of the standard key in the key manager (design D8): a UUID,
 * lower-case on the wire. */
struct uid {
	uint8_t bytes[16];
};

/* Immutable name of a tenant, 8 to 16 characters of [a-z0-9-] (design D9: it is bound into every
 * wrapped key). */
enum { INSTANCE_ID_LEN_MIN = 8, INSTANCE_ID_LEN_MAX = 16 };
struct instance_id {
	char text[INSTANCE_ID_LEN_MAX + 1]; /* zero-filled after the end */
};

/* SHA-256 of a client's leaf certificate (design D24). */
struct fingerprint {
	uint8_t bytes[32];
};

/* ERR_INVALID unless the text is a UUID; upper case is accepted, since identity is the 128 bits. */
MUST_USE enum err uid_parse(struct uid *out, struct slice text);
void uid_text(char out[UUID_TEXT_LEN + 1], const struct uid *uid);
bool uid_equal(const struct uid *a, const struct uid *b);
MUST_USE enum err instance_id_parse(struct instance_id *out, struct slice text);
bool instance_id_equal(const struct instance_id *a, const struct instance_id *b);
struct slice instance_id_slice(const struct instance_id *id);
bool fingerprint_equal(const struct fingerprint *a, const struct fingerprint *b);

#endif
