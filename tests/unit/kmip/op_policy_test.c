/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the instance's algorithm policy allows and refuses, operation by operation: nothing new is
 * made, brought in or protected with what it forbids; what is protected already can be opened and
 * verified; the answer says which policy and what. vSphere's keys are made under each.
 */
#include <string.h>
#include "served.h"

enum { RSA_SIGN = 1, RSA_VERIFY = 2, CRYPT = 12, MACS = 0x180, DERIVE = 0x200 };

static struct served served;
static struct instance_policy policies[2];

static void start(void)
{
	served_start(&served, false);
	served.version = KMIP_1_4;
}

static void set_policy(const char *text)
{
	char why[POLICY_WHY_MAX];

	/* Another instance's policy is no matter of ours. */
	cr_assert_eq(instance_id_parse(&policies[0].instance, slice_text("some-other")), ERR_OK);
	cr_assert_eq(policy_parse(&policies[0].policy, "AES", why), ERR_OK);
	policies[1].instance = served.identity.instance;
	cr_assert_eq(policy_parse(&policies[1].policy, text, why), ERR_OK, "%s", why);
	kmip_server_set_policies(served.server, policies, 2);
}

static void stop(void)
{
	served_stop(&served);
}

/* Refused, with a sentence that has these words and the policy's own. */
static void assert_refused(const struct kmip_response_item *item, const char *words)
{
	char *said = arena_text(served.arena, item->message);

	cr_assert_neq(item->status.value, KMIP_RESULT_STATUS_SUCCESS, "%s is allowed", words);
	cr_assert_eq(item->reason.value, KMIP_RESULT_REASON_PERMISSION_DENIED, "%s", said);
	cr_assert_not_null(strstr(said, words), "%s", said);
	cr_assert_not_null(strstr(said, policies[1].policy.text), "%s", said);
}

static const struct kmip_response_item *create(uint32_t algorithm, int32_t length, int32_t mask)
{
	struct kmip_attribute attributes[] = {
		attribute_of("Cryptographic Algorithm", kmip_value_enum(algorithm)),
		attribute_of("Cryptographic Length", kmip_value_integer(length)),
		attribute_of("Cryptographic Usage Mask", kmip_value_integer(mask)),
	};
	struct kmip_template_attribute template = { .attributes = { attributes, 3 } };

	return ONE(&served, CREATE, create,
		.object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SYMMETRIC_KEY),
		.template_attribute = &template);
}

static struct slice created(uint32_t algorithm, int32_t length, int32_t mask)
{
	struct slice uid =
		PAYLOAD(&served, create(algorithm, length, mask), create)->unique_identifier;

	assert_success(served_activate(&served, uid));
	return uid;
}

static struct kmip_response_item pair(uint32_t algorithm, int32_t length, uint32_t curve)
{
	struct kmip_cryptographic_domain_parameters domain = { .recommended_curve =
								       KMIP_UINT(curve) };
	struct kmip_attribute attributes[4] = {
		attribute_of("Cryptographic Algorithm", kmip_value_enum(algorithm)),
		attribute_of("Cryptographic Usage Mask",
			kmip_value_integer(RSA_SIGN | RSA_VERIFY | CRYPT)),
		attribute_of("Activation Date", kmip_value_date(1)),
	};
	struct kmip_template_attribute template = { .attributes = { attributes, 4 } };
	struct kmip_value value;

	cr_assert_eq(kmip_value_write(&value, served.arena,
			     &kmip_cryptographic_domain_parameters_table, &domain),
		ERR_OK);
	attributes[3] = curve != 0
				? attribute_of("Cryptographic Domain Parameters", value)
				: attribute_of("Cryptographic Length", kmip_value_integer(length));
	return *ONE(&served, CREATE_KEY_PAIR, create_key_pair, .common = &template);
}

static const struct kmip_create_key_pair_response *made_pair(
	uint32_t algorithm, int32_t length, uint32_t curve)
{
	struct kmip_response_item item = pair(algorithm, length, curve);

	return PAYLOAD(&served, &item, create_key_pair);
}

#define ALGORITHM(name) KMIP_CRYPTOGRAPHIC_ALGORITHM_##name
static const struct slice block = { (const uint8_t *) "0123456789abcdefFEDCBA98", 24 };

/* Under `fips`: which keys can be made. */
Test(op_policy, making, .init = start, .fini = stop)
{
	struct kmip_response_item item;

	set_policy("fips");
	assert_success(create(ALGORITHM(AES), 256, CRYPT));
	assert_success(create(ALGORITHM(AES), 128, CRYPT));
	assert_success(create(ALGORITHM(HMAC_SHA256), 256, MACS));
	assert_refused(create(ALGORITHM(3DES), 168, CRYPT), "3DES");
	assert_refused(create(ALGORITHM(CAMELLIA), 256, CRYPT), "Camellia");
	assert_refused(create(ALGORITHM(CHACHA20), 256, CRYPT), "ChaCha20");
	item = pair(ALGORITHM(RSA), 1024, 0);
	assert_refused(&item, "RSA with less than 2048 bits");
	item = pair(ALGORITHM(DSA), 2048, 0);
	assert_refused(&item, "DSA");
	item = pair(ALGORITHM(ECDSA), 0, KMIP_RECOMMENDED_CURVE_BRAINPOOLP256R1);
	assert_refused(&item, "the curve brainpoolP256r1");
	item = pair(ALGORITHM(ECDSA), 192, 0);
	assert_refused(&item, "ECDSA with less than 224 bits");
	item = pair(ALGORITHM(ECDSA), 256, 0);
	assert_success(&item);
}

/* The operator's own list, whose names the refusal repeats; AES with 256 bits is always there. */
Test(op_policy, lists, .init = start, .fini = stop)
{
	struct kmip_response_item item;

	set_policy("RSA:3072 SHA-384");
	assert_success(create(ALGORITHM(AES), 256, CRYPT));
	assert_refused(create(ALGORITHM(AES), 128, CRYPT), "AES with less than 256 bits");
	item = pair(ALGORITHM(RSA), 2048, 0);
	assert_refused(&item, "RSA with less than 3072 bits");
	item = pair(ALGORITHM(EC), 256, 0);
	assert_refused(&item, "EC");
	set_policy("EC:256 other-curves");
	item = pair(ALGORITHM(EC), 0, KMIP_RECOMMENDED_CURVE_BRAINPOOLP256R1);
	assert_success(&item);
	set_policy("all");
	assert_success(create(ALGORITHM(3DES), 168, CRYPT));
}

static const struct kmip_response_item *register_key(
	uint32_t algorithm, int32_t bits, struct slice material)
{
	struct kmip_key_value value = { .material = material };
	struct kmip_key_block key_block = {
		.format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_RAW),
		.value = &value,
		.cryptographic_algorithm = KMIP_UINT(algorithm),
		.cryptographic_length_bits = KMIP_INT(bits),
	};
	struct kmip_symmetric_key key = { &key_block };
	struct kmip_attribute mask =
		attribute_of("Cryptographic Usage Mask", kmip_value_integer(CRYPT | MACS | DERIVE));
	struct kmip_template_attribute template = { .attributes = { &mask, 1 } };

	return ONE(&served, REGISTER, register,
		.object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SYMMETRIC_KEY),
		.template_attribute = &template, .object = { .symmetric_key = &key });
}

static const struct kmip_response_item *register_public(
	const struct kmip_key_block *from, uint32_t algorithm, int32_t bits)
{
	struct kmip_key_block key_block = *from;
	struct kmip_public_key key = { &key_block };
	struct kmip_attribute mask =
		attribute_of("Cryptographic Usage Mask", kmip_value_integer(RSA_VERIFY | CRYPT));
	struct kmip_template_attribute template = { .attributes = { &mask, 1 } };

	key_block.cryptographic_algorithm = KMIP_UINT(algorithm);
	key_block.cryptographic_length_bits = KMIP_INT(bits);
	return ONE(&served, REGISTER, register,
		.object_type = KMIP_UINT(KMIP_OBJECT_TYPE_PUBLIC_KEY),
		.template_attribute = &template, .object = { .public_key = &key });
}

/* A key that is brought in is judged by what it is, whatever its attributes say. */
Test(op_policy, registering, .init = start, .fini = stop)
{
	const struct kmip_create_key_pair_response *made = made_pair(ALGORITHM(RSA), 1024, 0);
	const struct kmip_key_block *small;
	struct slice uid = made->public_key_unique_identifier;

	small = PAYLOAD(&served, served_get(&served, uid), get)->object.public_key->key_block;
	assert_success(register_public(small, ALGORITHM(RSA), 1024));
	set_policy("fips");
	assert_success(register_key(ALGORITHM(AES), 192, block));
	assert_refused(register_key(ALGORITHM(3DES), 168, block), "3DES");
	assert_refused(register_key(ALGORITHM(HMAC_SHA256), 64, slice_cut(block, 0, 8)),
		"HMAC-SHA256 with less than 112 bits");
	assert_refused(register_public(small, ALGORITHM(RSA), 1024), "RSA with less than 2048");
	/* A length that is not the key's is refused under every policy. */
	assert_reason(register_public(small, ALGORITHM(RSA), 4096), INVALID_FIELD);
	/* What was there stays, and is given out. */
	assert_success(served_get(&served, uid));
}

/* Encrypting stops, decrypting does not. */
Test(op_policy, ciphers, .init = start, .fini = stop)
{
	struct slice uid = created(ALGORITHM(3DES), 168, CRYPT);
	struct kmip_cryptographic_parameters ecb = { .block_cipher_mode = KMIP_UINT(
							     KMIP_BLOCK_CIPHER_MODE_ECB) };
	struct slice sealed = PAYLOAD(&served,
		ONE(&served, ENCRYPT, encrypt, .unique_identifier = uid, .parameters = &ecb,
			.data = block),
		encrypt)
				      ->data;
	const struct kmip_response_item *item;

	set_policy("fips");
	assert_refused(ONE(&served, ENCRYPT, encrypt, .unique_identifier = uid, .parameters = &ecb,
			       .data = block),
		"3DES");
	item = ONE(&served, DECRYPT, decrypt, .unique_identifier = uid, .parameters = &ecb,
		.data = sealed);
	assert_bytes(PAYLOAD(&served, item, decrypt)->data, block);
	set_policy("fips 3DES:168");
	assert_success(ONE(&served, ENCRYPT, encrypt, .unique_identifier = uid, .parameters = &ecb,
		.data = block));
	/* A replacement would be a new key; wrapping with it would protect. */
	set_policy("all -3DES");
	assert_refused(ONE(&served, RE_KEY, re_key, .unique_identifier = uid), "3DES");
}

/* Signing with a short key, or over SHA-1, stops; verifying does not. */
Test(op_policy, signatures, .init = start, .fini = stop)
{
	const struct kmip_create_key_pair_response *small = made_pair(ALGORITHM(RSA), 1024, 0),
						   *good = made_pair(ALGORITHM(RSA), 2048, 0);
	struct kmip_cryptographic_parameters sha1 = { .padding_method = KMIP_UINT(
							      KMIP_PADDING_METHOD_PKCS1_V1_5),
		.hashing_algorithm = KMIP_UINT(KMIP_HASHING_ALGORITHM_SHA_1) };
	struct kmip_cryptographic_parameters sha256 = sha1, none = sha1;
	struct slice signature = PAYLOAD(&served,
		ONE(&served, SIGN, sign, .unique_identifier = small->private_key_unique_identifier,
			.parameters = &sha1, .data = block),
		sign)
					 ->signature_data;
	const struct kmip_response_item *item;

	sha256.hashing_algorithm.value = KMIP_HASHING_ALGORITHM_SHA_256;
	none.hashing_algorithm.has = false;
	none.padding_method.value = KMIP_PADDING_METHOD_NONE;
	set_policy("fips");
	assert_refused(
		ONE(&served, SIGN, sign, .unique_identifier = small->private_key_unique_identifier,
			.parameters = &sha256, .data = block),
		"RSA with less than 2048");
	assert_refused(
		ONE(&served, SIGN, sign, .unique_identifier = good->private_key_unique_identifier,
			.parameters = &sha1, .data = block),
		"signatures of SHA-1 digests");
	assert_refused(
		ONE(&served, SIGN, sign, .unique_identifier = good->private_key_unique_identifier,
			.parameters = &none, .digested_data = slice_cut(block, 0, 20)),
		"signatures of SHA-1 digests");
	assert_refused(
		ONE(&served, SIGN, sign, .unique_identifier = good->private_key_unique_identifier,
			.parameters = &none, .digested_data = block),
		"RSA signatures without padding");
	assert_success(
		ONE(&served, SIGN, sign, .unique_identifier = good->private_key_unique_identifier,
			.parameters = &sha256, .data = block));
	item = ONE(&served, SIGNATURE_VERIFY, signature_verify,
		.unique_identifier = small->public_key_unique_identifier, .parameters = &sha1,
		.data = block, .signature_data = signature);
	cr_assert_eq(PAYLOAD(&served, item, signature_verify)->validity.value,
		KMIP_VALIDITY_INDICATOR_VALID);
}

/* RSA without OAEP, and with a key that is too short. */
Test(op_policy, rsa_encryption, .init = start, .fini = stop)
{
	const struct kmip_create_key_pair_response *good = made_pair(ALGORITHM(RSA), 2048, 0);
	struct kmip_cryptographic_parameters pkcs1 = { .padding_method = KMIP_UINT(
							       KMIP_PADDING_METHOD_PKCS1_V1_5) };
	struct kmip_cryptographic_parameters oaep = { .padding_method =
							      KMIP_UINT(KMIP_PADDING_METHOD_OAEP),
		.hashing_algorithm = KMIP_UINT(KMIP_HASHING_ALGORITHM_SHA_256) };
	struct slice uid = good->public_key_unique_identifier;
	struct slice sealed = PAYLOAD(&served,
		ONE(&served, ENCRYPT, encrypt, .unique_identifier = uid, .parameters = &pkcs1,
			.data = block),
		encrypt)
				      ->data;

	set_policy("fips");
	assert_refused(ONE(&served, ENCRYPT, encrypt, .unique_identifier = uid,
			       .parameters = &pkcs1, .data = block),
		"RSA encryption without OAEP");
	assert_success(ONE(&served, ENCRYPT, encrypt, .unique_identifier = uid, .parameters = &oaep,
		.data = block));
	assert_success(ONE(&served, DECRYPT, decrypt,
		.unique_identifier = good->private_key_unique_identifier, .parameters = &pkcs1,
		.data = sealed));
	set_policy("RSA:4096 SHA-256");
	assert_refused(ONE(&served, ENCRYPT, encrypt, .unique_identifier = uid, .parameters = &oaep,
			       .data = block),
		"RSA with less than 4096 bits");
}

/* MAC and Hash; MAC Verify goes on. */
Test(op_policy, hashes_and_codes, .init = start, .fini = stop)
{
	struct slice uid = created(ALGORITHM(AES), 128, MACS);
	struct kmip_cryptographic_parameters md5 = { .cryptographic_algorithm =
							     KMIP_UINT(ALGORITHM(HMAC_MD5)),
		.hashing_algorithm = KMIP_UINT(KMIP_HASHING_ALGORITHM_MD5) };
	struct kmip_cryptographic_parameters sha1 = { .cryptographic_algorithm =
							      KMIP_UINT(ALGORITHM(HMAC_SHA1)),
		.hashing_algorithm = KMIP_UINT(KMIP_HASHING_ALGORITHM_SHA_1) };
	struct slice code = PAYLOAD(&served,
		ONE(&served, MAC, mac, .unique_identifier = uid, .parameters = &md5, .data = block),
		mac)
				    ->mac_data;
	const struct kmip_response_item *item;

	set_policy("fips");
	assert_refused(
		ONE(&served, MAC, mac, .unique_identifier = uid, .parameters = &md5, .data = block),
		"HMAC-MD5");
	assert_success(ONE(
		&served, MAC, mac, .unique_identifier = uid, .parameters = &sha1, .data = block));
	item = ONE(&served, MAC_VERIFY, mac_verify, .unique_identifier = uid, .parameters = &md5,
		.data = block, .mac_data = code);
	cr_assert_eq(
		PAYLOAD(&served, item, mac_verify)->validity.value, KMIP_VALIDITY_INDICATOR_VALID);
	assert_refused(ONE(&served, HASH, hash, .parameters = &md5, .data = block), "the hash MD5");
	assert_success(ONE(&served, HASH, hash, .parameters = &sha1, .data = block));
}

static const struct kmip_response_item *derive(
	struct slice uid, uint32_t hash, uint32_t algorithm, int32_t bits)
{
	struct kmip_cryptographic_parameters parameters = { .hashing_algorithm = KMIP_UINT(hash) };
	struct kmip_derivation_parameters derivation = { .cryptographic_parameters = &parameters,
		.derivation_data = block };
	struct kmip_attribute attributes[] = {
		attribute_of("Cryptographic Algorithm", kmip_value_enum(algorithm)),
		attribute_of("Cryptographic Length", kmip_value_integer(bits)),
	};
	struct kmip_template_attribute template = { .attributes = { attributes, 2 } };

	return ONE(&served, DERIVE_KEY, derive_key,
		.object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SYMMETRIC_KEY),
		.unique_identifiers = { &uid, 1 }, .method = KMIP_UINT(KMIP_DERIVATION_METHOD_HMAC),
		.parameters = &derivation, .template_attribute = &template);
}

/* Neither by a hash nor to a key that is forbidden. */
Test(op_policy, deriving, .init = start, .fini = stop)
{
	struct slice uid = created(ALGORITHM(AES), 256, DERIVE);

	set_policy("fips");
	assert_success(derive(uid, KMIP_HASHING_ALGORITHM_SHA_256, ALGORITHM(AES), 256));
	assert_refused(derive(uid, KMIP_HASHING_ALGORITHM_MD5, ALGORITHM(AES), 128), "HMAC-MD5");
	assert_refused(derive(uid, KMIP_HASHING_ALGORITHM_SHA_256, ALGORITHM(3DES), 168), "3DES");
}

static size_t count_profiles(void)
{
	uint32_t function = KMIP_QUERY_FUNCTION_PROFILES;

	return PAYLOAD(&served, ONE(&served, QUERY, query, .functions = { &function, 1 }), query)
		->profiles.count;
}

/* Query does not claim what the policy stops. */
Test(op_policy, profiles, .init = start, .fini = stop)
{
	size_t all = count_profiles();

	set_policy("all");
	cr_assert_eq(count_profiles(), all);
	set_policy("fips");
	cr_assert_lt(count_profiles(), all);
	cr_assert_gt(count_profiles(), 0);
}

/* A group of DH is no curve. */
Test(op_policy, groups, .init = start, .fini = stop)
{
	struct kmip_response_item item;

	set_policy("fips");
	item = pair(ALGORITHM(DH), 2048, 0);
	assert_success(&item);
	set_policy("fips -DH");
	item = pair(ALGORITHM(DH), 2048, 0);
	assert_refused(&item, "DH");
}

/* The reason of the versions: 1.x has no better one. */
Test(op_policy, reasons, .init = start, .fini = stop)
{
	static const enum kmip_version versions[] = { KMIP_1_0, KMIP_1_1, KMIP_1_2, KMIP_1_3,
		KMIP_1_4 };

	set_policy("all -3DES");
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		served.version = versions[i];
		assert_refused(create(ALGORITHM(3DES), 168, CRYPT), "3DES");
	}
}
