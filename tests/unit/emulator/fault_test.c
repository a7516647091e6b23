/* SPDX-License-Identifier: Apache-2.0 */
/* Shows which requests an armed fault meets, after how many and how often. */
#include <criterion/criterion.h>

#include "tests/emulator/fault.h"

static enum err arm(struct faults *faults, const char *text)
{
	cJSON *description = cJSON_Parse(text);
	enum err err = fault_arm(faults, description);

	cJSON_Delete(description);
	return err;
}

static enum fault_kind taken(struct faults *faults, const char *method, const char *path)
{
	struct fault fault;

	fault_take(faults, &fault, method, path);
	return fault.kind;
}

Test(fault, counts_down_after_skipping)
{
	struct faults faults = { 0 };

	cr_assert_eq(arm(&faults, "{\"kind\":\"reset\",\"path\":\"/a\",\"skip\":1,\"count\":2}"),
		ERR_OK);
	cr_assert_eq(taken(&faults, "GET", "/a/b"), FAULT_NONE);
	cr_assert_eq(taken(&faults, "GET", "/a/b"), FAULT_RESET);
	cr_assert_eq(taken(&faults, "GET", "/a"), FAULT_RESET);
	cr_assert_eq(taken(&faults, "GET", "/a"), FAULT_NONE);
	cr_assert_eq(faults.count, 0);
}

Test(fault, meets_by_prefix_expression_and_method)
{
	struct faults faults = { 0 };

	cr_assert_eq(arm(&faults, "{\"kind\":\"delay\",\"path\":\"/keys/[^/]+/actions/(un)?wrap$\","
				  "\"method\":\"post\"}"),
		ERR_OK);
	cr_assert_eq(taken(&faults, "POST", "/api/v2/keys/k/actions/unwrap"), FAULT_DELAY);
	cr_assert_eq(taken(&faults, "POST", "/api/v2/keys/k/actions/rewrapped"), FAULT_NONE);
	cr_assert_eq(taken(&faults, "GET", "/api/v2/keys/k/actions/wrap"), FAULT_NONE);
	fault_clear(&faults);
}

Test(fault, nonsense_is_refused)
{
	struct faults faults = { 0 };

	cr_assert_eq(arm(&faults, "{\"kind\":\"none\"}"), ERR_INVALID);
	cr_assert_eq(arm(&faults, "{}"), ERR_INVALID);
	cr_assert_eq(arm(&faults, "{\"kind\":\"reset\",\"path\":\"(\"}"), ERR_INVALID);
	cr_assert_eq(arm(&faults, "{\"kind\":\"status\",\"status\":99}"), ERR_INVALID);
	for (int i = 0; i < FAULTS_MAX; i++)
		cr_assert_eq(arm(&faults, "{\"kind\":\"reset\"}"), ERR_OK);
	cr_assert_eq(arm(&faults, "{\"kind\":\"reset\"}"), ERR_LIMIT);
	fault_clear(&faults);
}
