/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Root key material: sealed at rest under a key of the data folder, and used to wrap and unwrap in
 * the service's ciphertext form. An emulator's vault keeps material out of logs and plain files; it
 * is no HSM.
 */
#ifndef EMULATOR_VAULT_H
#define EMULATOR_VAULT_H

#include <cjson/cJSON.h>

#include "base/buf.h"
#include "base/text.h"

struct vault;

enum { VAULT_MATERIAL_MAX = 32 };

/* Reads or makes the folder's sealing key. */
MUST_USE enum err vault_new(struct vault **out, const char *folder);
void vault_free(struct vault *vault);
/* Text to be stored, owned by the caller. */
MUST_USE enum err vault_seal(struct vault *vault, char **out, struct slice material);
/* HMAC key and the like, derived from the sealing key: 32 bytes for a label. */
MUST_USE enum err vault_derive(struct vault *vault, uint8_t out[32], const char *label);

/* One version of a root key, for wrapping. */
struct vault_version {
	const char *id;
	const char *sealed;
};

/* {"ciphertext","iv","version","handle"} in base64, AES-256-GCM, the aad strings bound in order.
 * Owned by the caller. aad may be NULL.
 */
MUST_USE enum err vault_wrap(struct vault *vault, char **out, const struct vault_version *version,
	const cJSON *aad, struct slice plain);
/*
 * Opens with the version that the handle names, or any of them when it names none. The plaintext
 * goes to out (its maximum bounds it) and the version's index to *used. ERR_INVALID: not the shape;
 * ERR_CRYPTO: does not open.
 */
struct vault_versions {
	const struct vault_version *list;
	size_t count;
};
MUST_USE enum err vault_unwrap(struct vault *vault, struct buf *out, size_t *used,
	const struct vault_versions *versions, const cJSON *aad, const char *ciphertext);

#endif
