/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What using a key costs, judged before it is spent: raising to a power takes the third power of
 * the length, and clients choose the numbers of the keys that they bring.
 */
#include "base/pkey_private.h"

enum {
	BYTE_BITS = 8,
	HEAD_LEN_MAX = 8, /* of a number in DER, its sign included */
	POWER_BITS_MAX = PKEY_POWER_BITS_MAX,
	EXPONENT_BITS_MAX = 64, /* public ones, of long keys: OpenSSL's limit, too */
	EXPONENT_FREE_BITS = 3072, /* keys for which they are not limited */
};

/* Zero: it is not there. */
static int bits_of(const EVP_PKEY *key, const char *name)
{
	BIGNUM *number = NULL;
	int bits = 0;

	if (EVP_PKEY_get_bn_param(key, name, &number) == 1)
		bits = BN_num_bits(number);
	BN_clear_free(number);
	return bits;
}

static bool are_short(const EVP_PKEY *key, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (bits_of(key, names[i]) > POWER_BITS_MAX)
			return false;
	}
	return true;
}

#define ARE_SHORT(key, names) are_short(key, names, sizeof(names) / sizeof((names)[0]))

/* By its factors it takes a quarter of the time, where there are all numbers for that. */
static bool has_factors(const EVP_PKEY *key)
{
	static const char *const names[] = { OSSL_PKEY_PARAM_RSA_FACTOR1,
		OSSL_PKEY_PARAM_RSA_FACTOR2, OSSL_PKEY_PARAM_RSA_EXPONENT1,
		OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1 };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (bits_of(key, names[i]) == 0)
			return false;
	}
	return true;
}

static bool is_usable_rsa(const EVP_PKEY *key)
{
	static const char *const factors[] = { OSSL_PKEY_PARAM_RSA_FACTOR1,
		OSSL_PKEY_PARAM_RSA_FACTOR2, OSSL_PKEY_PARAM_RSA_FACTOR3,
		OSSL_PKEY_PARAM_RSA_FACTOR4, OSSL_PKEY_PARAM_RSA_FACTOR5,
		OSSL_PKEY_PARAM_RSA_EXPONENT1, OSSL_PKEY_PARAM_RSA_EXPONENT2,
		OSSL_PKEY_PARAM_RSA_EXPONENT3, OSSL_PKEY_PARAM_RSA_EXPONENT4,
		OSSL_PKEY_PARAM_RSA_EXPONENT5 };
	int bits = bits_of(key, OSSL_PKEY_PARAM_RSA_N);
	int private_bits = bits_of(key, OSSL_PKEY_PARAM_RSA_D);

	if (bits > PKEY_RSA_BITS_MAX || private_bits > PKEY_RSA_BITS_MAX ||
		(bits > EXPONENT_FREE_BITS &&
			bits_of(key, OSSL_PKEY_PARAM_RSA_E) > EXPONENT_BITS_MAX))
		return false;
	if (private_bits > 0 && bits > POWER_BITS_MAX && !has_factors(key))
		return false;
	return ARE_SHORT(key, factors);
}

enum err pkey_judge(const EVP_PKEY *key)
{
	static const char *const domain[] = { OSSL_PKEY_PARAM_FFC_P, OSSL_PKEY_PARAM_FFC_Q,
		OSSL_PKEY_PARAM_FFC_G, OSSL_PKEY_PARAM_PUB_KEY, OSSL_PKEY_PARAM_PRIV_KEY };
	bool is_usable = EVP_PKEY_is_a(key, "RSA") ? is_usable_rsa(key) : ARE_SHORT(key, domain);

	return pkey_failed(is_usable ? ERR_OK : ERR_FEATURE);
}

static bool has_domain(const ASN1_OBJECT *algorithm)
{
	switch (OBJ_obj2nid(algorithm)) {
	case NID_dsa:
	case NID_dsa_2:
	case NID_dhKeyAgreement:
	case NID_dhpublicnumber:
		return true;
	default:
		return false;
	}
}

/* The modulus comes first among the parameters. */
static bool is_short_domain(const X509_ALGOR *algorithm)
{
	const void *value = NULL;
	const unsigned char *data;
	STACK_OF(ASN1_TYPE) *parameters = NULL;
	const ASN1_TYPE *first = NULL;
	bool is_short;
	int type = V_ASN1_UNDEF;

	X509_ALGOR_get0(NULL, &type, &value, algorithm);
	if (type != V_ASN1_SEQUENCE)
		return true;
	data = ASN1_STRING_get0_data(value);
	parameters = d2i_ASN1_SEQUENCE_ANY(NULL, &data, ASN1_STRING_length(value));
	if (sk_ASN1_TYPE_num(parameters) > 0)
		first = sk_ASN1_TYPE_value(parameters, 0);
	is_short = first == NULL || first->type != V_ASN1_INTEGER ||
		   ASN1_STRING_length(first->value.integer) <= POWER_BITS_MAX / BYTE_BITS;
	sk_ASN1_TYPE_pop_free(parameters, ASN1_TYPE_free);
	return is_short;
}

enum err pkey_judge_info(const PKCS8_PRIV_KEY_INFO *info)
{
	const ASN1_OBJECT *object = NULL;
	const X509_ALGOR *algorithm = NULL;
	const unsigned char *key = NULL;
	int len = 0;

	if (PKCS8_pkey_get0(&object, &key, &len, &algorithm, info) != 1 || !has_domain(object))
		return pkey_failed(ERR_OK); /* judged when it is read */
	return pkey_failed(
		len <= POWER_BITS_MAX / BYTE_BITS + HEAD_LEN_MAX && is_short_domain(algorithm)
			? ERR_OK
			: ERR_FEATURE);
}

enum err pkey_judge_pkcs8(struct slice der)
{
	const unsigned char *data = der.data;
	PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &data, (long) der.len);
	enum err err = info == NULL ? ERR_OK : pkey_judge_info(info);

	PKCS8_PRIV_KEY_INFO_free(info);
	return pkey_failed(err);
}
