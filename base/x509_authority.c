/* SPDX-License-Identifier: Apache-2.0 */
#include "base/x509_authority.h"
#include <stdio.h>
#include <stdlib.h>
#include "base/file.h"
#include "base/pkey_private.h"
#include "base/rand.h"
#include "base/x509_private.h"

enum { FILE_LEN_MAX = 65536, SERIAL_LEN = 16 };

struct x509_authority {
	unsigned references;
	X509 *certificate;
	EVP_PKEY *key;
	int64_t not_before, not_after;
};

struct x509_authority *x509_authority_ref(struct x509_authority *authority)
{
	ASSERT(authority->references > 0 && authority->references < UINT32_MAX);
	authority->references++;
	return authority;
}

void x509_authority_free(struct x509_authority *authority)
{
	if (authority == NULL || --authority->references > 0)
		return;
	X509_free(authority->certificate);
	EVP_PKEY_free(authority->key);
	free(authority);
}

X509 *x509_authority_certificate(const struct x509_authority *authority)
{
	return authority->certificate;
}

int64_t x509_authority_not_before(const struct x509_authority *authority)
{
	return authority->not_before;
}

int64_t x509_authority_not_after(const struct x509_authority *authority)
{
	return authority->not_after;
}

/* ---- the files ---- */

static enum err open_file(BIO **out, struct buf *content, const char *path, char why[X509_WHY_MAX])
{
	enum err err = file_read(content, path);

	if (err != ERR_OK) {
		(void) snprintf(
			why, X509_WHY_MAX, "%.250s cannot be read: %s", path, err_text(err));
		return ERR_CONFIG;
	}
	*out = BIO_new_mem_buf(buf_slice(content).data, (int) buf_slice(content).len);
	return *out == NULL ? ERR_NOMEM : ERR_OK;
}

static enum err read_certificate(
	struct x509_authority *authority, const char *path, char why[X509_WHY_MAX])
{
	struct buf content;
	BIO *bio = NULL;
	enum err err;

	buf_init(&content, FILE_LEN_MAX);
	TRY(open_file(&bio, &content, path, why));
	authority->certificate = PEM_read_bio_X509(bio, NULL, x509_no_passphrase, NULL);
	if (authority->certificate == NULL) {
		(void) snprintf(why, X509_WHY_MAX, "%.250s holds no certificate in PEM", path);
		TRY(ERR_CONFIG);
	}
	/* 1: by its extension; the others are guesses about old forms. */
	if (X509_check_ca(authority->certificate) != 1) {
		(void) snprintf(why, X509_WHY_MAX,
			"%.250s is no certificate authority's (basicConstraints CA:TRUE, and "
			"keyCertSign where there is a keyUsage)",
			path);
		TRY(ERR_CONFIG);
	}
out:
	BIO_free(bio);
	buf_free(&content);
	return err;
}

static enum err read_key(struct x509_authority *authority, const struct x509_authority_files *files,
	char why[X509_WHY_MAX])
{
	struct buf content;
	BIO *bio = NULL;
	bool is_private = false;
	enum err err;

	buf_init(&content, FILE_LEN_MAX);
	TRY(open_file(&bio, &content, files->key, why));
	TRY(file_is_private(files->key, &is_private));
	if (!is_private) {
		(void) snprintf(why, X509_WHY_MAX,
			"%.250s can be read by others than its owner (chmod 600)", files->key);
		TRY(ERR_CONFIG);
	}
	authority->key = PEM_read_bio_PrivateKey(bio, NULL, x509_no_passphrase, NULL);
	if (authority->key == NULL) {
		(void) snprintf(why, X509_WHY_MAX,
			"%.250s holds no private key in PEM, or one with a passphrase", files->key);
		TRY(ERR_CONFIG);
	}
	if (X509_check_private_key(authority->certificate, authority->key) != 1) {
		(void) snprintf(why, X509_WHY_MAX, "%.150s does not belong to %.150s", files->key,
			files->certificate);
		TRY(ERR_CONFIG);
	}
out:
	BIO_free(bio);
	buf_free(&content);
	return err;
}

enum err x509_authority_new(struct x509_authority **out, const struct x509_authority_files *files,
	char why[X509_WHY_MAX])
{
	struct x509_authority *authority = calloc(1, sizeof(*authority));
	enum err err = authority == NULL ? ERR_NOMEM : ERR_OK;

	why[0] = '\0';
	TRY(err);
	authority->references = 1;
	TRY(read_certificate(authority, files->certificate, why));
	TRY(read_key(authority, files, why));
	TRY(x509_seconds(&authority->not_before, X509_get0_notBefore(authority->certificate)));
	TRY(x509_seconds(&authority->not_after, X509_get0_notAfter(authority->certificate)));
	*out = authority;
	authority = NULL;
out:
	x509_authority_free(authority);
	return pkey_failed(err);
}

/* ---- issuing ---- */

static enum err set_serial(X509 *certificate)
{
	uint8_t bytes[SERIAL_LEN];
	BIGNUM *number;
	enum err err = ERR_NOMEM;

	rand_bytes(bytes, sizeof(bytes));
	bytes[0] &= 0x7f; /* positive in as many bytes */
	bytes[SERIAL_LEN - 1] |= 1; /* never zero */
	number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	if (number != NULL &&
		BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL)
		err = ERR_OK;
	BN_free(number);
	return err;
}

static enum err set_dates(X509 *certificate, const struct x509_wish *wish)
{
	if (wish->not_before > wish->not_after ||
		ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t) wish->not_before) ==
			NULL ||
		ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t) wish->not_after) == NULL)
		return ERR_FIELD;
	return ERR_OK;
}

/* RFC 5280, section 4.2.1.6: without a subject the alternative names are what counts. */
static enum err set_names(X509 *certificate, const struct x509_subject *subject)
{
	bool is_nameless = X509_NAME_entry_count(subject->name) == 0;
	int at;

	if (is_nameless && subject->alt_names == NULL)
		return ERR_FIELD;
	if (X509_set_subject_name(certificate, subject->name) != 1)
		return ERR_NOMEM;
	if (subject->alt_names == NULL)
		return ERR_OK;
	if (X509_add_ext(certificate, subject->alt_names, -1) != 1)
		return ERR_NOMEM;
	at = X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1);
	return X509_EXTENSION_set_critical(X509_get_ext(certificate, at), is_nameless) == 1
		       ? ERR_OK
		       : ERR_NOMEM;
}

static enum err set_usage(X509 *certificate, const struct x509_wish *wish)
{
	enum { BITS = 7 };
	BASIC_CONSTRAINTS *constraints = BASIC_CONSTRAINTS_new(); /* no authority */
	ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();
	enum err err = constraints == NULL || bits == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	for (int i = 0; i < BITS; i++) {
		if ((wish->usage >> i & 1) != 0 && ASN1_BIT_STRING_set_bit(bits, i, 1) != 1)
			TRY(ERR_NOMEM);
	}
	if (X509_add1_ext_i2d(certificate, NID_basic_constraints, constraints, 1, 0) != 1)
		TRY(ERR_NOMEM);
	if (wish->usage != 0 && X509_add1_ext_i2d(certificate, NID_key_usage, bits, 1, 0) != 1)
		TRY(ERR_NOMEM);
	if (wish->subject->extended_usage != NULL &&
		X509_add_ext(certificate, wish->subject->extended_usage, -1) != 1)
		TRY(ERR_NOMEM);
out:
	BASIC_CONSTRAINTS_free(constraints);
	ASN1_BIT_STRING_free(bits);
	return err;
}

/* By which chains are found: the hash of the key, and that of the issuer's. */
static enum err set_key_identifiers(X509 *certificate, X509 *issuer)
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned hash_len = 0;
	ASN1_OCTET_STRING *mine = ASN1_OCTET_STRING_new();
	AUTHORITY_KEYID *theirs = AUTHORITY_KEYID_new();
	const ASN1_OCTET_STRING *known = X509_get0_subject_key_id(issuer);
	enum err err = mine == NULL || theirs == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	if (X509_pubkey_digest(certificate, EVP_sha1(), hash, &hash_len) != 1 ||
		ASN1_OCTET_STRING_set(mine, hash, (int) hash_len) != 1 ||
		X509_add1_ext_i2d(certificate, NID_subject_key_identifier, mine, 0, 0) != 1)
		TRY(ERR_NOMEM);
	if (known == NULL)
		goto out;
	theirs->keyid = ASN1_OCTET_STRING_dup(known);
	if (theirs->keyid == NULL ||
		X509_add1_ext_i2d(certificate, NID_authority_key_identifier, theirs, 0, 0) != 1)
		TRY(ERR_NOMEM);
out:
	ASN1_OCTET_STRING_free(mine);
	AUTHORITY_KEYID_free(theirs);
	return err;
}

/* Whoever bears the authority's name, or may speak for it (RFC 6960, section 4.2.2.2), could say of
 * its certificates what it did not. */
static bool speaks_for_authority(const struct x509_subject *subject, const X509 *authority)
{
	EXTENDED_KEY_USAGE *usage = NULL;
	bool speaks = X509_NAME_cmp(subject->name, X509_get_subject_name(authority)) == 0;

	if (subject->extended_usage != NULL)
		usage = X509V3_EXT_d2i(subject->extended_usage);
	for (int i = 0; i < sk_ASN1_OBJECT_num(usage); i++)
		speaks = speaks || OBJ_obj2nid(sk_ASN1_OBJECT_value(usage, i)) == NID_OCSP_sign;
	EXTENDED_KEY_USAGE_free(usage);
	return speaks;
}

static const EVP_MD *digest_of(const EVP_PKEY *key)
{
	if (EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448"))
		return NULL;
	if (!EVP_PKEY_is_a(key, "EC") || EVP_PKEY_get_bits(key) < 384)
		return EVP_sha256();
	return EVP_PKEY_get_bits(key) < 512 ? EVP_sha384() : EVP_sha512();
}

enum err x509_authority_issue(
	struct buf *out, const struct x509_authority *authority, const struct x509_wish *wish)
{
	X509 *certificate = X509_new();
	unsigned char *der = NULL;
	int der_len;
	enum err err = certificate == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	TRY(speaks_for_authority(wish->subject, authority->certificate) ? ERR_FIELD : ERR_OK);
	if (X509_set_version(certificate, X509_VERSION_3) != 1 ||
		X509_set_issuer_name(certificate, X509_get_subject_name(authority->certificate)) !=
			1 ||
		X509_set_pubkey(certificate, wish->subject->key) != 1)
		TRY(ERR_CRYPTO);
	TRY(set_serial(certificate));
	TRY(set_dates(certificate, wish));
	TRY(set_usage(certificate, wish));
	TRY(set_names(certificate, wish->subject));
	TRY(set_key_identifiers(certificate, authority->certificate));
	if (X509_sign(certificate, authority->key, digest_of(authority->key)) <= 0)
		TRY(ERR_CRYPTO);
	der_len = i2d_X509(certificate, &der);
	TRY(der_len < 0 ? ERR_NOMEM : ERR_OK);
	TRY(buf_append(out, slice_of(der, (size_t) der_len)));
out:
	OPENSSL_free(der);
	X509_free(certificate);
	return pkey_failed(err);
}
