/* SPDX-License-Identifier: Apache-2.0 */
/* Check (KMIP 1.4, section 4.10). */
#include "served.h"

/* The mask must hold all that is asked for; a lease is no limit; destroyed keys cannot be checked.
 */
Test(op_check, uses)
{
	struct served served = { 0 };
	struct slice uid;

	served_start(&served, false);
	uid = served_key(&served); /* mask 12 */
	const struct kmip_check_response *response = PAYLOAD(&served,
		ONE(&served, CHECK, check, .unique_identifier = uid,
			.cryptographic_usage_mask = KMIP_INT(4), .lease_time = KMIP_UINT(60),
			.usage_limits_count = KMIP_LONG(5)),
		check);
	cr_assert(slice_equal(response->unique_identifier, uid));
	assert_reason(ONE(&served, CHECK, check, .unique_identifier = uid,
			      .cryptographic_usage_mask = KMIP_INT(5)),
		PERMISSION_DENIED);
	assert_reason(
		ONE(&served, CHECK, check, .unique_identifier = slice_text("x")), ITEM_NOT_FOUND);
	assert_success(served_destroy(&served, uid));
	assert_reason(ONE(&served, CHECK, check, .unique_identifier = uid), ILLEGAL_OPERATION);
	served_stop(&served);
}

/* Usage Limits: as many uses as are left. */
Test(op_check, usage_limits)
{
	struct served served = { 0 };
	struct kmip_usage_limits limits = { .total = KMIP_LONG(10),
		.unit = KMIP_UINT(KMIP_USAGE_LIMITS_UNIT_OBJECT) };
	struct kmip_value value;
	struct slice uid;

	served_start(&served, false);
	uid = served_key(&served);
	cr_assert_eq(
		kmip_value_write(&value, served.arena, &kmip_usage_limits_table, &limits), ERR_OK);
	assert_success(served_add(&served, uid, attribute_of("Usage Limits", value)));
	assert_success(ONE(&served, CHECK, check, .unique_identifier = uid,
		.usage_limits_count = KMIP_LONG(10)));
	assert_reason(ONE(&served, CHECK, check, .unique_identifier = uid,
			      .usage_limits_count = KMIP_LONG(11)),
		PERMISSION_DENIED);
	served_stop(&served);
}
