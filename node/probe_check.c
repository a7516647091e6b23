/* SPDX-License-Identifier: Apache-2.0 */
/* kmip-probe check: does each endpoint answer, and who is it? */
#include <stdio.h>

#include "base/clock.h"
#include "base/text.h"
#include "node/probe_task.h"

enum { VERSIONS_TEXT_SIZE = 100, VENDOR_TEXT_SIZE = 64, SECONDS_PER_DAY = 86400 };

struct finding {
	char cipher[PROBE_TEXT_SIZE];
	char fingerprint[2 * TLS_FINGERPRINT_LEN + 1];
	long long days_left;
	char versions[VERSIONS_TEXT_SIZE];
	bool speaks_1_1;
	char vendor[VENDOR_TEXT_SIZE];
	double took_ms;
};

static void find_certificate(struct finding *finding, const struct stream *stream)
{
	const struct tls_peer *peer = stream_peer(stream);

	(void) snprintf(finding->cipher, sizeof(finding->cipher), "%s", stream_cipher(stream));
	text_hex(finding->fingerprint, slice_of(peer->fingerprint, TLS_FINGERPRINT_LEN));
	finding->days_left = (peer->not_after - clock_wall_seconds()) / SECONDS_PER_DAY;
}

static void find_versions(struct finding *finding, const struct probe_answer *answer)
{
	size_t len = 0;

	for (size_t i = 0; i < answer->version_count && len < VERSIONS_TEXT_SIZE; i++) {
		const struct kmip_protocol_version *version = &answer->versions[i];

		len += (size_t) snprintf(finding->versions + len, VERSIONS_TEXT_SIZE - len,
			"%s%d.%d", i == 0 ? "" : " ", version->major.value, version->minor.value);
		finding->speaks_1_1 |= version->major.value == 1 && version->minor.value == 1;
	}
}

/* vCenter lives with a server that refuses Query, and so do we. */
static void find_vendor(struct finding *finding, const struct probe_answer *answer)
{
	int len = answer->vendor.len < VENDOR_TEXT_SIZE ? (int) answer->vendor.len : 0;

	(void) snprintf(finding->vendor, sizeof(finding->vendor), "%.*s", len,
		len == 0 ? "" : (const char *) answer->vendor.data);
	for (char *p = finding->vendor; *p != '\0'; p++)
		if (*p > 0 && (*p < ' ' || *p == 0x7F))
			*p = '?';
}

static enum err examine(struct finding *finding, struct probe_task *task)
{
	enum err err;
	struct probe_answer answer;
	uint64_t start_us = probe_now_us();
	struct probe_request request = { .operation = KMIP_OPERATION_DISCOVER_VERSIONS };

	TRY(probe_task_ask(task, &request, &answer));
	if (answer.err != ERR_OK)
		(void) snprintf(task->text, sizeof(task->text), "%.250s", answer.text);
	TRY(answer.err);
	find_certificate(finding, probe_client_stream(task->client));
	find_versions(finding, &answer);
	request.operation = KMIP_OPERATION_QUERY;
	TRY(probe_task_ask(task, &request, &answer));
	find_vendor(finding, &answer);
	finding->took_ms = (double) (probe_now_us() - start_us) / 1000;
	if (!finding->speaks_1_1) {
		(void) snprintf(task->text, sizeof(task->text),
			"the server does not speak KMIP 1.1, which vCenter needs (versions: %s)",
			finding->versions);
		TRY(ERR_VERSION);
	}
out:
	return err;
}

static void say_ok(const struct probe_task *task, const struct finding *finding)
{
	const struct probe_field fields[] = { PROBE_TEXT("endpoint", probe_task_address(task)),
		PROBE_TRUTH("ok", true), PROBE_TEXT("tls", finding->cipher),
		PROBE_TEXT("certificate_sha256", finding->fingerprint),
		PROBE_NUMBER("certificate_days_left", (double) finding->days_left),
		PROBE_TEXT("versions", finding->versions), PROBE_TEXT("vendor", finding->vendor),
		PROBE_NUMBER("took_ms", finding->took_ms), PROBE_FIELDS_END };

	probe_say(task->probe, fields,
		"%s  ok  %s  certificate %s, %lld days left  versions %s  \"%s\"  %.1f ms",
		probe_task_address(task), finding->cipher, finding->fingerprint, finding->days_left,
		finding->versions, finding->vendor, finding->took_ms);
}

static void say_failed(const struct probe_task *task)
{
	const struct probe_field fields[] = { PROBE_TEXT("endpoint", probe_task_address(task)),
		PROBE_TRUTH("ok", false), PROBE_TEXT("error", task->text), PROBE_FIELDS_END };

	probe_say(task->probe, fields, "%s  FAILED  %s", probe_task_address(task), task->text);
}

int probe_check(struct probe *probe)
{
	int status = 0;

	for (size_t i = 0; i < probe->options->endpoint_count; i++) {
		struct finding finding = { .took_ms = 0 };
		struct probe_task task;

		probe_task_begin(&task, probe, i);
		if (examine(&finding, &task) == ERR_OK) {
			say_ok(&task, &finding);
		} else {
			say_failed(&task);
			status = 1;
		}
		probe_task_end(&task);
	}
	return status;
}
