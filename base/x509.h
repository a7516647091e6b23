/* SPDX-License-Identifier: Apache-2.0 */
/* What a client's X.509 certificate says of itself. Nothing is verified here. */
#ifndef BASE_X509_H
#define BASE_X509_H

#include "base/buf.h"

enum { X509_ALT_NAMES_MAX = 64 };

/* Slices live in the memory that was given. */
struct x509_facts {
	struct slice serial; /* big-endian, without sign; one zero byte for zero */
	struct slice serial_der; /* as the certificate has it: an INTEGER */
	struct slice issuer, subject; /* DER of the names */
	struct slice issuer_text, subject_text; /* RFC 2253 */
	struct slice alt_names[X509_ALT_NAMES_MAX]; /* DER of the subject's alternative names */
	size_t alt_name_count;
	const char *signature; /* OpenSSL's name: "RSA-SHA256"; NULL: unknown */
	const char *key_algorithm; /* "rsaEncryption", "id-ecPublicKey", "DSA"; NULL: unknown */
	uint32_t key_bits;
};

/* ERR_INVALID: no certificate, or bytes behind it. Appends to memory, which has room for four times
 * the certificate. */
MUST_USE enum err x509_facts(struct x509_facts *out, struct slice der, struct buf *memory);

#endif
