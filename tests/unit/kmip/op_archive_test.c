/* SPDX-License-Identifier: Apache-2.0 */
/* Archive and Recover (KMIP 1.4, sections 4.22 and 4.23): what an archived object does not do,
 * where Locate finds it, and that the two can be repeated and alternated. */
#include "served.h"

enum {
	ON_LINE = KMIP_STORAGE_STATUS_MASK_ON_LINE_STORAGE,
	ARCHIVAL = KMIP_STORAGE_STATUS_MASK_ARCHIVAL_STORAGE,
	BOTH = ON_LINE | ARCHIVAL
};

static const struct kmip_response_item *archive(struct served *served, struct slice uid)
{
	return ONE(served, ARCHIVE, archive, .unique_identifier = uid);
}
static const struct kmip_response_item *recover(struct served *served, struct slice uid)
{
	return ONE(served, RECOVER, recover, .unique_identifier = uid);
}

static size_t located(struct served *served, struct kmip_int mask)
{
	const struct kmip_response_item *item =
		ONE(served, LOCATE, locate, .storage_status_mask = mask);

	return PAYLOAD(served, item, locate)->unique_identifiers.count;
}

static bool is_archived(struct served *served, struct slice uid)
{
	return served_value(served, uid, "Archive Date").type == KMIP_TYPE_DATE_TIME;
}

Test(op_archive, to_and_fro)
{
	struct served served = { 0 };
	struct slice uid;

	served_start(&served, false);
	uid = served_key(&served);
	for (size_t i = 0; i < 3; i++) {
		assert_success(archive(&served, uid));
		cr_assert(is_archived(&served, uid));
		assert_reason(served_get(&served, uid), OBJECT_ARCHIVED);
		assert_reason(archive(&served, uid), OBJECT_ARCHIVED);
		assert_success(recover(&served, uid));
		cr_assert_not(is_archived(&served, uid));
		assert_success(served_get(&served, uid));
		/* Its retry through the other node. */
		assert_success(recover(&served, uid));
	}
	assert_reason(archive(&served, slice_text("x")), ITEM_NOT_FOUND);
	assert_reason(recover(&served, slice_text("x")), ITEM_NOT_FOUND);
	served_stop(&served);
}

/* Nothing that uses or changes the object; State and Archive Date can be asked for. */
Test(op_archive, is_not_used)
{
	struct served served = { 0 };
	struct kmip_attribute tag = text_of("x-tag", "value");
	struct kmip_int mask = KMIP_INT(4);
	struct slice uid;

	served_start(&served, false);
	served.version = KMIP_1_2;
	uid = served_key_with(&served, &tag, 1);
	assert_success(served_activate(&served, uid));
	assert_success(archive(&served, uid));
	assert_reason(served_activate(&served, uid), OBJECT_ARCHIVED);
	assert_reason(served_add(&served, uid, text_of("x-more", "value")), OBJECT_ARCHIVED);
	assert_reason(served_modify(&served, uid, text_of("x-tag", "other")), OBJECT_ARCHIVED);
	assert_reason(ONE(&served, DELETE_ATTRIBUTE, delete_attribute, .unique_identifier = uid,
			      .attribute_name = SLICE_LITERAL("x-tag")),
		OBJECT_ARCHIVED);
	assert_reason(ONE(&served, CHECK, check, .unique_identifier = uid,
			      .cryptographic_usage_mask = mask),
		OBJECT_ARCHIVED);
	assert_reason(ONE(&served, OBTAIN_LEASE, obtain_lease, .unique_identifier = uid),
		OBJECT_ARCHIVED);
	assert_reason(ONE(&served, RE_KEY, re_key, .unique_identifier = uid), OBJECT_ARCHIVED);
	assert_reason(ONE(&served, ENCRYPT, encrypt, .unique_identifier = uid,
			      .data = SLICE_LITERAL("0123456789abcdef")),
		OBJECT_ARCHIVED);
	assert_reason(served_revoke(&served, uid, KMIP_REVOCATION_REASON_CODE_UNSPECIFIED),
		OBJECT_ARCHIVED);
	assert_reason(served_destroy(&served, uid), OBJECT_ARCHIVED);
	cr_assert_eq(served_state(&served, uid), KMIP_STATE_ACTIVE);
	cr_assert_eq(served_value(&served, uid, "x-tag").type, KMIP_TYPE_TEXT_STRING);
	served_stop(&served);
}

/* The client does not write the date itself, neither when the object is made nor later. */
Test(op_archive, date_is_the_servers)
{
	struct served served = { 0 };
	struct kmip_attribute date = attribute_of("Archive Date", kmip_value_date(1));
	struct slice uid;

	served_start(&served, false);
	assert_reason(served_create(&served, &date, 1), INVALID_FIELD);
	uid = served_key(&served);
	assert_reason(served_add(&served, uid, date), PERMISSION_DENIED);
	assert_success(archive(&served, uid));
	assert_success(recover(&served, uid));
	assert_success(served_get(&served, uid));
	served_stop(&served);
}

Test(op_archive, destroyed)
{
	struct served served = { 0 };
	struct slice uid;

	served_start(&served, false);
	uid = served_key(&served);
	assert_success(served_destroy(&served, uid));
	assert_reason(archive(&served, uid), ITEM_NOT_FOUND);
	assert_reason(recover(&served, uid), ITEM_NOT_FOUND);
	served_stop(&served);
}

/* Without a mask only what is on-line; and a Recover by the ID Placeholder, then a Get by it. */
Test(op_archive, locate)
{
	struct served served = { 0 };
	struct slice uid;

	served_start(&served, false);
	uid = served_key(&served);
	served_key(&served);
	assert_success(archive(&served, uid));
	cr_assert_eq(located(&served, (struct kmip_int){ 0 }), 1);
	cr_assert_eq(located(&served, KMIP_INT(ON_LINE)), 1);
	cr_assert_eq(located(&served, KMIP_INT(ARCHIVAL)), 1);
	cr_assert_eq(located(&served, KMIP_INT(BOTH)), 2);
	cr_assert_eq(located(&served, KMIP_INT(0)), 0);

	const struct ask asks[] = {
		ASK(LOCATE, locate, .storage_status_mask = KMIP_INT(ARCHIVAL)),
		ASK(RECOVER, recover),
		ASK(GET, get),
	};
	struct kmip_response *response = served_ask(&served, asks, 3);
	cr_assert_eq(response->count, 3);
	assert_success(&response->items[2]);
	cr_assert_eq(located(&served, (struct kmip_int){ 0 }), 2);
	served_stop(&served);
}

/* Without the key manager nothing is archived or recovered, and the repetition succeeds. */
Test(op_archive, key_manager_away)
{
	struct served served = { 0 };
	struct slice uid;

	served_start(&served, false);
	uid = served_key(&served);
	served.store->service.down = true;
	assert_reason(archive(&served, uid), GENERAL_FAILURE);
	cr_assert_not(is_archived(&served, uid));
	served.store->service.down = false;
	assert_success(archive(&served, uid));
	served.store->service.down = true;
	assert_reason(recover(&served, uid), GENERAL_FAILURE);
	assert_reason(served_get(&served, uid), OBJECT_ARCHIVED);
	served.store->service.down = false;
	assert_success(recover(&served, uid));
	served_stop(&served);
}
