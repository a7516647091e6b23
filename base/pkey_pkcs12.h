/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS #12: a private key and its certificates under a password. */
#ifndef BASE_PKEY_PKCS12_H
#define BASE_PKEY_PKCS12_H

#include "base/pkey.h"

enum {
	PKCS12_LEN_MAX = 262144,
	PKCS12_PASSWORD_LEN_MAX = 1024,
	PKCS12_NAME_LEN_MAX = 1024,
	PKCS12_KEY_LEN_MAX =
		8192, /* PKCS #8 of a key that is read: some derive their public part */
	PKCS12_CERTIFICATES_MAX = 6, /* with key and password, as many as one item may fetch */
	PKCS12_ITERATIONS_MAX = 1000000, /* of all that is derived from the password to read one */
};

struct pkcs12_content {
	const struct pkey *key;
	const struct slice *certificates; /* DER; the key's own first, then the chain */
	size_t certificate_count;
	struct slice friendly_name; /* UTF-8; empty: none */
};
/* AES-256 and SHA-256. ERR_INVALID: a certificate is none, or the first is another key's;
 * ERR_FIELD: the password is empty, too long or has a zero byte. Takes milliseconds. */
MUST_USE enum err pkcs12_write(
	struct buf *out, const struct pkcs12_content *content, struct slice password);

/* To be zeroed before and freed after pkcs12_read, also when it fails. */
struct pkcs12_found {
	struct pkey *key;
	struct buf certificates[PKCS12_CERTIFICATES_MAX]; /* DER; as above, others behind them */
	size_t certificate_count;
	struct buf friendly_name; /* UTF-8; empty: none */
};
/*
 * Reads one key and its certificates, once its MAC is right. Takes milliseconds to seconds: not for
 * a loop (offload.h). ERR_DENIED: the MAC is wrong, and so is the password; ERR_LIMIT: more
 * certificates, more iterations or a longer key; ERR_FEATURE: a cipher, key derivation or content
 * that is not read; ERR_FIELD as above; ERR_INVALID: all else: none, no MAC, not one key, no
 * certificate of the key among those there are.
 */
MUST_USE enum err pkcs12_read(struct pkcs12_found *found, struct slice der, struct slice password);
void pkcs12_found_free(struct pkcs12_found *found);

#endif
