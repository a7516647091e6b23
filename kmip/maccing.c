/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/maccing.h"
#include "kmip/crypto_names.h"
#include "kmip/policing.h"

static enum err judge_policy(
	struct kmip_item *item, const struct digest_mac *mac, uint32_t algorithm)
{
	struct algorithm_key key = { .algorithm = algorithm };
	enum err err;

	if (mac->hash != NULL)
		return policing_hmac(item, mac->hash, mac->key.len);
	TRY(algorithm_judge_key(&key, mac->key.len));
	TRY(policing_key(item, &key));
out:
	return err;
}

static bool has_other_hash(const struct using *use, const char *hash)
{
	const struct kmip_uint *said = &use->parameters.hashing_algorithm;

	return said->has && !crypto_is_hash(said->value, hash);
}

/* A key of an HMAC makes that one; another key what the parameters say. */
static enum err choose(
	struct digest_mac *mac, char cipher[CIPHER_NAME_LEN_MAX], const struct using *use)
{
	struct crypto_cipher wanted = { .algorithm = use->algorithm,
		.mode = use->parameters.block_cipher_mode.value,
		.key_len = use->material.len };
	uint32_t asked = use->parameters.cryptographic_algorithm.value;
	const char *own = crypto_hmac_hash_name(use->algorithm);
	const char *hash = own == NULL ? crypto_hmac_hash_name(asked) : own;
	enum err err = ERR_OK;

	if (asked != 0 && asked != use->algorithm && (own != NULL || hash == NULL))
		TRY(ERR_FIELD);
	if (hash == NULL && wanted.mode == KMIP_BLOCK_CIPHER_MODE_CMAC) {
		TRY(crypto_cipher_name(cipher, &wanted));
		mac->cipher = cipher;
		return ERR_OK;
	}
	TRY(hash == NULL && wanted.mode == KMIP_BLOCK_CIPHER_MODE_CBC_MAC ? ERR_FEATURE : ERR_OK);
	if (use->algorithm == KMIP_CRYPTOGRAPHIC_ALGORITHM_POLY1305)
		return ERR_OK;
	TRY(hash != NULL && has_other_hash(use, hash) ? ERR_FIELD : ERR_OK);
	mac->hash = hash != NULL ? hash : crypto_hash_name(use->parameters.hashing_algorithm.value);
	err = mac->hash == NULL ? ERR_FIELD : ERR_OK;
out:
	return err;
}

enum err maccing_begin(
	struct kmip_item *item, struct run *run, const struct using *use, bool protects)
{
	struct digest_mac mac = { .key = use->material };
	char cipher[CIPHER_NAME_LEN_MAX];
	enum err err;

	TRY(using_judge_symmetric(use));
	TRY(choose(&mac, cipher, use));
	TRY(use->material.len == 0 ? ERR_ILLEGAL : ERR_OK);
	if (protects)
		TRY(judge_policy(item, &mac, use->algorithm));
	TRY(digest_new_mac(&run->digest, &mac));
out:
	return err;
}
