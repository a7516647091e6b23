/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "keystore/iam_private.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

enum { FETCH_TIMEOUT_MS = 10000, LIFE_S_MAX = 86400 };

/* ---- the question ---- */

static enum err append_form(struct buf *out, struct slice api_key)
{
	enum err err;
	static const char grant[] = "grant_type=urn%3Aibm%3Aparams%3Aoauth%3Agrant-type%3Aapikey"
				    "&response_type=cloud_iam&apikey=";
	TRY(buf_append(out, SLICE_LITERAL(grant)));
	for (size_t i = 0; i < api_key.len; i++)
		TRY(buf_printf(out, "%%%02X", (unsigned) api_key.data[i]));
out:
	return err;
}

enum err iam_ask(struct http_call **out, struct iam *iam, const struct secret *api_key,
	void (*on_answer)(void *ctx, const struct http_answer *answer))
{
	enum err err;
	struct buf form;
	buf_init(&form, 8 * (size_t) IAM_API_KEY_LEN_MAX);
	TRY(append_form(&form, secret_slice(api_key)));
	struct http_request request = {
		.method = "POST",
		.url = iam->url,
		.headers = { "Content-Type: application/x-www-form-urlencoded",
			"Accept: application/json" },
		.header_count = 2,
		.body = buf_slice(&form),
		.lane = HTTP_LANE_TOKEN,
		.timeout_ms = FETCH_TIMEOUT_MS,
	};
	TRY(http_start(out, iam->http, &request, on_answer, iam));
out:
	buf_free(&form);
	return err;
}

/* ---- the answer ---- */

static void wipe_member(cJSON *json, const char *name)
{
	const cJSON *member = cJSON_GetObjectItemCaseSensitive(json, name);
	if (cJSON_IsString(member))
		secret_wipe(member->valuestring, strlen(member->valuestring));
}

static enum err read_token(struct iam_said *out, const cJSON *json)
{
	const cJSON *text = cJSON_GetObjectItemCaseSensitive(json, "access_token");
	const cJSON *life = cJSON_GetObjectItemCaseSensitive(json, "expires_in");
	if (!cJSON_IsString(text) || !cJSON_IsNumber(life) || !(life->valuedouble >= 1) ||
		!(life->valuedouble <= LIFE_S_MAX))
		return ERR_INVALID;
	struct slice bytes = slice_text(text->valuestring);
	if (bytes.len == 0 || bytes.len > IAM_TOKEN_LEN_MAX)
		return ERR_INVALID;
	/* It becomes part of a header line. */
	for (size_t i = 0; i < bytes.len; i++)
		if (bytes.data[i] <= ' ' || bytes.data[i] > '~')
			return ERR_INVALID;
	out->life_ms = (uint64_t) life->valuedouble * 1000;
	return secret_new(&out->token, bytes);
}

static void hear_token(struct iam_said *out, const struct http_answer *answer)
{
	cJSON *json = cJSON_ParseWithLength((const char *) answer->body.data, answer->body.len);
	enum err err = json != NULL ? read_token(out, json) : ERR_INVALID;
	wipe_member(json, "access_token");
	wipe_member(json, "refresh_token");
	cJSON_Delete(json);
	if (err == ERR_OK)
		return;
	out->err = ERR_UNAVAILABLE;
	snprintf(out->why, sizeof(out->why), "IAM's answer holds no token");
}

static const char *text_or_nothing(const cJSON *json, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, name));
	return text != NULL ? text : "";
}

/* The request id is what IBM's support asks for. */
static void hear_refusal(struct iam_said *out, const struct http_answer *answer)
{
	cJSON *json = cJSON_ParseWithLength((const char *) answer->body.data, answer->body.len);
	const char *code = text_or_nothing(json, "errorCode");
	const char *request_id =
		text_or_nothing(cJSON_GetObjectItemCaseSensitive(json, "context"), "requestId");
	bool refused = answer->status >= 400 && answer->status < 500 && answer->status != 408 &&
		       answer->status != 429;
	out->err = refused ? ERR_REFUSED : ERR_UNAVAILABLE;
	out->unknown_key = strcmp(code, "BXNIM0415E") == 0;
	if (out->unknown_key)
		out->err = ERR_REFUSED;
	snprintf(out->why, sizeof(out->why), "IAM answered %ld %.40s%s%.64s", answer->status, code,
		*request_id != '\0' ? " to request " : "", request_id);
	cJSON_Delete(json);
}

void iam_hear(struct iam_said *out, const struct http_answer *answer)
{
	*out = (struct iam_said){ .err = ERR_OK };
	if (answer->outcome != HTTP_ANSWERED) {
		out->err = ERR_UNAVAILABLE;
		snprintf(out->why, sizeof(out->why), "IAM: %s", answer->why);
	} else if (answer->status == 200) {
		hear_token(out, answer);
	} else {
		hear_refusal(out, answer);
	}
}
