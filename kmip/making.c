/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/making.h"
#include "base/crypt.h"
#include "kmip/unique_name.h"

struct attribute_edits making_edits(const struct kmip_item *item, uint32_t object_type)
{
	return (struct attribute_edits){ .arena = item->arena,
		.version = item->version,
		.now = item->now,
		.object_type = object_type };
}

struct kmip_rng_parameters making_generator(void)
{
	enum { KEY_BITS = 256 };

	return (struct kmip_rng_parameters){
		.rng_algorithm = KMIP_UINT(KMIP_RNG_ALGORITHM_DRBG),
		.cryptographic_algorithm = KMIP_UINT(KMIP_CRYPTOGRAPHIC_ALGORITHM_AES),
		.cryptographic_length_bits = KMIP_INT(KEY_BITS),
		.drbg_algorithm = KMIP_UINT(KMIP_DRBG_ALGORITHM_CTR),
	};
}

enum err making_attributes(
	struct attribute_edits *edits, const struct kmip_template_attribute *given)
{
	if (given->names.count > 0)
		return ERR_NOT_FOUND;
	return attribute_rules_make(edits, given->attributes.items, given->attributes.count);
}

/* 3.17: SHA-256 over the material as registered; static, so it is stored. */
static enum err set_digest(
	struct kmip_item *item, struct attribute_edits *edits, struct slice digested)
{
	uint8_t hash[CRYPT_SHA256_LEN] = { 0 };
	struct kmip_digest digest = {
		.hashing_algorithm = KMIP_UINT(KMIP_HASHING_ALGORITHM_SHA_256),
		.value = slice_of(hash, sizeof(hash)),
		.key_format = KMIP_UINT(item->create.format),
	};
	struct kmip_value value;
	enum err err;

	TRY(crypt_sha256(hash, digested));
	TRY(kmip_value_write(&value, item->arena, &kmip_digest_table, &digest));
	TRY(attribute_rules_set(edits, KMIP_ATTRIBUTE_DIGEST, &value));
out:
	return err;
}

enum err making_effect(struct kmip_item *item, struct attribute_edits *edits, struct slice digested)
{
	struct kmip_value algorithm = kmip_value_enum(edits->key.algorithm);
	struct kmip_value length = kmip_value_integer(edits->key.length_bits);
	enum err err;

	TRY(attribute_rules_set(edits, KMIP_ATTRIBUTE_CRYPTOGRAPHIC_ALGORITHM, &algorithm));
	TRY(attribute_rules_set(edits, KMIP_ATTRIBUTE_CRYPTOGRAPHIC_LENGTH, &length));
	TRY(set_digest(item, edits, digested));
	err = unique_name_check(item, edits);
	TRY(err == ERR_EXISTS ? ERR_FIELD : err);
	attribute_rules_change(edits, &item->change);
	item->change.dates[OBJECT_DATE_INITIAL] = item->now;
	item->effect = KMIP_EFFECT_CREATE;
out:
	return err;
}
