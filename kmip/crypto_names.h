/* SPDX-License-Identifier: Apache-2.0 */
/* What the cryptographic library calls the algorithms that KMIP numbers. */
#ifndef KMIP_CRYPTO_NAMES_H
#define KMIP_CRYPTO_NAMES_H

#include "base/cipher.h"
#include "kmip/types.h"

/* NULL: no hash that is served. */
const char *crypto_hash_name(uint32_t hashing_algorithm);
/* Whether that is the hash of that name. */
bool crypto_is_hash(uint32_t hashing_algorithm, const char *name);
/* The hash of an HMAC algorithm; NULL: it is none. */
const char *crypto_hmac_hash_name(uint32_t cryptographic_algorithm);
/* The HMAC algorithm with that hash; 0: KMIP has none. */
uint32_t crypto_hmac_of(const char *hash);
/*
 * The cipher of that algorithm, key length and mode (0: none was said, which stream ciphers do
 * without). ERR_FIELD: a mode is needed, or the algorithm is no cipher; ERR_FEATURE: not served.
 */
struct crypto_cipher {
	uint32_t algorithm, mode;
	size_t key_len;
};
MUST_USE enum err crypto_cipher_name(
	char out[CIPHER_NAME_LEN_MAX], const struct crypto_cipher *cipher);

#endif
