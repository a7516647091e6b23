/* SPDX-License-Identifier: Apache-2.0 */
/* Two root keys (design D8): which one an unwrap asks, and what their refusals mean together. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/unit/keystore/scripted_service.h"

#define OTHER_ID "99999999-2222-4333-8444-555555555555"
#define UNWRAP_FIRST "POST " SERVICE_ROOT "/actions/unwrap"
#define UNWRAP_OTHER "POST " SERVICE_KEYS "/" OTHER_ID "/actions/unwrap"
#define UNWRAPPED "{\"plaintext\":\"MDEyMzQ1Njc4OWFiY2RlZg==\"}"

static void start(struct service *service)
{
	char why[KEYMANAGER_WHY_MAX];

	service_start(service);
	cr_assert_eq(
		keymanager_set_roots(service->keymanager, SERVICE_ROOT_ID, OTHER_ID, why), ERR_OK);
}

static const char *body_of(int status)
{
	return status == 409 ? SERVICE_REASON("KEY_ACTION_INVALID_STATE_ERR") : UNWRAPPED;
}

/* Both answer with an error of that status, or with the key where it is 200. */
static void script(struct service *service, int first, int other)
{
	service->line_count = 0;
	service_line(
		service, (struct line){ UNWRAP_FIRST, .status = first, .body = body_of(first) });
	service_line(
		service, (struct line){ UNWRAP_OTHER, .status = other, .body = body_of(other) });
}

static enum err unwrap(struct service *service)
{
	unsigned answers = service->answers + 1;

	(void) service_unwrap(service);
	service_run(service, answers);
	return service->err;
}

/* The root key is asked first, then the other one; the one that opened the last one is asked first
 * the next time. */
Test(keymanager_roots, asks_the_other_one)
{
	struct service service;

	start(&service);
	script(&service, 422, 200);
	cr_assert_eq(unwrap(&service), ERR_OK, "%s", service.why);
	cr_assert_eq(service.crk, KEYMANAGER_OTHER_CRK);
	cr_assert_eq(service_count(&service, UNWRAP_FIRST), 1);
	cr_assert_eq(unwrap(&service), ERR_OK);
	cr_assert_eq(service_count(&service, UNWRAP_FIRST), 1, "not asked again");
	script(&service, 200, 422);
	cr_assert_eq(unwrap(&service), ERR_OK);
	cr_assert_eq(service.crk, KEYMANAGER_CRK);
	service_stop(&service);
}

/* What neither opens is damaged or foreign; what one may not say leaves it open. */
Test(keymanager_roots, refusals_add_up)
{
	static const struct {
		int first, other;
		enum err err;
		enum keymanager_crk crk;
	} cases[] = {
		{ 422, 422, ERR_CORRUPT, KEYMANAGER_OTHER_CRK },
		{ 409, 422, ERR_ROOT_DISABLED, KEYMANAGER_CRK },
		{ 422, 409, ERR_ROOT_DISABLED, KEYMANAGER_OTHER_CRK },
		{ 409, 200, ERR_OK, KEYMANAGER_OTHER_CRK },
		{ 404, 200, ERR_OK, KEYMANAGER_OTHER_CRK },
		{ 404, 422, ERR_UNAVAILABLE, KEYMANAGER_OTHER_CRK },
		{ 422, 404, ERR_UNAVAILABLE, KEYMANAGER_OTHER_CRK },
		{ 403, 422, ERR_REFUSED, KEYMANAGER_CRK },
		{ 422, 429, ERR_THROTTLED, KEYMANAGER_OTHER_CRK },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct service service;

		start(&service);
		script(&service, cases[i].first, cases[i].other);
		cr_assert_eq(unwrap(&service), cases[i].err, "%zu: %s", i, err_name(service.err));
		if (service.err == ERR_OK || service.err == ERR_ROOT_DISABLED)
			cr_assert_eq(service.crk, cases[i].crk, "%zu", i);
		service_stop(&service);
	}
}

/* A rewrap goes to the root key that wrapped it, and stays with it. */
Test(keymanager_roots, rewraps_with_its_own)
{
	struct service service;

	start(&service);
	service.line_count = 0;
	service_line(
		&service, (struct line){ "POST " SERVICE_ROOT "/actions/rewrap", .status = 422 });
	service_line(&service,
		(struct line){ "POST " SERVICE_KEYS "/" OTHER_ID "/actions/rewrap", .status = 200,
			.body = "{\"ciphertext\":\"bmV3\","
				"\"rewrappedKeyVersion\":{\"id\":\"v-2\"}}" });
	(void) service_rewrap(&service);
	service_run(&service, 1);
	cr_assert_eq(service.err, ERR_OK, "%s", service.why);
	cr_assert_eq(service.crk, KEYMANAGER_OTHER_CRK);
	cr_assert_str_eq(service.text[0], "bmV3");
	service_stop(&service);
}

/* With one root key a refusal is final, and a name that is none is refused. */
Test(keymanager_roots, one_alone)
{
	char why[KEYMANAGER_WHY_MAX];
	struct service service;

	service_start(&service);
	script(&service, 422, 200);
	cr_assert_eq(unwrap(&service), ERR_CORRUPT);
	cr_assert_eq(service_count(&service, UNWRAP_OTHER), 0);
	cr_assert_eq(
		keymanager_set_roots(service.keymanager, SERVICE_ROOT_ID, "a\nb", why), ERR_CONFIG);
	cr_assert_eq(keymanager_set_roots(service.keymanager, "", NULL, why), ERR_CONFIG);
	service_stop(&service);
}
