/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/emulator/job.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "tests/emulator/control.h"
#include "tests/emulator/route.h"

enum {
	SLOW_PIECES = 10,
	TRUNCATE_FLUSH_MS = 50, /* time for the half body to leave before the cut */
	HUGE_BYTES = 64 << 20,
	HUGE_BLOCK = 64 << 10
};

struct job {
	TAILQ_ENTRY(job) link;
	struct job_list *jobs;
	struct emulator *emulator;
	struct request *request;
	struct fault fault;
	struct event *timer;
	void (*then)(struct job *job);
	char *body; /* of the answer; owned, NULL when there is none */
	size_t body_len, body_sent;
	bool reset; /* cut hard (RST) instead of closing */
};

static void job_free(struct job *job)
{
	TAILQ_REMOVE(job->jobs, job, link);
	if (job->timer != NULL)
		event_free(job->timer);
	if (job->body != NULL) {
		secret_wipe(job->body, job->body_len);
		free(job->body);
	}
	request_free(job->request);
	free(job);
}

static void job_on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct job *job = ctx;

	(void) fd;
	(void) what;
	job->then(job);
}

static void job_later(struct job *job, int delay_ms, void (*then)(struct job *job))
{
	struct timeval delay = { .tv_sec = delay_ms / 1000, .tv_usec = delay_ms % 1000 * 1000 };

	job->then = then;
	if (job->timer == NULL)
		job->timer = evtimer_new(job->emulator->base, job_on_timer, job);
	ASSERT(job->timer != NULL && evtimer_add(job->timer, &delay) == 0);
}

static void job_cut_now(struct job *job)
{
	struct evhttp_request *http = job->request->http;
	struct evhttp_connection *connection = evhttp_request_get_connection(http);

	if (connection == NULL) {
		/* the client went first: a reply on a lost connection only frees the request */
		evhttp_send_reply(http, 500, NULL, NULL);
		job_free(job);
		return;
	}
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection));
	if (job->reset && setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) != 0)
		log_warning("reset-failed", "fd=%d", fd);
	evhttp_connection_free(connection);
	job_free(job);
}

/* Never from inside libevent's own callback on that connection. */
static void job_cut(struct job *job, int delay_ms, bool reset)
{
	job->reset = reset;
	job_later(job, delay_ms, job_cut_now);
}

static void job_log(const struct job *job)
{
	const struct request *request = job->request;
	char lengths[160] = "";
	int used = 0;
	size_t size = sizeof(lengths);

	if (request->payload_kind[0] != '\0')
		used = snprintf(lengths, size, " payload_bytes=%zu payload_kind=%s",
			request->payload_len, request->payload_kind);
	if (request->plaintext_len > 0)
		used += snprintf(lengths + used, size - (size_t) used, " plaintext_bytes=%zu",
			request->plaintext_len);
	if (request->ciphertext_len > 0)
		snprintf(lengths + used, size - (size_t) used, " ciphertext_chars=%zu",
			request->ciphertext_len);
	log_info("request",
		"method=%s path=%s status=%d correlation=%s instance=%s role=%s key=%s "
		"ms=%llu%s%s%s",
		request->method, log_quoted(slice_text(request->path)), request->status,
		request->correlation, request->world->instance,
		request->user != NULL ? request->user->roles_text : "-",
		request->key != NULL ? request->key->id : "-",
		(unsigned long long) (clock_boot_ms() - request->started_ms), lengths,
		job->fault.kind != FAULT_NONE ? " fault=" : "",
		job->fault.kind != FAULT_NONE ? fault_kind_name(job->fault.kind) : "");
}

static void job_headers(struct job *job)
{
	struct request *request = job->request;
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request->http);
	const char *type = request->answer != NULL ? "application/json; charset=utf-8"
						   : "text/plain; charset=utf-8";
	char number[24];

	evhttp_add_header(headers, "Correlation-Id", request->correlation);
	if (job->body != NULL)
		evhttp_add_header(headers, "Content-Type", type);
	if (job->fault.kind == FAULT_STATUS && job->fault.retry_after_s >= 0) {
		snprintf(number, sizeof(number), "%d", job->fault.retry_after_s);
		evhttp_add_header(headers, "Retry-After", number);
	} else if (request->status == 429 && request->world->knobs.retry_after_s >= 0) {
		snprintf(number, sizeof(number), "%lld",
			(long long) request->world->knobs.retry_after_s);
		evhttp_add_header(headers, "Retry-After", number);
	}
	if (job->fault.kind == FAULT_SLOW_BODY || job->fault.kind == FAULT_TRUNCATED) {
		snprintf(number, sizeof(number), "%zu", job->body_len);
		evhttp_add_header(headers, "Content-Length", number);
	}
}

/* The next part of the body as a chunk. */
static void job_send_part(struct job *job, size_t len)
{
	struct evbuffer *part = evbuffer_new();

	ASSERT(part != NULL);
	evbuffer_add(part, job->body + job->body_sent, len);
	evhttp_send_reply_chunk(job->request->http, part);
	evbuffer_free(part);
	job->body_sent += len;
}

static void job_start_reply(struct job *job)
{
	int status = job->request->status;

	evhttp_send_reply_start(job->request->http, status, refusal_http_phrase(status));
}

static void job_send_slowly(struct job *job)
{
	size_t left = job->body_len - job->body_sent;
	size_t piece = job->body_len / SLOW_PIECES + 1;

	job_send_part(job, piece < left ? piece : left);
	if (job->body_sent < job->body_len) {
		job_later(job, job->fault.delay_ms / SLOW_PIECES, job_send_slowly);
		return;
	}
	evhttp_send_reply_end(job->request->http);
	job_free(job);
}

static void job_send(struct job *job)
{
	int status = job->request->status;
	struct evbuffer *body = evbuffer_new();

	ASSERT(body != NULL);
	if (job->body != NULL)
		evbuffer_add(body, job->body, job->body_len);
	evhttp_send_reply(job->request->http, status, refusal_http_phrase(status), body);
	evbuffer_free(body);
	job_free(job);
}

/* Swaps one base64 character, so that the answer is well-formed and wrong. */
static bool alter_text(cJSON *object, const char *name)
{
	cJSON *item = cJSON_GetObjectItem(object, name);

	if (!cJSON_IsString(item) || strlen(item->valuestring) < 8)
		return false;
	char *middle = item->valuestring + strlen(item->valuestring) / 2;
	*middle = *middle == 'A' ? 'B' : 'A';
	return true;
}

static void job_alter(struct job *job)
{
	static const char *const names[] = { "payload", "plaintext", "ciphertext" };
	cJSON *answer = job->request->answer;
	cJSON *first = cJSON_GetArrayItem(cJSON_GetObjectItem(answer, "resources"), 0);
	bool altered = false;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !altered; i++)
		altered = alter_text(answer, names[i]) || alter_text(first, names[i]);
	if (answer == NULL || altered)
		return;
	cJSON_Delete(answer);
	job->request->answer = NULL;
	job->request->answer_text = "<html><body>wrong</body></html>";
}

static void job_make_body(struct job *job)
{
	const struct request *request = job->request;

	if (request->answer != NULL)
		job->body = cJSON_PrintUnformatted(request->answer);
	else if (request->answer_text != NULL)
		job->body = strdup(request->answer_text);
	job->body_len = job->body != NULL ? strlen(job->body) : 0;
}

static void job_finish(struct job *job)
{
	if (job->fault.kind == FAULT_WRONG_BYTES)
		job_alter(job);
	job_make_body(job);
	job_log(job);
	if (job->fault.kind == FAULT_DROP_AFTER_COMMIT) {
		job_cut(job, 0, true);
		return;
	}
	job_headers(job);
	if (job->fault.kind == FAULT_SLOW_BODY && job->body_len > 0) {
		job_start_reply(job);
		job_send_slowly(job);
	} else if (job->fault.kind == FAULT_TRUNCATED && job->body_len > 0) {
		job_start_reply(job);
		job_send_part(job, job->body_len / 2);
		job_cut(job, TRUNCATE_FLUSH_MS, false);
	} else {
		job_send(job);
	}
}

static void job_serve(struct job *job)
{
	route_dispatch(job->request);
	job_finish(job);
}

static void job_send_huge(struct job *job)
{
	static const char block[HUGE_BLOCK] = { 0 };
	struct evbuffer *body = evbuffer_new();

	ASSERT(body != NULL);
	job->request->status = 200;
	job_log(job);
	evbuffer_add(body, "{\"resources\":\"", 14);
	for (size_t sent = 0; sent < HUGE_BYTES; sent += HUGE_BLOCK)
		evbuffer_add_reference(body, block, HUGE_BLOCK, NULL, NULL);
	job_headers(job);
	evhttp_send_reply(job->request->http, 200, "OK", body);
	evbuffer_free(body);
	job_free(job);
}

static void job_begin(struct job *job)
{
	struct request *request = job->request;

	fault_take(&job->emulator->faults, &job->fault, request->method, request->path);
	switch (job->fault.kind) {
	case FAULT_STATUS:
		request->status = job->fault.status;
		request->answer = cJSON_Parse(job->fault.body);
		if (request->answer == NULL)
			request->answer_text = job->fault.body;
		job_finish(job);
		break;
	case FAULT_RESET:
		job_log(job);
		job_cut(job, 0, true);
		break;
	case FAULT_DELAY:
		job_later(job, job->fault.delay_ms, job_serve);
		break;
	case FAULT_HUGE:
		job_send_huge(job);
		break;
	default:
		job_serve(job);
		break;
	}
}

void job_start(struct job_list *jobs, struct emulator *emulator, struct evhttp_request *http)
{
	struct job *job = calloc(1, sizeof(*job));

	ASSERT(job != NULL);
	job->jobs = jobs;
	job->emulator = emulator;
	job->request = request_new(emulator, emulator->world, http);
	TAILQ_INSERT_TAIL(jobs, job, link);
	if (control_is_for(job->request)) {
		control_dispatch(job->request);
		job_finish(job);
	} else if (emulator->world->knobs.down) {
		job_cut(job, 0, true);
	} else {
		job_begin(job);
	}
}

void job_free_all(struct job_list *jobs)
{
	struct job *job;

	while ((job = TAILQ_FIRST(jobs)) != NULL)
		job_free(job);
}
