/* SPDX-License-Identifier: Apache-2.0 */
#include "node/probe_task.h"

#include <stdio.h>
#include <string.h>

void probe_task_begin(struct probe_task *task, struct probe *probe, size_t endpoint)
{
	*task = (struct probe_task){ .probe = probe, .endpoint = endpoint };
}

void probe_task_end(struct probe_task *task)
{
	probe_client_free(task->client);
	task->client = NULL;
}

const char *probe_task_address(const struct probe_task *task)
{
	return task->probe->options->endpoints[task->endpoint].address;
}

const char *probe_task_why(const struct probe_task *task, const struct probe_answer *answer)
{
	return task->text[0] != '\0' ? task->text : answer->text;
}

size_t probe_draw_endpoint(struct probe *probe)
{
	return probe_draw(probe, (uint32_t) probe->options->endpoint_count);
}

static void on_pause_over(void *ctx)
{
	loop_stop(ctx);
}

void probe_pause(struct probe *probe, uint32_t delay_ms)
{
	struct loop_timer *timer;

	if (loop_timer_new(&timer, probe->loop, on_pause_over, probe->loop) != ERR_OK)
		return;
	loop_timer_set(timer, delay_ms);
	(void) !loop_run(probe->loop);
	loop_timer_free(timer);
}

/* ---- one endpoint ---- */

static void on_reply(void *ctx, const struct probe_reply *reply)
{
	struct probe_task *task = ctx;

	task->err = reply->err;
	task->frame = reply->frame;
	(void) snprintf(task->text, sizeof(task->text), "%.250s", reply->text);
	loop_stop(task->probe->loop);
}

/* Sends the request and runs the loop until its end. */
static enum err exchange(struct probe_task *task, const struct probe_request *request,
	struct probe_answer *answer, uint64_t deadline_us)
{
	enum err err;
	struct probe *probe = task->probe;
	uint64_t now_us = probe_now_us();
	struct buf bytes;

	buf_init(&bytes, PROBE_REQUEST_LEN_MAX);
	arena_reset(probe->arena);
	task->err = ERR_INTERNAL;
	TRY(probe_request_encode(&bytes, probe->arena, request));
	TRY(probe_client_ask(task->client, buf_slice(&bytes),
		now_us < deadline_us ? (uint32_t) ((deadline_us - now_us + 999u) / 1000u) : 0));
	/* A signal stops the loop, too; the exchange ends in any case, by its timer. */
	while (task->err == ERR_INTERNAL)
		TRY(loop_run(probe->loop));
	TRY(task->err);
	err = probe_answer_decode(answer, probe->arena, request, task->frame);
	if (err != ERR_OK)
		(void) snprintf(task->text, sizeof(task->text), "%.250s", answer->text);
out:
	buf_free(&bytes);
	return err;
}

static enum err connect_task(struct probe_task *task, uint64_t deadline_us)
{
	enum err err;
	const struct probe_request greeting = { .operation = KMIP_OPERATION_DISCOVER_VERSIONS,
		.is_first = true };
	const struct probe_endpoint *endpoint = &task->probe->options->endpoints[task->endpoint];
	const struct probe_client_options options = { .loop = task->probe->loop,
		.tls = task->probe->tls,
		.address = endpoint->address,
		.server_name = endpoint->name,
		.arena = task->probe->arena,
		.on_reply = on_reply,
		.ctx = task };
	struct probe_answer answer;

	TRY(probe_client_new(&task->client, &options));
	TRY(exchange(task, &greeting, &answer, deadline_us));
	if (answer.err != ERR_OK)
		(void) snprintf(task->text, sizeof(task->text), "%.250s", answer.text);
	TRY(answer.err);
out:
	return err;
}

enum err probe_task_ask(
	struct probe_task *task, const struct probe_request *request, struct probe_answer *answer)
{
	enum err err;
	uint64_t start_us = probe_now_us();
	uint64_t deadline_us = start_us + (uint64_t) task->probe->options->timeout_ms * 1000u;

	task->text[0] = '\0';
	*answer = (struct probe_answer){ .err = ERR_OK };
	if (task->client == NULL)
		TRY(connect_task(task, deadline_us));
	TRY(exchange(task, request, answer, deadline_us));
out:
	task->took_us = probe_now_us() - start_us;
	if (err != ERR_OK) {
		if (task->text[0] == '\0')
			(void) snprintf(task->text, sizeof(task->text), "%s", err_text(err));
		probe_task_end(task);
	}
	return err;
}

/* ---- walking ---- */

/* What makes vCenter, and us, ask the other endpoint. */
static bool is_failure(enum err err, const struct probe_answer *answer)
{
	return err != ERR_OK || answer->err == ERR_UNAVAILABLE;
}

/* "127.0.0.1:5696: no answer within 4000 ms; 127.0.0.1:5697: ..." */
static void add_reason(char reasons[PROBE_TEXT_SIZE], const struct probe_task *task,
	const struct probe_answer *answer)
{
	const char *address = probe_task_address(task), *why = probe_task_why(task, answer);
	bool is_named = strstr(why, address) != NULL;
	size_t len = strlen(reasons);

	(void) snprintf(reasons + len, PROBE_TEXT_SIZE - len, "%s%s%s%s", len == 0 ? "" : "; ",
		is_named ? "" : address, is_named ? "" : ": ", why);
}

enum err probe_task_step(
	struct probe_task *task, const struct probe_request *request, struct probe_answer *answer)
{
	struct probe_counts *counts = &task->probe->counts;
	size_t endpoints = task->probe->options->endpoint_count;
	uint64_t start_us = probe_now_us();
	char reasons[PROBE_TEXT_SIZE] = "";
	enum err err = ERR_OK;

	task->walked = false;
	for (size_t tries = 0; tries < endpoints; tries++) {
		err = probe_task_ask(task, request, answer);
		task->took_us = probe_now_us() - start_us;
		if (!is_failure(err, answer)) {
			counts->steps += answer->err == ERR_OK;
			task->text[0] = '\0';
			return ERR_OK;
		}
		add_reason(reasons, task, answer);
		probe_task_end(task);
		task->walked = true;
		if (tries + 1 < endpoints) {
			counts->walks++;
			task->endpoint = (task->endpoint + 1) % endpoints;
		}
	}
	counts->all_failed++;
	(void) snprintf(task->text, sizeof(task->text), "%s", reasons);
	return err != ERR_OK ? err : answer->err;
}
