/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS #12: a private key and its certificates under a password. */
#ifndef BASE_PKEY_PKCS12_H
#define BASE_PKEY_PKCS12_H

#include "base/pkey.h"

enum { PKCS12_LEN_MAX = 262144, PKCS12_PASSWORD_LEN_MAX = 1024 };

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

#endif
