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
	assert_reason(ONE(&served, GET, get, .unique_identifier = uid, .wrapping = &wrapping),
		FEATURE_NOT_SUPPORTED);
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
