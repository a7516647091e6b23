/* SPDX-License-Identifier: Apache-2.0 */
/* Derive Key (KMIP 1.4, section 4.5): published results, the links, and what is refused. */
#include "served.h"

enum { DERIVE = 0x200 };

/* An active key or secret with that material and mask. */
static struct slice base_of(
	struct served *served, uint32_t type, struct slice material, int32_t mask)
{
	struct kmip_attribute attributes[] = {
		attribute_of("Cryptographic Usage Mask", kmip_value_integer(mask)),
		attribute_of("Activation Date", kmip_value_date(1)),
	};
	struct kmip_template_attribute template = { .attributes = { attributes, 2 } };
	struct kmip_key_value value = { .material = material };
	struct kmip_key_block block = { .value = &value };
	struct kmip_symmetric_key key = { .key_block = &block };
	struct kmip_secret_data secret = { .type = KMIP_UINT(KMIP_SECRET_DATA_TYPE_SEED),
		.key_block = &block };
	struct kmip_object object = { 0 };

	if (type == KMIP_OBJECT_TYPE_SYMMETRIC_KEY) {
		block.format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_RAW);
		block.cryptographic_algorithm = KMIP_UINT(KMIP_CRYPTOGRAPHIC_ALGORITHM_AES);
		block.cryptographic_length_bits = KMIP_INT((int32_t) material.len * 8);
		object.symmetric_key = &key;
	} else {
		block.format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_OPAQUE);
		object.secret_data = &secret;
	}
	return PAYLOAD(served,
		ONE(served, REGISTER, register, .object_type = KMIP_UINT(type),
			.template_attribute = &template, .object = object),
		register)
		->unique_identifier;
}

static const struct kmip_response_item *derive(struct served *served, struct slice base,
	uint32_t method, const struct kmip_derivation_parameters *parameters, int32_t length)
{
	struct kmip_attribute attributes[] = {
		attribute_of("Cryptographic Algorithm",
			kmip_value_enum(KMIP_CRYPTOGRAPHIC_ALGORITHM_AES)),
		attribute_of("Cryptographic Length", kmip_value_integer(length)),
		attribute_of("Cryptographic Usage Mask", kmip_value_integer(12)),
	};
	struct kmip_template_attribute template = { .attributes = { attributes, 3 } };
	struct kmip_derivation_parameters given = *parameters;

	return ONE(served, DERIVE_KEY, derive_key,
		.object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SYMMETRIC_KEY),
		.unique_identifiers = { &base, 1 }, .method = KMIP_UINT(method),
		.parameters = &given, .template_attribute = &template);
}

static void assert_derived(
	struct served *served, const struct kmip_response_item *item, const char *want)
{
	struct slice uid = PAYLOAD(served, item, derive_key)->unique_identifier;
	const struct kmip_get_response *got = PAYLOAD(served, served_get(served, uid), get);

	assert_bytes(
		got->object.symmetric_key->key_block->value->material, hex(served->arena, want));
}

static const char raw[] = "00112233445566778899aabbccddeeff";

Test(op_derive_key, published)
{
	struct served served = { 0 };
	struct kmip_cryptographic_parameters sha = { .hashing_algorithm = KMIP_UINT(
							     KMIP_HASHING_ALGORITHM_SHA_256) };
	struct kmip_derivation_parameters parameters = { .cryptographic_parameters = &sha };
	struct slice key, password;

	served_start(&served, false);
	served.version = KMIP_1_4;
	key = base_of(&served, KMIP_OBJECT_TYPE_SYMMETRIC_KEY, hex(served.arena, raw), 12 | DERIVE);
	assert_derived(&served, derive(&served, key, KMIP_DERIVATION_METHOD_HASH, &parameters, 128),
		"a8faed6abbf35c12a4b26e40f6feb19d");
	parameters.derivation_data = hex(served.arena, "0102");
	assert_derived(&served, derive(&served, key, KMIP_DERIVATION_METHOD_HMAC, &parameters, 128),
		"1e15c1f1da233629f770fb0a04a5020e");
	password =
		base_of(&served, KMIP_OBJECT_TYPE_SECRET_DATA, SLICE_LITERAL("password"), DERIVE);
	parameters = (struct kmip_derivation_parameters){ .salt = SLICE_LITERAL("salt"),
		.iteration_count = KMIP_INT(4096) };
	assert_derived(&served,
		derive(&served, password, KMIP_DERIVATION_METHOD_PBKDF2, &parameters, 128),
		"4b007901b765489abead49d926f721d0");
	served_stop(&served);
}

/* What hashing a key gives is not told as its Digest. */
Test(op_derive_key, no_digest_of_a_base)
{
	struct served served = { 0 };
	struct slice key;

	served_start(&served, false);
	key = base_of(&served, KMIP_OBJECT_TYPE_SYMMETRIC_KEY, hex(served.arena, raw), DERIVE);
	cr_assert_eq(served_value(&served, key, "Digest").type, KMIP_TYPE_ANY);
	key = base_of(&served, KMIP_OBJECT_TYPE_SYMMETRIC_KEY, hex(served.arena, raw), 12);
	cr_assert_eq(served_value(&served, key, "Digest").type, KMIP_TYPE_STRUCTURE);
	served_stop(&served);
}

/* The result names its base, and the base its result. */
Test(op_derive_key, links)
{
	struct served served = { 0 };
	struct kmip_cryptographic_parameters sha = { .hashing_algorithm = KMIP_UINT(
							     KMIP_HASHING_ALGORITHM_SHA_256) };
	struct kmip_derivation_parameters parameters = { .cryptographic_parameters = &sha };
	struct codec codec = { .version = KMIP_1_4 };
	struct slice key, derived;
	struct kmip_value value;
	struct kmip_link link;

	served_start(&served, false);
	served.version = KMIP_1_4;
	codec.arena = served.arena;
	key = base_of(&served, KMIP_OBJECT_TYPE_SYMMETRIC_KEY, hex(served.arena, raw), DERIVE);
	derived = PAYLOAD(&served,
		derive(&served, key, KMIP_DERIVATION_METHOD_HASH, &parameters, 256), derive_key)
			  ->unique_identifier;
	value = served_value(&served, derived, "Link");
	cr_assert_eq(kmip_value_read(&link, &codec, &kmip_link_table, &value), ERR_OK);
	cr_assert_eq(link.type.value, KMIP_LINK_TYPE_DERIVATION_BASE_OBJECT_LINK);
	assert_bytes(link.identifier, key);
	value = served_value(&served, key, "Link");
	cr_assert_eq(kmip_value_read(&link, &codec, &kmip_link_table, &value), ERR_OK);
	cr_assert_eq(link.type.value, KMIP_LINK_TYPE_DERIVED_KEY_LINK);
	assert_bytes(link.identifier, derived);
	served_stop(&served);
}

/* Without the purpose, the parameters, a length, enough bytes, or a base. */
Test(op_derive_key, refusals)
{
	struct served served = { 0 };
	struct kmip_cryptographic_parameters sha = { .hashing_algorithm = KMIP_UINT(
							     KMIP_HASHING_ALGORITHM_SHA_256) };
	struct kmip_derivation_parameters parameters = { .cryptographic_parameters = &sha };
	struct kmip_derivation_parameters nothing = { 0 };
	struct slice key, other;

	served_start(&served, false);
	served.version = KMIP_1_4;
	key = base_of(&served, KMIP_OBJECT_TYPE_SYMMETRIC_KEY, hex(served.arena, raw), DERIVE);
	other = base_of(&served, KMIP_OBJECT_TYPE_SYMMETRIC_KEY, hex(served.arena, raw), 12);
	assert_reason(derive(&served, other, KMIP_DERIVATION_METHOD_HASH, &parameters, 128),
		INVALID_FIELD);
	assert_reason(
		derive(&served, key, KMIP_DERIVATION_METHOD_HASH, &nothing, 128), INVALID_FIELD);
	assert_reason(
		derive(&served, key, KMIP_DERIVATION_METHOD_HMAC, &parameters, 128), INVALID_FIELD);
	assert_reason(derive(&served, key, KMIP_DERIVATION_METHOD_PBKDF2, &parameters, 128),
		INVALID_FIELD);
	assert_reason(
		derive(&served, key, KMIP_DERIVATION_METHOD_HASH, &parameters, 0), INVALID_FIELD);
	assert_reason(derive(&served, key, 77, &parameters, 128), INVALID_FIELD);
	sha.hashing_algorithm = KMIP_UINT(KMIP_HASHING_ALGORITHM_SHA_1);
	assert_reason(derive(&served, key, KMIP_DERIVATION_METHOD_HASH, &parameters, 192),
		CRYPTOGRAPHIC_FAILURE);
	assert_reason(derive(&served, SLICE_LITERAL("00000000-0000-4000-8000-000000000000"),
			      KMIP_DERIVATION_METHOD_HASH, &parameters, 128),
		ITEM_NOT_FOUND);
	served_stop(&served);
}

/* A secret, and the Digest is its bytes'. */
Test(op_derive_key, secret)
{
	struct served served = { 0 };
	struct kmip_cryptographic_parameters sha = { .hashing_algorithm = KMIP_UINT(
							     KMIP_HASHING_ALGORITHM_SHA_256) };
	struct kmip_derivation_parameters parameters = { .cryptographic_parameters = &sha };
	struct kmip_attribute length =
		attribute_of("Cryptographic Length", kmip_value_integer(128));
	struct kmip_template_attribute template = { .attributes = { &length, 1 } };
	struct slice base, uid, material;

	served_start(&served, false);
	served.version = KMIP_1_4;
	base = base_of(
		&served, KMIP_OBJECT_TYPE_SYMMETRIC_KEY, hex(served.arena, raw), 12 | DERIVE);
	uid = PAYLOAD(&served,
		ONE(&served, DERIVE_KEY, derive_key,
			.object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SECRET_DATA),
			.unique_identifiers = { &base, 1 },
			.method = KMIP_UINT(KMIP_DERIVATION_METHOD_HASH), .parameters = &parameters,
			.template_attribute = &template),
		derive_key)
		      ->unique_identifier;
	material = PAYLOAD(&served, served_get(&served, uid), get)
			   ->object.secret_data->key_block->value->material;
	assert_bytes(material, hex(served.arena, "a8faed6abbf35c12a4b26e40f6feb19d"));
	assert_digest(&served, uid, material);
	served_stop(&served);
}
