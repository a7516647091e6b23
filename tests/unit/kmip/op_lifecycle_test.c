/* SPDX-License-Identifier: Apache-2.0 */
/* Activate, Revoke, Destroy (KMIP 1.4, sections 4.19 to 4.21, states of 3.22; vSphere C6, C7, D2).
 */
#include "served.h"

enum {
	COMPROMISE = KMIP_REVOCATION_REASON_CODE_KEY_COMPROMISE,
	CESSATION = KMIP_REVOCATION_REASON_CODE_CESSATION_OF_OPERATION
};

/* A second Activate succeeds by default, and is refused by the switch. */
Test(op_lifecycle, activate_twice)
{
	for (int strict = 0; strict < 2; strict++) {
		struct served served = { 0 };
		struct slice uid;

		served_start(&served, strict == 1);
		uid = served_key(&served);
		assert_success(served_activate(&served, uid));
		cr_assert_eq(served_state(&served, uid), KMIP_STATE_ACTIVE);
		cr_assert(served_value(&served, uid, "Activation Date").i64 > 0);
		cr_assert_eq(reason_of(served_activate(&served, uid)),
			strict == 1 ? KMIP_RESULT_REASON_PERMISSION_DENIED : 0);
		assert_success(served_revoke(&served, uid, CESSATION));
		assert_reason(served_activate(&served, uid), PERMISSION_DENIED);
		assert_reason(served_activate(&served, slice_text("x")), ITEM_NOT_FOUND);
		served_stop(&served);
	}
}

/* Each state, each reason. */
Test(op_lifecycle, revoke)
{
	struct served served = { 0 };
	struct slice uid;

	served_start(&served, false);
	uid = served_key(&served);
	assert_success(served_revoke(&served, uid, CESSATION));
	cr_assert_eq(served_state(&served, uid), KMIP_STATE_DEACTIVATED);
	cr_assert(served_value(&served, uid, "Deactivation Date").i64 > 0);
	cr_assert_eq(served_value(&served, uid, "Revocation Reason").type, KMIP_TYPE_STRUCTURE);
	assert_reason(served_revoke(&served, uid, CESSATION), PERMISSION_DENIED);
	assert_success(served_revoke(&served, uid, COMPROMISE));
	cr_assert_eq(served_state(&served, uid), KMIP_STATE_COMPROMISED);
	cr_assert_eq(served_value(&served, uid, "Compromise Occurrence Date").i64,
		served_value(&served, uid, "Initial Date").i64);
	assert_reason(served_revoke(&served, uid, COMPROMISE), PERMISSION_DENIED);
	assert_success(served_destroy(&served, uid));
	cr_assert_eq(served_state(&served, uid), KMIP_STATE_DESTROYED_COMPROMISED);

	uid = served_key(&served);
	assert_success(served_destroy(&served, uid));
	assert_reason(served_revoke(&served, uid, CESSATION), PERMISSION_DENIED);
	assert_success(served_revoke(&served, uid, COMPROMISE));
	cr_assert_eq(served_state(&served, uid), KMIP_STATE_DESTROYED_COMPROMISED);
	assert_reason(served_revoke(&served, slice_text("x"), COMPROMISE), ITEM_NOT_FOUND);
	served_stop(&served);
}

/* The occurrence date goes with a compromise, and only with one. */
Test(op_lifecycle, occurrence_date)
{
	struct served served = { 0 };
	struct kmip_revocation_reason reason = { .code = KMIP_UINT(COMPROMISE),
		.message = slice_text("found on a bench") };
	struct slice uid;

	served_start(&served, false);
	uid = served_key(&served);
	assert_success(ONE(&served, REVOKE, revoke, .unique_identifier = uid,
		.revocation_reason = &reason, .compromise_occurrence_date = KMIP_LONG(6)));
	cr_assert_eq(served_value(&served, uid, "Compromise Occurrence Date").i64, 6);
	reason.code = KMIP_UINT(CESSATION);
	uid = served_key(&served);
	assert_reason(
		ONE(&served, REVOKE, revoke, .unique_identifier = uid, .revocation_reason = &reason,
			.compromise_occurrence_date = KMIP_LONG(6)),
		INVALID_FIELD);
	served_stop(&served);
}

/* vSphere D2: never while Active, never twice; attributes stay. */
Test(op_lifecycle, destroy)
{
	struct served served = { 0 };
	struct kmip_attribute name;
	struct slice uid;

	served_start(&served, false);
	name = name_of(&served, "kept");
	uid = served_key_with(&served, &name, 1);
	assert_success(served_activate(&served, uid));
	assert_reason(served_destroy(&served, uid), PERMISSION_DENIED);
	assert_success(served_get(&served, uid));
	assert_success(served_revoke(&served, uid, CESSATION));
	assert_success(served_destroy(&served, uid));
	assert_reason(served_destroy(&served, uid), PERMISSION_DENIED);
	assert_reason(served_destroy(&served, slice_text("x")), ITEM_NOT_FOUND);
	cr_assert_eq(served_state(&served, uid), KMIP_STATE_DESTROYED);
	cr_assert(served_value(&served, uid, "Destroy Date").i64 > 0);
	cr_assert_eq(served_value(&served, uid, "Name").type, KMIP_TYPE_STRUCTURE);
	served_stop(&served);
}

/* 4.19, 4.20: a template has no state, so that nothing activates or revokes it; it can be
 * destroyed. */
Test(op_lifecycle, template)
{
	struct kmip_attribute mask =
		attribute_of("Cryptographic Usage Mask", kmip_value_integer(12));
	struct kmip_template_attribute none = { 0 };
	struct kmip_template body = { .attributes = { &mask, 1 } };
	struct served served = { 0 };
	struct slice uid;

	served_start(&served, false);
	uid = PAYLOAD(&served,
		ONE(&served, REGISTER, register,
			.object_type = KMIP_UINT(KMIP_OBJECT_TYPE_TEMPLATE),
			.template_attribute = &none, .object = { .template = &body }),
		register)
		      ->unique_identifier;
	assert_reason(served_activate(&served, uid), ILLEGAL_OPERATION);
	assert_reason(served_revoke(&served, uid, COMPROMISE), ILLEGAL_OPERATION);
	assert_success(served_destroy(&served, uid));
	served_stop(&served);
}
