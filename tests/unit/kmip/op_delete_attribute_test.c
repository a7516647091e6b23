/* SPDX-License-Identifier: Apache-2.0 */
/* Delete Attribute (KMIP 1.4, section 4.16). */
#include "served.h"

static const struct kmip_response_item *delete_attribute(
	struct served *served, struct slice uid, const char *name, struct kmip_int index)
{
	return ONE(served, DELETE_ATTRIBUTE, delete_attribute, .unique_identifier = uid,
		.attribute_name = slice_text(name), .attribute_index = index);
}
static const struct kmip_int none;

/* One instance goes and is told; the others keep their indices. */
Test(op_delete_attribute, instance)
{
	struct served served = { 0 };
	struct slice names[] = { SLICE_LITERAL("x-a") };
	struct slice uid;

	served_start(&served, false);
	uid = served_key(&served);
	assert_success(served_add(&served, uid, text_of("x-a", "first")));
	assert_success(served_add(&served, uid, text_of("x-a", "second")));
	const struct kmip_delete_attribute_response *deleted =
		PAYLOAD(&served, delete_attribute(&served, uid, "x-a", none), delete_attribute);
	cr_assert(slice_equal_text(deleted->attribute->value.bytes, "first"));
	const struct kmip_get_attributes_response *left = PAYLOAD(&served,
		ONE(&served, GET_ATTRIBUTES, get_attributes, .unique_identifier = uid,
			.attribute_names = { names, 1 }),
		get_attributes);
	cr_assert_eq(left->attributes.count, 1);
	cr_assert_eq(left->attributes.items[0].index.value, 1);
	assert_reason(delete_attribute(&served, uid, "x-a", none), ITEM_NOT_FOUND);
	assert_success(delete_attribute(&served, uid, "x-a", KMIP_INT(1)));
	cr_assert_eq(served_value(&served, uid, "x-a").type, KMIP_TYPE_ANY);
	served_stop(&served);
}

/* What is refused, and with which reason; 1.0 asked for more. */
Test(op_delete_attribute, refusals)
{
	struct served served = { 0 };
	struct slice uid;

	served_start(&served, false);
	uid = served_key(&served);
	assert_reason(delete_attribute(&served, uid, "State", none), PERMISSION_DENIED);
	assert_reason(delete_attribute(&served, uid, "Digest", none), PERMISSION_DENIED);
	assert_reason(delete_attribute(&served, uid, "Activation Date", none), PERMISSION_DENIED);
	assert_reason(delete_attribute(&served, uid, "y-a", none), PERMISSION_DENIED);
	assert_reason(delete_attribute(&served, uid, "Nonsense", none), ITEM_NOT_FOUND);
	assert_reason(delete_attribute(&served, uid, "x-a", none), ITEM_NOT_FOUND);
	assert_reason(delete_attribute(&served, slice_text("none"), "x-a", none), ITEM_NOT_FOUND);

	served.version = KMIP_1_0;
	assert_success(served_add(&served, uid, text_of("x-a", "first")));
	assert_success(served_add(&served, uid, text_of("x-a", "second")));
	assert_reason(delete_attribute(&served, uid, "x-a", none), INVALID_FIELD);
	assert_success(delete_attribute(&served, uid, "x-a", KMIP_INT(1)));
	assert_success(served_add(&served, uid, text_of("Contact Information", "a")));
	assert_reason(
		delete_attribute(&served, uid, "Contact Information", KMIP_INT(0)), ITEM_NOT_FOUND);
	assert_success(delete_attribute(&served, uid, "Contact Information", none));
	served_stop(&served);
}
