/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of pkey share. */
#ifndef BASE_PKEY_PRIVATE_H
#define BASE_PKEY_PRIVATE_H

#include "base/openssl.h"
#include "base/pkey.h"

struct pkey {
	EVP_PKEY *key;
};

/* The key moves in, or is freed. ERR_FEATURE as pkey_judge. */
enum err pkey_wrap(struct pkey **out, EVP_PKEY *key);
/* ERR_FEATURE: longer than is used here (PKEY_RSA_BITS_MAX, PKEY_POWER_BITS_MAX). */
enum err pkey_judge(const EVP_PKEY *key);
/* The same before a private key is read, of those whose public part is computed then. */
enum err pkey_judge_info(const PKCS8_PRIV_KEY_INFO *info);
enum err pkey_judge_pkcs8(struct slice der);
/* Numbers of an RSA key; NULL: not there. */
struct pkey_rsa {
	BIGNUM *n, *e, *d, *p, *q, *dp, *dq, *qi;
};
/* Makes those that follow from the others: from the primes, or the public exponent, if it is a
 * usual one. ERR_INVALID: they do not fit; ERR_FEATURE: too long to try. */
enum err pkey_complete_rsa(struct pkey_rsa *rsa);
/* The point of a curve that belongs to a private number; errors as pkey_from_numbers. */
enum err pkey_complete_point(struct buf *out, const char *curve, struct slice number);
/* Clears what OpenSSL noted of a failure. */
enum err pkey_failed(enum err err);
/* A password or name as OpenSSL wants it; ERR_FIELD: too long, or with a zero byte. */
enum err pkcs12_text(char *out, size_t out_size, struct slice bytes);

#endif
