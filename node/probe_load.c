/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kmip-probe load: a closed loop of questions on many connections at a time. Each worker asks,
 * waits for the answer, and asks again; on a kept connection, or in mode connect-get on a new one
 * for each question.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "node/probe_histogram.h"
#include "node/probe_task.h"

/* After a failure a worker waits, so that a dead endpoint is not hammered. */
enum { FAILURE_PAUSE_MS = 20 };

struct mode {
	const char *name;
	enum kmip_operation operation;
	bool connects_each;
};

static const struct mode modes[] = {
	{ "get", KMIP_OPERATION_GET, false },
	{ "connect-get", KMIP_OPERATION_GET, true },
	{ "create", KMIP_OPERATION_CREATE, false },
	{ "discover", KMIP_OPERATION_DISCOVER_VERSIONS, false },
};

struct load {
	struct probe *probe;
	const struct mode *mode;
	char uid[PROBE_UID_SIZE]; /* the key that all fetch */
	struct probe_request greeting, question;
	struct buf greeting_bytes, question_bytes;
	struct worker *workers;
	size_t running;
	struct loop_timer *timer;
	bool is_over;
	uint64_t failed;
	char first_failure[PROBE_TEXT_SIZE];
	struct probe_histogram histogram;
};

struct worker {
	struct load *load;
	size_t endpoint;
	struct arena *arena;
	struct probe_client *client; /* NULL: not connected */
	struct loop_task again;
	struct loop_timer *pause;
	const struct probe_request *asked;
	uint64_t start_us;
};

/* ---- a worker ---- */

static void worker_disconnect(struct worker *worker)
{
	probe_client_free(worker->client);
	worker->client = NULL;
}

static void worker_fail(struct worker *worker, const char *text)
{
	struct load *load = worker->load;

	if (load->failed++ == 0)
		(void) snprintf(load->first_failure, sizeof(load->first_failure), "%.250s", text);
	worker_disconnect(worker);
	loop_timer_set(worker->pause, FAILURE_PAUSE_MS);
}

static void worker_ask(
	struct worker *worker, const struct probe_request *request, const struct buf *bytes)
{
	enum err err;

	worker->asked = request;
	arena_reset(worker->arena);
	err = probe_client_ask(
		worker->client, buf_slice(bytes), worker->load->probe->options->timeout_ms);
	if (err != ERR_OK)
		worker_fail(worker, err_text(err));
}

static void worker_ask_question(struct worker *worker)
{
	struct load *load = worker->load;

	if (!load->mode->connects_each)
		worker->start_us = probe_now_us();
	worker_ask(worker, &load->question, &load->question_bytes);
}

static void worker_on_reply(void *ctx, const struct probe_reply *reply)
{
	struct worker *worker = ctx;
	struct load *load = worker->load;
	struct probe_answer answer;

	if (reply->err != ERR_OK) {
		worker_fail(worker, reply->text);
		return;
	}
	if (probe_answer_decode(&answer, worker->arena, worker->asked, reply->frame) != ERR_OK ||
		answer.err != ERR_OK) {
		worker_fail(worker, answer.text);
		return;
	}
	if (worker->asked == &load->greeting) {
		worker_ask_question(worker);
		return;
	}
	probe_histogram_add(&load->histogram, probe_now_us() - worker->start_us);
	if (load->mode->connects_each)
		worker_disconnect(worker);
	loop_defer(load->probe->loop, &worker->again);
}

static void worker_connect(struct worker *worker)
{
	struct load *load = worker->load;
	const struct probe_endpoint *endpoint = &load->probe->options->endpoints[worker->endpoint];
	const struct probe_client_options options = { .loop = load->probe->loop,
		.tls = load->probe->tls,
		.address = endpoint->address,
		.server_name = endpoint->name,
		.arena = worker->arena,
		.on_reply = worker_on_reply,
		.ctx = worker };
	enum err err = probe_client_new(&worker->client, &options);

	worker->start_us = probe_now_us();
	if (err == ERR_OK)
		worker_ask(worker, &load->greeting, &load->greeting_bytes);
	else
		worker_fail(worker, err_text(err));
}

/* The next round, or the end. */
static void worker_poke(void *ctx)
{
	struct worker *worker = ctx;
	struct load *load = worker->load;

	if (load->is_over) {
		worker_disconnect(worker);
		if (--load->running == 0)
			loop_stop(load->probe->loop);
	} else if (worker->client == NULL) {
		worker_connect(worker);
	} else {
		worker_ask_question(worker);
	}
}

static enum err worker_start(struct worker *worker, struct load *load, size_t number)
{
	enum err err;

	worker->load = load;
	worker->endpoint = number % load->probe->options->endpoint_count;
	loop_task_init(&worker->again, worker_poke, worker);
	TRY(arena_new(&worker->arena, PROBE_ARENA_MAX));
	TRY(loop_timer_new(&worker->pause, load->probe->loop, worker_poke, worker));
	loop_defer(load->probe->loop, &worker->again);
	load->running++;
out:
	return err;
}

static void worker_end(struct worker *worker)
{
	worker_disconnect(worker);
	if (worker->load != NULL)
		loop_task_cancel(&worker->again);
	loop_timer_free(worker->pause);
	arena_free(worker->arena);
}

/* ---- all of them ---- */

static void on_time_over(void *ctx)
{
	((struct load *) ctx)->is_over = true;
}

/* One question before or after the load. */
static enum err ask_once(struct load *load, enum kmip_operation operation)
{
	struct probe_request request = { .operation = operation, .uid = slice_text(load->uid) };
	struct probe_answer answer;
	struct probe_task task;
	enum err err;

	probe_task_begin(&task, load->probe, 0);
	err = probe_task_step(&task, &request, &answer);
	if (err == ERR_OK)
		err = answer.err;
	if (err != ERR_OK)
		probe_complain("%s of the key to fetch failed: %s",
			kmip_operation_name((uint32_t) operation), probe_task_why(&task, &answer));
	else if (operation == KMIP_OPERATION_CREATE)
		err = text_copy(load->uid, sizeof(load->uid), slice_text(answer.uid));
	probe_task_end(&task);
	return err;
}

static enum err prepare(struct load *load)
{
	enum err err;
	struct arena *arena = load->probe->arena;

	if (load->mode->operation == KMIP_OPERATION_GET)
		TRY(ask_once(load, KMIP_OPERATION_CREATE));
	load->greeting = (struct probe_request){ .operation = KMIP_OPERATION_DISCOVER_VERSIONS,
		.is_first = true };
	load->question = (struct probe_request){ .operation = load->mode->operation,
		.uid = slice_text(load->uid) };
	arena_reset(arena);
	TRY(probe_request_encode(&load->greeting_bytes, arena, &load->greeting));
	TRY(probe_request_encode(&load->question_bytes, arena, &load->question));
out:
	return err;
}

static enum err run_workers(struct load *load, uint64_t *took_us)
{
	enum err err;
	const struct probe_options *options = load->probe->options;
	uint64_t start_us = probe_now_us();

	load->workers = calloc(options->connections, sizeof(*load->workers));
	TRY(load->workers == NULL ? ERR_NOMEM : ERR_OK);
	TRY(loop_timer_new(&load->timer, load->probe->loop, on_time_over, load));
	loop_timer_set(load->timer, (uint64_t) options->seconds * 1000u);
	for (size_t i = 0; i < options->connections; i++)
		TRY(worker_start(&load->workers[i], load, i));
	while (load->running > 0) {
		TRY(loop_run(load->probe->loop));
		/* Only a signal stops the loop before the last worker does. */
		load->is_over = true;
	}
	*took_us = probe_now_us() - start_us;
out:
	for (size_t i = 0; i < options->connections && load->workers != NULL; i++)
		worker_end(&load->workers[i]);
	free(load->workers);
	loop_timer_free(load->timer);
	return err;
}

static void say_load(const struct load *load, uint64_t took_us)
{
	const struct probe_histogram *histogram = &load->histogram;
	double rate = (double) histogram->total * 1e6 / (double) (took_us == 0 ? 1 : took_us);
	double p50_ms = (double) probe_histogram_percentile_us(histogram, 50) / 1000;
	double p99_ms = (double) probe_histogram_percentile_us(histogram, 99) / 1000;
	double max_ms = (double) histogram->max_us / 1000;
	const struct probe_field fields[] = { PROBE_TEXT("mode", load->mode->name),
		PROBE_NUMBER("connections", load->probe->options->connections),
		PROBE_NUMBER("answers", (double) histogram->total),
		PROBE_NUMBER("failed", (double) load->failed), PROBE_NUMBER("rate_per_s", rate),
		PROBE_NUMBER("p50_ms", p50_ms), PROBE_NUMBER("p99_ms", p99_ms),
		PROBE_NUMBER("max_ms", max_ms), PROBE_FIELDS_END };

	probe_say(load->probe, fields,
		"%s on %u connections: %llu answers, %llu failed, %.0f a second; p50 %.2f ms, "
		"p99 %.2f ms, max %.2f ms",
		load->mode->name, load->probe->options->connections,
		(unsigned long long) histogram->total, (unsigned long long) load->failed, rate,
		p50_ms, p99_ms, max_ms);
	if (load->failed > 0)
		probe_complain("the first failure: %s", load->first_failure);
}

static const struct mode *find_mode(const char *name)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(modes[i].name, name) == 0)
			return &modes[i];
	return NULL;
}

bool probe_load_mode_exists(const char *name)
{
	return find_mode(name) != NULL;
}

int probe_load(struct probe *probe)
{
	enum err err;
	uint64_t took_us = 0;
	struct load *load = calloc(1, sizeof(*load));
	bool failed = true;

	if (load == NULL)
		return 1;
	load->probe = probe;
	load->mode = find_mode(probe->options->mode);
	ASSERT(load->mode != NULL);
	buf_init(&load->greeting_bytes, PROBE_REQUEST_LEN_MAX);
	buf_init(&load->question_bytes, PROBE_REQUEST_LEN_MAX);
	TRY(prepare(load));
	TRY(run_workers(load, &took_us));
	say_load(load, took_us);
	failed = load->failed > 0;
	if (load->uid[0] != '\0')
		TRY(ask_once(load, KMIP_OPERATION_DESTROY));
out:
	buf_free(&load->greeting_bytes);
	buf_free(&load->question_bytes);
	free(load);
	return err != ERR_OK || failed ? 1 : 0;
}
