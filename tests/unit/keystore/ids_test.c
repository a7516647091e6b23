/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include "keystore/ids.h"

/* A UUID of either case names the same object, and goes out in lower case. */
Test(ids, uid)
{
	static const char text[] = "0a1B2c3d-4E5f-6789-aBcd-ef0123456789";
	char back[UUID_TEXT_LEN + 1];
	struct uid uid, lower;

	cr_assert_eq(uid_parse(&uid, slice_text(text)), ERR_OK);
	uid_text(back, &uid);
	cr_assert_str_eq(back, "0a1b2c3d-4e5f-6789-abcd-ef0123456789");
	cr_assert_eq(uid_parse(&lower, slice_text(back)), ERR_OK);
	cr_assert(uid_equal(&uid, &lower));
	lower.bytes[15] ^= 1;
	cr_assert_not(uid_equal(&uid, &lower));
}

/* Anything but 36 characters with the dashes in place is no UUID. */
Test(ids, uid_malformed)
{
	static const char *const bad[] = { "", "1", "0a1b2c3d-4e5f-6789-abcd-ef012345678",
		"0a1b2c3d-4e5f-6789-abcd-ef01234567890", "0a1b2c3d+4e5f-6789-abcd-ef0123456789",
		"ga1b2c3d-4e5f-6789-abcd-ef0123456789", "{0a1b2c3d-4e5f-6789-abcd-ef012345678" };
	struct uid uid;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(uid_parse(&uid, slice_text(bad[i])), ERR_INVALID, "%s", bad[i]);
}

/* 8 to 16 characters of [a-z0-9-]; equality is that of the text, whatever was there before. */
Test(ids, instance)
{
	static const char *const bad[] = { "", "seven-7", "seventeen-letters", "Upper-case",
		"under_score", "with blank" };
	struct instance_id id, other;

	bytes_copy(id.text, "garbage-garbage!", 17);
	cr_assert_eq(instance_id_parse(&id, slice_text("tenant-1")), ERR_OK);
	cr_assert_eq(instance_id_parse(&other, slice_text("tenant-1")), ERR_OK);
	cr_assert(instance_id_equal(&id, &other));
	cr_assert(slice_equal_text(instance_id_slice(&id), "tenant-1"));
	cr_assert_eq(instance_id_parse(&other, slice_text("sixteen-letters-")), ERR_OK);
	cr_assert_not(instance_id_equal(&id, &other));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(
			instance_id_parse(&other, slice_text(bad[i])), ERR_INVALID, "%s", bad[i]);
}
