/* SPDX-License-Identifier: Apache-2.0 */
/* Add Attribute (KMIP 1.4, section 4.14; vSphere C3, V2, Q6, Q10). */
#include "served.h"

/* Several instances of one custom attribute: each gets the next index. */
Test(op_add_attribute, indices)
{
	struct served served = { 0 };
	struct slice uid;

	served_start(&served, false);
	uid = served_key(&served);
	for (int32_t i = 0; i < 3; i++) {
		const struct kmip_add_attribute_response *added = PAYLOAD(&served,
			served_add(&served, uid, text_of("x-Name", "value")), add_attribute);

		cr_assert(slice_equal(added->unique_identifier, uid));
		cr_assert_eq(added->attribute->index.value, i);
		cr_assert_eq(added->attribute->index.has, i > 0);
	}
	served_stop(&served);
}

/* What is refused, and with which reason (Q6). */
Test(op_add_attribute, refusals)
{
	struct served served = { 0 };
	struct kmip_attribute indexed = text_of("x-a", "b");
	struct slice uid;

	served_start(&served, false);
	uid = served_key(&served);
	indexed.index = KMIP_INT(0);
	assert_reason(served_add(&served, uid, indexed), INVALID_FIELD);
	assert_reason(served_add(&served, uid, attribute_of("State", kmip_value_enum(2))),
		PERMISSION_DENIED);
	assert_reason(served_add(&served, uid,
			      attribute_of("Cryptographic Usage Mask", kmip_value_integer(1))),
		PERMISSION_DENIED);
	assert_reason(served_add(&served, uid, text_of("y-a", "b")), PERMISSION_DENIED);
	assert_reason(served_add(&served, uid, text_of("x-a", "")), INVALID_FIELD);
	assert_reason(
		served_add(&served, slice_text("nothing"), text_of("x-a", "b")), ITEM_NOT_FOUND);
	assert_success(served_add(&served, uid, text_of("Contact Information", "a")));
	assert_reason(
		served_add(&served, uid, text_of("Contact Information", "a")), ILLEGAL_OPERATION);
	assert_success(served_destroy(&served, uid));
	assert_reason(served_add(&served, uid, text_of("x-a", "b")), PERMISSION_DENIED);
	served_stop(&served);
}

/* Unknown names, broken texts and texts that are too long fail the item; the connection stays. */
Test(op_add_attribute, bad_values)
{
	struct served served = { 0 };
	struct kmip_attribute attribute = text_of("Object Group", "some group");
	struct slice uid, frame;
	char *text;

	served_start(&served, false);
	uid = served_key(&served);
	struct ask add = ASK(
		ADD_ATTRIBUTE, add_attribute, .unique_identifier = uid, .attribute = &attribute);
	frame = served_frame(&served, &add, 1, true);
	served_send(&served, served_patch(&served, frame, "Object Group", "Object Troup"));
	assert_reason(&served_response(&served)->items[0], INVALID_FIELD);
	served_send(&served, served_patch(&served, frame, "some group", "some \xff\xffoup"));
	assert_reason(&served_response(&served)->items[0], INVALID_FIELD);
	cr_assert_not(served.is_closed);

	text = arena_alloc(served.arena, 70001);
	for (size_t i = 0; i < 70000; i++)
		text[i] = 'a';
	assert_reason(served_add(&served, uid, text_of("x-long", text)), INVALID_FIELD);
	text[65000] = 0;
	assert_reason(served_add(&served, uid, text_of("x-long", text)), INVALID_FIELD);
	text[5000] = 0;
	assert_success(served_add(&served, uid, text_of("x-long", text)));
	assert_reason(served_add(&served, uid, text_of("x-long", text)), INVALID_FIELD);
	served_stop(&served);
}

/* An activation date in the past activates (4.14); on an Active key it cannot be added. */
Test(op_add_attribute, activation_date)
{
	struct served served = { 0 };
	int64_t now = clock_wall_seconds();
	struct slice uid;

	served_start(&served, false);
	uid = served_key(&served);
	assert_success(served_add(
		&served, uid, attribute_of("Activation Date", kmip_value_date(now - 5))));
	cr_assert_eq(served_state(&served, uid), KMIP_STATE_ACTIVE);
	assert_reason(
		served_add(&served, uid, attribute_of("Activation Date", kmip_value_date(now - 5))),
		PERMISSION_DENIED);
	assert_reason(served_add(&served, uid,
			      attribute_of("Process Start Date", kmip_value_date(now - 50))),
		INVALID_FIELD);
	served_stop(&served);
}

/* A Name that another key holds. */
Test(op_add_attribute, duplicate_name)
{
	struct served served = { 0 };
	struct kmip_attribute name;
	struct slice uid;

	served_start(&served, false);
	name = name_of(&served, "one");
	served_key_with(&served, &name, 1);
	uid = served_key(&served);
	assert_reason(served_add(&served, uid, name), ILLEGAL_OPERATION);
	assert_success(served_add(&served, uid, name_of(&served, "two")));
	served_stop(&served);
}

/* Usage Limits: the count is the server's. */
Test(op_add_attribute, usage_limits)
{
	struct served served = { 0 };
	struct codec codec = { .version = KMIP_1_1 };
	struct kmip_usage_limits limits = { .total = KMIP_LONG(500),
		.count = KMIP_LONG(3),
		.unit = KMIP_UINT(KMIP_USAGE_LIMITS_UNIT_BYTE) };
	struct kmip_value value;
	struct slice uid;

	served_start(&served, false);
	codec.arena = served.arena;
	uid = served_key(&served);
	cr_assert_eq(
		kmip_value_write(&value, served.arena, &kmip_usage_limits_table, &limits), ERR_OK);
	assert_success(served_add(&served, uid, attribute_of("Usage Limits", value)));
	value = served_value(&served, uid, "Usage Limits");
	cr_assert_eq(kmip_value_read(&limits, &codec, &kmip_usage_limits_table, &value), ERR_OK);
	cr_assert_eq(limits.count.value, 500);
	served_stop(&served);
}

/* A type of KMIP 2.0, alone or in a structure, is not taken: clients could not read it. */
Test(op_add_attribute, types_of_later_versions)
{
	struct served served = { 0 };
	struct slice uid, inside;

	served_start(&served, false);
	uid = served_key(&served);
	inside = hex(served.arena, "540001 0B 00000008 0000000000000001");
	served.version = KMIP_1_4;
	struct kmip_attribute moment = attribute_of(
		"x-Moment", (struct kmip_value){ .type = KMIP_TYPE_DATE_TIME_EXTENDED, .i64 = 1 });
	struct kmip_attribute pair = attribute_of(
		"x-Pair", (struct kmip_value){ .type = KMIP_TYPE_STRUCTURE, .children = inside });

	assert_reason(served_add(&served, uid, moment), INVALID_FIELD);
	assert_reason(served_add(&served, uid, pair), INVALID_FIELD);
	pair.value.children = hex(served.arena, "540001 09 00000008 0000000000000001");
	assert_success(served_add(&served, uid, pair));
	served_stop(&served);
}
