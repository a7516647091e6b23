/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kmip-probe walk: a stream of keys for failover tests. Each key is created, fetched, activated and
 * fetched again, each step on a connection of its own to an endpoint drawn at random; what the
 * servers acknowledge goes to the file of facts, which verify checks later.
 */
#include <stdio.h>

#include "base/secret.h"
#include "base/text.h"
#include "node/probe_facts.h"
#include "node/probe_task.h"

enum {
	RETRY_PAUSE_MS = 50,
	/* One sentence for each failed flow, up to here; then only the count goes on. */
	COMPLAINTS_MAX = 20
};

struct walk {
	struct probe *probe;
	struct probe_facts *facts;
	uint64_t flows, failed;
	uint64_t good_us; /* when the last good answer came */
	uint64_t gap_us; /* the longest time without one */
	/* the flow that runs */
	char uid[PROBE_UID_SIZE];
	uint8_t hash[CRYPT_SHA256_LEN];
	bool has_hash;
	bool unheard; /* an earlier try of this step may have been carried out */
};

static void note_gap(struct walk *walk)
{
	uint64_t now_us = probe_now_us();

	if (now_us - walk->good_us > walk->gap_us)
		walk->gap_us = now_us - walk->good_us;
	walk->good_us = now_us;
}

static void complain(struct walk *walk, const struct probe_request *request, const char *why)
{
	if (walk->failed < COMPLAINTS_MAX)
		probe_complain("%s failed%s%s: %s",
			kmip_operation_name((uint32_t) request->operation),
			walk->uid[0] == '\0' ? "" : " for key ", walk->uid, why);
	if (walk->failed + 1 == COMPLAINTS_MAX)
		probe_complain("more failures are only counted");
}

/* One step, on all endpoints, again and again until --retry-ms are over. */
static enum err ask(struct walk *walk, struct probe_request *request, struct probe_answer *answer)
{
	struct probe *probe = walk->probe;
	uint64_t end_us = probe_now_us() + (uint64_t) probe->options->retry_ms * 1000u;
	struct probe_task task;
	enum err err;

	request->uid = slice_text(walk->uid);
	walk->unheard = false;
	for (;;) {
		probe_task_begin(&task, probe, probe_draw_endpoint(probe));
		err = probe_task_step(&task, request, answer);
		probe_task_end(&task);
		walk->unheard |= task.walked;
		if (err == ERR_OK || probe->interrupted || probe_now_us() >= end_us)
			break;
		probe_pause(probe, RETRY_PAUSE_MS);
	}
	if (err == ERR_OK && answer->err == ERR_OK)
		note_gap(walk);
	if (err != ERR_OK)
		complain(walk, request, task.text);
	return err;
}

/* A step that must succeed. */
static enum err ask_good(
	struct walk *walk, struct probe_request *request, struct probe_answer *answer)
{
	enum err err;

	TRY(ask(walk, request, answer));
	if (answer->err != ERR_OK)
		complain(walk, request, answer->text);
	TRY(answer->err);
out:
	return err;
}

/*
 * A change that cannot be made twice: when an earlier try was carried out but not heard, the second
 * one is refused. Then the State tells.
 */
static enum err ask_change(struct walk *walk, enum kmip_operation operation, uint32_t state)
{
	enum err err;
	struct probe_request request = { .operation = operation };
	struct probe_request question = { .operation = KMIP_OPERATION_GET_ATTRIBUTES,
		.attribute = "State" };
	struct probe_answer answer, told;

	TRY(ask(walk, &request, &answer));
	if (answer.err == ERR_OK)
		return ERR_OK;
	/* Of a destroyed key the server may forget the State, too. */
	if (walk->unheard && operation == KMIP_OPERATION_DESTROY && answer.err == ERR_NOT_FOUND)
		return ERR_OK;
	if (walk->unheard && ask(walk, &question, &told) == ERR_OK && told.state == state)
		return ERR_OK;
	complain(walk, &request, answer.text);
	err = answer.err;
out:
	return err;
}

static enum err flow_create(struct walk *walk)
{
	enum err err;
	struct probe_request request = { .operation = KMIP_OPERATION_CREATE };
	struct probe_answer answer;

	walk->uid[0] = '\0';
	walk->has_hash = false;
	TRY(ask_good(walk, &request, &answer));
	TRY(text_copy(walk->uid, sizeof(walk->uid), slice_text(answer.uid)));
	TRY(probe_facts_add(walk->facts, PROBE_CREATED, walk->uid, NULL));
out:
	return err;
}

static enum err flow_get(struct walk *walk)
{
	enum err err;
	uint8_t hash[CRYPT_SHA256_LEN];
	struct probe_request request = { .operation = KMIP_OPERATION_GET };
	struct probe_answer answer;

	TRY(ask_good(walk, &request, &answer));
	TRY(crypt_sha256(hash, answer.key));
	if (!walk->has_hash) {
		bytes_copy(walk->hash, hash, CRYPT_SHA256_LEN);
		walk->has_hash = true;
		TRY(probe_facts_add(walk->facts, PROBE_CREATED, walk->uid, hash));
	}
	if (!secret_equal(
		    slice_of(hash, CRYPT_SHA256_LEN), slice_of(walk->hash, CRYPT_SHA256_LEN))) {
		complain(walk, &request, "the bytes are not those that came before");
		err = ERR_CORRUPT;
	}
out:
	return err;
}

static enum err flow_activate(struct walk *walk)
{
	enum err err;

	TRY(ask_change(walk, KMIP_OPERATION_ACTIVATE, KMIP_STATE_ACTIVE));
	TRY(probe_facts_add(walk->facts, PROBE_ACTIVATED, walk->uid, NULL));
out:
	return err;
}

static enum err flow_destroy(struct walk *walk)
{
	enum err err;

	TRY(probe_facts_add(walk->facts, PROBE_DESTROYING, walk->uid, NULL));
	TRY(ask_change(walk, KMIP_OPERATION_REVOKE, KMIP_STATE_DEACTIVATED));
	TRY(ask_change(walk, KMIP_OPERATION_DESTROY, KMIP_STATE_DESTROYED));
	TRY(probe_facts_add(walk->facts, PROBE_DESTROYED, walk->uid, NULL));
out:
	return err;
}

static enum err run_flow(struct walk *walk)
{
	enum err err;

	TRY(flow_create(walk));
	TRY(flow_get(walk));
	TRY(flow_activate(walk));
	TRY(flow_get(walk));
	if (walk->probe->options->cleanup && walk->flows % 2 == 1)
		TRY(flow_destroy(walk));
out:
	return err;
}

static void say_counts(const struct walk *walk)
{
	const struct probe_counts *counts = &walk->probe->counts;
	unsigned long long gap_ms = walk->gap_us / 1000;
	const struct probe_field fields[] = { PROBE_NUMBER("keys", walk->flows),
		PROBE_NUMBER("failed", walk->failed), PROBE_NUMBER("steps", counts->steps),
		PROBE_NUMBER("walks", counts->walks),
		PROBE_NUMBER("all_endpoints_failed", counts->all_failed),
		PROBE_NUMBER("longest_gap_ms", gap_ms), PROBE_FIELDS_END };

	probe_say(walk->probe, fields,
		"%llu keys, %llu failed; %llu good steps, %llu walks to the other endpoint, all "
		"endpoints failed %llu times; longest gap without a good answer %llu ms",
		(unsigned long long) walk->flows, (unsigned long long) walk->failed,
		(unsigned long long) counts->steps, (unsigned long long) counts->walks,
		(unsigned long long) counts->all_failed, gap_ms);
}

static bool is_over(const struct walk *walk, uint64_t end_us)
{
	const struct probe_options *options = walk->probe->options;

	if (walk->probe->interrupted)
		return true;
	return options->seconds > 0 ? probe_now_us() >= end_us : walk->flows >= options->count;
}

int probe_walk(struct probe *probe)
{
	struct walk walk = { .probe = probe, .good_us = probe_now_us() };
	uint64_t end_us = walk.good_us + (uint64_t) probe->options->seconds * 1000000u;

	if (probe_facts_new(&walk.facts, probe->options->facts_file) != ERR_OK)
		return 1;
	for (; !is_over(&walk, end_us); walk.flows++)
		if (run_flow(&walk) != ERR_OK)
			walk.failed++;
	/* Silence at the end counts, unless it is only the time since the last answer was used. */
	if (walk.failed > 0)
		note_gap(&walk);
	say_counts(&walk);
	probe_facts_free(walk.facts);
	return walk.failed == 0 ? 0 : 1;
}
