/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of x509 share. */
#ifndef BASE_X509_PRIVATE_H
#define BASE_X509_PRIVATE_H

#include "base/openssl.h"
#include "base/x509_subject.h"

struct x509_subject {
	EVP_PKEY *key;
	X509_NAME *name;
	X509_EXTENSION *alt_names, *extended_usage; /* NULL: none */
};

struct x509_authority;
/* Borrowed. */
X509 *x509_authority_certificate(const struct x509_authority *authority);
MUST_USE enum err x509_seconds(int64_t *out, const ASN1_TIME *date);
/* For PEM files: a daemon has nobody to ask for a passphrase. */
int x509_no_passphrase(char *out, int size, int writing, void *ctx);

#endif
