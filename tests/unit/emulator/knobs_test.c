/* SPDX-License-Identifier: Apache-2.0 */
/* Shows that knobs are turned all or not at all, and only to what they can take. */
#include <criterion/criterion.h>

#include "tests/emulator/knobs.h"

static enum err turn(struct knobs *knobs, const char *text, const char *culprit)
{
	const char *bad = NULL;
	cJSON *values = cJSON_Parse(text);
	enum err err = knobs_set(knobs, values, &bad);

	if (err != ERR_OK)
		cr_assert_str_eq(bad, culprit);
	cJSON_Delete(values);
	return err;
}

Test(knobs, are_turned_and_told)
{
	struct knobs knobs = knobs_default;

	cr_assert_eq(
		turn(&knobs, "{\"down\":true,\"guard_s\":5,\"retry_after_s\":-1}", ""), ERR_OK);
	cr_assert(knobs.down);
	cr_assert_eq(knobs.guard_s, 5);
	cJSON *told = knobs_json(&knobs);
	cr_assert(cJSON_IsTrue(cJSON_GetObjectItem(told, "down")));
	cr_assert_eq(cJSON_GetObjectItem(told, "guard_s")->valueint, 5);
	cr_assert_eq(cJSON_GetObjectItem(told, "purge_from_s")->valueint, 4 * 3600);
	cJSON_Delete(told);
}

Test(knobs, nothing_turns_when_one_is_wrong)
{
	struct knobs knobs = knobs_default;

	cr_assert_eq(turn(&knobs, "{\"down\":true,\"up\":true}", "up"), ERR_INVALID);
	cr_assert_eq(turn(&knobs, "{\"down\":true,\"read_only\":1}", "read_only"), ERR_INVALID);
	cr_assert_eq(turn(&knobs, "{\"down\":true,\"guard_s\":-1}", "guard_s"), ERR_INVALID);
	cr_assert_eq(turn(&knobs, "{\"down\":true,\"guard_s\":true}", "guard_s"), ERR_INVALID);
	cr_assert_eq(turn(&knobs, "{\"down\":true,\"rings_max\":1e300}", "rings_max"), ERR_INVALID);
	cr_assert_not(knobs.down);
}
