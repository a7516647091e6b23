/* SPDX-License-Identifier: Apache-2.0 */
/* Get (KMIP 1.4, section 4.11; vSphere F1 to F8). */
#include "served.h"

/* The key of a vCenter Create: raw, 32 bytes, algorithm and length, nothing in the Key Value. */
Test(op_get, raw_key)
{
	struct served served = { 0 };
	struct slice uid;

	served_start(&served, false);
	uid = served_key(&served);
	const struct kmip_get_response *got = PAYLOAD(&served, served_get(&served, uid), get);
	const struct kmip_key_block *block = got->object.symmetric_key->key_block;
	cr_assert_eq(got->object_type.value, KMIP_OBJECT_TYPE_SYMMETRIC_KEY);
	cr_assert(slice_equal(got->unique_identifier, uid));
	cr_assert_eq(block->format.value, KMIP_KEY_FORMAT_TYPE_RAW);
	cr_assert_eq(block->value->material.len, 32);
	cr_assert_eq(block->value->attributes.count, 0);
	cr_assert_eq(block->cryptographic_algorithm.value, KMIP_CRYPTOGRAPHIC_ALGORITHM_AES);
	cr_assert_eq(block->cryptographic_length_bits.value, 256);
	cr_assert_null(block->wrapping_data);
	served_stop(&served);
}

/* vSphere F4, F5: revoked keys are served, destroyed ones have attributes only. */
Test(op_get, states)
{
	struct served served = { 0 };
	struct slice uid;

	served_start(&served, false);
	uid = served_key(&served);
	assert_success(served_activate(&served, uid));
	assert_success(
		served_revoke(&served, uid, KMIP_REVOCATION_REASON_CODE_CESSATION_OF_OPERATION));
	assert_success(served_get(&served, uid));
	assert_success(served_revoke(&served, uid, KMIP_REVOCATION_REASON_CODE_KEY_COMPROMISE));
	cr_assert_eq(served_state(&served, uid), KMIP_STATE_COMPROMISED);
	assert_success(served_get(&served, uid));
	assert_success(served_destroy(&served, uid));
	assert_reason(served_get(&served, uid), ILLEGAL_OPERATION);
	cr_assert_eq(served_state(&served, uid), KMIP_STATE_DESTROYED_COMPROMISED);
	served_stop(&served);
}

/* vSphere F2, F8: unknown, not even an identifier, or another instance's. */
Test(op_get, not_found)
{
	struct served served = { 0 };
	struct slice uid;

	served_start(&served, false);
	uid = served_key(&served);
	assert_reason(served_get(&served, slice_text("1")), ITEM_NOT_FOUND);
	assert_reason(served_get(&served, slice_text("")), ITEM_NOT_FOUND);
	served.identity.instance.text[0] = 'z';
	assert_reason(served_get(&served, uid), ITEM_NOT_FOUND);
	served_stop(&served);
}

/* Forms that we cannot give. */
Test(op_get, forms)
{
	struct served served = { 0 };
	struct kmip_key_wrapping_specification wrapping = { .wrapping_method = KMIP_UINT(1) };
	struct slice uid;

	served_start(&served, false);
	served.version = KMIP_1_4;
	uid = served_key(&served);
	assert_reason(ONE(&served, GET, get, .unique_identifier = uid,
			      .key_format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_PKCS_8)),
		KEY_FORMAT_TYPE_NOT_SUPPORTED);
	assert_reason(
		ONE(&served, GET, get, .unique_identifier = uid, .key_compression = KMIP_UINT(1)),
		KEY_COMPRESSION_TYPE_NOT_SUPPORTED);
	/* What is not served, and no word of the key to wrap with. */
	wrapping.wrapping_method = KMIP_UINT(KMIP_WRAPPING_METHOD_TR_31);
	assert_reason(ONE(&served, GET, get, .unique_identifier = uid, .wrapping = &wrapping),
		FEATURE_NOT_SUPPORTED);
	wrapping.wrapping_method = KMIP_UINT(KMIP_WRAPPING_METHOD_MAC_SIGN);
	assert_reason(ONE(&served, GET, get, .unique_identifier = uid, .wrapping = &wrapping),
		INVALID_FIELD);
	wrapping.wrapping_method = KMIP_UINT(KMIP_WRAPPING_METHOD_ENCRYPT);
	assert_reason(ONE(&served, GET, get, .unique_identifier = uid, .wrapping = &wrapping),
		INVALID_FIELD);
	assert_success(ONE(&served, GET, get, .unique_identifier = uid,
		.key_wrap_type = KMIP_UINT(KMIP_KEY_WRAP_TYPE_AS_REGISTERED)));
	const struct kmip_response_item *item = ONE(&served, GET, get, .unique_identifier = uid,
		.key_format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_TRANSPARENT_SYMMETRIC_KEY));
	cr_assert_eq(PAYLOAD(&served, item, get)
			     ->object.symmetric_key->key_block->value->transparent->key.len,
		32);
	served_stop(&served);
}

/* 3.48, 3.50: sensitive and unextractable keys stay. */
Test(op_get, sensitive)
{
	struct served served = { 0 };
	struct kmip_attribute sensitive = attribute_of("Sensitive", kmip_value_boolean(true));
	struct kmip_attribute kept = attribute_of("Extractable", kmip_value_boolean(false));
	struct slice uid;

	served_start(&served, false);
	served.version = KMIP_1_4;
	uid = served_key_with(&served, &sensitive, 1);
	assert_reason(served_get(&served, uid), SENSITIVE);
	served.version = KMIP_1_3;
	assert_reason(served_get(&served, uid), PERMISSION_DENIED);
	served.version = KMIP_1_4;
	cr_assert(served_value(&served, uid, "Always Sensitive").boolean);
	sensitive.value.boolean = false;
	assert_success(served_modify(&served, uid, sensitive));
	assert_success(served_get(&served, uid));
	cr_assert_not(served_value(&served, uid, "Always Sensitive").boolean);

	uid = served_key_with(&served, &kept, 1);
	assert_reason(served_get(&served, uid), NOT_EXTRACTABLE);
	cr_assert(served_value(&served, uid, "Never Extractable").boolean);
	cr_assert_not(served_value(&served, uid, "Sensitive").boolean);
	served_stop(&served);
}

/* A one-time pad would cover each key with the same bytes. */
Test(op_get, pad_does_not_wrap)
{
	struct served served = { 0 };
	struct kmip_attribute attributes[5] = {
		attribute_of("Cryptographic Algorithm",
			kmip_value_enum(KMIP_CRYPTOGRAPHIC_ALGORITHM_ONE_TIME_PAD)),
		attribute_of("Cryptographic Length", kmip_value_integer(4096)),
		attribute_of("Cryptographic Usage Mask",
			kmip_value_integer(KMIP_CRYPTOGRAPHIC_USAGE_MASK_WRAP_KEY)),
		attribute_of("Activation Date", kmip_value_date(1)),
	};
	struct kmip_template_attribute template = { .attributes = { attributes, 5 } };
	struct kmip_value value;
	struct kmip_cryptographic_parameters how = { .block_cipher_mode = KMIP_UINT(
							     KMIP_BLOCK_CIPHER_MODE_ECB) };
	struct kmip_key_information with = { .cryptographic_parameters = &how };
	struct kmip_key_wrapping_specification wrapping = {
		.wrapping_method = KMIP_UINT(KMIP_WRAPPING_METHOD_ENCRYPT), .encryption_key = &with
	};

	served_start(&served, false);
	served.version = KMIP_1_4;
	cr_assert_eq(
		kmip_value_write(&value, served.arena, &kmip_cryptographic_parameters_table, &how),
		ERR_OK);
	attributes[4] = attribute_of("Cryptographic Parameters", value);
	with.unique_identifier = PAYLOAD(&served,
		ONE(&served, CREATE, create,
			.object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SYMMETRIC_KEY),
			.template_attribute = &template),
		create)
					 ->unique_identifier;
	assert_reason(ONE(&served, GET, get, .unique_identifier = served_key(&served),
			      .wrapping = &wrapping),
		FEATURE_NOT_SUPPORTED);
	served_stop(&served);
}

/* An active AES key of these bytes, to be used for RFC 3394. */
static struct slice registered(struct served *served, const char *material, int32_t mask)
{
	struct kmip_cryptographic_parameters mode = { .block_cipher_mode = KMIP_UINT(
							      KMIP_BLOCK_CIPHER_MODE_NISTKEYWRAP) };
	struct kmip_attribute attributes[3] = {
		attribute_of("Cryptographic Usage Mask", kmip_value_integer(mask)),
		attribute_of("Activation Date", kmip_value_date(1)),
	};
	struct kmip_template_attribute template = { .attributes = { attributes, 3 } };
	struct kmip_key_value value = { .material = hex(served->arena, material) };
	struct kmip_key_block block = { .format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_RAW),
		.value = &value,
		.cryptographic_algorithm = KMIP_UINT(KMIP_CRYPTOGRAPHIC_ALGORITHM_AES),
		.cryptographic_length_bits = KMIP_INT(128) };
	struct kmip_symmetric_key key = { .key_block = &block };
	struct kmip_value parameters;

	cr_assert_eq(kmip_value_write(&parameters, served->arena,
			     &kmip_cryptographic_parameters_table, &mode),
		ERR_OK);
	attributes[2] = attribute_of("Cryptographic Parameters", parameters);
	return PAYLOAD(served,
		ONE(served, REGISTER, register,
			.object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SYMMETRIC_KEY),
			.template_attribute = &template, .object = { .symmetric_key = &key }),
		register)
		->unique_identifier;
}

/* RFC 3394, 4.1: the bytes alone; or the encoded Key Value, which is longer. Only a key that may
 * wrap does. */
Test(op_get, wrapped)
{
	struct served served = { 0 };
	struct kmip_cryptographic_parameters mode = { .block_cipher_mode = KMIP_UINT(
							      KMIP_BLOCK_CIPHER_MODE_NISTKEYWRAP) };
	struct kmip_key_information information = { .cryptographic_parameters = &mode };
	struct kmip_key_wrapping_specification wrapping = { .wrapping_method = KMIP_UINT(
								    KMIP_WRAPPING_METHOD_ENCRYPT),
		.encryption_key = &information,
		.encoding_option = KMIP_UINT(KMIP_ENCODING_OPTION_NO_ENCODING) };
	struct slice names[] = { SLICE_LITERAL("State") }, uid;
	const struct kmip_key_block *block;
	const struct kmip_response_item *item;

	served_start(&served, false);
	served.version = KMIP_1_4;
	information.unique_identifier = registered(&served, "000102030405060708090a0b0c0d0e0f",
		KMIP_CRYPTOGRAPHIC_USAGE_MASK_WRAP_KEY);
	uid = registered(&served, "00112233445566778899aabbccddeeff", 12);
	item = ONE(&served, GET, get, .unique_identifier = uid, .wrapping = &wrapping);
	cr_assert(slice_equal(PAYLOAD(&served, item, get)->unique_identifier, uid));
	block = PAYLOAD(&served, item, get)->object.symmetric_key->key_block;
	assert_bytes(block->wrapped_value,
		hex(served.arena, "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"));
	cr_assert_null(block->value);
	assert_bytes(block->wrapping_data->encryption_key->unique_identifier,
		information.unique_identifier);

	wrapping.attribute_names.items = names;
	wrapping.attribute_names.count = 1;
	assert_reason(ONE(&served, GET, get, .unique_identifier = uid, .wrapping = &wrapping),
		ENCODING_OPTION_ERROR);
	wrapping.encoding_option.has = false;
	item = ONE(&served, GET, get, .unique_identifier = uid, .wrapping = &wrapping);
	block = PAYLOAD(&served, item, get)->object.symmetric_key->key_block;
	cr_assert_gt(block->wrapped_value.len, 64);

	/* Only in a way that the key has among its parameters. */
	mode.block_cipher_mode = KMIP_UINT(KMIP_BLOCK_CIPHER_MODE_AESKEYWRAPPADDING);
	assert_reason(ONE(&served, GET, get, .unique_identifier = uid, .wrapping = &wrapping),
		ITEM_NOT_FOUND);
	mode.block_cipher_mode = KMIP_UINT(KMIP_BLOCK_CIPHER_MODE_NISTKEYWRAP);
	information.unique_identifier = uid;
	assert_reason(ONE(&served, GET, get, .unique_identifier = uid, .wrapping = &wrapping),
		PERMISSION_DENIED);
	served_stop(&served);
}

static struct slice public_key_on(struct served *served, uint32_t curve)
{
	struct kmip_cryptographic_domain_parameters domain = { .recommended_curve =
								       KMIP_UINT(curve) };
	struct kmip_attribute attributes[2] = { attribute_of(
		"Cryptographic Algorithm", kmip_value_enum(KMIP_CRYPTOGRAPHIC_ALGORITHM_EC)) };
	struct kmip_template_attribute common = { .attributes = { attributes, 2 } };
	struct kmip_value value;

	cr_assert_eq(kmip_value_write(&value, served->arena,
			     &kmip_cryptographic_domain_parameters_table, &domain),
		ERR_OK);
	attributes[1] = attribute_of("Cryptographic Domain Parameters", value);
	return PAYLOAD(served, ONE(served, CREATE_KEY_PAIR, create_key_pair, .common = &common),
		create_key_pair)
		->public_key_unique_identifier;
}

#define COMPRESSED(name) KMIP_UINT(KMIP_KEY_COMPRESSION_TYPE_EC_PUBLIC_KEY_TYPE_##name)
#define Q_STRING KMIP_UINT(KMIP_KEY_FORMAT_TYPE_TRANSPARENT_EC_PUBLIC_KEY)

static uint8_t point_head(struct served *served, struct slice uid, struct kmip_uint compression)
{
	const struct kmip_key_block *block = PAYLOAD(served,
		ONE(served, GET, get, .unique_identifier = uid, .key_format = Q_STRING,
			.key_compression = compression),
		get)
						     ->object.public_key->key_block;

	cr_assert_eq(block->compression.value, compression.value);
	return block->value->transparent->q_string.data[0];
}

/* The point in each of its forms (SEC 1, section 2.3.3), for each kind of field. */
Test(op_get, compressed_points)
{
	struct served served = { 0 };
	struct slice prime, binary, der;
	struct kmip_key_block *block;

	served_start(&served, false);
	served.version = KMIP_1_4;
	prime = public_key_on(&served, KMIP_RECOMMENDED_CURVE_P_256);
	binary = public_key_on(&served, KMIP_RECOMMENDED_CURVE_B_233);
	cr_assert_eq(point_head(&served, prime, (struct kmip_uint){ 0 }), 4);
	cr_assert_eq(point_head(&served, prime, COMPRESSED(UNCOMPRESSED)), 4);
	cr_assert_eq(point_head(&served, prime, COMPRESSED(X9_62_COMPRESSED_PRIME)) & 0xfe, 2);
	cr_assert_eq(point_head(&served, prime, COMPRESSED(X9_62_HYBRID)) & 0xfe, 6);
	cr_assert_eq(point_head(&served, binary, COMPRESSED(X9_62_COMPRESSED_CHAR2)) & 0xfe, 2);
	assert_reason(ONE(&served, GET, get, .unique_identifier = prime,
			      .key_compression = COMPRESSED(X9_62_COMPRESSED_CHAR2)),
		KEY_COMPRESSION_TYPE_NOT_SUPPORTED);
	assert_reason(ONE(&served, GET, get, .unique_identifier = binary,
			      .key_compression = COMPRESSED(X9_62_COMPRESSED_PRIME)),
		KEY_COMPRESSION_TYPE_NOT_SUPPORTED);
	/* In the usual form, too, and back from it. */
	der = PAYLOAD(&served, served_get(&served, prime), get)
		      ->object.public_key->key_block->value->material;
	block = PAYLOAD(&served,
		ONE(&served, GET, get, .unique_identifier = prime,
			.key_compression = COMPRESSED(X9_62_COMPRESSED_PRIME)),
		get)
			->object.public_key->key_block;
	cr_assert_eq(block->value->material.len, der.len - 32);
	prime = PAYLOAD(&served,
		ONE(&served, REGISTER, register,
			.object_type = KMIP_UINT(KMIP_OBJECT_TYPE_PUBLIC_KEY),
			.template_attribute = &(struct kmip_template_attribute){ 0 },
			.object = { .public_key = &(struct kmip_public_key){ block } }),
		register)
			->unique_identifier;
	block = PAYLOAD(&served,
		ONE(&served, GET, get, .unique_identifier = prime,
			.key_compression = COMPRESSED(UNCOMPRESSED)),
		get)
			->object.public_key->key_block;
	assert_bytes(block->value->material, der);
	cr_assert_eq(point_head(&served, prime, (struct kmip_uint){ 0 }), 4);
	served_stop(&served);
}

/* What the wrapped test was given, registered again. */
static struct slice register_wrapped(struct served *served, const struct kmip_key_block *wrapped)
{
	struct kmip_key_block block = *wrapped;
	struct kmip_symmetric_key key = { &block };
	struct kmip_attribute mask =
		attribute_of("Cryptographic Usage Mask", kmip_value_integer(12));
	struct kmip_template_attribute template = { .attributes = { &mask, 1 } };

	return PAYLOAD(served,
		ONE(served, REGISTER, register,
			.object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SYMMETRIC_KEY),
			.template_attribute = &template, .object = { .symmetric_key = &key }),
		register)
		->unique_identifier;
}

static const struct kmip_response_item *get_unwrapped(struct served *served, struct slice uid)
{
	return ONE(served, GET, get, .unique_identifier = uid,
		.key_wrap_type = KMIP_UINT(KMIP_KEY_WRAP_TYPE_NOT_WRAPPED));
}

/* What was registered wrapped is given out as it came, or, where the key is here and may unwrap,
 * opened; in both encodings. */
Test(op_get, unwrapped)
{
	enum {
		WRAP = KMIP_CRYPTOGRAPHIC_USAGE_MASK_WRAP_KEY,
		UNWRAP = KMIP_CRYPTOGRAPHIC_USAGE_MASK_UNWRAP_KEY
	};
	struct served served = { 0 };
	struct kmip_cryptographic_parameters mode = { .block_cipher_mode = KMIP_UINT(
							      KMIP_BLOCK_CIPHER_MODE_NISTKEYWRAP) };
	struct kmip_key_information information = { .cryptographic_parameters = &mode };
	struct kmip_key_wrapping_specification wrapping = { .wrapping_method = KMIP_UINT(
								    KMIP_WRAPPING_METHOD_ENCRYPT),
		.encryption_key = &information };
	static const uint32_t encodings[] = { KMIP_ENCODING_OPTION_NO_ENCODING,
		KMIP_ENCODING_OPTION_TTLV_ENCODING };
	struct kmip_key_wrapping_data data;
	struct slice plain, uid, kek, wrong, wraps_only;
	struct kmip_key_block block;
	struct slice bytes;

	served_start(&served, false);
	served.version = KMIP_1_4;
	kek = registered(&served, "000102030405060708090a0b0c0d0e0f", WRAP | UNWRAP);
	wrong = registered(&served, "010102030405060708090a0b0c0d0e0f", UNWRAP);
	wraps_only = registered(&served, "000102030405060708090a0b0c0d0e0f", WRAP);
	bytes = hex(served.arena, "00112233445566778899aabbccddeeff");
	plain = registered(&served, "00112233445566778899aabbccddeeff", 12);
	for (size_t i = 0; i < 2; i++) {
		wrapping.encoding_option = KMIP_UINT(encodings[i]);
		information.unique_identifier = kek;
		block = *PAYLOAD(&served,
			ONE(&served, GET, get, .unique_identifier = plain, .wrapping = &wrapping),
			get)
				 ->object.symmetric_key->key_block;
		uid = register_wrapped(&served, &block);
		cr_assert_not_null(PAYLOAD(&served, served_get(&served, uid), get)
					   ->object.symmetric_key->key_block->wrapping_data);
		const struct kmip_key_block *opened =
			PAYLOAD(&served, get_unwrapped(&served, uid), get)
				->object.symmetric_key->key_block;
		assert_bytes(opened->value->material, bytes);
		cr_assert_null(opened->wrapping_data);
		/* Not the key, not its use, not there. */
		data = *block.wrapping_data;
		data.encryption_key = &information;
		block.wrapping_data = &data;
		information.unique_identifier = wrong;
		uid = register_wrapped(&served, &block);
		assert_reason(get_unwrapped(&served, uid), CRYPTOGRAPHIC_FAILURE);
		information.unique_identifier = wraps_only;
		uid = register_wrapped(&served, &block);
		assert_reason(get_unwrapped(&served, uid), PERMISSION_DENIED);
		information.unique_identifier =
			SLICE_LITERAL("11111111-2222-4333-8444-555555555555");
		uid = register_wrapped(&served, &block);
		assert_reason(get_unwrapped(&served, uid), ITEM_NOT_FOUND);
	}
	served_stop(&served);
}
