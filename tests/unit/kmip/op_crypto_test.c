/* SPDX-License-Identifier: Apache-2.0 */
/* Encrypt, Decrypt, MAC, MAC Verify, Hash, RNG (KMIP 1.4, sections 4.29 to 4.37): who may use a key
 * for what and when, data in pieces, and what is refused. */
#include "served.h"

enum { ENCRYPT_DECRYPT = 12, MAC_MASK = 0x180 };

/* Each test is a process of its own. */
static struct served *start(void)
{
	static struct served served;

	served_start(&served, false);
	served.version = KMIP_1_4;
	return &served;
}

/* An active AES key with that mask. */
static struct slice active_key(struct served *served, int32_t mask)
{
	struct kmip_attribute attributes[] = {
		attribute_of("Cryptographic Algorithm",
			kmip_value_enum(KMIP_CRYPTOGRAPHIC_ALGORITHM_AES)),
		attribute_of("Cryptographic Length", kmip_value_integer(128)),
		attribute_of("Cryptographic Usage Mask", kmip_value_integer(mask)),
	};
	struct kmip_template_attribute template = { .attributes = { attributes, 3 } };
	struct slice uid = PAYLOAD(served,
		ONE(served, CREATE, create,
			.object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SYMMETRIC_KEY),
			.template_attribute = &template),
		create)
				   ->unique_identifier;

	assert_success(served_activate(served, uid));
	return uid;
}

static struct kmip_cryptographic_parameters mode_of(uint32_t mode)
{
	return (struct kmip_cryptographic_parameters){ .block_cipher_mode = KMIP_UINT(mode) };
}

static const struct slice two_blocks = { (const uint8_t *) "0123456789abcdefFEDCBA9876543210", 32 };

/* What was encrypted is decrypted again; the IV is the server's when the client gives none, and
 * decrypting wants it back. */
Test(op_crypto, cbc)
{
	struct served *served = start();
	struct slice uid = active_key(served, ENCRYPT_DECRYPT);
	struct kmip_cryptographic_parameters cbc = mode_of(KMIP_BLOCK_CIPHER_MODE_CBC);
	const struct kmip_encrypt_response *sealed;
	const struct kmip_response_item *item;

	cbc.padding_method = KMIP_UINT(KMIP_PADDING_METHOD_PKCS5);
	sealed = PAYLOAD(served,
		ONE(served, ENCRYPT, encrypt, .unique_identifier = uid, .parameters = &cbc,
			.data = SLICE_LITERAL("not a block")),
		encrypt);
	cr_assert_eq(sealed->iv.len, 16);
	cr_assert_eq(sealed->data.len, 16);
	item = ONE(served, DECRYPT, decrypt, .unique_identifier = uid, .parameters = &cbc,
		.data = sealed->data, .iv = sealed->iv);
	cr_assert(slice_equal_text(PAYLOAD(served, item, decrypt)->data, "not a block"));
	assert_reason(ONE(served, DECRYPT, decrypt, .unique_identifier = uid, .parameters = &cbc,
			      .data = sealed->data),
		INVALID_MESSAGE);
	cbc.padding_method.has = false;
	assert_reason(ONE(served, ENCRYPT, encrypt, .unique_identifier = uid, .parameters = &cbc,
			      .data = SLICE_LITERAL("not a block")),
		INVALID_FIELD);
	served_stop(served);
}

/* A changed tag, associated data or text is a cryptographic failure, and a short tag is refused. */
Test(op_crypto, gcm)
{
	struct served *served = start();
	struct slice uid = active_key(served, ENCRYPT_DECRYPT);
	struct kmip_cryptographic_parameters gcm = mode_of(KMIP_BLOCK_CIPHER_MODE_GCM);
	const struct kmip_encrypt_response *sealed;
	struct slice aad = SLICE_LITERAL("header");

	gcm.tag_length_bytes = KMIP_INT(16);
	sealed = PAYLOAD(served,
		ONE(served, ENCRYPT, encrypt, .unique_identifier = uid, .parameters = &gcm,
			.data = two_blocks, .aad = aad),
		encrypt);
	cr_assert_eq(sealed->tag.len, 16);
	assert_success(ONE(served, DECRYPT, decrypt, .unique_identifier = uid, .parameters = &gcm,
		.data = sealed->data, .iv = sealed->iv, .aad = aad, .tag = sealed->tag));
	assert_reason(ONE(served, DECRYPT, decrypt, .unique_identifier = uid, .parameters = &gcm,
			      .data = sealed->data, .iv = sealed->iv, .aad = sealed->data,
			      .tag = sealed->tag),
		CRYPTOGRAPHIC_FAILURE);
	assert_reason(ONE(served, DECRYPT, decrypt, .unique_identifier = uid, .parameters = &gcm,
			      .data = sealed->data, .iv = sealed->iv, .aad = aad),
		CRYPTOGRAPHIC_FAILURE);
	/* A tag that was cut short is no tag of that length, and a nonce that short would repeat.
	 */
	assert_reason(ONE(served, DECRYPT, decrypt, .unique_identifier = uid, .parameters = &gcm,
			      .data = sealed->data, .iv = sealed->iv, .aad = aad,
			      .tag = slice_cut(sealed->tag, 0, 12)),
		CRYPTOGRAPHIC_FAILURE);
	gcm.iv_length_bits = KMIP_INT(32);
	assert_reason(ONE(served, ENCRYPT, encrypt, .unique_identifier = uid, .parameters = &gcm,
			      .data = two_blocks),
		INVALID_FIELD);
	gcm.iv_length_bits = KMIP_INT(96);
	gcm.tag_length_bytes = KMIP_INT(1);
	assert_reason(ONE(served, ENCRYPT, encrypt, .unique_identifier = uid, .parameters = &gcm,
			      .data = two_blocks),
		GENERAL_FAILURE);
	served_stop(served);
}

/* Pre-Active: nothing. Wrong mask: nothing. Deactivated: what was encrypted can be decrypted. */
Test(op_crypto, states_and_masks)
{
	struct served *served = start();
	struct slice uid = served_key(served), other = active_key(served, 1);
	struct kmip_cryptographic_parameters ecb = mode_of(KMIP_BLOCK_CIPHER_MODE_ECB);
	struct kmip_cryptographic_parameters cmac = mode_of(KMIP_BLOCK_CIPHER_MODE_CMAC);

	assert_reason(ONE(served, ENCRYPT, encrypt, .unique_identifier = uid, .parameters = &ecb,
			      .data = two_blocks),
		PERMISSION_DENIED);
	assert_reason(ONE(served, ENCRYPT, encrypt, .unique_identifier = other, .parameters = &ecb,
			      .data = two_blocks),
		PERMISSION_DENIED);
	assert_reason(ONE(served, ENCRYPT, encrypt, .unique_identifier = other, .data = two_blocks),
		PERMISSION_DENIED);
	uid = active_key(served, ENCRYPT_DECRYPT);
	assert_reason(ONE(served, ENCRYPT, encrypt, .unique_identifier = uid, .data = two_blocks),
		INVALID_FIELD); /* nothing says how */
	assert_reason(ONE(served, ENCRYPT, encrypt, .unique_identifier = uid, .parameters = &cmac,
			      .data = two_blocks),
		FEATURE_NOT_SUPPORTED);
	assert_success(served_revoke(served, uid, KMIP_REVOCATION_REASON_CODE_UNSPECIFIED));
	assert_success(ONE(served, DECRYPT, decrypt, .unique_identifier = uid, .parameters = &ecb,
		.data = two_blocks));
	assert_reason(ONE(served, ENCRYPT, encrypt, .unique_identifier = uid, .parameters = &ecb,
			      .data = two_blocks),
		PERMISSION_DENIED);
	assert_success(served_destroy(served, uid));
	assert_reason(ONE(served, DECRYPT, decrypt, .unique_identifier = uid, .parameters = &ecb,
			      .data = two_blocks),
		PERMISSION_DENIED);
	served_stop(served);
}

/* In pieces as at once. A stream belongs to its client and its operation, and ends with its last
 * piece. */
Test(op_crypto, pieces)
{
	struct served *served = start();
	struct slice uid = active_key(served, ENCRYPT_DECRYPT);
	struct kmip_cryptographic_parameters ecb = mode_of(KMIP_BLOCK_CIPHER_MODE_ECB);
	struct slice whole, stream, part;
	const struct kmip_response_item *item;

	whole = PAYLOAD(served,
		ONE(served, ENCRYPT, encrypt, .unique_identifier = uid, .parameters = &ecb,
			.data = two_blocks),
		encrypt)
			->data;
	item = ONE(served, ENCRYPT, encrypt, .unique_identifier = uid, .parameters = &ecb,
		.data = slice_cut(two_blocks, 0, 5), .init = KMIP_BOOL(true));
	stream = PAYLOAD(served, item, encrypt)->correlation_value;
	cr_assert_eq(stream.len, 16);
	cr_assert_eq(PAYLOAD(served, item, encrypt)->data.len, 0);

	served->identity.client.bytes[0] ^= 1;
	assert_reason(ONE(served, ENCRYPT, encrypt, .unique_identifier = uid,
			      .data = slice_cut(two_blocks, 5, 20), .correlation_value = stream),
		ITEM_NOT_FOUND);
	served->identity.client.bytes[0] ^= 1;
	assert_reason(ONE(served, DECRYPT, decrypt, .unique_identifier = uid,
			      .data = slice_cut(two_blocks, 5, 20), .correlation_value = stream),
		ITEM_NOT_FOUND);

	item = ONE(served, ENCRYPT, encrypt, .unique_identifier = uid,
		.data = slice_cut(two_blocks, 5, 20), .correlation_value = stream);
	part = PAYLOAD(served, item, encrypt)->data;
	assert_bytes(part, slice_cut(whole, 0, 16));
	stream = PAYLOAD(served, item, encrypt)->correlation_value;
	item = ONE(served, ENCRYPT, encrypt, .unique_identifier = uid,
		.data = slice_cut(two_blocks, 25, 7), .correlation_value = stream,
		.final = KMIP_BOOL(true));
	assert_bytes(PAYLOAD(served, item, encrypt)->data, slice_cut(whole, 16, 16));
	assert_reason(ONE(served, ENCRYPT, encrypt, .unique_identifier = uid, .data = two_blocks,
			      .correlation_value = stream),
		ITEM_NOT_FOUND);
	served_stop(served);
}

/* A key that is revoked or destroyed between two pieces is not used any further. */
Test(op_crypto, pieces_end_with_the_key)
{
	struct served *served = start();
	struct slice uid = active_key(served, ENCRYPT_DECRYPT), sealing, opening;
	struct kmip_cryptographic_parameters ecb = mode_of(KMIP_BLOCK_CIPHER_MODE_ECB);
	const struct kmip_response_item *item;

	item = ONE(served, ENCRYPT, encrypt, .unique_identifier = uid, .parameters = &ecb,
		.data = two_blocks, .init = KMIP_BOOL(true));
	sealing = PAYLOAD(served, item, encrypt)->correlation_value;
	item = ONE(served, DECRYPT, decrypt, .unique_identifier = uid, .parameters = &ecb,
		.data = two_blocks, .init = KMIP_BOOL(true));
	opening = PAYLOAD(served, item, decrypt)->correlation_value;
	assert_success(served_revoke(served, uid, KMIP_REVOCATION_REASON_CODE_UNSPECIFIED));
	assert_reason(
		ONE(served, ENCRYPT, encrypt, .data = two_blocks, .correlation_value = sealing),
		PERMISSION_DENIED);
	item = ONE(served, DECRYPT, decrypt, .data = two_blocks, .correlation_value = opening);
	opening = PAYLOAD(served, item, decrypt)->correlation_value;
	assert_success(served_destroy(served, uid));
	assert_reason(
		ONE(served, DECRYPT, decrypt, .data = two_blocks, .correlation_value = opening),
		PERMISSION_DENIED);
	served_stop(served);
}

/* A worker answers what is whole, and hands on what belongs to a stream. */
Test(op_crypto, worker)
{
	struct served *served = start();
	struct kmip_cryptographic_parameters sha = { .hashing_algorithm = KMIP_UINT(
							     KMIP_HASHING_ALGORITHM_SHA_256) };
	struct ask whole = ASK(HASH, hash, .parameters = &sha, .data = two_blocks);
	struct ask first =
		ASK(HASH, hash, .parameters = &sha, .data = two_blocks, .init = KMIP_BOOL(true));
	struct ask next = ASK(HASH, hash, .parameters = &sha, .data = two_blocks,
		.correlation_value = two_blocks);

	cr_assert_eq(served_send_worker(served, served_frame(served, &whole, 1, false)), ERR_OK);
	cr_assert_eq(
		served_send_worker(served, served_frame(served, &first, 1, false)), ERR_FORWARD);
	cr_assert_eq(
		served_send_worker(served, served_frame(served, &next, 1, false)), ERR_FORWARD);
	served_stop(served);
}

/* A code is made and verified; a wrong one is Invalid, not a failure. */
Test(op_crypto, mac)
{
	struct served *served = start();
	struct slice uid = active_key(served, MAC_MASK), code;
	struct kmip_cryptographic_parameters cmac = mode_of(KMIP_BLOCK_CIPHER_MODE_CMAC);
	const struct kmip_response_item *item;

	code = PAYLOAD(served,
		ONE(served, MAC, mac, .unique_identifier = uid, .parameters = &cmac,
			.data = two_blocks),
		mac)
		       ->mac_data;
	cr_assert_eq(code.len, 16);
	item = ONE(served, MAC_VERIFY, mac_verify, .unique_identifier = uid, .parameters = &cmac,
		.data = two_blocks, .mac_data = code);
	cr_assert_eq(
		PAYLOAD(served, item, mac_verify)->validity.value, KMIP_VALIDITY_INDICATOR_VALID);
	item = ONE(served, MAC_VERIFY, mac_verify, .unique_identifier = uid, .parameters = &cmac,
		.data = code, .mac_data = code);
	cr_assert_eq(
		PAYLOAD(served, item, mac_verify)->validity.value, KMIP_VALIDITY_INDICATOR_INVALID);
	assert_reason(ONE(served, MAC_VERIFY, mac_verify, .unique_identifier = uid,
			      .parameters = &cmac, .data = two_blocks),
		INVALID_MESSAGE);
	served_stop(served);
}

/* Each use is charged; what is used up is denied and stays used up. */
Test(op_crypto, usage_limits)
{
	struct served *served = start();
	struct slice uid = served_key(served);
	struct kmip_usage_limits limits = { .total = KMIP_LONG(40),
		.unit = KMIP_UINT(KMIP_USAGE_LIMITS_UNIT_BYTE) };
	struct kmip_cryptographic_parameters ecb = mode_of(KMIP_BLOCK_CIPHER_MODE_ECB);
	struct kmip_value value;

	cr_assert_eq(
		kmip_value_write(&value, served->arena, &kmip_usage_limits_table, &limits), ERR_OK);
	assert_success(served_add(served, uid, attribute_of("Usage Limits", value)));
	assert_success(served_activate(served, uid));
	assert_success(ONE(served, ENCRYPT, encrypt, .unique_identifier = uid, .parameters = &ecb,
		.data = two_blocks));
	assert_reason(ONE(served, ENCRYPT, encrypt, .unique_identifier = uid, .parameters = &ecb,
			      .data = two_blocks),
		PERMISSION_DENIED);
	value = served_value(served, uid, "Usage Limits");
	struct codec codec = { .arena = served->arena, .version = KMIP_1_4 };
	cr_assert_eq(kmip_value_read(&limits, &codec, &kmip_usage_limits_table, &value), ERR_OK);
	cr_assert_eq(limits.count.value, 8);
	served_stop(served);
}

static int64_t left_of(struct served *served, struct slice uid)
{
	struct codec codec = { .arena = served->arena, .version = KMIP_1_4 };
	struct kmip_value value = served_value(served, uid, "Usage Limits");
	struct kmip_usage_limits limits;

	cr_assert_eq(kmip_value_read(&limits, &codec, &kmip_usage_limits_table, &value), ERR_OK);
	return limits.count.value;
}

/* What comes in pieces is charged as what comes at once: bytes with each piece, a use with the
 * first. A piece that is too much leaves the stream as it was. */
Test(op_crypto, usage_limits_in_pieces)
{
	static const struct {
		uint32_t unit;
		int64_t total, first, second;
	} rows[] = {
		{ KMIP_USAGE_LIMITS_UNIT_BYTE, 52, 20, 4 },
		{ KMIP_USAGE_LIMITS_UNIT_OBJECT, 2, 1, 1 },
	};
	struct kmip_cryptographic_parameters ecb = mode_of(KMIP_BLOCK_CIPHER_MODE_ECB);
	struct served *served = start();
	struct slice uid, stream;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kmip_usage_limits limits = { .total = KMIP_LONG(rows[i].total),
			.unit = KMIP_UINT(rows[i].unit) };
		struct kmip_value value;

		uid = served_key(served);
		cr_assert_eq(
			kmip_value_write(&value, served->arena, &kmip_usage_limits_table, &limits),
			ERR_OK);
		assert_success(served_add(served, uid, attribute_of("Usage Limits", value)));
		assert_success(served_activate(served, uid));
		stream = PAYLOAD(served,
			ONE(served, ENCRYPT, encrypt, .unique_identifier = uid, .parameters = &ecb,
				.data = two_blocks, .init = KMIP_BOOL(true)),
			encrypt)
				 ->correlation_value;
		cr_assert_eq(left_of(served, uid), rows[i].first);
		if (rows[i].unit == KMIP_USAGE_LIMITS_UNIT_BYTE)
			assert_reason(ONE(served, ENCRYPT, encrypt, .unique_identifier = uid,
					      .data = two_blocks, .correlation_value = stream),
				PERMISSION_DENIED);
		assert_success(ONE(served, ENCRYPT, encrypt, .unique_identifier = uid,
			.data = slice_cut(two_blocks, 0, 16), .correlation_value = stream,
			.final = KMIP_BOOL(true)));
		cr_assert_eq(left_of(served, uid), rows[i].second);
	}
	served_stop(served);
}

/* A request that names another key than the stream's is refused, and the stream goes on. */
Test(op_crypto, pieces_of_another_key)
{
	struct served *served = start();
	struct slice uid = active_key(served, ENCRYPT_DECRYPT);
	struct slice other = active_key(served, ENCRYPT_DECRYPT), stream;
	struct kmip_cryptographic_parameters ecb = mode_of(KMIP_BLOCK_CIPHER_MODE_ECB);

	stream = PAYLOAD(served,
		ONE(served, ENCRYPT, encrypt, .unique_identifier = uid, .parameters = &ecb,
			.data = two_blocks, .init = KMIP_BOOL(true)),
		encrypt)
			 ->correlation_value;
	assert_reason(ONE(served, ENCRYPT, encrypt, .unique_identifier = other, .data = two_blocks,
			      .correlation_value = stream),
		INVALID_FIELD);
	assert_success(ONE(served, ENCRYPT, encrypt, .unique_identifier = uid, .data = two_blocks,
		.correlation_value = stream, .final = KMIP_BOOL(true)));
	served_stop(served);
}

Test(op_crypto, random)
{
	struct served *served = start();
	const struct kmip_response_item *item =
		ONE(served, RNG_RETRIEVE, rng_retrieve, .data_len = KMIP_INT(32));

	cr_assert_eq(PAYLOAD(served, item, rng_retrieve)->data.len, 32);
	assert_reason(
		ONE(served, RNG_RETRIEVE, rng_retrieve, .data_len = KMIP_INT(0)), INVALID_FIELD);
	assert_reason(ONE(served, RNG_RETRIEVE, rng_retrieve, .data_len = KMIP_INT(1 << 30)),
		INVALID_FIELD);
	item = ONE(served, RNG_SEED, rng_seed, .data = two_blocks);
	cr_assert_eq(PAYLOAD(served, item, rng_seed)->data_len.value, 32);
	served_stop(served);
}

/* A client that uses the key itself takes its share; leases are for keys that may be used. */
Test(op_crypto, allocation_and_lease)
{
	struct served *served = start();
	struct slice uid = served_key(served);
	struct kmip_usage_limits limits = { .total = KMIP_LONG(40),
		.unit = KMIP_UINT(KMIP_USAGE_LIMITS_UNIT_OBJECT) };
	const struct kmip_response_item *item;
	struct kmip_value value;

	cr_assert_eq(
		kmip_value_write(&value, served->arena, &kmip_usage_limits_table, &limits), ERR_OK);
	assert_success(served_activate(served, uid));
	assert_reason(ONE(served, GET_USAGE_ALLOCATION, get_usage_allocation,
			      .unique_identifier = uid, .count = KMIP_LONG(1)),
		ILLEGAL_OPERATION);
	uid = served_key(served);
	assert_success(served_add(served, uid, attribute_of("Usage Limits", value)));
	assert_success(served_activate(served, uid));
	assert_success(ONE(served, GET_USAGE_ALLOCATION, get_usage_allocation,
		.unique_identifier = uid, .count = KMIP_LONG(30)));
	assert_reason(ONE(served, GET_USAGE_ALLOCATION, get_usage_allocation,
			      .unique_identifier = uid, .count = KMIP_LONG(11)),
		PERMISSION_DENIED);

	item = ONE(served, OBTAIN_LEASE, obtain_lease, .unique_identifier = uid);
	cr_assert_gt(PAYLOAD(served, item, obtain_lease)->lease_time.value, 0);
	assert_success(served_revoke(served, uid, KMIP_REVOCATION_REASON_CODE_KEY_COMPROMISE));
	assert_reason(ONE(served, OBTAIN_LEASE, obtain_lease, .unique_identifier = uid),
		PERMISSION_DENIED);
	served_stop(served);
}

/* A pad as TC-OTP registers it: Secret Data whose bytes are laid over the data; never more of them
 * than there are, also in pieces. */
Test(op_crypto, one_time_pad)
{
	struct served *served = start();
	struct kmip_attribute attributes[] = {
		attribute_of("Cryptographic Algorithm",
			kmip_value_enum(KMIP_CRYPTOGRAPHIC_ALGORITHM_ONE_TIME_PAD)),
		attribute_of("Cryptographic Length", kmip_value_integer(48)),
		attribute_of("Cryptographic Usage Mask", kmip_value_integer(ENCRYPT_DECRYPT)),
	};
	struct kmip_template_attribute template = { .attributes = { attributes, 3 } };
	struct kmip_key_value value = { .material = hex(served->arena, "fc932e1428bd") };
	struct kmip_key_block block = { .format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_OPAQUE),
		.value = &value };
	struct kmip_secret_data data = { .type = KMIP_UINT(KMIP_SECRET_DATA_TYPE_PASSWORD),
		.key_block = &block };
	struct slice uid = PAYLOAD(served,
		ONE(served, REGISTER, register,
			.object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SECRET_DATA),
			.template_attribute = &template, .object = { .secret_data = &data }),
		register)
				   ->unique_identifier;
	struct slice clear = hex(served->arena, "010203040506");
	struct slice sealed = hex(served->arena, "fd912d102dbb");

	assert_success(served_activate(served, uid));
	assert_bytes(PAYLOAD(served,
			     ONE(served, ENCRYPT, encrypt, .unique_identifier = uid, .data = clear),
			     encrypt)
			     ->data,
		sealed);
	assert_bytes(
		PAYLOAD(served,
			ONE(served, DECRYPT, decrypt, .unique_identifier = uid, .data = sealed),
			decrypt)
			->data,
		clear);
	assert_reason(ONE(served, ENCRYPT, encrypt, .unique_identifier = uid,
			      .data = hex(served->arena, "01020304050607")),
		INVALID_FIELD);

	const struct kmip_encrypt_response *piece = PAYLOAD(served,
		ONE(served, ENCRYPT, encrypt, .unique_identifier = uid,
			.data = slice_cut(clear, 0, 4), .init = KMIP_BOOL(true)),
		encrypt);
	assert_bytes(piece->data, slice_cut(sealed, 0, 4));
	assert_reason(
		ONE(served, ENCRYPT, encrypt, .unique_identifier = uid,
			.data = slice_cut(clear, 3, 3),
			.correlation_value = piece->correlation_value, .final = KMIP_BOOL(true)),
		INVALID_FIELD);
	served_stop(served);
}
