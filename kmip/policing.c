/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/policing.h"
#include <stdarg.h>
#include <stdio.h>
#include "kmip/asymmetric.h"
#include "kmip/crypto_names.h"

enum { BYTE_BITS = 8, SHA1_LEN = 20, WHAT_LEN_MAX = 120, POLICY_SHOWN_MAX = 60 };

/* NULL: everything is allowed. */
static const struct policy *policy_of(const struct kmip_item *item)
{
	const struct kmip_options *options = item->options;

	for (size_t i = 0; i < options->policy_count; i++) {
		if (instance_id_equal(&options->policies[i].instance, &item->identity->instance))
			return options->policies[i].policy.is_open ? NULL
								   : &options->policies[i].policy;
	}
	return NULL;
}

bool policing_is_open(const struct kmip_item *item)
{
	return policy_of(item) == NULL;
}

static enum err refuse(struct kmip_item *item, const struct policy *policy, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static enum err refuse(struct kmip_item *item, const struct policy *policy, const char *format, ...)
{
	char what[WHAT_LEN_MAX];
	va_list arguments;
	char *text;

	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	text = arena_printf(item->arena, "The algorithm policy (%.*s) does not allow %s",
		POLICY_SHOWN_MAX, policy->text, what);
	if (text == NULL)
		return ERR_NOMEM;
	item->complaint = slice_text(text);
	return ERR_POLICY;
}

/* ---- keys ---- */

enum err policing_key(struct kmip_item *item, const struct algorithm_key *key)
{
	const struct policy *policy = policy_of(item);
	const char *name = kmip_enum_name(KMIP_SET_CRYPTOGRAPHIC_ALGORITHM, key->algorithm);
	int32_t min;

	if (policy == NULL || key->algorithm == 0)
		return ERR_OK;
	min = policy_key_bits_min(policy, key->algorithm);
	if (min == INT32_MAX)
		return refuse(item, policy, "%s", name == NULL ? "this algorithm" : name);
	/* A length that nobody said is judged when the key is used. */
	if (key->length_bits == 0 || key->length_bits >= min)
		return ERR_OK;
	return refuse(item, policy, "%s with less than %d bits", name, min);
}

static bool is_of_curves(uint32_t algorithm)
{
	return algorithm == KMIP_CRYPTOGRAPHIC_ALGORITHM_EC ||
	       algorithm == KMIP_CRYPTOGRAPHIC_ALGORITHM_ECDSA ||
	       algorithm == KMIP_CRYPTOGRAPHIC_ALGORITHM_ECDH ||
	       algorithm == KMIP_CRYPTOGRAPHIC_ALGORITHM_ECMQV;
}

static enum err judge_curve(struct kmip_item *item, const char *curve)
{
	const struct policy *policy = policy_of(item);

	if (policy == NULL || policy_allows(policy, POLICY_OTHER_CURVES))
		return ERR_OK;
	switch (asymmetric_curve_of(curve)) {
	case KMIP_RECOMMENDED_CURVE_P_224:
	case KMIP_RECOMMENDED_CURVE_P_256:
	case KMIP_RECOMMENDED_CURVE_P_384:
	case KMIP_RECOMMENDED_CURVE_P_521:
		return ERR_OK;
	default:
		return refuse(item, policy, "the curve %s", curve);
	}
}

enum err policing_pkey(struct kmip_item *item, uint32_t said, const struct pkey *key)
{
	struct algorithm_key real = { .algorithm = asymmetric_algorithm(key),
		.length_bits = (int32_t) pkey_bits(key) };
	char curve[PKEY_CURVE_LEN_MAX];
	enum err err;

	if (policy_of(item) == NULL)
		return ERR_OK;
	if (is_of_curves(real.algorithm) && is_of_curves(said))
		real.algorithm = said;
	TRY(policing_key(item, &real));
	if (is_of_curves(real.algorithm)) {
		TRY(pkey_curve(curve, key));
		TRY(judge_curve(item, curve));
	}
out:
	return err;
}

enum err policing_wish(struct kmip_item *item, uint32_t said, const struct pkey_wish *wish)
{
	struct algorithm_key key = { .algorithm = said, .length_bits = (int32_t) wish->bits };
	enum err err;

	TRY(policing_key(item, &key));
	if (wish->curve != NULL && is_of_curves(said))
		TRY(judge_curve(item, wish->curve));
out:
	return err;
}

enum err policing_block(struct kmip_item *item, uint32_t object_type, uint32_t said,
	const struct kmip_key_block *block)
{
	struct pkey *key = NULL;
	enum err err = ERR_OK;

	if (policy_of(item) == NULL || (KMIP_TO(object_type) & KMIP_TO_ASYMMETRIC) == 0 ||
		asymmetric_open(&key, object_type, block) != ERR_OK)
		return ERR_OK;
	err = policing_pkey(item, said, key);
	pkey_free(key);
	return err;
}

/* ---- hashes and uses ---- */

enum err policing_hash(struct kmip_item *item, const char *hash)
{
	const struct policy *policy = policy_of(item);

	if (policy == NULL || hash == NULL || policy_allows_hash(policy, hash))
		return ERR_OK;
	return refuse(item, policy, "the hash %s", hash);
}

enum err policing_hmac(struct kmip_item *item, const char *hash, size_t key_len)
{
	struct algorithm_key key = { .algorithm = crypto_hmac_of(hash),
		.length_bits = (int32_t) (BYTE_BITS * key_len) };
	const struct policy *policy = policy_of(item);

	if (policy == NULL)
		return ERR_OK;
	if (key.algorithm == 0)
		return refuse(item, policy, "an HMAC with %s", hash);
	return policing_key(item, &key);
}

static enum err judge_extra(
	struct kmip_item *item, bool applies, enum policy_extra extra, const char *what)
{
	const struct policy *policy = policy_of(item);

	if (!applies || policy == NULL || policy_allows(policy, extra))
		return ERR_OK;
	return refuse(item, policy, "%s", what);
}

static bool is_sha1(const struct policing_signing *signing)
{
	const char *hash = signing->use->hash;

	if (hash == NULL)
		return signing->digest_len > 0 && signing->digest_len <= SHA1_LEN;
	return slice_equal_text(slice_text(hash), "SHA1");
}

/* Padding is RSA's alone; others are marked as having none. */
static bool is_raw_rsa(const struct policing_signing *signing)
{
	return signing->use->padding == PKEY_PADDING_NONE &&
	       asymmetric_algorithm(signing->key) == KMIP_CRYPTOGRAPHIC_ALGORITHM_RSA;
}

enum err policing_sign(struct kmip_item *item, const struct policing_signing *signing)
{
	enum err err;

	TRY(policing_pkey(item, signing->said, signing->key));
	TRY(policing_hash(item, signing->use->hash));
	TRY(policing_hash(item, signing->use->mask_hash));
	TRY(judge_extra(
		item, is_sha1(signing), POLICY_SHA1_SIGNATURES, "signatures of SHA-1 digests"));
	TRY(judge_extra(
		item, is_raw_rsa(signing), POLICY_RAW_RSA, "RSA signatures without padding"));
out:
	return err;
}

enum err policing_encryption(struct kmip_item *item, const struct pkey_use *use)
{
	enum err err;

	TRY(policing_hash(item, use->hash));
	TRY(policing_hash(item, use->mask_hash));
	TRY(judge_extra(item, use->padding != PKEY_PADDING_OAEP, POLICY_PKCS1_ENCRYPTION,
		"RSA encryption without OAEP"));
out:
	return err;
}
