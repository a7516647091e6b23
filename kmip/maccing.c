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

enum err maccing_begin(
	struct kmip_item *item, struct run *run, const struct using *use, bool protects)
{
	struct crypto_cipher wanted = { .algorithm = use->algorithm,
		.mode = use->parameters.block_cipher_mode.value,
		.key_len = use->material.len };
	struct digest_mac mac = { .key = use->material };
	char cipher[CIPHER_NAME_LEN_MAX];
	uint32_t asked = use->parameters.cryptographic_algorithm.value;
	enum err err = ERR_OK;

	mac.hash = crypto_hmac_hash_name(asked != 0 ? asked : use->algorithm);
	if (mac.hash == NULL && wanted.mode == KMIP_BLOCK_CIPHER_MODE_CMAC) {
		TRY(crypto_cipher_name(cipher, &wanted));
		mac.cipher = cipher;
	} else if (mac.hash == NULL) {
		mac.hash = crypto_hash_name(use->parameters.hashing_algorithm.value);
		TRY(mac.hash == NULL ? ERR_FIELD : ERR_OK);
	}
	TRY(use->material.len == 0 ? ERR_ILLEGAL : ERR_OK);
	if (protects)
		TRY(judge_policy(item, &mac, use->algorithm));
	TRY(digest_new_mac(&run->digest, &mac));
out:
	return err;
}
