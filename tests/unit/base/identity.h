/* SPDX-License-Identifier: Apache-2.0 */
/* Self-signed certificates for tests, made on the spot in a temporary folder. */
#ifndef TESTS_UNIT_BASE_IDENTITY_H
#define TESTS_UNIT_BASE_IDENTITY_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/openssl.h"
#include "base/tls_policy.h"

struct identity {
	char folder[64];
	char cert_file[128];
	char key_file[128];
	struct tls_peer peer;
};

static inline X509 *identity_certificate(EVP_PKEY *key, long from_s, long to_s)
{
	X509 *certificate = X509_new();
	X509_NAME *name = X509_get_subject_name(certificate);

	ASSERT(X509_set_version(certificate, 2) == 1);
	ASSERT(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1);
	ASSERT(X509_gmtime_adj(X509_getm_notBefore(certificate), from_s) != NULL);
	ASSERT(X509_gmtime_adj(X509_getm_notAfter(certificate), to_s) != NULL);
	ASSERT(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
		       (const unsigned char *) "localhost", -1, -1, 0) == 1);
	ASSERT(X509_set_issuer_name(certificate, name) == 1);
	ASSERT(X509_set_pubkey(certificate, key) == 1);
	ASSERT(X509_sign(certificate, key, EVP_sha256()) > 0);
	return certificate;
}

/* Valid from from_s to to_s seconds from now; removed with identity_remove. */
static inline void identity_make(struct identity *out, long from_s, long to_s)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = identity_certificate(key, from_s, to_s);
	FILE *file;

	(void) snprintf(out->folder, sizeof(out->folder), "/tmp/pair-test-XXXXXX");
	ASSERT(mkdtemp(out->folder) != NULL);
	(void) snprintf(out->cert_file, sizeof(out->cert_file), "%s/cert.pem", out->folder);
	(void) snprintf(out->key_file, sizeof(out->key_file), "%s/key.pem", out->folder);
	file = fopen(out->cert_file, "w");
	ASSERT(file != NULL && PEM_write_X509(file, certificate) == 1);
	ASSERT(fclose(file) == 0);
	file = fopen(out->key_file, "w");
	ASSERT(file != NULL);
	ASSERT(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1);
	ASSERT(fclose(file) == 0);
	ASSERT(tls_leaf_of_file(&out->peer, out->cert_file) == ERR_OK);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static inline void identity_remove(struct identity *identity)
{
	(void) unlink(identity->cert_file);
	(void) unlink(identity->key_file);
	(void) rmdir(identity->folder);
}

#endif
