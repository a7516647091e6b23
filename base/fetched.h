/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL's algorithms, fetched once for the whole process, and from its default provider alone:
 * what the machine's openssl.cnf or the environment names is not loaded, so that no other code sees
 * a key. For base/ only.
 */
#ifndef BASE_FETCHED_H
#define BASE_FETCHED_H

#include "base/err.h"
#include "base/openssl.h"

/* From any thread, as often as one likes; the others call it. ERR_CRYPTO: the provider is not
 * there. */
MUST_USE enum err fetched_start(void);

/* Owned by the process; NULL: not one of those that are served. Names as in cipher.h and digest.h.
 */
const EVP_CIPHER *fetched_cipher(const char *name);
const EVP_MD *fetched_hash(const char *name);
EVP_MAC *fetched_mac(const char *name);
EVP_KDF *fetched_kdf(const char *name);

#endif
