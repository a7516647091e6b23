/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/emulator/refusal.h"

#include <stdio.h>

#define MORE_INFO "https://cloud.ibm.com/apidocs/key-protect"

enum { ERROR_MESSAGE_MAX = 1024 };
enum refusal_style { STYLE_BARE, STYLE_CODED, STYLE_PLAIN, STYLE_QUOTED, STYLE_TEXT };

static const struct {
	const char *code;
	const char *message;
	int status;
	enum refusal_style style;
} refusals[REFUSAL_COUNT] = {
#define REFUSAL(name, status, style, message) \
	[REFUSE_##name] = { #name, message, status, STYLE_##style },
#include "tests/emulator/refusal.def"
#undef REFUSAL
};

static const struct {
	int status;
	const char *phrase;
} http_phrases[] = {
	{ 200, "OK" },
	{ 201, "Created" },
	{ 204, "No Content" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 410, "Gone" },
	{ 422, "Unprocessable Entity" },
	{ 429, "Too Many Requests" },
	{ 500, "Internal Server Error" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
};

int refusal_status(enum refusal refusal)
{
	return refusals[refusal].status;
}

const char *refusal_plain_text(enum refusal refusal)
{
	return refusals[refusal].style == STYLE_TEXT ? refusals[refusal].message : NULL;
}

const char *refusal_code(enum refusal refusal)
{
	return refusals[refusal].code;
}

const char *refusal_http_phrase(int status)
{
	for (size_t i = 0; i < sizeof(http_phrases) / sizeof(http_phrases[0]); i++) {
		if (http_phrases[i].status == status)
			return http_phrases[i].phrase;
	}
	return "Error";
}

static void refusal_error_message(
	char out[ERROR_MESSAGE_MAX], enum refusal refusal, const struct refusal_detail *detail)
{
	const char *http = refusal_http_phrase(refusals[refusal].status);
	const char *phrase = detail->phrase != NULL ? detail->phrase : "Request failed";
	const char *code = refusals[refusal].code;

	switch (refusals[refusal].style) {
	case STYLE_BARE:
	case STYLE_TEXT:
		snprintf(out, ERROR_MESSAGE_MAX, "%s: %s", http,
			detail->message != NULL ? detail->message : refusals[refusal].message);
		break;
	case STYLE_PLAIN:
		snprintf(out, ERROR_MESSAGE_MAX, "%s: %s. Please see `reasons` for more details.",
			http, phrase);
		break;
	case STYLE_QUOTED:
		snprintf(out, ERROR_MESSAGE_MAX,
			"%s: %s: Please see 'reasons' for more details (%s)", http, phrase, code);
		break;
	case STYLE_CODED:
		snprintf(out, ERROR_MESSAGE_MAX,
			"%s: %s: Please see `reasons` for more details (%s)", http, phrase, code);
		break;
	}
}

static cJSON *refusal_reason(enum refusal refusal, const struct refusal_detail *detail)
{
	cJSON *reason = cJSON_CreateObject();
	const char *message = detail->message != NULL ? detail->message : refusals[refusal].message;

	cJSON_AddStringToObject(reason, "code", refusals[refusal].code);
	cJSON_AddStringToObject(reason, "message", message);
	cJSON_AddNumberToObject(reason, "status", refusals[refusal].status);
	cJSON_AddStringToObject(reason, "moreInfo", MORE_INFO);
	if (detail->target_type != NULL) {
		cJSON *target = cJSON_AddObjectToObject(reason, "target");
		cJSON_AddStringToObject(target, "type", detail->target_type);
		cJSON_AddStringToObject(target, "name", detail->target_name);
	}
	return reason;
}

cJSON *refusal_body(enum refusal refusal, const struct refusal_detail *detail)
{
	char message[ERROR_MESSAGE_MAX];
	cJSON *body = cJSON_CreateObject();
	cJSON *metadata = cJSON_AddObjectToObject(body, "metadata");
	cJSON *resources = cJSON_AddArrayToObject(body, "resources");
	cJSON *resource = cJSON_CreateObject();

	cJSON_AddStringToObject(metadata, "collectionType", "application/vnd.ibm.kms.error+json");
	cJSON_AddNumberToObject(metadata, "collectionTotal", 1);
	refusal_error_message(message, refusal, detail);
	cJSON_AddStringToObject(resource, "errorMsg", message);
	if (refusals[refusal].style != STYLE_BARE) {
		cJSON *reasons = cJSON_AddArrayToObject(resource, "reasons");
		cJSON_AddItemToArray(reasons, refusal_reason(refusal, detail));
	}
	cJSON_AddItemToArray(resources, resource);
	return body;
}
