/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS #12 that is read: the key in it as written, and what has a right MAC and is odd all the
 * same. What clients bring is tested in kmip/packing_test.c. */
#include <criterion/criterion.h>
#include "base/openssl.h"
#include "base/pkey_pkcs12.h"

#define PASSWORD "password"

enum oddity { NONE, NAMED_BY_BYTES, WITHOUT_CONTENT };

static void name_by_bytes(const PKCS12_SAFEBAG *bag)
{
	const STACK_OF(X509_ATTRIBUTE) *attributes = PKCS12_SAFEBAG_get0_attrs(bag);
	ASN1_TYPE *name = X509_ATTRIBUTE_get0_type(sk_X509_ATTRIBUTE_value(attributes, 0), 0);

	cr_assert_eq(ASN1_TYPE_set_octetstring(name, (unsigned char *) "odd", 3), 1);
}

static void leave_content_out(const PKCS7 *safe)
{
	PKCS7_ENC_CONTENT *content = safe->d.encrypted->enc_data;

	ASN1_OCTET_STRING_free(content->enc_data);
	content->enc_data = NULL;
}

static PKCS12 *pack(EVP_PKEY *key, enum oddity oddity)
{
	STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
	STACK_OF(PKCS7) *safes = NULL;
	PKCS12_SAFEBAG *bag =
		PKCS12_add_key(&bags, key, 0, PKCS12_DEFAULT_ITER, NID_aes_256_cbc, PASSWORD);
	PKCS12 *packed;

	cr_assert_not_null(bag);
	cr_assert_eq(PKCS12_add_friendlyname_utf8(bag, "na\xc3\xafve", -1), 1);
	if (oddity == NAMED_BY_BYTES)
		name_by_bytes(bag);
	cr_assert_eq(
		PKCS12_add_safe(&safes, bags, NID_aes_256_cbc, PKCS12_DEFAULT_ITER, PASSWORD), 1);
	if (oddity == WITHOUT_CONTENT)
		leave_content_out(sk_PKCS7_value(safes, 0));
	packed = PKCS12_add_safes(safes, 0);
	cr_assert_eq(PKCS12_set_mac(packed, PASSWORD, -1, NULL, 0, 1, NULL), 1);
	sk_PKCS7_pop_free(safes, PKCS7_free);
	sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
	return packed;
}

static enum err read_packed(struct pkcs12_found *found, EVP_PKEY *key, enum oddity oddity)
{
	PKCS12 *packed = pack(key, oddity);
	unsigned char *der = NULL;
	int len = i2d_PKCS12(packed, &der);
	enum err err;

	cr_assert_gt(len, 0);
	err = pkcs12_read(found, slice_of(der, (size_t) len), SLICE_LITERAL(PASSWORD));
	OPENSSL_free(der);
	PKCS12_free(packed);
	return err;
}

Test(pkey_pkcs12, oddities)
{
	static const struct {
		enum oddity oddity;
		enum err err;
	} rows[] = { { NONE, ERR_OK }, { NAMED_BY_BYTES, ERR_INVALID },
		{ WITHOUT_CONTENT, ERR_FEATURE } };
	EVP_PKEY *key = EVP_EC_gen("P-256");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pkcs12_found found = { 0 };

		cr_assert_eq(read_packed(&found, key, rows[i].oddity), rows[i].err, "row %zu", i);
		cr_assert_eq(found.key != NULL, rows[i].err == ERR_OK);
		if (rows[i].err == ERR_OK)
			cr_assert(
				slice_equal_text(buf_slice(&found.friendly_name), "na\xc3\xafve"));
		pkcs12_found_free(&found);
	}
	EVP_PKEY_free(key);
}
