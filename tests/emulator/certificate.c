/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/emulator/certificate.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/openssl.h"
#include <openssl/ec.h>

enum { VALID_S = 3650 * 86400, PRIVATE_MODE = 0600, PUBLIC_MODE = 0644, NAMES_MAX = 2048 };

static bool add_extension(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	bool added = extension != NULL && X509_add_ext(cert, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return added;
}

static bool fill(X509 *cert, EVP_PKEY *key, const char *names)
{
	X509_NAME *name = X509_get_subject_name(cert);
	const unsigned char *text = (const unsigned char *) "key-protect-emulator";

	return X509_set_version(cert, X509_VERSION_3) == 1 &&
	       ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) == 1 &&
	       X509_gmtime_adj(X509_getm_notBefore(cert), -86400) != NULL &&
	       X509_gmtime_adj(X509_getm_notAfter(cert), VALID_S) != NULL &&
	       X509_set_pubkey(cert, key) == 1 &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0) == 1 &&
	       X509_set_issuer_name(cert, name) == 1 &&
	       add_extension(cert, NID_basic_constraints, "critical,CA:TRUE") &&
	       add_extension(cert, NID_subject_alt_name, names) &&
	       X509_sign(cert, key, EVP_sha256()) > 0;
}

static enum err write_bio(const char *path, BIO *bio, unsigned mode)
{
	char *text = NULL;
	long len = BIO_get_mem_data(bio, &text);

	return file_write_atomic(path, slice_of(text, (size_t) len), mode);
}

enum err certificate_ensure(
	const char *cert_file, const char *key_file, const char *const *hosts, size_t host_count)
{
	enum err err = ERR_OK;
	char names[NAMES_MAX] = "DNS:localhost,IP:127.0.0.1,IP:::1";
	size_t len = strlen(names);
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;
	BIO *key_pem = NULL;
	BIO *cert_pem = NULL;

	if (access(cert_file, R_OK) == 0 && access(key_file, R_OK) == 0)
		return ERR_OK;
	for (size_t i = 0; i < host_count; i++) {
		int more = snprintf(names + len, sizeof(names) - len, ",DNS:%s", hosts[i]);
		if (more < 0 || len + (size_t) more >= sizeof(names))
			return ERR_CONFIG;
		len += (size_t) more;
	}
	key = EVP_EC_gen("P-256");
	cert = X509_new();
	key_pem = BIO_new(BIO_s_secmem());
	cert_pem = BIO_new(BIO_s_mem());
	bool made = key != NULL && cert != NULL && key_pem != NULL && cert_pem != NULL &&
		    fill(cert, key, names) && PEM_write_bio_X509(cert_pem, cert) == 1 &&
		    PEM_write_bio_PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL) == 1;
	if (!made)
		TRY(ERR_CRYPTO);
	TRY(write_bio(key_file, key_pem, PRIVATE_MODE));
	TRY(write_bio(cert_file, cert_pem, PUBLIC_MODE));
out:
	BIO_free(key_pem);
	BIO_free(cert_pem);
	X509_free(cert);
	EVP_PKEY_free(key);
	return err;
}
