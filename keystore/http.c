/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/secret.h"
#include "base/text.h"
#include "keystore/http_private.h"

enum {
	BACKGROUND_SLOTS = 12, /* a rebuild takes eight (sweep.h); polls go beside it */
	TOKEN_SLOTS = 2, /* a new API key is tried beside the one in use */
	RETRY_AFTER_S_MAX = 3600,
	DATE_LEN_MAX = 40, /* "Sun, 06 Nov 1994 08:49:37 GMT" */
};

static struct call_list *list_of(const struct http_call *call)
{
	struct http *http = call->http;
	switch (call->state) {
	case CALL_WAITING:
		return &http->lanes[call->lane].waiting;
	case CALL_RUNNING:
		return &http->running;
	default:
		return &http->done;
	}
}

/* ---- one call ---- */

static void call_free(struct http_call *call)
{
	if (call == NULL)
		return;
	curl_easy_cleanup(call->easy);
	/* The headers hold the token. */
	for (struct curl_slist *header = call->headers; header != NULL; header = header->next)
		secret_wipe(header->data, slice_text(header->data).len);
	curl_slist_free_all(call->headers);
	buf_free(&call->request);
	buf_free(&call->response);
	free(call);
}

static size_t call_on_body(char *data, size_t size, size_t count, void *ctx)
{
	struct http_call *call = ctx;
	if (buf_append(&call->response, slice_of(data, size * count)) == ERR_OK)
		return size * count;
	call->too_long = buf_room(&call->response) < size * count;
	return 0;
}

/* False unless the line is of the header that is called so ("name:"). */
static bool header_value(struct slice *out, struct slice line, const char *name)
{
	size_t len = slice_text(name).len;
	if (line.len <= len || strncasecmp((const char *) line.data, name, len) != 0)
		return false;
	*out = slice_cut(line, len, line.len);
	while (out->len > 0 && out->data[0] == ' ')
		*out = slice_cut(*out, 1, out->len);
	while (out->len > 0 && out->data[out->len - 1] <= ' ')
		*out = slice_cut(*out, 0, out->len - 1);
	return true;
}

static int64_t http_date(struct slice value)
{
	char text[DATE_LEN_MAX + 1];
	time_t date;
	if (text_copy(text, sizeof(text), value) != ERR_OK)
		return 0;
	date = curl_getdate(text, NULL);
	return date > 0 ? date : 0;
}

static size_t call_on_header(char *data, size_t size, size_t count, void *ctx)
{
	struct http_call *call = ctx;
	struct slice line = slice_of(data, size * count);
	struct slice value;
	uint64_t seconds = 0;
	call->header_len += line.len;
	if (call->header_len > HTTP_HEADER_BYTES_MAX) {
		call->too_long = true;
		return 0;
	}
	/* The form with a date is not used by the services, and then counts as not told. */
	if (header_value(&value, line, "retry-after:") &&
		text_u64(&seconds, value, RETRY_AFTER_S_MAX) == ERR_OK)
		call->retry_after_s = (uint32_t) seconds;
	if (header_value(&value, line, "date:"))
		call->date = http_date(value);
	return line.len;
}

static bool add_header(struct http_call *call, const char *header)
{
	struct curl_slist *longer = curl_slist_append(call->headers, header);
	if (longer == NULL)
		return false;
	call->headers = longer;
	return true;
}

static bool set_headers(struct http_call *call, const struct http_request *request)
{
	bool good = add_header(call, "Expect:") && add_header(call, "User-Agent: kmip-pair");
	ASSERT(request->header_count <= HTTP_HEADERS_MAX);
	for (size_t i = 0; good && i < request->header_count; i++)
		good = add_header(call, request->headers[i]);
	return good && curl_easy_setopt(call->easy, CURLOPT_HTTPHEADER, call->headers) == CURLE_OK;
}

static bool set_body(struct http_call *call, const char *method)
{
	struct slice body = buf_slice(&call->request);
	/* A POST says its length, also when there is nothing: gateways ask for it. */
	if (body.len == 0 && strcmp(method, "POST") != 0)
		return true;
	return curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE, (long) body.len) == CURLE_OK &&
	       curl_easy_setopt(call->easy, CURLOPT_POSTFIELDS,
		       body.len > 0 ? (const char *) body.data : "") == CURLE_OK;
}

static bool set_callbacks(struct http_call *call)
{
	CURL *easy = call->easy;
	return curl_easy_setopt(easy, CURLOPT_PRIVATE, call) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->why) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, call_on_body) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_WRITEDATA, call) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, call_on_header) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_HEADERDATA, call) == CURLE_OK;
}

static enum err call_new(
	struct http_call **out, struct http *http, const struct http_request *request)
{
	enum err err = ERR_NOMEM;
	struct http_call *call = calloc(1, sizeof(*call));
	if (call == NULL)
		return ERR_NOMEM;
	call->http = http;
	call->lane = request->lane;
	buf_init(&call->request, HTTP_BODY_LEN_MAX);
	buf_init(&call->response, HTTP_BODY_LEN_MAX);
	call->easy = curl_easy_init();
	if (call->easy == NULL)
		goto out;
	TRY(buf_append(&call->request, request->body));
	if (!http_set_transfer(call->easy, request) ||
		!http_set_security(call->easy, http, request->url) ||
		!http_set_proxy(call->easy, http, request->url) || !set_callbacks(call) ||
		!set_body(call, request->method) || !set_headers(call, request))
		err = ERR_NOMEM;
out:
	if (err != ERR_OK) {
		call_free(call);
		call = NULL;
	}
	*out = call;
	return err;
}

static enum http_outcome outcome_of(const struct http_call *call)
{
	if (call->result == CURLE_OK)
		return HTTP_ANSWERED;
	if (call->too_long)
		return HTTP_TOO_LONG;
	/* A proxy that refuses to open the way has not seen the request. */
	long tunnel = 0;
	curl_easy_getinfo(call->easy, CURLINFO_HTTP_CONNECTCODE, &tunnel);
	if (tunnel >= 300)
		return HTTP_NOT_SENT;
	return http_was_sent(call) ? HTTP_LOST : HTTP_NOT_SENT;
}

/* Whoever is throttled, clients' calls slow down: polls and tokens are few, and must go on. IAM is
 * another service: what it says is its own. */
static void note_throttling(
	struct http *http, const struct http_call *call, const struct http_answer *answer)
{
	struct throttle *throttle = &http->lanes[HTTP_LANE_CLIENT].throttle;
	if (answer->outcome != HTTP_ANSWERED || call->lane == HTTP_LANE_TOKEN)
		return;
	if (answer->status == 429)
		throttle_on_refusal(throttle, loop_now_ms(http->loop), answer->retry_after_s);
	else if (call->lane == HTTP_LANE_CLIENT && answer->status < 500)
		throttle_on_answer(throttle);
}

/* One finished call a turn; nothing of http is touched after the callback, which may free it. */
static void http_deliver(void *ctx)
{
	struct http *http = ctx;
	struct http_call *call = http->done.first;
	if (call == NULL)
		return;
	http_list_remove(&http->done, call);
	if (http->done.first != NULL)
		loop_defer(http->loop, &http->deliver_task);
	struct http_answer answer = {
		.outcome = outcome_of(call),
		.body = buf_slice(&call->response),
		.retry_after_s = call->retry_after_s,
		.date = call->date,
		.why = call->why[0] != '\0' ? call->why : curl_easy_strerror(call->result),
	};
	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &answer.status);
	note_throttling(http, call, &answer);
	call->on_answer(call->ctx, &answer);
	call_free(call);
}

static void run_call(struct http *http, struct lane *lane, struct http_call *call)
{
	http_list_remove(&lane->waiting, call);
	if (curl_multi_add_handle(http->multi, call->easy) == CURLM_OK) {
		call->state = CALL_RUNNING;
		http_list_append(&http->running, call);
		lane->running++;
		return;
	}
	call->result = CURLE_OUT_OF_MEMORY;
	call->state = CALL_DONE;
	http_list_append(&http->done, call);
	loop_defer(http->loop, &http->deliver_task);
}

static void http_poke(void *ctx)
{
	struct http *http = ctx;
	for (size_t i = 0; i < HTTP_LANE_COUNT; i++) {
		struct lane *lane = &http->lanes[i];
		uint64_t wait_ms = throttle_wait_ms(&lane->throttle, loop_now_ms(http->loop));
		if (wait_ms > 0 && lane->waiting.first != NULL)
			loop_timer_set(http->open_timer, wait_ms);
		while (wait_ms == 0 && lane->waiting.first != NULL &&
			lane->running < lane->throttle.slots)
			run_call(http, lane, lane->waiting.first);
	}
}

/* ---- for callers ---- */

enum err http_start(struct http_call **out, struct http *http, const struct http_request *request,
	void (*on_answer)(void *ctx, const struct http_answer *answer), void *ctx)
{
	enum err err;
	uint32_t running = 0;
	uint32_t queued = 0;
	*out = NULL;
	http_count(http, &running, &queued);
	if (running + queued + http->done.count >= HTTP_CALLS_MAX)
		return ERR_LIMIT;
	TRY(call_new(out, http, request));
	(*out)->on_answer = on_answer;
	(*out)->ctx = ctx;
	(*out)->state = CALL_WAITING;
	http_list_append(&http->lanes[request->lane].waiting, *out);
	loop_defer(http->loop, &http->start_task);
out:
	return err;
}

void http_cancel(struct http_call *call)
{
	if (call == NULL)
		return;
	struct http *http = call->http;
	http_list_remove(list_of(call), call);
	if (call->state == CALL_RUNNING) {
		curl_multi_remove_handle(http->multi, call->easy);
		http->lanes[call->lane].running--;
		loop_defer(http->loop, &http->start_task);
	}
	call_free(call);
}

bool http_was_sent(const struct http_call *call)
{
	long sent = 0;
	if (call->state == CALL_WAITING)
		return false;
	curl_easy_getinfo(call->easy, CURLINFO_REQUEST_SIZE, &sent);
	return sent > 0;
}

bool http_is_running(const struct http_call *call)
{
	return call->state == CALL_RUNNING;
}

uint64_t http_wait_ms(const struct http *http)
{
	return throttle_wait_ms(&http->lanes[HTTP_LANE_CLIENT].throttle, loop_now_ms(http->loop));
}

void http_throttling(const struct http *http, uint32_t *slots, uint64_t *throttled)
{
	const struct throttle *throttle = &http->lanes[HTTP_LANE_CLIENT].throttle;
	*slots = throttle->slots;
	*throttled = throttle->throttled;
}

void http_count(const struct http *http, uint32_t *running, uint32_t *queued)
{
	*running = http->running.count;
	*queued = 0;
	for (size_t i = 0; i < HTTP_LANE_COUNT; i++)
		*queued += http->lanes[i].waiting.count;
}

static enum err set_proxy(struct http *http, const char *proxy, char why[HTTP_WHY_MAX])
{
	if (proxy == NULL)
		return ERR_OK;
	if (strcmp(proxy, "none") != 0 && http_check_proxy(proxy) != ERR_OK) {
		snprintf(why, HTTP_WHY_MAX,
			"proxy: expected none, or http://HOST:PORT or https://HOST:PORT");
		return ERR_CONFIG;
	}
	http->proxy = strdup(strcmp(proxy, "none") == 0 ? "" : proxy);
	return http->proxy != NULL ? ERR_OK : ERR_NOMEM;
}

enum err http_new(struct http **out, const struct http_options *options, char why[HTTP_WHY_MAX])
{
	enum err err = ERR_NOMEM;
	struct http *http = calloc(1, sizeof(*http));
	*out = NULL;
	if (http == NULL)
		return ERR_NOMEM;
	http->loop = options->loop;
	throttle_init(&http->lanes[HTTP_LANE_CLIENT].throttle, options->client_slots);
	throttle_init(&http->lanes[HTTP_LANE_BACKGROUND].throttle, BACKGROUND_SLOTS);
	throttle_init(&http->lanes[HTTP_LANE_TOKEN].throttle, TOKEN_SLOTS);
	buf_init(&http->ca, HTTP_CA_LEN_MAX);
	loop_task_init(&http->start_task, http_poke, http);
	loop_task_init(&http->deliver_task, http_deliver, http);
	TRY(set_proxy(http, options->proxy, why));
	if (options->ca_file != NULL) {
		http->ca_file = strdup(options->ca_file);
		TRY(http->ca_file == NULL ? ERR_NOMEM : http_reload(http, why));
	}
	TRY(loop_timer_new(&http->open_timer, http->loop, http_poke, http));
	TRY(http_loop_new(http, (long) options->client_slots + BACKGROUND_SLOTS + TOKEN_SLOTS));
out:
	if (err != ERR_OK) {
		http_free(http);
		http = NULL;
	}
	*out = http;
	return err;
}

static void cancel_all(struct call_list *list)
{
	while (list->first != NULL)
		http_cancel(list->first);
}

void http_free(struct http *http)
{
	if (http == NULL)
		return;
	cancel_all(&http->running);
	cancel_all(&http->done);
	for (size_t i = 0; i < HTTP_LANE_COUNT; i++)
		cancel_all(&http->lanes[i].waiting);
	http_loop_free(http);
	loop_task_cancel(&http->start_task);
	loop_task_cancel(&http->deliver_task);
	loop_timer_free(http->open_timer);
	buf_free(&http->ca);
	free(http->ca_file);
	free(http->proxy);
	free(http);
}
