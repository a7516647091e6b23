/* SPDX-License-Identifier: Apache-2.0 */
/* Register (KMIP 1.4, section 4.3). */
#include "served.h"

static const uint8_t secret[16] = { 0, 17, 34, 51, 68, 85, 102, 119, 136, 153, 170, 187, 204, 221,
	238, 255 };

struct key {
	struct kmip_symmetric_key key;
	struct kmip_key_block block;
	struct kmip_key_value value;
	struct kmip_transparent_key transparent;
	struct kmip_template_attribute template;
};

static struct key *key_new(struct served *served)
{
	struct key *key = ARENA_NEW(served->arena, struct key);

	key->key.key_block = &key->block;
	key->block.format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_RAW);
	key->block.value = &key->value;
	key->block.cryptographic_algorithm = KMIP_UINT(KMIP_CRYPTOGRAPHIC_ALGORITHM_AES);
	key->block.cryptographic_length_bits = KMIP_INT(128);
	key->value.material = slice_of(secret, sizeof(secret));
	return key;
}

static const struct kmip_response_item *key_register(struct served *served, struct key *key)
{
	return ONE(served, REGISTER, register,
		.object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SYMMETRIC_KEY),
		.template_attribute = &key->template, .object = { .symmetric_key = &key->key });
}

static const struct kmip_key_block *block_of(struct served *served, struct slice uid)
{
	return PAYLOAD(served, served_get(served, uid), get)->object.symmetric_key->key_block;
}

/* A raw key comes back as it is, with algorithm and length, and the Digest is over its bytes. */
Test(op_register, raw)
{
	struct served served = { 0 };
	struct codec codec = { .version = KMIP_1_1 };
	uint8_t hash[CRYPT_SHA256_LEN];
	struct kmip_digest digest;
	struct kmip_value value;
	struct slice uid;

	served_start(&served, false);
	codec.arena = served.arena;
	uid = PAYLOAD(&served, key_register(&served, key_new(&served)), register)
		      ->unique_identifier;
	const struct kmip_key_block *block = block_of(&served, uid);
	cr_assert_eq(block->format.value, KMIP_KEY_FORMAT_TYPE_RAW);
	assert_bytes(block->value->material, slice_of(secret, sizeof(secret)));
	cr_assert_eq(block->cryptographic_length_bits.value, 128);
	value = served_value(&served, uid, "Digest");
	cr_assert_eq(kmip_value_read(&digest, &codec, &kmip_digest_table, &value), ERR_OK);
	cr_assert_eq(crypt_sha256(hash, slice_of(secret, sizeof(secret))), ERR_OK);
	assert_bytes(digest.value, slice_of(hash, sizeof(hash)));
	cr_assert_eq(digest.key_format.value, KMIP_KEY_FORMAT_TYPE_RAW);

	served.version = KMIP_1_0;
	value = served_value(&served, uid, "Digest");
	codec.version = KMIP_1_0;
	cr_assert_eq(kmip_value_read(&digest, &codec, &kmip_digest_table, &value), ERR_OK);
	cr_assert_not(digest.key_format.has);
	served_stop(&served);
}

/* The transparent form is kept and can be had as raw too. */
Test(op_register, transparent)
{
	struct served served = { 0 };
	struct key *key;
	struct slice uid;

	served_start(&served, false);
	key = key_new(&served);
	key->block.format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_TRANSPARENT_SYMMETRIC_KEY);
	key->transparent.key = key->value.material;
	key->value = (struct kmip_key_value){ .transparent = &key->transparent };
	uid = PAYLOAD(&served, key_register(&served, key), register)->unique_identifier;
	assert_bytes(
		block_of(&served, uid)->value->transparent->key, slice_of(secret, sizeof(secret)));
	const struct kmip_response_item *item = ONE(&served, GET, get, .unique_identifier = uid,
		.key_format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_RAW));
	assert_bytes(PAYLOAD(&served, item, get)->object.symmetric_key->key_block->value->material,
		slice_of(secret, sizeof(secret)));
	served_stop(&served);
}

/* Algorithm and length may be among the attributes; said twice they must agree; the length may be
 * left to the material. */
Test(op_register, algorithm_and_length)
{
	struct served served = { 0 };
	struct kmip_attribute attributes[] = {
		attribute_of("Cryptographic Algorithm",
			kmip_value_enum(KMIP_CRYPTOGRAPHIC_ALGORITHM_AES)),
		attribute_of("Cryptographic Length", kmip_value_integer(128)),
		attribute_of("Cryptographic Usage Mask", kmip_value_integer(12)),
	};
	struct key *key;

	served_start(&served, false);
	key = key_new(&served);
	key->template.attributes.items = attributes;
	key->template.attributes.count = 3;
	assert_success(key_register(&served, key));
	key->block.cryptographic_algorithm.has = false;
	key->block.cryptographic_length_bits.has = false;
	assert_success(key_register(&served, key));
	key->template.attributes.count = 1;
	assert_success(key_register(&served, key));
	key->template.attributes.count = 0;
	assert_reason(key_register(&served, key), INVALID_FIELD);

	key = key_new(&served);
	key->block.cryptographic_length_bits = KMIP_INT(256);
	assert_reason(key_register(&served, key), INVALID_FIELD);
	key->block.cryptographic_length_bits = KMIP_INT(128);
	attributes[1].value.integer = 192;
	key->template.attributes.items = attributes;
	key->template.attributes.count = 2;
	assert_reason(key_register(&served, key), INVALID_FIELD);
	served_stop(&served);
}

static size_t count_of(struct served *served, struct slice uid, const char *name)
{
	struct slice asked = slice_text(name);

	return PAYLOAD(served,
		ONE(served, GET_ATTRIBUTES, get_attributes, .unique_identifier = uid,
			.attribute_names = { &asked, 1 }),
		get_attributes)
		->attributes.count;
}

/* A key whose value is elsewhere (3.45, 3.46): the server says so; it is given out without, and
 * used for nothing. When it was made nobody told (3.47). */
Test(op_register, without_its_value)
{
	struct served served = { 0 };
	struct kmip_attribute present =
		attribute_of("Key Value Present", kmip_value_boolean(false));
	struct kmip_cryptographic_parameters ecb = { .block_cipher_mode = KMIP_UINT(
							     KMIP_BLOCK_CIPHER_MODE_ECB) };
	struct kmip_attribute mask =
		attribute_of("Cryptographic Usage Mask", kmip_value_integer(12));
	struct key *key;
	struct slice uid;

	served_start(&served, false);
	served.version = KMIP_1_4;
	key = key_new(&served);
	key->block.value = NULL;
	key->template.attributes.items = &mask;
	key->template.attributes.count = 1;
	uid = PAYLOAD(&served, key_register(&served, key), register)->unique_identifier;
	cr_assert_null(block_of(&served, uid)->value);
	cr_assert_eq(served_value(&served, uid, "Key Value Present").boolean, false);
	cr_assert_eq(count_of(&served, uid, "Original Creation Date"), 0);
	cr_assert_eq(count_of(&served, uid, "Digest"), 0);
	assert_success(served_activate(&served, uid));
	assert_reason(ONE(&served, ENCRYPT, encrypt, .unique_identifier = uid, .parameters = &ecb,
			      .data = slice_of(secret, sizeof(secret))),
		KEY_VALUE_NOT_PRESENT);
	/* Nobody else may say it. */
	key->template.attributes.items = &present;
	assert_reason(key_register(&served, key), INVALID_FIELD);
	served_stop(&served);
}

/* What we do not take. */
Test(op_register, refusals)
{
	struct served served = { 0 };
	static uint8_t long_bytes[OBJECT_MATERIAL_LEN_MAX + 1] = { 1 };
	struct kmip_opaque_object opaque = { .type = KMIP_UINT(0x80000001),
		.value = slice_of(secret, sizeof(secret)) };
	struct key *key;

	served_start(&served, false);
	served.version = KMIP_1_1;
	key = key_new(&served);
	key->block.value = NULL; /* 1.2 lets it be left out */
	assert_reason(key_register(&served, key), INVALID_FIELD);
	key = key_new(&served);
	key->block.format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_PKCS_1);
	assert_reason(key_register(&served, key), KEY_FORMAT_TYPE_NOT_SUPPORTED);
	key = key_new(&served);
	key->block.compression = KMIP_UINT(1);
	assert_reason(key_register(&served, key), KEY_COMPRESSION_TYPE_NOT_SUPPORTED);
	key = key_new(&served);
	key->value.material = slice_of(secret, 0);
	assert_reason(key_register(&served, key), INVALID_FIELD);
	/* Another kind of object than was announced; one that is too long for a standard key. */
	assert_reason(ONE(&served, REGISTER, register,
			      .object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SYMMETRIC_KEY),
			      .template_attribute = &key->template,
			      .object = { .opaque_object = &opaque }),
		INVALID_FIELD);
	opaque.value = slice_of(long_bytes, sizeof(long_bytes));
	assert_reason(ONE(&served, REGISTER, register,
			      .object_type = KMIP_UINT(KMIP_OBJECT_TYPE_OPAQUE_OBJECT),
			      .template_attribute = &key->template,
			      .object = { .opaque_object = &opaque }),
		INVALID_FIELD);
	served_stop(&served);
}

/* An opaque object and a secret come back as they were; neither has an algorithm to be asked for.
 */
Test(op_register, other_objects)
{
	struct served served = { 0 };
	struct kmip_template_attribute template = { 0 };
	struct kmip_opaque_object opaque = { .type = KMIP_UINT(0x80000001),
		.value = slice_of(secret, sizeof(secret)) };
	struct key *key;
	struct kmip_secret_data data = { .type = KMIP_UINT(KMIP_SECRET_DATA_TYPE_PASSWORD) };
	const struct kmip_get_response *got;
	struct slice uid;

	served_start(&served, false);
	uid = PAYLOAD(&served,
		ONE(&served, REGISTER, register,
			.object_type = KMIP_UINT(KMIP_OBJECT_TYPE_OPAQUE_OBJECT),
			.template_attribute = &template, .object = { .opaque_object = &opaque }),
		register)
		      ->unique_identifier;
	got = PAYLOAD(&served, served_get(&served, uid), get);
	cr_assert_eq(got->object_type.value, KMIP_OBJECT_TYPE_OPAQUE_OBJECT);
	cr_assert_eq(got->object.opaque_object->type.value, 0x80000001);
	cr_assert_eq(count_of(&served, uid, "State"), 0);
	assert_bytes(got->object.opaque_object->value, opaque.value);

	key = key_new(&served);
	key->block.format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_OPAQUE);
	key->block.cryptographic_algorithm.has = key->block.cryptographic_length_bits.has = false;
	data.key_block = &key->block;
	uid = PAYLOAD(&served,
		ONE(&served, REGISTER, register,
			.object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SECRET_DATA),
			.template_attribute = &template, .object = { .secret_data = &data }),
		register)
		      ->unique_identifier;
	got = PAYLOAD(&served, served_get(&served, uid), get);
	assert_bytes(got->object.secret_data->key_block->value->material, key->value.material);
	cr_assert_eq(served_value(&served, uid, "Cryptographic Algorithm").type, KMIP_TYPE_ANY);
	assert_reason(ONE(&served, GET, get, .unique_identifier = uid,
			      .key_format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_PKCS_8)),
		KEY_FORMAT_TYPE_NOT_SUPPORTED);
	served_stop(&served);
}

/* A wrapped key is kept as it came, attributes of its Key Value and all it says of its wrapping. */
Test(op_register, wrapped)
{
	struct served served = { 0 };
	struct kmip_key_information by = { .unique_identifier = SLICE_LITERAL("elsewhere") };
	struct kmip_key_wrapping_data wrapping = { .wrapping_method = KMIP_UINT(1) };
	struct key *key;
	const struct kmip_key_block *block;
	struct slice uid;

	served_start(&served, false);
	key = key_new(&served);
	key->block.wrapping_data = &wrapping;
	key->block.wrapped_value = key->value.material;
	key->block.value = NULL;
	/* By nobody (2.1.5). */
	assert_reason(key_register(&served, key), INVALID_FIELD);
	wrapping.encryption_key = &by;
	uid = PAYLOAD(&served, key_register(&served, key), register)->unique_identifier;
	block = block_of(&served, uid);
	cr_assert_eq(block->wrapping_data->wrapping_method.value, 1);
	assert_bytes(block->wrapped_value, key->block.wrapped_value);
	assert_reason(
		ONE(&served, GET, get, .unique_identifier = uid,
			.key_format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_TRANSPARENT_SYMMETRIC_KEY)),
		KEY_FORMAT_TYPE_NOT_SUPPORTED);
	served_stop(&served);
}

/* A template's attributes become those of what is made by its name, unless others are given. */
Test(op_register, by_template)
{
	struct served served = { 0 };
	struct kmip_attribute own[] = { attribute_of(
		"Cryptographic Length", kmip_value_integer(128)) };
	struct kmip_attribute inner[] = {
		attribute_of("Cryptographic Algorithm",
			kmip_value_enum(KMIP_CRYPTOGRAPHIC_ALGORITHM_AES)),
		attribute_of("Cryptographic Length", kmip_value_integer(256)),
		attribute_of("Cryptographic Usage Mask", kmip_value_integer(12)),
	};
	struct kmip_template body = { .attributes = { inner, 3 } };
	struct kmip_name name = { .value = SLICE_LITERAL("vendor"),
		.type = KMIP_UINT(KMIP_NAME_TYPE_UNINTERPRETED_TEXT_STRING) };
	struct kmip_template_attribute with = { .names = { &name, 1 }, .attributes = { own, 1 } };
	struct kmip_template_attribute named = { .attributes = { own, 0 } };
	const struct kmip_response_item *item;
	struct slice uid;

	served_start(&served, false);
	item = ONE(&served, CREATE, create,
		.object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SYMMETRIC_KEY),
		.template_attribute = &with);
	assert_reason(item, ITEM_NOT_FOUND);
	own[0] = name_of(&served, "vendor");
	named.attributes.count = 1;
	assert_success(ONE(&served, REGISTER, register,
		.object_type = KMIP_UINT(KMIP_OBJECT_TYPE_TEMPLATE), .template_attribute = &named,
		.object = { .template = &body }));
	own[0] = attribute_of("Cryptographic Length", kmip_value_integer(128));
	item = ONE(&served, CREATE, create,
		.object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SYMMETRIC_KEY),
		.template_attribute = &with);
	uid = PAYLOAD(&served, item, create)->unique_identifier;
	cr_assert_eq(served_value(&served, uid, "Cryptographic Length").integer, 128);
	cr_assert_eq(served_value(&served, uid, "Cryptographic Usage Mask").integer, 12);
	served_stop(&served);
}

/* A Name within the template, which 1.0 has, is the template's own (2.2.6), and not that of what is
 * made by it. */
Test(op_register, template_names_itself)
{
	struct served served = { 0 };
	struct kmip_attribute inner[2] = { { .name = SLICE_EMPTY },
		attribute_of("Cryptographic Usage Mask", kmip_value_integer(12)) };
	struct kmip_attribute own[] = {
		attribute_of("Cryptographic Algorithm",
			kmip_value_enum(KMIP_CRYPTOGRAPHIC_ALGORITHM_AES)),
	};
	struct kmip_template body = { .attributes = { inner, 2 } };
	struct kmip_name name = { .value = SLICE_LITERAL("itself"),
		.type = KMIP_UINT(KMIP_NAME_TYPE_UNINTERPRETED_TEXT_STRING) };
	struct kmip_template_attribute with = { .names = { &name, 1 }, .attributes = { own, 1 } };
	struct kmip_template_attribute nothing = { 0 };
	const struct kmip_response_item *item;
	struct slice uid;

	served_start(&served, false);
	served.version = KMIP_1_0;
	inner[0] = name_of(&served, "itself");
	assert_success(ONE(&served, REGISTER, register,
		.object_type = KMIP_UINT(KMIP_OBJECT_TYPE_TEMPLATE), .template_attribute = &nothing,
		.object = { .template = &body }));
	for (int i = 0; i < 2; i++) {
		item = ONE(&served, CREATE, create,
			.object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SYMMETRIC_KEY),
			.template_attribute = &with);
		uid = PAYLOAD(&served, item, create)->unique_identifier;
		cr_assert_eq(served_value(&served, uid, "Cryptographic Usage Mask").integer, 12);
		cr_assert_eq(served_value(&served, uid, "Name").type, KMIP_TYPE_ANY);
	}
	assert_reason(ONE(&served, REGISTER, register,
			      .object_type = KMIP_UINT(KMIP_OBJECT_TYPE_TEMPLATE),
			      .template_attribute = &nothing, .object = { .template = &body }),
		INVALID_FIELD);
	served_stop(&served);
}
