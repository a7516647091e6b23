/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kmip-probe vsphere: what vCenter does when it encrypts a virtual machine, as four tasks with one
 * connection each, every connection on an endpoint drawn at random, in the order of the steps C1 to
 * C8; then F1, the fetch at power-on, from every endpoint.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/crypt.h"
#include "base/secret.h"
#include "base/text.h"
#include "node/probe_task.h"

enum { LINE_SIZE = 400 };

/* One key on its way. */
struct run {
	struct probe *probe;
	struct probe_task task;
	char uid[PROBE_UID_SIZE];
	struct secret *key;
	unsigned used; /* bit set of the endpoints that answered */
};

static const struct probe_tag product_tags[] = {
	{ "x-Product_Version", "8.0.1 build-21560480" },
	{ "x-Vendor", "VMware, Inc." },
	{ "x-Product", "VMware vSphere" },
};
static const struct probe_tag host_tags[] = {
	{ "x-Identifier", "5029d3a1-7e1c-4b57-9d0e-6f0c2b1a4e37" },
	{ "x-Component", "Virtual Machine" },
	{ "x-Name", "kmip-probe \xC3\xA9preuve" },
};
enum { TAG_COUNT = 3 };

/* ---- telling ---- */

__attribute__((format(printf, 3, 4))) static void proven(
	struct run *run, const char *step, const char *format, ...)
{
	const struct probe_task *task = &run->task;
	char line[LINE_SIZE];
	va_list list;

	va_start(list, format);
	(void) vsnprintf(line, sizeof(line), format, list);
	va_end(list);
	run->used |= 1u << task->endpoint;
	const struct probe_field fields[] = { PROBE_TEXT("step", step),
		PROBE_TEXT("endpoint", probe_task_address(task)), PROBE_TEXT("proven", line),
		PROBE_NUMBER("took_ms", (double) task->took_us / 1000), PROBE_FIELDS_END };

	probe_say(run->probe, fields, "%-3s %-22s %s (%.1f ms%s)", step, probe_task_address(task),
		line, (double) task->took_us / 1000,
		task->walked ? ", after the other endpoint failed" : "");
}

/* Says what went wrong, and is the error to climb with. */
static enum err failed(const struct run *run, const char *step, const char *text)
{
	probe_complain(
		"%s failed%s%s: %s", step, run->uid[0] == '\0' ? "" : " for key ", run->uid, text);
	return ERR_STATE;
}

/* ---- asking ---- */

/* A step that must succeed. */
static enum err ask(struct run *run, const char *step, struct probe_request *request,
	struct probe_answer *answer)
{
	char text[LINE_SIZE];

	request->uid = slice_text(run->uid);
	if (probe_task_step(&run->task, request, answer) == ERR_OK && answer->err == ERR_OK)
		return ERR_OK;
	/* After a walk the reasons name their endpoints already. */
	(void) snprintf(text, sizeof(text), "%s%s%s: %s",
		kmip_operation_name((uint32_t) request->operation),
		run->task.text[0] == '\0' ? " on " : "",
		run->task.text[0] == '\0' ? probe_task_address(&run->task) : "",
		probe_task_why(&run->task, answer));
	return failed(run, step, text);
}

static enum err ask_state(struct run *run, const char *step, uint32_t *state)
{
	enum err err;
	struct probe_request request = { .operation = KMIP_OPERATION_GET_ATTRIBUTES,
		.attribute = "State" };
	struct probe_answer answer;

	TRY(ask(run, step, &request, &answer));
	*state = answer.state;
out:
	return err;
}

static enum err expect_active(struct run *run, const char *step)
{
	enum err err;
	char text[LINE_SIZE];
	const char *name;
	uint32_t state;

	TRY(ask_state(run, step, &state));
	if (state == KMIP_STATE_ACTIVE)
		return ERR_OK;
	name = kmip_enum_name(KMIP_SET_STATE, state);
	(void) snprintf(text, sizeof(text), "State on %s is %s instead of Active",
		probe_task_address(&run->task), name == NULL ? "unknown" : name);
	err = failed(run, step, text);
out:
	return err;
}

/* Fetches the key; the first time keeps it, later compares. short_hash: 8 hex digits. */
static enum err fetch(struct run *run, const char *step, char short_hash[9])
{
	enum err err;
	uint8_t hash[CRYPT_SHA256_LEN];
	struct probe_request request = { .operation = KMIP_OPERATION_GET };
	struct probe_answer answer;

	TRY(ask(run, step, &request, &answer));
	TRY(crypt_sha256(hash, answer.key));
	text_hex(short_hash, slice_of(hash, 4));
	if (run->key == NULL)
		TRY(secret_new(&run->key, answer.key));
	if (!secret_equal(secret_slice(run->key), answer.key))
		err = failed(run, step, "the endpoints return different bytes for the same key");
out:
	return err;
}

/* ---- the tasks ---- */

static enum err task_create(struct run *run)
{
	enum err err;
	struct probe_request request = { .operation = KMIP_OPERATION_CREATE };
	struct probe_answer answer;

	TRY(ask(run, "C1", &request, &answer));
	TRY(text_copy(run->uid, sizeof(run->uid), slice_text(answer.uid)));
	proven(run, "C1", "Create: AES-256 key %s", run->uid);
out:
	return err;
}

/* Looks for each tag, then adds all in one batch. */
static enum err add_tags(struct run *run, const char *step_get, const char *step_add,
	const struct probe_tag tags[TAG_COUNT])
{
	enum err err;
	struct probe_answer answer;
	struct probe_request request = { .operation = KMIP_OPERATION_GET_ATTRIBUTES };

	for (size_t i = 0; i < TAG_COUNT; i++) {
		request.attribute = tags[i].name;
		TRY(ask(run, step_get, &request, &answer));
		if (answer.attribute_count > 0)
			TRY(failed(run, step_get, "a tag is set that was never added"));
		proven(run, step_get, "Get Attributes: %s is not set", tags[i].name);
	}
	request = (struct probe_request){
		.operation = KMIP_OPERATION_ADD_ATTRIBUTE, .tags = tags, .tag_count = TAG_COUNT
	};
	TRY(ask(run, step_add, &request, &answer));
	if (answer.attribute_count != TAG_COUNT)
		TRY(failed(run, step_add, "not all tags of the batch were added"));
	proven(run, step_add, "Add Attribute: batch of %d tags", TAG_COUNT);
	/* Each tag is there, also when the next question lands elsewhere. */
	for (size_t i = 0; i < TAG_COUNT; i++) {
		request = (struct probe_request){ .operation = KMIP_OPERATION_GET_ATTRIBUTES,
			.attribute = tags[i].name };
		TRY(ask(run, step_add, &request, &answer));
		if (answer.attribute_count == 0)
			TRY(failed(run, step_add, "a tag that was added is not set"));
	}
out:
	return err;
}

static enum err task_product_tags(struct run *run)
{
	return add_tags(run, "C2", "C3", product_tags);
}

static enum err task_activate(struct run *run)
{
	enum err err;
	char short_hash[9];
	uint32_t state;
	struct probe_request request = { .operation = KMIP_OPERATION_ACTIVATE };
	struct probe_answer answer;

	TRY(fetch(run, "C4", short_hash));
	proven(run, "C4", "Get: 32 bytes, SHA-256 %s...", short_hash);
	TRY(ask_state(run, "C5", &state));
	if (state != KMIP_STATE_PRE_ACTIVE)
		TRY(failed(run, "C5", "State of a new key is not Pre-Active"));
	proven(run, "C5", "Get Attributes: State is Pre-Active");
	TRY(ask(run, "C6", &request, &answer));
	proven(run, "C6", "Activate");
	TRY(expect_active(run, "C6"));
	proven(run, "C6", "Get Attributes: State is Active");
	request.uid = slice_text(run->uid);
	if (probe_task_step(&run->task, &request, &answer) != ERR_OK ||
		(answer.err != ERR_OK && answer.reason != KMIP_RESULT_REASON_PERMISSION_DENIED))
		TRY(failed(run, "C7", probe_task_why(&run->task, &answer)));
	TRY(expect_active(run, "C7"));
	proven(run, "C7", "Activate once more is %s and State stays Active",
		answer.err == ERR_OK ? "answered Success" : "refused");
out:
	return err;
}

static enum err task_host_tags(struct run *run)
{
	return add_tags(run, "C8", "C8", host_tags);
}

/* The fetch at power-on, from exactly this endpoint. */
static enum err fetch_from(struct run *run, size_t endpoint)
{
	enum err err;
	char short_hash[9];

	probe_task_begin(&run->task, run->probe, endpoint);
	TRY(fetch(run, "F1", short_hash));
	TRY(expect_active(run, "F1"));
	if (run->task.endpoint != endpoint)
		TRY(failed(run, "F1", "one of the endpoints did not answer"));
	proven(run, "F1", "Get: 32 bytes, SHA-256 %s..., State is Active", short_hash);
out:
	probe_task_end(&run->task);
	return err;
}

/* ---- the end of a key ---- */

static enum err refused_from(struct run *run, size_t endpoint)
{
	enum err err;
	struct probe_request request = { .operation = KMIP_OPERATION_GET,
		.uid = slice_text(run->uid) };
	struct probe_answer answer;

	probe_task_begin(&run->task, run->probe, endpoint);
	err = probe_task_ask(&run->task, &request, &answer);
	if (err != ERR_OK || answer.err == ERR_UNAVAILABLE)
		TRY(failed(run, "D2", probe_task_why(&run->task, &answer)));
	if (answer.err == ERR_OK)
		TRY(failed(run, "D2", "a destroyed key can still be fetched"));
	proven(run, "D2", "Get of the destroyed key: %s", answer.text);
out:
	probe_task_end(&run->task);
	return err;
}

static enum err task_destroy(struct run *run)
{
	enum err err;
	struct probe_request request = { .operation = KMIP_OPERATION_REVOKE };
	struct probe_answer answer;

	TRY(ask(run, "D2", &request, &answer));
	proven(run, "D2", "Revoke: cessation of operation");
	request.operation = KMIP_OPERATION_DESTROY;
	TRY(ask(run, "D2", &request, &answer));
	proven(run, "D2", "Destroy");
out:
	return err;
}

/* ---- a whole key ---- */

/* At random; but when all tasks so far met the same endpoint, the last one takes another. */
static size_t draw_endpoint(struct run *run, bool is_last)
{
	size_t drawn = probe_draw_endpoint(run->probe);

	if (is_last && run->used == 1u << drawn)
		drawn = (drawn + 1) % run->probe->options->endpoint_count;
	return drawn;
}

static enum err run_task(struct run *run, enum err (*task)(struct run *run), bool is_last)
{
	probe_task_begin(&run->task, run->probe, draw_endpoint(run, is_last));
	enum err err = task(run);
	probe_task_end(&run->task);
	return err;
}

static void say_proven(const struct run *run)
{
	const struct probe_field fields[] = { PROBE_TEXT("key", run->uid), PROBE_TRUTH("ok", true),
		PROBE_FIELDS_END };

	probe_say(run->probe, fields, "proven: key %s is Active%s", run->uid,
		run->probe->options->endpoint_count > 1 ? " and the same on both endpoints" : "");
}

static enum err prove_key(struct run *run)
{
	static enum err (*const tasks[])(
		struct run *) = { task_create, task_product_tags, task_activate, task_host_tags };
	enum { TASK_COUNT = sizeof(tasks) / sizeof(tasks[0]) };
	size_t endpoints = run->probe->options->endpoint_count;
	enum err err;

	for (size_t i = 0; i < TASK_COUNT; i++)
		TRY(run_task(run, tasks[i], i + 1 == TASK_COUNT));
	for (size_t i = 0; i < endpoints; i++)
		TRY(fetch_from(run, i));
	say_proven(run);
	if (!run->probe->options->cleanup)
		return ERR_OK;
	TRY(run_task(run, task_destroy, false));
	for (size_t i = 0; i < endpoints; i++)
		TRY(refused_from(run, i));
out:
	return err;
}

int probe_vsphere(struct probe *probe)
{
	enum err err = ERR_OK;
	char seed[24];

	/* As text, since JSON's numbers do not hold 64 bits. */
	(void) snprintf(seed, sizeof(seed), "%llu", (unsigned long long) probe->options->seed);
	const struct probe_field fields[] = { PROBE_TEXT("seed", seed), PROBE_FIELDS_END };

	probe_say(probe, fields, "seed %s", seed);
	for (uint32_t i = 0; i < probe->options->count && err == ERR_OK; i++) {
		if (probe->interrupted)
			return 1; /* not all was proven */
		struct run run = { .probe = probe };

		err = prove_key(&run);
		secret_free(run.key);
	}
	return err == ERR_OK ? 0 : 1;
}
