/* SPDX-License-Identifier: Apache-2.0 */
/* kmip-probe verify: is everything that a walk was told still true, on every endpoint? */
#include <stdlib.h>

#include "base/secret.h"
#include "node/probe_facts.h"
#include "node/probe_task.h"

enum {
	/* One sentence for each wrong key, up to here. */
	COMPLAINTS_MAX = 20,
	/* Keys in a row without an answer; then an endpoint is down, and waiting for each is vain.
	 */
	UNANSWERED_MAX = 5
};

struct verdicts {
	struct probe *probe;
	struct probe_task tasks[PROBE_ENDPOINTS_MAX]; /* connections that are kept */
	uint64_t verified, missing, different, unanswered;
};

enum verdict { GOOD, MISSING, DIFFERENT, UNANSWERED };

static enum verdict complain(const struct verdicts *verdicts, const struct probe_task *task,
	const char *uid, enum verdict verdict, const char *what)
{
	if (verdicts->missing + verdicts->different + verdicts->unanswered < COMPLAINTS_MAX)
		probe_complain("key %s on %s: %s", uid, probe_task_address(task), what);
	return verdict;
}

/* A kept connection may have been closed meanwhile: then once more, on a new one. */
static enum err ask(
	struct probe_task *task, const struct probe_request *request, struct probe_answer *answer)
{
	bool was_kept = task->client != NULL;
	enum err err = probe_task_ask(task, request, answer);

	if (err != ERR_OK && was_kept)
		err = probe_task_ask(task, request, answer);
	return err == ERR_OK && answer->err == ERR_UNAVAILABLE ? ERR_UNAVAILABLE : err;
}

static enum verdict check_bytes(
	const struct verdicts *verdicts, struct probe_task *task, const struct probe_fact *fact)
{
	struct probe_request request = { .operation = KMIP_OPERATION_GET,
		.uid = slice_text(fact->uid) };
	struct probe_answer answer;
	uint8_t hash[CRYPT_SHA256_LEN];

	if (ask(task, &request, &answer) != ERR_OK)
		return complain(
			verdicts, task, fact->uid, UNANSWERED, probe_task_why(task, &answer));
	if (fact->stage == PROBE_DESTROYED)
		return answer.err != ERR_OK ? GOOD
					    : complain(verdicts, task, fact->uid, DIFFERENT,
						      "it was destroyed and can be fetched");
	if (answer.err != ERR_OK)
		return fact->stage == PROBE_DESTROYING
			       ? GOOD
			       : complain(verdicts, task, fact->uid, MISSING, answer.text);
	if (crypt_sha256(hash, answer.key) != ERR_OK)
		return complain(verdicts, task, fact->uid, UNANSWERED, "SHA-256 failed");
	if (fact->has_hash && !secret_equal(slice_of(hash, CRYPT_SHA256_LEN),
				      slice_of(fact->hash, CRYPT_SHA256_LEN)))
		return complain(verdicts, task, fact->uid, DIFFERENT, "its bytes are not the same");
	return GOOD;
}

static enum verdict check_state(
	const struct verdicts *verdicts, struct probe_task *task, const struct probe_fact *fact)
{
	struct probe_request request = { .operation = KMIP_OPERATION_GET_ATTRIBUTES,
		.uid = slice_text(fact->uid),
		.attribute = "State" };
	struct probe_answer answer;

	if (fact->stage != PROBE_ACTIVATED)
		return GOOD;
	if (ask(task, &request, &answer) != ERR_OK)
		return complain(
			verdicts, task, fact->uid, UNANSWERED, probe_task_why(task, &answer));
	if (answer.state != KMIP_STATE_ACTIVE)
		return complain(
			verdicts, task, fact->uid, DIFFERENT, "it was activated and is not Active");
	return GOOD;
}

static enum verdict check_key(struct verdicts *verdicts, const struct probe_fact *fact)
{
	for (size_t i = 0; i < verdicts->probe->options->endpoint_count; i++) {
		enum verdict verdict = check_bytes(verdicts, &verdicts->tasks[i], fact);

		if (verdict == GOOD)
			verdict = check_state(verdicts, &verdicts->tasks[i], fact);
		if (verdict != GOOD)
			return verdict;
	}
	return GOOD;
}

static void say_verdicts(const struct verdicts *verdicts)
{
	size_t endpoints = verdicts->probe->options->endpoint_count;
	const struct probe_field fields[] = { PROBE_NUMBER("verified", (double) verdicts->verified),
		PROBE_NUMBER("endpoints", (double) endpoints),
		PROBE_NUMBER("missing", (double) verdicts->missing),
		PROBE_NUMBER("different", (double) verdicts->different),
		PROBE_NUMBER("unanswered", (double) verdicts->unanswered), PROBE_FIELDS_END };

	probe_say(verdicts->probe, fields,
		"%llu keys verified on %zu endpoint%s, %llu missing, %llu different%s%.0llu%s",
		(unsigned long long) verdicts->verified, endpoints, endpoints == 1 ? "" : "s",
		(unsigned long long) verdicts->missing, (unsigned long long) verdicts->different,
		verdicts->unanswered == 0 ? "" : ", ", (unsigned long long) verdicts->unanswered,
		verdicts->unanswered == 0 ? "" : " without an answer");
}

static void verify_all(struct verdicts *verdicts, const struct probe_fact_list *list)
{
	uint64_t *const counters[] = { [GOOD] = &verdicts->verified,
		[MISSING] = &verdicts->missing,
		[DIFFERENT] = &verdicts->different,
		[UNANSWERED] = &verdicts->unanswered };
	int in_a_row = 0;

	for (size_t i = 0; i < list->count && !verdicts->probe->interrupted; i++) {
		enum verdict verdict = check_key(verdicts, &list->items[i]);

		++*counters[verdict];
		in_a_row = verdict == UNANSWERED ? in_a_row + 1 : 0;
		if (in_a_row < UNANSWERED_MAX)
			continue;
		verdicts->unanswered += list->count - i - 1;
		probe_complain("%d keys in a row got no answer; the rest is not tried", in_a_row);
		return;
	}
}

int probe_verify(struct probe *probe)
{
	struct verdicts verdicts = { .probe = probe };
	struct probe_fact_list list;
	bool all_good;

	if (probe_facts_read(&list, probe->options->facts_file) != ERR_OK)
		return 1;
	if (list.count == 0) {
		probe_complain(
			"%s holds no facts, so nothing is proven", probe->options->facts_file);
		return 1;
	}
	for (size_t i = 0; i < probe->options->endpoint_count; i++)
		probe_task_begin(&verdicts.tasks[i], probe, i);
	verify_all(&verdicts, &list);
	for (size_t i = 0; i < probe->options->endpoint_count; i++)
		probe_task_end(&verdicts.tasks[i]);
	say_verdicts(&verdicts);
	all_good = verdicts.verified == list.count;
	free(list.items);
	return all_good ? 0 : 1;
}
