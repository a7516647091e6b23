/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong between us and the service: lost answers, outages, refusals, limits, cancels. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "keystore/http.h"
#include "tests/unit/keystore/scripted_service.h"

static const char wrap[] = "POST " SERVICE_ROOT "/actions/wrap";
static const char create[] = "POST " SERVICE_KEYS " ";

static void line_wrap(struct service *service, unsigned times, struct line line)
{
	line.request = wrap;
	line.times = times;
	service_line(service, line);
}

static void wrap_within(struct service *service, uint32_t deadline_ms)
{
	(void) service_wrap(service, deadline_ms);
	service_run(service, service->answers + 1);
}

static const struct line good = { .status = 200, .body = SERVICE_WRAPPED };

/* An answer that never comes leaves a create ambiguous, and it is sent once (design D9). */
static void create_is_ambiguous(struct line line, uint32_t deadline_ms)
{
	struct service service;

	service_start(&service);
	line.request = create;
	service_line(&service, line);
	(void) service_create(&service, deadline_ms);
	service_run(&service, 1);
	cr_assert_eq(service.err, ERR_AMBIGUOUS, "%s", err_name(service.err));
	cr_assert_eq(service_count(&service, create), 1);
	service_stop(&service);
}

Test(keymanager_faults, create_lost)
{
	create_is_ambiguous((struct line){ .act = LINE_CUT }, 2500);
}

Test(keymanager_faults, create_silent)
{
	create_is_ambiguous((struct line){ .act = LINE_SILENT }, 400);
}

Test(keymanager_faults, create_server_error)
{
	create_is_ambiguous((struct line){ .status = 500, .body = "{}" }, 2500);
}

Test(keymanager_faults, create_gateway_error)
{
	create_is_ambiguous((struct line){ .status = 504, .body = "<html>" }, 2500);
}

Test(keymanager_faults, create_broken_answer)
{
	create_is_ambiguous((struct line){ .status = 201, .body = "{\"resources\":[{}]}" }, 2500);
}

Test(keymanager_faults, create_half_an_answer)
{
	create_is_ambiguous(
		(struct line){ .status = 201, .body = "{\"resour", .act = LINE_HALF }, 400);
}

/* A kept connection that the service closes when the next create is on it: sent once, ambiguous or
 * done on a new one, but never twice. */
Test(keymanager_faults, create_on_a_dying_connection)
{
	struct service service;

	service_start(&service);
	line_wrap(&service, 0, good);
	service_line(&service, (struct line){ .request = create, .act = LINE_CUT });
	wrap_within(&service, 2500);
	cr_assert_eq(service.err, ERR_OK);
	(void) service_create(&service, 2500);
	service_run(&service, 2);
	cr_assert_eq(service.err, ERR_AMBIGUOUS);
	cr_assert_eq(service_count(&service, create), 1);
	service_stop(&service);
}

/* Nothing was sent, so nothing is ambiguous. */
Test(keymanager_faults, create_refused_connection)
{
	struct service service;

	service_start(&service);
	line_wrap(&service, 0,
		(struct line){ .status = 200,
			.body = SERVICE_WRAPPED,
			.headers = "Connection: close\r\n" });
	wrap_within(&service, 2500);
	cr_assert_eq(service.err, ERR_OK);
	service_stop_listening(&service);
	(void) service_create(&service, 2500);
	service_run(&service, 2);
	cr_assert(service.err == ERR_UNAVAILABLE || service.err == ERR_AMBIGUOUS);
	service_stop(&service);
}

/* Without a token nothing of the create was sent. */
Test(keymanager_faults, create_without_token)
{
	struct service service;

	service_start(&service);
	service_line(&service, (struct line){ .request = "POST /identity", .status = 503 });
	(void) service_create(&service, 600);
	service_run(&service, 1);
	cr_assert_eq(service.err, ERR_UNAVAILABLE);
	cr_assert_eq(service_count(&service, create), 0);
	service_stop(&service);
}

/* A passing error is not seen by the caller. */
Test(keymanager_faults, retried)
{
	static const struct line faults[] = { { .status = 500, .body = "{}" },
		{ .status = 503, .body = "no healthy upstream" }, { .act = LINE_CUT } };
	struct service service;

	for (size_t i = 0; i < 3; i++) {
		service_start(&service);
		line_wrap(&service, 1, faults[i]);
		line_wrap(&service, 0, good);
		wrap_within(&service, 2500);
		cr_assert_eq(service.err, ERR_OK, "%zu: %s", i, service.why);
		cr_assert_eq(service_count(&service, wrap), 2);
		service_stop(&service);
	}
}

/* A lasting one ends within the deadline. */
Test(keymanager_faults, outage_ends_in_time)
{
	static const struct line faults[] = { { .status = 500, .body = "{}" }, { .act = LINE_CUT },
		{ .act = LINE_SILENT }, { .status = 200, .body = "{\"ciph", .act = LINE_HALF } };
	struct keymanager_health health;
	struct service service;
	uint64_t began_ms;

	for (size_t i = 0; i < 4; i++) {
		service_start(&service);
		line_wrap(&service, 0, faults[i]);
		began_ms = clock_boot_ms();
		wrap_within(&service, 700);
		cr_assert_eq(service.err, ERR_UNAVAILABLE, "%zu: %s", i, err_name(service.err));
		cr_assert_neq(service.why[0], '\0');
		cr_assert_leq(clock_boot_ms() - began_ms, 2000);
		keymanager_health(service.keymanager, &health);
		cr_assert(!health.reachable || i == 0);
		cr_assert(health.failures >= 1 && health.last_error[0] != '\0');
		service_stop(&service);
	}
}

/* What is no answer of the service is none, and its size is bounded. */
Test(keymanager_faults, broken_answers)
{
	static const struct line faults[] = { { .status = 200, .body = "<html>hello</html>" },
		{ .status = 200, .body = "{}" }, { .status = 200, .body = "" },
		{ .status = 200, .body = "{\"ciphertext\":5}" },
		{ .status = 200, .body = "[[[[[[[[" },
		{ .status = 302, .headers = "Location: http://127.0.0.1:1/\r\n" },
		{ .status = 200, .body = "{", .act = LINE_HUGE } };
	struct service service;

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		service_start(&service);
		line_wrap(&service, 0, faults[i]);
		wrap_within(&service, 1500);
		cr_assert_eq(service.err, ERR_UNAVAILABLE, "%zu: %s", i, err_name(service.err));
		service_stop(&service);
	}
}

/* Headers without an end are not read to their end, good as the body may be. */
Test(keymanager_faults, endless_headers)
{
	enum { LINES = 1000, LINE_LEN = 100 };
	static char headers[LINES * LINE_LEN + 1];
	struct line line = good;
	struct service service;

	for (size_t i = 0; i < LINES; i++)
		snprintf(headers + i * LINE_LEN, LINE_LEN + 1, "X-%093zu: 1\r\n", i);
	cr_assert_gt(strlen(headers), (size_t) HTTP_HEADER_BYTES_MAX);
	line.headers = headers;
	service_start(&service);
	line_wrap(&service, 0, line);
	wrap_within(&service, 1500);
	cr_assert_eq(service.err, ERR_UNAVAILABLE, "%s", err_name(service.err));
	cr_assert_not_null(strstr(service.why, "too long"));
	service_stop(&service);
}

/* A 401 makes one more try, with a fresh token unless this one is brand-new; then it is a refusal.
 */
Test(keymanager_faults, token_refused_once)
{
	struct service service;

	service_start(&service);
	line_wrap(&service, 1, (struct line){ .status = 401, .body = SERVICE_UNAUTHORIZED });
	line_wrap(&service, 0, good);
	wrap_within(&service, 2500);
	cr_assert_eq(service.err, ERR_OK, "%s", service.why);
	cr_assert_leq(service_count(&service, "POST /identity"), 2);
	cr_assert_eq(service_count(&service, wrap), 2);
	service_stop(&service);
}

Test(keymanager_faults, token_refused_twice)
{
	struct service service;

	service_start(&service);
	line_wrap(&service, 0, (struct line){ .status = 401, .body = SERVICE_UNAUTHORIZED });
	wrap_within(&service, 2500);
	cr_assert_eq(service.err, ERR_REFUSED);
	cr_assert_leq(service_count(&service, "POST /identity"), 2);
	cr_assert_eq(service_count(&service, wrap), 2);
	/* The next ones do not hammer IAM. */
	for (int i = 0; i < 5; i++)
		wrap_within(&service, 2500);
	cr_assert_eq(service.err, ERR_REFUSED);
	cr_assert_leq(service_count(&service, "POST /identity"), 7);
	service_stop(&service);
}

/* A create answered 401 was not done: it goes out again with the fresh token. */
Test(keymanager_faults, create_with_old_token)
{
	struct service service;

	service_start(&service);
	service_line(&service,
		(struct line){ .request = create, .status = 401, .body = SERVICE_UNAUTHORIZED });
	(void) service_create(&service, 2500);
	service_run(&service, 1);
	cr_assert_eq(service.err, ERR_REFUSED);
	cr_assert_eq(service_count(&service, create), 2);
	service_stop(&service);
}

/* An unknown API key is an outage three times (design D13), then a refusal. */
Test(keymanager_faults, unknown_api_key)
{
	struct service service;
	unsigned calls = 0;

	service_start(&service);
	service_line(&service,
		(struct line){ .request = "POST /identity",
			.status = 400,
			.body = "{\"errorCode\":\"BXNIM0415E\",\"errorMessage\":\"Provided API "
				"key could not be found\",\"context\":{}}" });
	do {
		wrap_within(&service, 1000);
		cr_assert(service.err == ERR_UNAVAILABLE || service.err == ERR_REFUSED);
		if (service_count(&service, "POST /identity") <= 3)
			cr_assert_eq(service.err, ERR_UNAVAILABLE);
	} while (service.err != ERR_REFUSED && ++calls < 8);
	cr_assert_eq(service.err, ERR_REFUSED);
	cr_assert_geq(service_count(&service, "POST /identity"), 4);
	cr_assert_eq(service_count(&service, wrap), 0);
	service_stop(&service);
}

/* Asked to slow down for a second, we do; for longer than the caller waits, we say so. */
Test(keymanager_faults, throttled)
{
	struct line line = { .status = 429,
		.headers = "Retry-After: 1\r\n",
		.body = "{\"resources\":[{\"errorMsg\":\"Too Many Requests\"}]}" };
	struct service service;
	uint64_t began_ms = clock_boot_ms();

	service_start(&service);
	line_wrap(&service, 1, line);
	line_wrap(&service, 0, good);
	wrap_within(&service, 2500);
	cr_assert_eq(service.err, ERR_OK, "%s", service.why);
	cr_assert_geq(clock_boot_ms() - began_ms, 900);
	service_stop(&service);

	service_start(&service);
	line.headers = "Retry-After: 30\r\n";
	line_wrap(&service, 0, line);
	wrap_within(&service, 2500);
	cr_assert_eq(service.err, ERR_THROTTLED, "%s", err_name(service.err));
	service_stop(&service);
}

/* After a cancel nothing is called, wherever the call was. */
Test(keymanager_faults, cancel)
{
	struct keymanager_pending *pending[20];
	struct service service;

	service_start(&service);
	line_wrap(&service, 0, (struct line){ .act = LINE_SILENT });
	for (int i = 0; i < 20; i++)
		pending[i] = service_wrap(&service, 5000);
	keymanager_cancel(pending[0]); /* waits for the token */
	service_run_for(&service, 150);
	for (int i = 1; i < 20; i++) /* running, or waiting for a connection */
		keymanager_cancel(pending[i]);
	keymanager_cancel(NULL);
	service_run_for(&service, 100);
	cr_assert_eq(service.answers, 0);
	service.line_count = 0;
	line_wrap(&service, 0, good);
	wrap_within(&service, 2500);
	cr_assert_eq(service.err, ERR_OK, "%s", service.why);
	service_stop(&service);
}

/* Freeing cancels: nothing is called, nothing leaks (the sanitizer looks). */
Test(keymanager_faults, free_with_calls)
{
	struct service service;

	service_start(&service);
	line_wrap(&service, 0, (struct line){ .act = LINE_SILENT });
	for (int i = 0; i < 20; i++)
		(void) service_wrap(&service, 5000);
	service_run_for(&service, 100);
	(void) service_create(&service, 5000);
	service_stop(&service);
	cr_assert_eq(service.answers, 0);
}

static void on_never(void *ctx, const struct keymanager_wrapped *result)
{
	(void) ctx;
	(void) result;
	cr_assert_fail("called after the end");
}

/* Queued calls are bounded, and background calls keep a way of their own. */
Test(keymanager_faults, limit)
{
	struct keymanager_call call = { .deadline_ms = 5000 };
	struct keymanager_aad aad = { .count = 0 };
	struct keymanager_pending *pending;
	struct service service;
	enum err err = ERR_OK;
	int started = 0;

	service_start(&service);
	line_wrap(&service, 0, (struct line){ .act = LINE_SILENT });
	while (err == ERR_OK && started <= KEYMANAGER_CALLS_MAX) {
		err = keymanager_wrap_start(
			&pending, service.keymanager, slice_text("k"), &aad, on_never, &call);
		started += err == ERR_OK ? 1 : 0;
	}
	cr_assert_eq(err, ERR_LIMIT);
	cr_assert_leq(started, KEYMANAGER_CALLS_MAX);
	/* Polls still find room (design D12). */
	keymanager_cancel(service_root_background(&service));
	service_stop(&service);
}

/* A listing in the background is answered while client calls hold all of their connections. */
Test(keymanager_faults, lanes)
{
	struct service service;

	service_start(&service);
	line_wrap(&service, 0, (struct line){ .act = LINE_SILENT });
	service_line(&service, (struct line){ .request = "GET " SERVICE_ROOT "/metadata",
				       .status = 404,
				       .body = SERVICE_REASON("KEY_NOT_FOUND_ERR") });
	for (int i = 0; i < 40; i++)
		(void) service_wrap(&service, 8000);
	(void) service_root_background(&service);
	service_run(&service, 1);
	cr_assert_neq(service.err, ERR_OK);
	cr_assert_eq(service_count(&service, "GET " SERVICE_ROOT "/metadata"), 1);
	service_stop(&service);
}
