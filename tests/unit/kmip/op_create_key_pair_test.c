/* SPDX-License-Identifier: Apache-2.0 */
/* Create Key Pair (KMIP 1.4, section 4.2). */
#include "served.h"

static struct kmip_template_attribute both(
	struct kmip_attribute *attributes, uint32_t algorithm, int32_t length)
{
	attributes[0] = attribute_of("Cryptographic Algorithm", kmip_value_enum(algorithm));
	attributes[1] = attribute_of("Cryptographic Length", kmip_value_integer(length));
	return (struct kmip_template_attribute){ .attributes = { attributes, 2 } };
}

static struct kmip_template_attribute one(
	struct kmip_attribute *attributes, struct served *served, const char *name, int32_t mask)
{
	attributes[0] = name_of(served, name);
	attributes[1] = attribute_of("Cryptographic Usage Mask", kmip_value_integer(mask));
	return (struct kmip_template_attribute){ .attributes = { attributes, 2 } };
}

static struct slice linked(struct served *served, struct slice uid, uint32_t type)
{
	struct codec codec = { .arena = served->arena, .version = KMIP_1_4 };
	struct kmip_value value = served_value(served, uid, "Link");
	struct kmip_link link;

	cr_assert_eq(kmip_value_read(&link, &codec, &kmip_link_table, &value), ERR_OK);
	cr_assert_eq(link.type.value, type);
	return link.identifier;
}

/* Two objects, linked to each other, with their own names and masks, in the forms of their kind. */
Test(op_create_key_pair, makes_two)
{
	static const struct {
		uint32_t algorithm;
		int32_t length;
		uint32_t private_format, public_format;
	} rows[] = {
		{ KMIP_CRYPTOGRAPHIC_ALGORITHM_RSA, 1024, KMIP_KEY_FORMAT_TYPE_PKCS_1,
			KMIP_KEY_FORMAT_TYPE_PKCS_1 },
		{ KMIP_CRYPTOGRAPHIC_ALGORITHM_ECDSA, 256, KMIP_KEY_FORMAT_TYPE_PKCS_8,
			KMIP_KEY_FORMAT_TYPE_X_509 },
		{ KMIP_CRYPTOGRAPHIC_ALGORITHM_ECMQV, 384, KMIP_KEY_FORMAT_TYPE_PKCS_8,
			KMIP_KEY_FORMAT_TYPE_X_509 },
		{ KMIP_CRYPTOGRAPHIC_ALGORITHM_DH, 2048, KMIP_KEY_FORMAT_TYPE_PKCS_8,
			KMIP_KEY_FORMAT_TYPE_X_509 },
	};
	static const char *const names[][2] = { { "a", "b" }, { "c", "d" }, { "e", "f" },
		{ "g", "h" } };
	struct kmip_attribute common[2], private_own[2], public_own[2];
	struct kmip_template_attribute shared, private_key, public_key;
	struct served served = { 0 };

	served_start(&served, false);
	served.version = KMIP_1_4;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct kmip_create_key_pair_response *made;
		const struct kmip_key_block *block;

		shared = both(common, rows[i].algorithm, rows[i].length);
		private_key = one(private_own, &served, names[i][0], 1);
		public_key = one(public_own, &served, names[i][1], 2);
		made = PAYLOAD(&served,
			ONE(&served, CREATE_KEY_PAIR, create_key_pair, .common = &shared,
				.private_template = &private_key, .public_template = &public_key),
			create_key_pair);
		assert_bytes(linked(&served, made->private_key_unique_identifier,
				     KMIP_LINK_TYPE_PUBLIC_KEY_LINK),
			made->public_key_unique_identifier);
		assert_bytes(linked(&served, made->public_key_unique_identifier,
				     KMIP_LINK_TYPE_PRIVATE_KEY_LINK),
			made->private_key_unique_identifier);
		block = PAYLOAD(
			&served, served_get(&served, made->private_key_unique_identifier), get)
				->object.private_key->key_block;
		cr_assert_eq(block->format.value, rows[i].private_format);
		cr_assert_eq(block->cryptographic_length_bits.value, rows[i].length);
		block = PAYLOAD(
			&served, served_get(&served, made->public_key_unique_identifier), get)
				->object.public_key->key_block;
		cr_assert_eq(block->format.value, rows[i].public_format);
		cr_assert_eq(served_value(&served, made->private_key_unique_identifier,
				     "Cryptographic Usage Mask")
				     .integer,
			1);
	}
	served_stop(&served);
}

/* Nothing is made when a name is taken, the keys would differ, or the kind is not to be had. */
Test(op_create_key_pair, refusals)
{
	struct kmip_attribute common[2], own[2];
	struct kmip_template_attribute shared, other, named;
	struct served served = { 0 };
	struct kmip_attribute taken;

	served_start(&served, false);
	served.version = KMIP_1_4;
	taken = name_of(&served, "taken");
	served_key_with(&served, &taken, 1);
	shared = both(common, KMIP_CRYPTOGRAPHIC_ALGORITHM_RSA, 1024);
	named = one(own, &served, "taken", 2);
	assert_reason(ONE(&served, CREATE_KEY_PAIR, create_key_pair, .common = &shared,
			      .public_template = &named),
		INVALID_FIELD);
	other = both(own, KMIP_CRYPTOGRAPHIC_ALGORITHM_RSA, 2048);
	assert_reason(ONE(&served, CREATE_KEY_PAIR, create_key_pair, .common = &shared,
			      .public_template = &other),
		INVALID_FIELD);
	shared = both(common, KMIP_CRYPTOGRAPHIC_ALGORITHM_AES, 256);
	assert_reason(
		ONE(&served, CREATE_KEY_PAIR, create_key_pair, .common = &shared), INVALID_FIELD);
	shared = both(common, KMIP_CRYPTOGRAPHIC_ALGORITHM_RSA, 100);
	assert_reason(
		ONE(&served, CREATE_KEY_PAIR, create_key_pair, .common = &shared), INVALID_FIELD);
	assert_reason(
		ONE(&served, CREATE_KEY_PAIR, create_key_pair, .common = NULL), INVALID_MESSAGE);
	served_stop(&served);
}
