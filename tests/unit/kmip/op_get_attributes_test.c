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

static size_t links_seen(struct served *served, struct slice uid, enum kmip_version version)
{
	struct slice name = SLICE_LITERAL("Link");
	const struct kmip_get_attributes_response *got;
	const struct kmip_get_attribute_list_response *list;
	size_t listed = 0;

	served->version = version;
	got = PAYLOAD(served, ask_names(served, uid, &name, 1), get_attributes);
	list = PAYLOAD(served,
		ONE(served, GET_ATTRIBUTE_LIST, get_attribute_list, .unique_identifier = uid),
		get_attribute_list);
	for (size_t i = 0; i < list->attribute_names.count; i++)
		listed += slice_equal(list->attribute_names.items[i], name);
	cr_assert_eq(listed, got->attributes.count > 0 ? 1 : 0);
	return got->attributes.count;
}

/* A link of a type that the client's version does not have can neither be made nor seen; others
 * are. */
Test(op_get_attributes, links_of_later_versions)
{
	static const uint32_t types[] = { KMIP_LINK_TYPE_PKCS_12_PASSWORD_LINK,
		KMIP_LINK_TYPE_PARENT_LINK, KMIP_LINK_TYPE_REPLACEMENT_OBJECT_LINK };
	static const enum kmip_version since[] = { KMIP_1_4, KMIP_1_2, KMIP_1_0 };
	struct served served = { 0 };
	struct slice uid;

	served_start(&served, false);
	uid = served_key(&served);
	for (size_t i = 0; i < 3; i++) {
		struct kmip_link link = { .type = KMIP_UINT(types[i]), .identifier = uid };
		struct kmip_value value;

		cr_assert_eq(
			kmip_value_write(&value, served.arena, &kmip_link_table, &link), ERR_OK);
		if (since[i] > KMIP_1_0) {
			served.version = (enum kmip_version)(since[i] - 1);
			assert_reason(served_add(&served, uid, attribute_of("Link", value)),
				INVALID_FIELD);
		}
		served.version = since[i];
		assert_success(served_add(&served, uid, attribute_of("Link", value)));
	}
	cr_assert_eq(links_seen(&served, uid, KMIP_1_4), 3);
	cr_assert_eq(links_seen(&served, uid, KMIP_1_3), 2);
	cr_assert_eq(links_seen(&served, uid, KMIP_1_1), 1);
	served_stop(&served);
}
