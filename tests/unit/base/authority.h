/* SPDX-License-Identifier: Apache-2.0 */
/* Certificate authorities and requests for tests, made on the spot. */
#ifndef TESTS_UNIT_BASE_AUTHORITY_H
#define TESTS_UNIT_BASE_AUTHORITY_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/openssl.h"
#include "base/x509_authority.h"

enum { TEST_DER_MAX = 8192 };

struct test_authority {
	char folder[64], cert_file[128], key_file[128];
	EVP_PKEY *key;
	X509 *certificate;
};

static inline void test_extension(X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	ASSERT(extension != NULL && X509_add_ext(certificate, extension, -1) == 1);
	X509_EXTENSION_free(extension);
}

static inline X509_NAME *test_name(const char *common_name)
{
	X509_NAME *name = X509_NAME_new();

	ASSERT(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
		       (const unsigned char *) common_name, -1, -1, 0) == 1);
	return name;
}

/* A certificate for that key, by the issuer, or by itself: valid from and to that many seconds from
 * now. */
static inline X509 *test_certificate(EVP_PKEY *key, const char *common_name,
	const struct test_authority *issuer, const long dates[2], const char *constraints)
{
	X509 *certificate = X509_new();
	X509_NAME *name = test_name(common_name);

	ASSERT(X509_set_version(certificate, X509_VERSION_3) == 1);
	ASSERT(ASN1_INTEGER_set(X509_get_serialNumber(certificate), rand() + 1L) == 1);
	ASSERT(X509_gmtime_adj(X509_getm_notBefore(certificate), dates[0]) != NULL);
	ASSERT(X509_gmtime_adj(X509_getm_notAfter(certificate), dates[1]) != NULL);
	ASSERT(X509_set_subject_name(certificate, name) == 1);
	ASSERT(X509_set_issuer_name(certificate,
		       issuer == NULL ? name : X509_get_subject_name(issuer->certificate)) == 1);
	ASSERT(X509_set_pubkey(certificate, key) == 1);
	if (constraints != NULL)
		test_extension(certificate, NID_basic_constraints, constraints);
	ASSERT(X509_sign(certificate, issuer == NULL ? key : issuer->key, EVP_sha256()) > 0);
	X509_NAME_free(name);
	return certificate;
}

static inline void test_write_key(const char *path, EVP_PKEY *key)
{
	FILE *file = fopen(path, "w");

	ASSERT(file != NULL && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1);
	ASSERT(fclose(file) == 0 && chmod(path, 0600) == 0);
}

static inline void test_authority_make_of(
	struct test_authority *out, const long dates[2], const char *constraints)
{
	FILE *file;

	out->key = EVP_EC_gen("P-256");
	out->certificate = test_certificate(out->key, "authority", NULL, dates, constraints);
	(void) snprintf(out->folder, sizeof(out->folder), "/tmp/pair-test-XXXXXX");
	ASSERT(mkdtemp(out->folder) != NULL);
	(void) snprintf(out->cert_file, sizeof(out->cert_file), "%s/cert.pem", out->folder);
	(void) snprintf(out->key_file, sizeof(out->key_file), "%s/key.pem", out->folder);
	file = fopen(out->cert_file, "w");
	ASSERT(file != NULL && PEM_write_X509(file, out->certificate) == 1);
	ASSERT(fclose(file) == 0);
	test_write_key(out->key_file, out->key);
}

/* One that is good for a year. */
static inline void test_authority_make(struct test_authority *out)
{
	test_authority_make_of(out, (const long[]){ -86400, 365L * 86400 }, "critical,CA:TRUE");
}

static inline void test_authority_remove(struct test_authority *authority)
{
	(void) unlink(authority->cert_file);
	(void) unlink(authority->key_file);
	(void) rmdir(authority->folder);
	EVP_PKEY_free(authority->key);
	X509_free(authority->certificate);
}

static inline void test_request_extensions(X509_REQ *request)
{
	static const struct {
		int nid;
		const char *value;
	} rows[] = { { NID_subject_alt_name, "DNS:a.example,DNS:b.example" },
		{ NID_ext_key_usage, "serverAuth" }, { NID_basic_constraints, "critical,CA:TRUE" },
		{ NID_key_usage, "keyCertSign" } };
	STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ASSERT(sk_X509_EXTENSION_push(list,
			       X509V3_EXT_conf_nid(NULL, NULL, rows[i].nid, rows[i].value)) > 0);
	ASSERT(X509_REQ_add_extensions(request, list) == 1);
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
}

/* A request for `key`, signed with `signer`; it asks for more than it should. DER, or PEM. */
static inline struct slice test_request(
	uint8_t out[TEST_DER_MAX], EVP_PKEY *key, EVP_PKEY *signer, bool is_pem)
{
	X509_REQ *request = X509_REQ_new();
	X509_NAME *name = test_name("client");
	BIO *bio = BIO_new(BIO_s_mem());
	int len;

	ASSERT(X509_REQ_set_subject_name(request, name) == 1);
	ASSERT(X509_REQ_set_pubkey(request, key) == 1);
	test_request_extensions(request);
	ASSERT(X509_REQ_sign(request, signer, EVP_sha256()) > 0);
	ASSERT((is_pem ? PEM_write_bio_X509_REQ(bio, request) : i2d_X509_REQ_bio(bio, request)) ==
		1);
	len = BIO_read(bio, out, TEST_DER_MAX);
	ASSERT(len > 0);
	BIO_free(bio);
	X509_NAME_free(name);
	X509_REQ_free(request);
	return slice_of(out, (size_t) len);
}

#endif
