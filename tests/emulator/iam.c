/* SPDX-License-Identifier: Apache-2.0 */
/* IBM IAM as far as a service needs it: an API key against a token that lasts a while. */
#include <event2/buffer.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "tests/emulator/emulator.h"
#include "tests/emulator/handlers.h"

#define GRANT_API_KEY "urn:ibm:params:oauth:grant-type:apikey"

enum { FORM_MAX = 16384, TOKEN_LEN_MAX = 4096 };

static enum refusal iam_refuse(struct request *request, const char *code, const char *message)
{
	cJSON *answer = cJSON_CreateObject();
	cJSON *context = cJSON_CreateObject();

	cJSON_AddStringToObject(answer, "errorCode", code);
	cJSON_AddStringToObject(answer, "errorMessage", message);
	cJSON_AddStringToObject(context, "requestId", request->correlation);
	cJSON_AddStringToObject(context, "requestType", "incoming.Identity_Token");
	cJSON_AddStringToObject(context, "url", "https://iam.cloud.ibm.com");
	cJSON_AddStringToObject(context, "locale", "en_US");
	cJSON_AddItemToObject(answer, "context", context);
	return request_answer(request, 400, answer);
}

static enum refusal iam_give_token(struct request *request, const struct access_user *user)
{
	const struct knobs *knobs = &request->world->knobs;
	struct access_term term = { .now = world_now(request->world),
		.life_s = knobs->token_life_s };
	struct buf token;
	enum refusal refusal = REFUSE_INTERNAL;

	buf_init(&token, TOKEN_LEN_MAX);
	if (access_token(&request->emulator->access, &token, user, &term) == ERR_OK &&
		buf_append_u8(&token, '\0') == ERR_OK) {
		cJSON *answer = cJSON_CreateObject();
		cJSON_AddStringToObject(
			answer, "access_token", (const char *) buf_slice(&token).data);
		cJSON_AddStringToObject(answer, "refresh_token", "not_supported");
		cJSON_AddNumberToObject(answer, "ims_user_id", 0);
		cJSON_AddStringToObject(answer, "token_type", "Bearer");
		cJSON_AddNumberToObject(answer, "expires_in", (double) term.life_s);
		cJSON_AddNumberToObject(answer, "expiration",
			(double) (term.now + term.life_s + knobs->iam_skew_s));
		cJSON_AddStringToObject(answer, "scope", "ibm openid");
		request->user = user;
		refusal = request_answer(request, 200, answer);
	}
	buf_free(&token);
	return refusal;
}

/* The service has denied to know valid keys for a moment. */
static bool iam_forgets(struct request *request)
{
	struct knobs *knobs = &request->world->knobs;

	if (knobs->iam_unknown_keys == 0)
		return false;
	knobs->iam_unknown_keys--;
	return true;
}

static enum refusal iam_judge_form(struct request *request, struct evkeyvalq *form)
{
	const char *grant = evhttp_find_header(form, "grant_type");
	const char *api_key = evhttp_find_header(form, "apikey");

	if (grant == NULL || strcmp(grant, GRANT_API_KEY) != 0)
		return iam_refuse(request, "BXNIM0106E",
			"Property validation failed: unsupported or missing grant_type");
	if (api_key == NULL)
		return iam_refuse(request, "BXNIM0109E", "Property missing or empty: apikey");
	const struct access_user *user =
		access_by_api_key(&request->emulator->access, slice_text(api_key));
	if (iam_forgets(request) || user == NULL)
		return iam_refuse(request, "BXNIM0415E", "Provided API key could not be found");
	return iam_give_token(request, user);
}

enum refusal iam_token(struct request *request)
{
	struct evbuffer *input = evhttp_request_get_input_buffer(request->http);
	char text[FORM_MAX + 1];
	size_t len = evbuffer_get_length(input);
	struct evkeyvalq form;

	if (request->world->knobs.iam_down) {
		request->status = 503;
		request->answer_text = "Service Unavailable";
		return REFUSE_NOTHING;
	}
	if (len > FORM_MAX)
		return iam_refuse(request, "BXNIM0106E", "Property validation failed: too long");
	evbuffer_copyout(input, text, len);
	text[len] = '\0';
	if (evhttp_parse_query_str(text, &form) != 0) {
		secret_wipe(text, sizeof(text));
		return iam_refuse(request, "BXNIM0106E", "Property validation failed: form");
	}
	enum refusal refusal = iam_judge_form(request, &form);
	evhttp_clear_headers(&form);
	secret_wipe(text, sizeof(text));
	return refusal;
}
