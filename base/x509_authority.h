/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A certificate authority of files: issues certificates for keys, never for other authorities.
 */
#ifndef BASE_X509_AUTHORITY_H
#define BASE_X509_AUTHORITY_H

#include "base/buf.h"
#include "base/x509.h"
#include "base/x509_subject.h"

enum { X509_WHY_MAX = 400, X509_CERTIFICATE_LEN_MAX = 65536 };

struct x509_authority; /* reference-counted, since work on another thread holds it over a reload */

struct x509_authority_files {
	const char *certificate, *key; /* PEM */
};
/* why: a sentence for the operator. ERR_CONFIG: a file cannot be read; others may read the key; the
 * key does not belong to the certificate; the certificate is no authority's. That it has expired is
 * no error: x509_authority_not_after tells. */
MUST_USE enum err x509_authority_new(struct x509_authority **out,
	const struct x509_authority_files *files, char why[X509_WHY_MAX]);
struct x509_authority *x509_authority_ref(struct x509_authority *authority);
void x509_authority_free(struct x509_authority *authority);
int64_t x509_authority_not_before(const struct x509_authority *authority);
int64_t x509_authority_not_after(const struct x509_authority *authority);

struct x509_wish {
	const struct x509_subject *subject;
	int64_t not_before, not_after; /* seconds */
	unsigned usage; /* of enum x509_usage; 0: the extension is left out */
};
/*
 * Appends the certificate's DER. The serial number is random, 127 bits, so that nobody has to keep
 * a count. The digest is SHA-256, or as long as the authority's curve. Names and Extended Key Usage
 * are the subject's. ERR_FIELD: there is no name at all, or no such dates. May be called on another
 * thread; takes milliseconds.
 */
MUST_USE enum err x509_authority_issue(
	struct buf *out, const struct x509_authority *authority, const struct x509_wish *wish);

#endif
