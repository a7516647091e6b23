/* SPDX-License-Identifier: Apache-2.0 */
/* The few primitives that the layers above base need, by OpenSSL's EVP with algorithms fetched
 * once. */
#ifndef BASE_CRYPT_H
#define BASE_CRYPT_H

#include "base/err.h"
#include "base/slice.h"

enum {
	CRYPT_SHA256_LEN = 32,
	CRYPT_GCM_KEY_LEN = 32,
	CRYPT_GCM_NONCE_LEN = 12,
	CRYPT_GCM_TAG_LEN = 16
};

/* Fetches the algorithms, from OpenSSL's default provider alone; once per process, before other
 * libraries use OpenSSL. */
MUST_USE enum err crypt_start(void);

MUST_USE enum err crypt_sha256(uint8_t out[CRYPT_SHA256_LEN], struct slice bytes);
/* Over several parts, in order, as if they were one. */
MUST_USE enum err crypt_sha256_parts(
	uint8_t out[CRYPT_SHA256_LEN], const struct slice *parts, size_t count);
/* Over parts that come one after the other; the end of one is the beginning of the next. */
struct crypt_hash;
MUST_USE enum err crypt_hash_new(struct crypt_hash **out);
void crypt_hash_free(struct crypt_hash *hash);
MUST_USE enum err crypt_hash_add(struct crypt_hash *hash, struct slice bytes);
MUST_USE enum err crypt_hash_end(struct crypt_hash *hash, uint8_t out[CRYPT_SHA256_LEN]);
/* Checksum of stored records (CRC-32C); against accident, not attack. */
uint32_t crypt_crc32c(struct slice bytes);
/* The same, as on a machine that has no instruction for it. */
uint32_t crypt_crc32c_by_table(struct slice bytes);

struct crypt_box {
	struct slice key; /* 32 bytes */
	struct slice nonce; /* 12 bytes, never twice under one key */
	struct slice aad;
};
/* AES-256-GCM: writes plain.len + 16 bytes (ciphertext, then tag) to out. */
MUST_USE enum err crypt_seal(uint8_t *out, const struct crypt_box *box, struct slice plain);
/* Writes sealed.len - 16 bytes to out; ERR_CRYPTO when it does not open, and out is wiped. */
MUST_USE enum err crypt_open(uint8_t *out, const struct crypt_box *box, struct slice sealed);

#endif
