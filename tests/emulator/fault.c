/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/emulator/fault.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

static const char *const kind_names[FAULT_KIND_COUNT] = {
	[FAULT_NONE] = "none",
	[FAULT_STATUS] = "status",
	[FAULT_RESET] = "reset",
	[FAULT_DELAY] = "delay",
	[FAULT_SLOW_BODY] = "slow_body",
	[FAULT_DROP_AFTER_COMMIT] = "drop_after_commit",
	[FAULT_WRONG_BYTES] = "wrong_bytes",
	[FAULT_TRUNCATED] = "truncated",
	[FAULT_HUGE] = "huge",
};

const char *fault_kind_name(enum fault_kind kind)
{
	return kind_names[kind];
}

static enum fault_kind fault_kind_named(const char *name)
{
	for (enum fault_kind kind = FAULT_STATUS; kind < FAULT_KIND_COUNT; kind++) {
		if (name != NULL && strcmp(kind_names[kind], name) == 0)
			return kind;
	}
	return FAULT_NONE;
}

static enum err fault_text(
	char *out, size_t out_size, const cJSON *description, const char *name, const char *without)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(description, name));

	return text_copy(out, out_size, slice_text(text != NULL ? text : without));
}

static int fault_number(const cJSON *description, const char *name, int without)
{
	const cJSON *item = cJSON_GetObjectItem(description, name);

	return cJSON_IsNumber(item) ? item->valueint : without;
}

enum err fault_arm(struct faults *faults, const cJSON *description)
{
	enum err err;

	if (faults->count == FAULTS_MAX)
		return ERR_LIMIT;
	struct fault *fault = &faults->list[faults->count];
	*fault = (struct fault){ .kind = fault_kind_named(cJSON_GetStringValue(
					 cJSON_GetObjectItem(description, "kind"))) };
	if (fault->kind == FAULT_NONE)
		TRY(ERR_INVALID);
	TRY(fault_text(fault->path, sizeof(fault->path), description, "path", "/"));
	TRY(fault_text(fault->method, sizeof(fault->method), description, "method", ""));
	TRY(fault_text(fault->body, sizeof(fault->body), description, "body", ""));
	fault->status = fault_number(description, "status", 503);
	fault->retry_after_s = fault_number(description, "retry_after", -1);
	fault->delay_ms = fault_number(description, "delay_ms", 1000);
	fault->skip = fault_number(description, "skip", 0);
	fault->count = fault_number(description, "count", -1);
	if (fault->status < 200 || fault->status > 599 || fault->delay_ms < 0)
		TRY(ERR_INVALID);
	if (regcomp(&fault->regex, fault->path, REG_EXTENDED | REG_NOSUB) != 0)
		TRY(ERR_INVALID);
	faults->count++;
out:
	return err;
}

static void fault_remove(struct faults *faults, size_t index)
{
	regfree(&faults->list[index].regex);
	faults->count--;
	for (size_t i = index; i < faults->count; i++)
		faults->list[i] = faults->list[i + 1];
}

void fault_clear(struct faults *faults)
{
	while (faults->count > 0)
		fault_remove(faults, faults->count - 1);
}

static bool fault_meets(const struct fault *fault, const char *method, const char *path)
{
	if (fault->method[0] != '\0' && strcasecmp(fault->method, method) != 0)
		return false;
	return strncmp(path, fault->path, strlen(fault->path)) == 0 ||
	       regexec(&fault->regex, path, 0, NULL, 0) == 0;
}

void fault_take(struct faults *faults, struct fault *out, const char *method, const char *path)
{
	*out = (struct fault){ .kind = FAULT_NONE };
	for (size_t i = 0; i < faults->count; i++) {
		struct fault *fault = &faults->list[i];
		if (fault->count == 0 || !fault_meets(fault, method, path))
			continue;
		if (fault->skip > 0) {
			fault->skip--;
			continue;
		}
		*out = *fault;
		if (fault->count > 0 && --fault->count == 0)
			fault_remove(faults, i);
		return;
	}
}
