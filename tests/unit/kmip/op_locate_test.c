/* SPDX-License-Identifier: Apache-2.0 */
/* Locate (KMIP 1.4, section 4.9). */
#include "served.h"

static const struct kmip_locate_response *locate(
	struct served *served, struct kmip_attribute *attributes, size_t count)
{
	return PAYLOAD(
		served, ONE(served, LOCATE, locate, .attributes = { attributes, count }), locate);
}

/* All filters must hold; nothing asked for finds all; what does not exist finds nothing. */
Test(op_locate, filters_are_joined)
{
	struct served served = { 0 };
	struct slice first, second;

	served_start(&served, false);
	struct kmip_attribute given[] = { name_of(&served, "one"), text_of("x-Site", "north") };
	first = served_key_with(&served, given, 2);
	given[0] = name_of(&served, "two");
	second = served_key_with(&served, given, 2);
	cr_assert_eq(locate(&served, NULL, 0)->unique_identifiers.count, 2);
	const struct kmip_locate_response *found = locate(&served, given, 2);
	cr_assert_eq(found->unique_identifiers.count, 1);
	cr_assert(slice_equal(found->unique_identifiers.items[0], second));
	cr_assert_not(found->located_items.has);
	cr_assert_eq(locate(&served, &given[1], 1)->unique_identifiers.count, 2);
	given[1] = text_of("x-Site", "south");
	cr_assert_eq(locate(&served, given, 2)->unique_identifiers.count, 0);

	assert_success(served_destroy(&served, first));
	cr_assert_eq(locate(&served, NULL, 0)->unique_identifiers.count, 1);
	served.identity.instance.text[0] = 'z';
	cr_assert_eq(locate(&served, NULL, 0)->unique_identifiers.count, 0);
	served_stop(&served);
}

/* Computed attributes, masks, parts of structures, ranges of dates. */
Test(op_locate, kinds_of_values)
{
	struct served served = { 0 };
	int64_t now = clock_wall_seconds();
	struct kmip_name only_value = { .value = slice_text("one") };
	struct kmip_attribute filter, range[2];
	struct slice uid;

	served_start(&served, false);
	filter = name_of(&served, "one");
	uid = served_key_with(&served, &filter, 1);
	filter = attribute_of("State", kmip_value_enum(KMIP_STATE_PRE_ACTIVE));
	cr_assert_eq(locate(&served, &filter, 1)->unique_identifiers.count, 1);
	filter.value.u32 = KMIP_STATE_ACTIVE;
	cr_assert_eq(locate(&served, &filter, 1)->unique_identifiers.count, 0);
	filter = attribute_of("Unique Identifier", kmip_value_text(uid));
	cr_assert_eq(locate(&served, &filter, 1)->unique_identifiers.count, 1);
	filter = attribute_of("Cryptographic Usage Mask", kmip_value_integer(8));
	cr_assert_eq(locate(&served, &filter, 1)->unique_identifiers.count, 1);
	filter.value.integer = 9;
	cr_assert_eq(locate(&served, &filter, 1)->unique_identifiers.count, 0);
	filter = attribute_of("Cryptographic Length", kmip_value_integer(256));
	cr_assert_eq(locate(&served, &filter, 1)->unique_identifiers.count, 1);

	cr_assert_eq(kmip_value_write(&filter.value, served.arena, &kmip_name_table, &only_value),
		ERR_OK);
	filter.name = slice_text("Name");
	cr_assert_eq(locate(&served, &filter, 1)->unique_identifiers.count, 1);

	range[0] = attribute_of("Initial Date", kmip_value_date(now + 100));
	range[1] = attribute_of("Initial Date", kmip_value_date(now - 100));
	cr_assert_eq(locate(&served, range, 2)->unique_identifiers.count, 1);
	cr_assert_eq(locate(&served, range, 1)->unique_identifiers.count, 0);
	range[1].value.i64 = now + 50;
	cr_assert_eq(locate(&served, range, 2)->unique_identifiers.count, 0);
	served_stop(&served);
}

/* Paging: a stable order, the number before cutting from 1.3 on. */
Test(op_locate, paging)
{
	struct served served = { 0 };
	enum { KEYS = 5 };

	served_start(&served, false);
	struct slice keys[KEYS];

	for (int i = 0; i < KEYS; i++)
		keys[i] = served_key(&served);
	served.version = KMIP_1_3;
	const struct kmip_locate_response *all = locate(&served, NULL, 0);
	cr_assert_eq(all->unique_identifiers.count, KEYS);
	/* Newest first, even within a second. */
	for (int i = 0; i < KEYS; i++)
		cr_assert(slice_equal(all->unique_identifiers.items[i], keys[KEYS - 1 - i]));
	for (int i = 0; i < KEYS; i++) {
		const struct kmip_locate_response *page = PAYLOAD(&served,
			ONE(&served, LOCATE, locate, .items_max = KMIP_INT(1),
				.offset_items = KMIP_INT(i)),
			locate);

		cr_assert_eq(page->located_items.value, KEYS);
		cr_assert_eq(page->unique_identifiers.count, 1);
		cr_assert(slice_equal(
			page->unique_identifiers.items[0], all->unique_identifiers.items[i]));
	}
	const struct kmip_response_item *item =
		ONE(&served, LOCATE, locate, .offset_items = KMIP_INT(KEYS));
	cr_assert_eq(PAYLOAD(&served, item, locate)->unique_identifiers.count, 0);
	assert_reason(ONE(&served, LOCATE, locate, .items_max = KMIP_INT(-1)), INVALID_FIELD);
	served_stop(&served);
}

/* Filters in a Template-Attribute (FortiOS); archived objects there are none; unknown attributes.
 */
Test(op_locate, oddities)
{
	struct served served = { 0 };
	struct kmip_attribute name, group = text_of("Object Group", "a");
	struct slice frame;

	served_start(&served, false);
	name = name_of(&served, "one");
	served_key_with(&served, &name, 1);
	struct slice member = served_key_with(&served, &group, 1);
	struct kmip_template_attribute template = { .attributes = { &name, 1 } };
	const struct kmip_response_item *item =
		ONE(&served, LOCATE, locate, .template_attribute = &template);
	cr_assert_eq(PAYLOAD(&served, item, locate)->unique_identifiers.count, 1);
	item = ONE(&served, LOCATE, locate,
		.object_group_member = KMIP_UINT(KMIP_OBJECT_GROUP_MEMBER_GROUP_MEMBER_FRESH));
	cr_assert_eq(PAYLOAD(&served, item, locate)->unique_identifiers.count, 1);
	/* A member is fresh until it was fetched. */
	assert_success(served_get(&served, member));
	item = ONE(&served, LOCATE, locate,
		.object_group_member = KMIP_UINT(KMIP_OBJECT_GROUP_MEMBER_GROUP_MEMBER_FRESH));
	cr_assert_eq(PAYLOAD(&served, item, locate)->unique_identifiers.count, 0);
	item = ONE(&served, LOCATE, locate,
		.object_group_member = KMIP_UINT(KMIP_OBJECT_GROUP_MEMBER_GROUP_MEMBER_DEFAULT));
	cr_assert_eq(PAYLOAD(&served, item, locate)->unique_identifiers.count, 1);

	struct ask ask = ASK(LOCATE, locate, .attributes = { &group, 1 });
	frame = served_frame(&served, &ask, 1, false);
	served_send(&served, served_patch(&served, frame, "Object Group", "Object Troup"));
	assert_reason(&served_response(&served)->items[0], INVALID_FIELD);
	served_stop(&served);
}

/* The worker answers, and one match leads the placeholder on; several do not. */
Test(op_locate, placeholder)
{
	struct served served = { 0 };
	struct kmip_attribute name;
	struct kmip_response *response;

	served_start(&served, false);
	name = name_of(&served, "one");
	served_key_with(&served, &name, 1);
	served_key(&served);
	struct ask asks[] = { ASK(LOCATE, locate, .attributes = { &name, 1 }), ASK(GET, get) };
	response = served_ask(&served, asks, 2);
	assert_success(&response->items[1]);
	cr_assert_eq(served_send_worker(&served, served_frame(&served, asks, 1, false)), ERR_OK);
	asks[0] = (struct ask) ASK(LOCATE, locate);
	response = served_ask(&served, asks, 2);
	assert_success(&response->items[0]);
	assert_reason(&response->items[1], ITEM_NOT_FOUND);
	asks[0] = (struct ask) ASK(LOCATE, locate, .items_max = KMIP_INT(1));
	assert_success(&served_ask(&served, asks, 2)->items[1]);

	/* The last of several matches is alone in its answer, and one of several nevertheless. */
	served.version = KMIP_1_3;
	asks[0] = (struct ask) ASK(
		LOCATE, locate, .items_max = KMIP_INT(2), .offset_items = KMIP_INT(1));
	response = served_ask(&served, asks, 2);
	cr_assert_eq(PAYLOAD(&served, &response->items[0], locate)->unique_identifiers.count, 1);
	assert_reason(&response->items[1], ITEM_NOT_FOUND);
	asks[0] = (struct ask) ASK(
		LOCATE, locate, .items_max = KMIP_INT(1), .offset_items = KMIP_INT(1));
	assert_success(&served_ask(&served, asks, 2)->items[1]);
	served_stop(&served);
}

static const struct kmip_locate_response *members(
	struct served *served, struct kmip_attribute *group, uint32_t member, int32_t offset)
{
	return PAYLOAD(served,
		ONE(served, LOCATE, locate, .attributes = { group, 1 },
			.object_group_member = KMIP_UINT(member), .items_max = KMIP_INT(1),
			.offset_items = KMIP_INT(offset)),
		locate);
}

/* Members of a group are drawn oldest first, each fresh one once; then the oldest is the default.
 */
Test(op_locate, group_is_a_queue)
{
	struct served served = { 0 };
	struct kmip_attribute group = text_of("Object Group", "pool");
	struct slice keys[3];

	served_start(&served, false);
	for (size_t i = 0; i < 3; i++)
		keys[i] = served_key_with(&served, &group, 1);
	served_key(&served);
	served.version = KMIP_1_3;
	for (int32_t i = 0; i < 3; i++) {
		const struct kmip_locate_response *found =
			members(&served, &group, KMIP_OBJECT_GROUP_MEMBER_GROUP_MEMBER_DEFAULT, 0);

		cr_assert_eq(found->unique_identifiers.count, 1);
		cr_assert(slice_equal(found->unique_identifiers.items[0], keys[i]));
		found = members(&served, &group, KMIP_OBJECT_GROUP_MEMBER_GROUP_MEMBER_FRESH, 0);
		cr_assert(slice_equal(found->unique_identifiers.items[0], keys[i]));
		cr_assert_eq(found->located_items.value, 3 - i);
		assert_success(served_get(&served, keys[i]));
	}
	cr_assert_eq(members(&served, &group, KMIP_OBJECT_GROUP_MEMBER_GROUP_MEMBER_FRESH, 0)
			     ->unique_identifiers.count,
		0);
	for (int32_t i = 0; i < 3; i++) {
		const struct kmip_locate_response *found =
			members(&served, &group, KMIP_OBJECT_GROUP_MEMBER_GROUP_MEMBER_DEFAULT, i);

		cr_assert_eq(found->unique_identifiers.count, 1);
		cr_assert(slice_equal(found->unique_identifiers.items[0], keys[i]));
	}
	served_stop(&served);
}

/* A key that is named is looked at alone, and judged by all filters. */
Test(op_locate, by_identifier)
{
	struct served served = { 0 };
	struct kmip_attribute given[2];
	struct slice uid;

	served_start(&served, false);
	uid = served_key(&served);
	given[0] = attribute_of("Unique Identifier", kmip_value_text(uid));
	given[1] = attribute_of("State", kmip_value_enum(KMIP_STATE_PRE_ACTIVE));
	cr_assert_eq(locate(&served, given, 2)->unique_identifiers.count, 1);
	given[1].value.u32 = KMIP_STATE_ACTIVE;
	cr_assert_eq(locate(&served, given, 2)->unique_identifiers.count, 0);
	given[0].value.bytes = slice_text("no uuid");
	cr_assert_eq(locate(&served, given, 1)->unique_identifiers.count, 0);
	served.identity.instance.text[0] = 'z';
	given[0].value.bytes = uid;
	cr_assert_eq(locate(&served, given, 1)->unique_identifiers.count, 0);
	served_stop(&served);
}
