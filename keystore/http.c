/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/secret.h"
#include "base/text.h"
#include "keystore/http_private.h"

enum {
	BACKGROUND_SLOTS = 4,
	TOKEN_SLOTS = 1,
	RETRY_AFTER_S_MAX = 3600,
};

enum call_state { CALL_WAITING, CALL_RUNNING, CALL_DONE };

struct http_call {
	struct http *http;
	struct http_call *next, *previous; /* in the list of its state */
	enum call_state state;
	enum http_lane lane;
	CURL *easy;
	struct curl_slist *headers;
	struct buf request, response;
	CURLcode result;
	uint32_t retry_after_s;
	bool too_long;
	char why[CURL_ERROR_SIZE];
	void (*on_answer)(void *ctx, const struct http_answer *answer);
	void *ctx;
};

struct call_list {
	struct http_call *first, *last;
	uint32_t count;
};

struct lane {
	struct call_list waiting;
	uint32_t running, slots;
};

struct http {
	struct loop *loop;
	CURLM *multi;
	struct loop_timer *timer;
	struct loop_task start_task, deliver_task;
	struct lane lanes[HTTP_LANE_COUNT];
	struct call_list running, done;
	char *ca_file;
};

/* A socket that curl watches. */
struct watch {
	struct http *http;
	struct loop_io *io;
	curl_socket_t fd;
};

static void list_append(struct call_list *list, struct http_call *call)
{
	call->next = NULL;
	call->previous = list->last;
	if (list->last != NULL)
		list->last->next = call;
	else
		list->first = call;
	list->last = call;
	list->count++;
}

static void list_remove(struct call_list *list, struct http_call *call)
{
	if (call->previous != NULL)
		call->previous->next = call->next;
	else
		list->first = call->next;
	if (call->next != NULL)
		call->next->previous = call->previous;
	else
		list->last = call->previous;
	call->next = NULL;
	call->previous = NULL;
	list->count--;
}

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

/* ---- the loop under curl ---- */

/* Takes finished transfers off curl; their callbacks come from deliver_task, one at a time, since a
 * callback may free everything. */
static void collect(struct http *http)
{
	int left = 0;
	CURLMsg *message = NULL;
	while ((message = curl_multi_info_read(http->multi, &left)) != NULL) {
		struct http_call *call = NULL;
		if (message->msg != CURLMSG_DONE)
			continue;
		CURLcode result = message->data.result;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **) &call);
		ASSERT(call != NULL && call->state == CALL_RUNNING);
		curl_multi_remove_handle(http->multi, call->easy);
		call->result = result;
		list_remove(&http->running, call);
		http->lanes[call->lane].running--;
		call->state = CALL_DONE;
		list_append(&http->done, call);
		loop_defer(http->loop, &http->deliver_task);
		loop_defer(http->loop, &http->start_task);
	}
}

static void watch_on_ready(void *ctx, unsigned events)
{
	struct watch *watch = ctx;
	struct http *http = watch->http;
	int running = 0;
	int select = ((events & LOOP_READ) != 0 ? CURL_CSELECT_IN : 0) |
		     ((events & LOOP_WRITE) != 0 ? CURL_CSELECT_OUT : 0);
	/* The watch may be gone afterwards. */
	curl_multi_socket_action(http->multi, watch->fd, select, &running);
	collect(http);
}

static void http_on_timer(void *ctx)
{
	struct http *http = ctx;
	int running = 0;
	curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(http);
}

static void watch_free(struct http *http, struct watch *watch)
{
	if (watch == NULL)
		return;
	curl_multi_assign(http->multi, watch->fd, NULL);
	loop_io_free(watch->io);
	free(watch);
}

static struct watch *watch_new(struct http *http, curl_socket_t fd)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	if (watch == NULL)
		return NULL;
	watch->http = http;
	watch->fd = fd;
	if (loop_io_new(&watch->io, http->loop, fd, watch_on_ready, watch) != ERR_OK) {
		free(watch);
		return NULL;
	}
	curl_multi_assign(http->multi, fd, watch);
	return watch;
}

static int http_on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
	struct http *http = ctx;
	struct watch *watch = socket_ctx;
	(void) easy;
	if (what == CURL_POLL_REMOVE) {
		watch_free(http, watch);
		return 0;
	}
	if (watch == NULL)
		watch = watch_new(http, fd);
	if (watch == NULL)
		return -1;
	unsigned want = ((what & CURL_POLL_IN) != 0 ? LOOP_READ : 0U) |
			((what & CURL_POLL_OUT) != 0 ? LOOP_WRITE : 0U);
	loop_io_want(watch->io, want);
	return 0;
}

static int http_on_timeout(CURLM *multi, long timeout_ms, void *ctx)
{
	struct http *http = ctx;
	(void) multi;
	if (timeout_ms < 0)
		loop_timer_stop(http->timer);
	else
		loop_timer_set(http->timer, (uint64_t) timeout_ms);
	return 0;
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

static size_t call_on_header(char *data, size_t size, size_t count, void *ctx)
{
	static const char name[] = "retry-after:";
	struct http_call *call = ctx;
	struct slice line = slice_of(data, size * count);
	uint64_t seconds = 0;
	if (line.len < sizeof(name) || strncasecmp(data, name, sizeof(name) - 1) != 0)
		return line.len;
	struct slice value = slice_cut(line, sizeof(name) - 1, line.len);
	while (value.len > 0 && value.data[0] == ' ')
		value = slice_cut(value, 1, value.len);
	while (value.len > 0 && value.data[value.len - 1] <= ' ')
		value = slice_cut(value, 0, value.len - 1);
	/* The form with a date is not used by the services, and then counts as not told. */
	if (text_u64(&seconds, value, RETRY_AFTER_S_MAX) == ERR_OK)
		call->retry_after_s = (uint32_t) seconds;
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
		!http_set_security(call->easy, request->url, http->ca_file) ||
		!set_callbacks(call) || !set_body(call, request->method) ||
		!set_headers(call, request))
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
	return http_was_sent(call) ? HTTP_LOST : HTTP_NOT_SENT;
}

/* One finished call a turn; nothing of http is touched after the callback, which may free it. */
static void http_deliver(void *ctx)
{
	struct http *http = ctx;
	struct http_call *call = http->done.first;
	if (call == NULL)
		return;
	list_remove(&http->done, call);
	if (http->done.first != NULL)
		loop_defer(http->loop, &http->deliver_task);
	struct http_answer answer = {
		.outcome = outcome_of(call),
		.body = buf_slice(&call->response),
		.retry_after_s = call->retry_after_s,
		.why = call->why[0] != '\0' ? call->why : curl_easy_strerror(call->result),
	};
	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &answer.status);
	call->on_answer(call->ctx, &answer);
	call_free(call);
}

static void run_call(struct http *http, struct lane *lane, struct http_call *call)
{
	list_remove(&lane->waiting, call);
	if (curl_multi_add_handle(http->multi, call->easy) == CURLM_OK) {
		call->state = CALL_RUNNING;
		list_append(&http->running, call);
		lane->running++;
		return;
	}
	call->result = CURLE_OUT_OF_MEMORY;
	call->state = CALL_DONE;
	list_append(&http->done, call);
	loop_defer(http->loop, &http->deliver_task);
}

static void http_poke(void *ctx)
{
	struct http *http = ctx;
	for (size_t i = 0; i < HTTP_LANE_COUNT; i++) {
		struct lane *lane = &http->lanes[i];
		while (lane->waiting.first != NULL && lane->running < lane->slots)
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
	list_append(&http->lanes[request->lane].waiting, *out);
	loop_defer(http->loop, &http->start_task);
out:
	return err;
}

void http_cancel(struct http_call *call)
{
	if (call == NULL)
		return;
	struct http *http = call->http;
	list_remove(list_of(call), call);
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

void http_count(const struct http *http, uint32_t *running, uint32_t *queued)
{
	*running = http->running.count;
	*queued = 0;
	for (size_t i = 0; i < HTTP_LANE_COUNT; i++)
		*queued += http->lanes[i].waiting.count;
}

static bool set_multi(struct http *http, long connections)
{
	CURLM *multi = http->multi;
	return curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, http_on_socket) == CURLM_OK &&
	       curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, http) == CURLM_OK &&
	       curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, http_on_timeout) == CURLM_OK &&
	       curl_multi_setopt(multi, CURLMOPT_TIMERDATA, http) == CURLM_OK &&
	       curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, connections) == CURLM_OK;
}

enum err http_new(struct http **out, const struct http_options *options)
{
	enum err err = ERR_NOMEM;
	struct http *http = calloc(1, sizeof(*http));
	*out = NULL;
	if (http == NULL)
		return ERR_NOMEM;
	http->loop = options->loop;
	http->lanes[HTTP_LANE_CLIENT].slots = options->client_slots;
	http->lanes[HTTP_LANE_BACKGROUND].slots = BACKGROUND_SLOTS;
	http->lanes[HTTP_LANE_TOKEN].slots = TOKEN_SLOTS;
	loop_task_init(&http->start_task, http_poke, http);
	loop_task_init(&http->deliver_task, http_deliver, http);
	TRY(loop_timer_new(&http->timer, http->loop, http_on_timer, http));
	if (options->ca_file != NULL)
		http->ca_file = strdup(options->ca_file);
	http->multi = curl_multi_init();
	if (http->multi == NULL || (options->ca_file != NULL && http->ca_file == NULL) ||
		!set_multi(http, (long) options->client_slots + BACKGROUND_SLOTS + TOKEN_SLOTS))
		err = ERR_NOMEM;
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
	/* Closes kept connections and with them their watches. */
	curl_multi_cleanup(http->multi);
	loop_task_cancel(&http->start_task);
	loop_task_cancel(&http->deliver_task);
	loop_timer_free(http->timer);
	free(http->ca_file);
	free(http);
}
