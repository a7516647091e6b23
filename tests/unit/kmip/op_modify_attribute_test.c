/* SPDX-License-Identifier: Apache-2.0 */
/* Modify Attribute (KMIP 1.4, section 4.15). */
#include "served.h"

/* One instance of several is replaced, and told with its index. */
Test(op_modify_attribute, instance)
{
	struct served served = { 0 };
	struct kmip_attribute change = text_of("x-a", "third");
	struct slice uid;

	served_start(&served, false);
	uid = served_key(&served);
	assert_success(served_add(&served, uid, text_of("x-a", "first")));
	assert_success(served_add(&served, uid, text_of("x-a", "second")));
	change.index = KMIP_INT(1);
	const struct kmip_modify_attribute_response *modified =
		PAYLOAD(&served, served_modify(&served, uid, change), modify_attribute);
	cr_assert_eq(modified->attribute->index.value, 1);
	cr_assert(slice_equal_text(modified->attribute->value.bytes, "third"));
	cr_assert(slice_equal_text(served_value(&served, uid, "x-a").bytes, "first"));
	change.index = KMIP_INT(2);
	assert_reason(served_modify(&served, uid, change), ITEM_NOT_FOUND);
	served_stop(&served);
}

/* What is refused, and with which reason. */
Test(op_modify_attribute, refusals)
{
	struct served served = { 0 };
	int64_t now = clock_wall_seconds();
	struct kmip_attribute date = attribute_of("Activation Date", kmip_value_date(now - 100));
	struct slice uid;

	served_start(&served, false);
	uid = served_key(&served);
	assert_reason(served_modify(&served, uid, text_of("x-a", "b")), INVALID_FIELD);
	assert_reason(
		served_modify(&served, uid, text_of("Contact Information", "b")), INVALID_FIELD);
	assert_reason(served_modify(&served, uid, date), INVALID_FIELD);
	assert_reason(served_modify(&served, uid, attribute_of("State", kmip_value_enum(2))),
		PERMISSION_DENIED);
	assert_reason(
		served_modify(&served, slice_text("none"), text_of("x-a", "b")), ITEM_NOT_FOUND);
	/* SKLC-M-3: an Active key's date is history. */
	assert_success(served_activate(&served, uid));
	assert_reason(served_modify(&served, uid, date), PERMISSION_DENIED);
	served_stop(&served);
}

/* Dates moved to the past act at once; those still to come can be moved. */
Test(op_modify_attribute, dates)
{
	struct served served = { 0 };
	int64_t now = clock_wall_seconds();
	struct kmip_attribute dates[] = {
		attribute_of("Activation Date", kmip_value_date(now + 1000)),
		attribute_of("Deactivation Date", kmip_value_date(now + 2000)),
	};
	struct slice uid;

	served_start(&served, false);
	uid = served_key_with(&served, dates, 2);
	cr_assert_eq(served_state(&served, uid), KMIP_STATE_PRE_ACTIVE);
	dates[0].value.i64 = now - 20;
	assert_success(served_modify(&served, uid, dates[0]));
	cr_assert_eq(served_state(&served, uid), KMIP_STATE_ACTIVE);
	cr_assert_eq(served_value(&served, uid, "Activation Date").i64, now - 20);
	dates[1].value.i64 = now - 30;
	assert_reason(served_modify(&served, uid, dates[1]), INVALID_FIELD);
	dates[1].value.i64 = now - 10;
	assert_success(served_modify(&served, uid, dates[1]));
	cr_assert_eq(served_state(&served, uid), KMIP_STATE_DEACTIVATED);
	assert_reason(served_modify(&served, uid, dates[1]), PERMISSION_DENIED);
	served_stop(&served);
}
