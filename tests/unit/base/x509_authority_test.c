/* SPDX-License-Identifier: Apache-2.0 */
/* An authority's files are judged as they are read; what it issues says what it should and no more,
 * and is vouched for by it; a request that is cut or not signed with its own key counts for
 * nothing.
 */
#include <criterion/criterion.h>
#include <string.h>
#include "authority.h"
#include "base/pkey.h"
#include "base/x509.h"
#include "base/x509_private.h"

static enum err open_with(
	struct x509_authority **out, const char *certificate, const char *key, const char *word)
{
	char why[X509_WHY_MAX];
	struct x509_authority_files files = { certificate, key };
	enum err err = x509_authority_new(out, &files, why);

	cr_assert(err == ERR_OK || strstr(why, word) != NULL, "%s", why);
	return err;
}

Test(x509_authority, files)
{
	const long year[] = { -10, 1000 }, past[] = { -1000, -10 };
	struct test_authority good, other, leaf, expired;
	struct x509_authority *authority;

	test_authority_make(&good);
	test_authority_make(&other);
	test_authority_make_of(&leaf, year, "CA:FALSE");
	test_authority_make_of(&expired, past, "CA:TRUE");
	cr_assert_eq(open_with(&authority, good.cert_file, good.key_file, ""), ERR_OK);
	x509_authority_free(authority);
	cr_assert_eq(open_with(&authority, good.cert_file, other.key_file, "does not belong"),
		ERR_CONFIG);
	cr_assert_eq(open_with(&authority, leaf.cert_file, leaf.key_file, "no certificate auth"),
		ERR_CONFIG);
	cr_assert_eq(open_with(&authority, good.key_file, good.key_file, "holds no certificate"),
		ERR_CONFIG);
	cr_assert_eq(
		open_with(&authority, good.cert_file, good.folder, "cannot be read"), ERR_CONFIG);
	cr_assert_eq(open_with(&authority, good.cert_file, "/nowhere", "not found"), ERR_CONFIG);
	cr_assert_eq(chmod(good.key_file, 0604), 0);
	cr_assert_eq(open_with(&authority, good.cert_file, good.key_file, "chmod 600"), ERR_CONFIG);
	/* It is for the caller to say what an expired one means. */
	cr_assert_eq(open_with(&authority, expired.cert_file, expired.key_file, ""), ERR_OK);
	cr_assert_lt(x509_authority_not_after(authority), time(NULL));
	x509_authority_free(authority);
	test_authority_remove(&good);
	test_authority_remove(&other);
	test_authority_remove(&leaf);
	test_authority_remove(&expired);
}

static X509 *issued_by(const struct x509_authority *authority, const struct x509_wish *wish)
{
	struct buf out;
	const unsigned char *data;
	X509 *certificate;

	buf_init(&out, X509_CERTIFICATE_LEN_MAX);
	cr_assert_eq(x509_authority_issue(&out, authority, wish), ERR_OK);
	data = buf_slice(&out).data;
	certificate = d2i_X509(NULL, &data, (long) buf_slice(&out).len);
	cr_assert_not_null(certificate);
	buf_free(&out);
	return certificate;
}

Test(x509_authority, issues)
{
	const int64_t now = time(NULL);
	struct x509_wish wish = { .not_before = now,
		.not_after = now + 1000,
		.usage = X509_USAGE_SIGN | X509_USAGE_WRAP };
	uint8_t der[TEST_DER_MAX];
	EVP_PKEY *key = EVP_EC_gen("P-384");
	struct test_authority files;
	struct x509_authority *authority;
	struct x509_subject *subject;
	X509 *first, *second;

	test_authority_make(&files);
	cr_assert_eq(open_with(&authority, files.cert_file, files.key_file, ""), ERR_OK);
	cr_assert_eq(x509_subject_of_request(&subject, test_request(der, key, key, false), false),
		ERR_OK);
	wish.subject = subject;
	first = issued_by(authority, &wish);
	second = issued_by(authority, &wish);
	cr_assert_eq(X509_verify(first, files.key), 1);
	cr_assert_eq(EVP_PKEY_eq(X509_get0_pubkey(first), key), 1);
	/* As it asked: names and extended usage. Not as it asked: to be an authority. */
	cr_assert_eq(X509_check_host(first, "b.example", 0, 0, NULL), 1);
	cr_assert_eq(X509_get_extended_key_usage(first), XKU_SSL_SERVER);
	cr_assert_eq(X509_check_ca(first), 0);
	cr_assert_eq(X509_get_key_usage(first), KU_DIGITAL_SIGNATURE | KU_KEY_ENCIPHERMENT);
	cr_assert_eq(X509_check_issued(files.certificate, first), X509_V_OK);
	cr_assert_neq(
		ASN1_INTEGER_cmp(X509_get0_serialNumber(first), X509_get0_serialNumber(second)), 0);
	X509_free(second);
	x509_subject_free(subject);
	X509_free(first);
	x509_authority_free(authority);
	test_authority_remove(&files);
	EVP_PKEY_free(key);
}

/* Nobody gets a certificate in the authority's own name, nor one to answer for it. */
Test(x509_authority, speaks_for_itself_alone)
{
	const int64_t now = time(NULL);
	struct x509_wish wish = { .not_before = now, .not_after = now + 1000 };
	struct pkey_wish curve = { .algorithm = "EC", .curve = "P-256" };
	char name[X509_COMMON_NAME_LEN_MAX + 1];
	struct test_authority files;
	struct x509_authority *authority;
	struct x509_subject *subject;
	struct pkey *key;
	struct buf out;

	buf_init(&out, X509_CERTIFICATE_LEN_MAX);
	test_authority_make(&files);
	cr_assert_eq(open_with(&authority, files.cert_file, files.key_file, ""), ERR_OK);
	cr_assert_gt(X509_NAME_get_text_by_NID(X509_get_subject_name(files.certificate),
			     NID_commonName, name, sizeof(name)),
		0);
	cr_assert_eq(pkey_generate(&key, &curve), ERR_OK);
	cr_assert_eq(x509_subject_of_key(&subject, key, slice_text(name)), ERR_OK);
	wish.subject = subject;
	cr_assert_eq(x509_authority_issue(&out, authority, &wish), ERR_FIELD);
	x509_subject_free(subject);

	cr_assert_eq(x509_subject_of_key(&subject, key, SLICE_LITERAL("another")), ERR_OK);
	wish.subject = subject;
	cr_assert_eq(x509_authority_issue(&out, authority, &wish), ERR_OK);
	subject->extended_usage =
		X509V3_EXT_conf_nid(NULL, NULL, NID_ext_key_usage, "clientAuth, OCSPSigning");
	cr_assert_not_null(subject->extended_usage);
	cr_assert_eq(x509_authority_issue(&out, authority, &wish), ERR_FIELD);
	x509_subject_free(subject);
	pkey_free(key);
	buf_free(&out);
	x509_authority_free(authority);
	test_authority_remove(&files);
}

/* A certificate's own subject renews it; dates that contradict each other are refused. */
Test(x509_authority, renews_and_refuses)
{
	uint8_t der[TEST_DER_MAX];
	struct x509_wish wish = { .not_before = 1000, .not_after = 2000 };
	struct test_authority files;
	struct x509_authority *authority;
	struct x509_subject *asked, *renewed;
	struct buf out;
	X509 *again;

	buf_init(&out, X509_CERTIFICATE_LEN_MAX);
	test_authority_make(&files);
	cr_assert_eq(open_with(&authority, files.cert_file, files.key_file, ""), ERR_OK);
	cr_assert_eq(x509_subject_of_request(
			     &asked, test_request(der, files.key, files.key, true), true),
		ERR_OK);
	wish.subject = asked;
	cr_assert_eq(x509_authority_issue(&out, authority, &wish), ERR_OK);
	cr_assert_eq(x509_subject_of_certificate(&renewed, buf_slice(&out)), ERR_OK);
	cr_assert(x509_subject_is_same_key(asked, renewed));
	wish.subject = renewed;
	again = issued_by(authority, &wish);
	cr_assert_eq(
		X509_check_host(again, "client", 0, X509_CHECK_FLAG_ALWAYS_CHECK_SUBJECT, NULL), 1);
	cr_assert_eq(X509_check_host(again, "a.example", 0, 0, NULL), 1);
	X509_free(again);
	wish.not_after = wish.not_before - 1;
	cr_assert_eq(x509_authority_issue(&out, authority, &wish), ERR_FIELD);
	buf_free(&out);
	x509_subject_free(asked);
	x509_subject_free(renewed);
	x509_authority_free(authority);
	test_authority_remove(&files);
}

Test(x509_authority, requests)
{
	uint8_t der[TEST_DER_MAX], pem[TEST_DER_MAX];
	EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
	struct slice good = test_request(der, key, key, false);
	struct slice text = test_request(pem, key, key, true);
	struct x509_subject *subject;

	for (size_t len = 0; len < good.len; len++)
		cr_assert_eq(x509_subject_of_request(&subject, slice_cut(good, 0, len), false),
			ERR_INVALID);
	der[good.len] = 0;
	cr_assert_eq(
		x509_subject_of_request(&subject, slice_of(der, good.len + 1), false), ERR_INVALID);
	cr_assert_eq(x509_subject_of_request(&subject, good, true), ERR_INVALID);
	cr_assert_eq(x509_subject_of_request(&subject, text, false), ERR_INVALID);
	cr_assert_eq(x509_subject_of_request(&subject, slice_cut(text, 0, text.len / 2), true),
		ERR_INVALID);
	/* The last byte is the signature's. */
	der[good.len - 1] ^= 1;
	cr_assert_eq(x509_subject_of_request(&subject, good, false), ERR_POSSESSION);
	good = test_request(der, key, other, false);
	cr_assert_eq(x509_subject_of_request(&subject, good, false), ERR_POSSESSION);
	cr_assert_eq(x509_subject_of_certificate(&subject, good), ERR_INVALID);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
}
