/* SPDX-License-Identifier: Apache-2.0 */
/* One call: token, attempt, retry or end. Exactly one of its events is under way at any time: the
 * begin task, the waiter, the HTTP call, or the pause; beside it only the deadline. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/secret.h"
#include "keystore/key_protect_json.h"
#include "keystore/key_protect_private.h"

enum {
	ATTEMPTS_MAX = 8,
	ATTEMPT_TIMEOUT_MS = 30000,
	CLIENT_PAUSE_MS = 100,
	CLIENT_PAUSE_MS_MAX = 4000,
	BACKGROUND_PAUSE_MS = 1000,
	BACKGROUND_PAUSE_MS_MAX = 30000,
	AUTHORIZATION_MAX = IAM_TOKEN_LEN_MAX + 32,
};

static void stop_events(struct call *call)
{
	loop_task_cancel(&call->begin_task);
	iam_leave(&call->waiter);
	http_cancel(call->http);
	call->http = NULL;
	loop_timer_free(call->timer);
	call->timer = NULL;
}

void call_free(struct call *call)
{
	if (call == NULL)
		return;
	stop_events(call);
	buf_free(&call->body);
	arena_free(call->arena);
	secret_wipe(&call->result, sizeof(call->result));
	free(call);
}

static void leave_list(struct call *call)
{
	if (call->previous != NULL)
		call->previous->next = call->next;
	else
		call->km->calls = call->next;
	if (call->next != NULL)
		call->next->previous = call->previous;
	call->km->call_count--;
}

void call_cancel(struct keymanager_pending *pending)
{
	struct call *call = (struct call *) pending;
	/* From inside its own callback there is nothing left to cancel. */
	if (call->delivering)
		return;
	leave_list(call);
	call_free(call);
}

static bool is_outage(enum err err)
{
	return err == ERR_UNAVAILABLE || err == ERR_AMBIGUOUS || err == ERR_REFUSED ||
	       err == ERR_THROTTLED || err == ERR_NOMEM;
}

/* Each call that fails leaves one line with the id by which the service's own log knows it. A key
 * that is not there is an answer; what the open circuit refuses was told when it opened. */
static void log_failure(const struct call *call, enum err err)
{
	bool quiet = err == ERR_NOT_FOUND || err == ERR_DESTROYED || !call->admitted;
	enum log_level level = quiet ? LOG_DEBUG : LOG_WARNING;
	if (level > log_get_level())
		return;
	log_event(level, "keymanager-call-failed",
		"instance=%s err=%s method=%s status=%ld attempts=%u correlation=%s why=%s",
		call->km->name, err_name(err), call->method, call->status, call->attempts,
		call->correlation, log_quoted(slice_text(call->why)));
}

static void note_health(struct call *call, enum err err)
{
	struct keymanager_health *health = &call->km->health;
	uint64_t now_ms = loop_now_ms(call->km->loop);
	health->calls++;
	if (err != ERR_OK)
		log_failure(call, err);
	if (!is_outage(err)) {
		health->reachable = true;
		health->last_good_ms = now_ms;
		return;
	}
	health->failures++;
	if (call->service_failed)
		circuit_on_failure(&call->km->circuit, now_ms);
	if (!call->admitted)
		return;
	health->reachable = err == ERR_REFUSED || err == ERR_THROTTLED;
	snprintf(health->last_error, sizeof(health->last_error), "%s", call->why);
}

/* The end. The client may be gone after the callback: only the call itself is touched then. */
static void finish(struct call *call, enum err err)
{
	stop_events(call);
	if (err != ERR_OK && call->why[0] == '\0')
		snprintf(call->why, sizeof(call->why), "%s", err_text(err));
	note_health(call, err);
	keymanager_note(&call->km->base, call->verb, err, clock_boot_us() - call->began_us);
	leave_list(call);
	call->delivering = true;
	call_deliver(call, err);
	call_free(call);
}

static uint64_t left_ms(const struct call *call)
{
	uint64_t now_ms = loop_now_ms(call->km->loop);
	return now_ms < call->deadline_ms ? call->deadline_ms - now_ms : 0;
}

/* Doubling from the first pause, and up to as much again by chance: so that two nodes and their
 * calls spread. */
static uint64_t pause_ms(const struct call *call, uint32_t retry_after_s)
{
	uint64_t first = call->background ? BACKGROUND_PAUSE_MS : CLIENT_PAUSE_MS;
	uint64_t most = call->background ? BACKGROUND_PAUSE_MS_MAX : CLIENT_PAUSE_MS_MAX;
	uint64_t base = first << (call->attempts > 0 ? call->attempts - 1 : 0);
	if (base > most)
		base = most;
	uint64_t asked = (uint64_t) retry_after_s * 1000;
	uint64_t spread = call->background ? base / 4 : base;
	return (asked > base ? asked : base) + rand_below((uint32_t) spread + 1);
}

/* Tries again if there is time for it. */
static void retry(struct call *call, enum err err, uint32_t retry_after_s)
{
	uint64_t pause = pause_ms(call, retry_after_s);
	call->last_err = err;
	if (call->attempts >= ATTEMPTS_MAX || pause >= left_ms(call)) {
		finish(call, err);
		return;
	}
	call->pausing = true;
	loop_timer_set(call->timer, pause);
}

static void renew_token(struct call *call)
{
	call->token_renewed = true;
	iam_reject(call->km->iam, call->token_generation);
	loop_defer(call->km->loop, &call->begin_task);
}

/* ---- an answer ---- */

static void on_good(struct call *call, struct slice body)
{
	enum err err;
	arena_reset(call->arena);
	call->result = (union call_result){ 0 };
	call->why[0] = '\0';
	err = call_read(call, body);
	if (err == ERR_AGAIN) {
		call->attempts = 0;
		loop_defer(call->km->loop, &call->begin_task);
		return;
	}
	if (err == ERR_UNAVAILABLE)
		snprintf(call->why, sizeof(call->why), "the answer is not what the API promises");
	if (err == ERR_FIELD && call->why[0] == '\0')
		snprintf(call->why, sizeof(call->why), "the root key is not a root key");
	if (err != ERR_OK && call_is_once(call))
		finish(call, ERR_AMBIGUOUS);
	else if (err == ERR_UNAVAILABLE)
		retry(call, err, 0);
	else
		finish(call, err);
}

static bool may_be_token(long status, const char *code)
{
	return status == 401 || status == 403 ||
	       (status == 400 &&
		       (code[0] == '\0' || strcmp(code, "BEARER_SUB_EXTRACTION_ERR") == 0));
}

static void on_bad(struct call *call, const struct http_answer *answer)
{
	char code[KEY_PROTECT_CODE_MAX];
	long status = answer->status;
	key_protect_read_code(code, answer->body);
	enum err err = call_classify(call, status, code);
	call->key_unknown = status == 404 && strcmp(code, "KEY_NOT_FOUND_ERR") == 0;
	snprintf(call->why, sizeof(call->why), "%s answered %ld %s", call->method, status, code);
	if (may_be_token(status, code) && !call->token_renewed) {
		call->last_err = err;
		renew_token(call);
	} else if (err == ERR_OK) {
		snprintf(call->why, sizeof(call->why), "%s", call_finding(call));
		finish(call, err);
	} else if (call_goes_on(call, status, err)) {
		call->attempts = 0;
		loop_defer(call->km->loop, &call->begin_task);
	} else if (err == ERR_UNAVAILABLE && call_is_once(call)) {
		finish(call, ERR_AMBIGUOUS);
	} else if (err == ERR_UNAVAILABLE && status != 404 && status != 501) {
		retry(call, err, answer->retry_after_s);
	} else if (err == ERR_THROTTLED && answer->retry_after_s > 0 && !call_is_once(call)) {
		retry(call, err, answer->retry_after_s);
	} else {
		finish(call, err);
	}
}

static void call_on_answer(void *ctx, const struct http_answer *answer)
{
	struct call *call = ctx;
	call->http = NULL;
	call->status = answer->status;
	call->service_failed =
		answer->outcome != HTTP_ANSWERED || answer->status >= 500 || answer->status == 408;
	if (!call->service_failed)
		circuit_on_answer(&call->km->circuit, loop_now_ms(call->km->loop));
	switch (answer->outcome) {
	case HTTP_ANSWERED:
		if (answer->status >= 200 && answer->status < 300) {
			keymanager_note_date(&call->km->base, answer->date);
			on_good(call, answer->body);
		} else {
			on_bad(call, answer);
		}
		return;
	case HTTP_NOT_SENT:
		snprintf(call->why, sizeof(call->why), "%.200s", answer->why);
		retry(call, ERR_UNAVAILABLE, 0);
		return;
	case HTTP_LOST:
		snprintf(call->why, sizeof(call->why), "%.200s", answer->why);
		if (call_is_once(call))
			finish(call, ERR_AMBIGUOUS);
		else
			retry(call, ERR_UNAVAILABLE, 0);
		return;
	case HTTP_TOO_LONG:
		snprintf(call->why, sizeof(call->why), "the answer is too long");
		finish(call, call_is_once(call) ? ERR_AMBIGUOUS : ERR_UNAVAILABLE);
		return;
	}
}

/* ---- an attempt ---- */

static enum err send_request(struct call *call, struct slice token)
{
	enum err err;
	struct buf authorization;
	char instance[KEY_PROTECT_TEXT_MAX + 24];
	char correlation[UUID_TEXT_LEN + 24];
	char ring[KEY_PROTECT_TEXT_MAX + 24];
	uint64_t left = left_ms(call);
	buf_init(&authorization, AUTHORIZATION_MAX);
	TRY(buf_append(&authorization, SLICE_LITERAL("Authorization: Bearer ")));
	TRY(buf_append(&authorization, token));
	TRY(buf_append_u8(&authorization, 0));
	snprintf(instance, sizeof(instance), "Bluemix-Instance: %s", call->km->service_instance);
	snprintf(correlation, sizeof(correlation), "Correlation-Id: %s", call->correlation);
	snprintf(ring, sizeof(ring), "X-Kms-Key-Ring: %s", call->km->key_ring);
	struct http_request request = {
		.method = call->method,
		.url = call->url,
		.headers = { (const char *) buf_slice(&authorization).data, instance, correlation,
			"Accept: application/json", "Content-Type: application/json", ring },
		.header_count = call->with_ring ? 6 : 5,
		.body = buf_slice(&call->body),
		.lane = call->background ? HTTP_LANE_BACKGROUND : HTTP_LANE_CLIENT,
		.timeout_ms = left < ATTEMPT_TIMEOUT_MS ? (uint32_t) left + 1 : ATTEMPT_TIMEOUT_MS,
		.once = call_is_once(call),
	};
	TRY(http_start(&call->http, call->km->http, &request, call_on_answer, call));
	call->attempts++;
	call->km->base.meter.sent[call->verb]++;
out:
	buf_free(&authorization);
	return err;
}

/* Client traffic only: polls are what tells that the service is back, and are never held up. */
static enum err may_begin(struct call *call)
{
	struct key_protect *km = call->km;
	uint64_t now_ms = loop_now_ms(km->loop);
	call->admitted = call->admitted || call->background || circuit_admits(&km->circuit, now_ms);
	if (!call->admitted) {
		snprintf(call->why, sizeof(call->why),
			"not tried, for nothing answered lately: %.180s", km->health.last_error);
		return ERR_UNAVAILABLE;
	}
	if (!call->background && http_wait_ms(km->http) >= left_ms(call)) {
		snprintf(call->why, sizeof(call->why),
			"the key manager asked to wait for longer than there is time");
		return ERR_THROTTLED;
	}
	return ERR_OK;
}

void call_begin(void *ctx)
{
	struct call *call = ctx;
	enum err may = may_begin(call);
	if (may != ERR_OK) {
		finish(call, may);
		return;
	}
	struct slice token = iam_token(call->km->iam, &call->token_generation);
	if (token.len == 0) {
		iam_wait(call->km->iam, &call->waiter);
		return;
	}
	enum err err = send_request(call, token);
	if (err != ERR_OK)
		finish(call, err);
}

void call_on_token(void *ctx, enum err err, const char *why)
{
	struct call *call = ctx;
	if (err == ERR_OK) {
		call_begin(call);
		return;
	}
	snprintf(call->why, sizeof(call->why), "%s", why);
	call->attempts++;
	if (err == ERR_UNAVAILABLE)
		retry(call, err, 0);
	else
		finish(call, err);
}

void call_on_timer(void *ctx)
{
	struct call *call = ctx;
	if (call->pausing) {
		call->pausing = false;
		loop_timer_set(call->timer, left_ms(call));
		call_begin(call);
		return;
	}
	if (call->http != NULL && http_is_running(call->http))
		call->service_failed = true;
	bool unknown = call_is_once(call) && call->http != NULL && http_was_sent(call->http);
	enum err err = call->last_err != ERR_OK ? call->last_err : ERR_UNAVAILABLE;
	if (unknown || call->last_err == ERR_OK)
		snprintf(call->why, sizeof(call->why), "no answer within the deadline");
	finish(call, unknown ? ERR_AMBIGUOUS : err);
}
