/* SPDX-License-Identifier: Apache-2.0 */
/* Get Attributes (KMIP 1.4, section 4.12; vSphere C2, C5, Q7 to Q9). */
#include "served.h"

static const struct kmip_response_item *ask_names(
	struct served *served, struct slice uid, struct slice *names, size_t count)
{
	return ONE(served, GET_ATTRIBUTES, get_attributes, .unique_identifier = uid,
		.attribute_names = { names, count });
}

/* Unknown names and names without value are passed over, whatever their spelling. */
Test(op_get_attributes, names)
{
	struct served served = { 0 };
	struct slice names[] = { SLICE_LITERAL("State"), SLICE_LITERAL("x-Vendor"),
		SLICE_LITERAL("no such thing"), SLICE_LITERAL("state"),
		SLICE_LITERAL("Deactivation Date"), SLICE_LITERAL("Object Type") };
	struct slice uid;

	served_start(&served, false);
	uid = served_key(&served);
	const struct kmip_get_attributes_response *response =
		PAYLOAD(&served, ask_names(&served, uid, names, 6), get_attributes);
	cr_assert_eq(response->attributes.count, 2);
	cr_assert_eq(response->attributes.items[0].value.u32, KMIP_STATE_PRE_ACTIVE);
	cr_assert_eq(response->attributes.items[1].value.u32, KMIP_OBJECT_TYPE_SYMMETRIC_KEY);
	names[5] = names[0];
	assert_reason(ask_names(&served, uid, names, 6), INVALID_MESSAGE);
	assert_reason(ask_names(&served, slice_text("x"), names, 1), ITEM_NOT_FOUND);
	served_stop(&served);
}

/* No names: everything that the version has. */
Test(op_get_attributes, all)
{
	struct served served = { 0 };
	struct slice uid;
	bool is_fresh_told = false;
	size_t count_1_0;

	served_start(&served, false);
	uid = served_key(&served);
	served.version = KMIP_1_0;
	const struct kmip_get_attributes_response *response =
		PAYLOAD(&served, ask_names(&served, uid, NULL, 0), get_attributes);
	count_1_0 = response->attributes.count;
	for (size_t i = 0; i < response->attributes.count; i++)
		is_fresh_told |= slice_equal_text(response->attributes.items[i].name, "Fresh");
	cr_assert_not(is_fresh_told);
	cr_assert_geq(count_1_0, 9);
	served.version = KMIP_1_4;
	response = PAYLOAD(&served, ask_names(&served, uid, NULL, 0), get_attributes);
	/* Fresh, Original Creation Date, Random Number Generator, and the four of 1.4. */
	cr_assert_eq(response->attributes.count, count_1_0 + 7);
	served_stop(&served);
}

/* Get Attribute List names each once, the same ones. */
Test(op_get_attributes, list)
{
	struct served served = { 0 };
	struct slice uid;
	size_t customs = 0;

	served_start(&served, false);
	uid = served_key(&served);
	assert_success(served_add(&served, uid, text_of("x-a", "1")));
	assert_success(served_add(&served, uid, text_of("x-a", "2")));
	const struct kmip_get_attributes_response *all =
		PAYLOAD(&served, ask_names(&served, uid, NULL, 0), get_attributes);
	const struct kmip_get_attribute_list_response *list = PAYLOAD(&served,
		ONE(&served, GET_ATTRIBUTE_LIST, get_attribute_list, .unique_identifier = uid),
		get_attribute_list);
	cr_assert_eq(list->attribute_names.count, all->attributes.count - 1);
	for (size_t i = 0; i < list->attribute_names.count; i++)
		customs += slice_equal_text(list->attribute_names.items[i], "x-a");
	cr_assert_eq(customs, 1);
	assert_reason(ONE(&served, GET_ATTRIBUTE_LIST, get_attribute_list,
			      .unique_identifier = slice_text("x")),
		ITEM_NOT_FOUND);
	served_stop(&served);
}
