/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "base/pkey_private.h"

enum err pkey_failed(enum err err)
{
	ERR_clear_error();
	return err;
}

enum err pkey_wrap(struct pkey **out, EVP_PKEY *key)
{
	struct pkey *pkey = NULL;
	enum err err = pkey_judge(key);

	TRY(err);
	pkey = malloc(sizeof(*pkey));
	TRY(pkey == NULL ? ERR_NOMEM : ERR_OK);
	pkey->key = key;
	key = NULL;
	*out = pkey;
out:
	EVP_PKEY_free(key);
	return err;
}

void pkey_free(struct pkey *key)
{
	if (key == NULL)
		return;
	EVP_PKEY_free(key->key);
	free(key);
}

/* ---- making ---- */

static OSSL_PARAM text_param(const char *name, const char *text)
{
	return OSSL_PARAM_construct_utf8_string(name, (char *) text, 0);
}

/* DSA's and DH's domain parameters come first. */
static enum err generate_parameters(EVP_PKEY **out, const struct pkey_wish *wish)
{
	unsigned bits = wish->bits;
	OSSL_PARAM params[] = { OSSL_PARAM_construct_uint(OSSL_PKEY_PARAM_FFC_PBITS, &bits),
		OSSL_PARAM_construct_end() };
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, wish->algorithm, NULL);
	enum err err = context == NULL ? ERR_FEATURE : ERR_OK;

	TRY(err);
	if (EVP_PKEY_paramgen_init(context) != 1 || EVP_PKEY_CTX_set_params(context, params) != 1 ||
		EVP_PKEY_paramgen(context, out) != 1)
		err = ERR_FIELD;
out:
	EVP_PKEY_CTX_free(context);
	return pkey_failed(err);
}

static enum err generate_with(EVP_PKEY **out, EVP_PKEY_CTX *context, const OSSL_PARAM *params)
{
	if (EVP_PKEY_keygen_init(context) != 1)
		return ERR_FEATURE;
	if (params != NULL && EVP_PKEY_CTX_set_params(context, params) != 1)
		return ERR_FIELD;
	return EVP_PKEY_generate(context, out) == 1 ? ERR_OK : ERR_FIELD;
}

enum err pkey_generate(struct pkey **out, const struct pkey_wish *wish)
{
	unsigned bits = wish->bits;
	bool is_rsa = slice_equal_text(slice_text(wish->algorithm), "RSA");
	bool has_domain =
		slice_equal_text(slice_text(wish->algorithm), "DSA") ||
		(slice_equal_text(slice_text(wish->algorithm), "DH") && wish->curve == NULL);
	OSSL_PARAM params[] = { OSSL_PARAM_construct_end(), OSSL_PARAM_construct_end() };
	EVP_PKEY *domain = NULL, *key = NULL;
	EVP_PKEY_CTX *context = NULL;
	enum err err = ERR_OK;

	if (is_rsa && (bits < PKEY_RSA_BITS_MIN || bits > PKEY_RSA_BITS_MAX || bits % 8 != 0))
		TRY(ERR_FIELD);
	if (has_domain && bits > PKEY_DOMAIN_BITS_MAX)
		TRY(ERR_FIELD);
	if (is_rsa)
		params[0] = OSSL_PARAM_construct_uint(OSSL_PKEY_PARAM_RSA_BITS, &bits);
	else if (wish->curve != NULL)
		params[0] = text_param(OSSL_PKEY_PARAM_GROUP_NAME, wish->curve);
	if (has_domain)
		TRY(generate_parameters(&domain, wish));
	context = has_domain ? EVP_PKEY_CTX_new_from_pkey(NULL, domain, NULL)
			     : EVP_PKEY_CTX_new_from_name(NULL, wish->algorithm, NULL);
	TRY(context == NULL ? ERR_FEATURE : ERR_OK);
	TRY(generate_with(&key, context, has_domain ? NULL : params));
	TRY(pkey_wrap(out, key));
out:
	EVP_PKEY_CTX_free(context);
	EVP_PKEY_free(domain);
	return pkey_failed(err);
}

/* ---- forms ---- */

static const char *form_name(enum pkey_form form)
{
	switch (form) {
	case PKEY_PKCS8:
		return "PrivateKeyInfo";
	case PKEY_PUBLIC_KEY_INFO:
		return "SubjectPublicKeyInfo";
	default:
		return "type-specific";
	}
}

enum err pkey_parse(struct pkey **out, enum pkey_form form, bool is_private, struct slice der)
{
	EVP_PKEY *key = NULL;
	const unsigned char *data = der.data;
	size_t len = der.len;
	OSSL_DECODER_CTX *context = OSSL_DECODER_CTX_new_for_pkey(&key, "DER", form_name(form),
		NULL, is_private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, NULL, NULL);
	enum err err = context == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	if (form == PKEY_PKCS8)
		TRY(pkey_judge_pkcs8(der));
	/* Nothing may stand behind the key. */
	if (OSSL_DECODER_from_data(context, &data, &len) != 1 || len != 0 || key == NULL) {
		EVP_PKEY_free(key);
		TRY(ERR_INVALID);
	}
	TRY(pkey_wrap(out, key));
out:
	OSSL_DECODER_CTX_free(context);
	return pkey_failed(err);
}

enum err pkey_of_certificate(struct pkey **out, struct slice der)
{
	const unsigned char *data = der.data;
	X509 *certificate = d2i_X509(NULL, &data, (long) der.len);
	EVP_PKEY *key = NULL;
	enum err err = certificate == NULL || data != der.data + der.len ? ERR_INVALID : ERR_OK;

	TRY(err);
	key = X509_get_pubkey(certificate);
	TRY(key == NULL ? ERR_INVALID : ERR_OK);
	TRY(pkey_wrap(out, key));
out:
	X509_free(certificate);
	return pkey_failed(err);
}

enum err pkey_encode(struct buf *out, const struct pkey *key, enum pkey_form form, bool is_private)
{
	OSSL_ENCODER_CTX *context = OSSL_ENCODER_CTX_new_for_pkey(key->key,
		is_private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, "DER", form_name(form), NULL);
	unsigned char *data = NULL;
	size_t len = 0;
	enum err err = context == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	if (OSSL_ENCODER_to_data(context, &data, &len) != 1)
		TRY(ERR_FEATURE);
	TRY(buf_append(out, slice_of(data, len)));
out:
	OSSL_ENCODER_CTX_free(context);
	OPENSSL_clear_free(data, len);
	return pkey_failed(err);
}

const char *pkey_algorithm(const struct pkey *key)
{
	return EVP_PKEY_get0_type_name(key->key);
}

uint32_t pkey_bits(const struct pkey *key)
{
	int bits = EVP_PKEY_get_bits(key->key);

	return bits > 0 ? (uint32_t) bits : 0;
}
