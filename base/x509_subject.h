/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is to be certified: a public key, a name, and what else a request or an earlier certificate
 * says. A request counts only when it is signed with its own key: whoever sends it must possess it.
 */
#ifndef BASE_X509_SUBJECT_H
#define BASE_X509_SUBJECT_H

#include "base/err.h"
#include "base/slice.h"

enum { X509_REQUEST_LEN_MAX = 65536, X509_COMMON_NAME_LEN_MAX = 64 };

struct pkey;
struct x509_subject;

/* A PKCS #10 request in DER, or in PEM. ERR_INVALID: none, or bytes behind it; ERR_POSSESSION: not
 * signed with its key; ERR_FEATURE: a key that is not served. Takes up to milliseconds.
 */
MUST_USE enum err x509_subject_of_request(
	struct x509_subject **out, struct slice request, bool is_pem);
/* As an earlier certificate says. ERR_INVALID: none. */
MUST_USE enum err x509_subject_of_certificate(struct x509_subject **out, struct slice der);
/* A key without a request. ERR_LIMIT: the name is empty or too long. */
MUST_USE enum err x509_subject_of_key(
	struct x509_subject **out, const struct pkey *key, struct slice common_name);
bool x509_subject_has_key(const struct x509_subject *subject, const struct pkey *key);
bool x509_subject_is_same_key(const struct x509_subject *a, const struct x509_subject *b);
void x509_subject_free(struct x509_subject *subject);

#endif
