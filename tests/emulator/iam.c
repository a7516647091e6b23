/* SPDX-License-Identifier: Apache-2.0 */
/* IBM IAM as far as a service needs it: an API key, a refresh token, a compute resource or a
 * profile against a token that lasts a while. */
#include <event2/buffer.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "tests/emulator/emulator.h"
#include "tests/emulator/handlers.h"

#define GRANT(name) "urn:ibm:params:oauth:grant-type:" name

enum {
	FORM_MAX = 16384,
	TOKEN_LEN_MAX = 4096,
	/* clients take a refresh token to outlive the access token by seven days */
	REFRESH_LIFE_S = 30 * 86400,
	METADATA_LIFE_MIN_S = 5,
	METADATA_LIFE_MAX_S = 3600,
};

static enum refusal iam_refuse(struct request *request, const char *code, const char *message)
{
	const char *agent = request_header(request, "User-Agent");
	cJSON *answer = cJSON_CreateObject();
	cJSON *context = cJSON_CreateObject();
	char now[RFC3339_TEXT_LEN + 1];

	text_rfc3339_from(now, world_now(request->world));
	cJSON_AddStringToObject(answer, "errorCode", code);
	cJSON_AddStringToObject(answer, "errorMessage", message);
	cJSON_AddStringToObject(context, "requestId", request->correlation);
	cJSON_AddStringToObject(context, "requestType", "incoming.Identity_Token");
	cJSON_AddStringToObject(context, "userAgent", agent != NULL ? agent : "");
	cJSON_AddStringToObject(context, "url", "https://iam.cloud.ibm.com");
	cJSON_AddStringToObject(context, "startTime", now);
	cJSON_AddStringToObject(context, "endTime", now);
	cJSON_AddStringToObject(context, "elapsedTime", "1");
	cJSON_AddStringToObject(context, "locale", "en_US");
	cJSON_AddItemToObject(answer, "context", context);
	return request_answer(request, 400, answer);
}

static enum err iam_add_token(cJSON *answer, const char *name, const struct request *request,
	const struct access_term *term)
{
	enum err err;
	struct buf token;

	buf_init(&token, TOKEN_LEN_MAX);
	TRY(access_token(&request->emulator->access, &token, request->user, term));
	TRY(buf_append_u8(&token, '\0'));
	cJSON_AddStringToObject(answer, name, (const char *) buf_slice(&token).data);
out:
	buf_free(&token);
	return err;
}

/* Only who tells a client id gets a refresh token that is one. */
static enum err iam_add_refresh(cJSON *answer, const struct request *request, int64_t now)
{
	struct access_term term = { .now = now, .life_s = REFRESH_LIFE_S, .use = TOKEN_REFRESH };

	if (request_header(request, "Authorization") != NULL)
		return iam_add_token(answer, "refresh_token", request, &term);
	cJSON_AddStringToObject(answer, "refresh_token", "not_supported");
	return ERR_OK;
}

static enum refusal iam_give_token(struct request *request, const struct access_user *user)
{
	const struct knobs *knobs = &request->world->knobs;
	struct access_term term = { .now = world_now(request->world),
		.life_s = knobs->token_life_s };
	cJSON *answer = cJSON_CreateObject();

	request->user = user;
	if (iam_add_token(answer, "access_token", request, &term) != ERR_OK ||
		iam_add_refresh(answer, request, term.now) != ERR_OK) {
		cJSON_Delete(answer);
		return REFUSE_INTERNAL;
	}
	cJSON_AddNumberToObject(answer, "ims_user_id", 0);
	cJSON_AddStringToObject(answer, "token_type", "Bearer");
	cJSON_AddNumberToObject(answer, "expires_in", (double) term.life_s);
	cJSON_AddNumberToObject(
		answer, "expiration", (double) (term.now + term.life_s + knobs->iam_skew_s));
	cJSON_AddStringToObject(answer, "scope", "ibm openid");
	return request_answer(request, 200, answer);
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

/* ---- grants ---- */

static enum refusal iam_missing(struct request *request, const char *name)
{
	char message[80];

	snprintf(message, sizeof(message), "Property missing or empty: %s", name);
	return iam_refuse(request, "BXNIM0109E", message);
}

static enum refusal iam_by_api_key(struct request *request, struct evkeyvalq *form)
{
	const char *api_key = evhttp_find_header(form, "apikey");

	if (api_key == NULL || *api_key == '\0')
		return iam_missing(request, "apikey");
	const struct access_user *user =
		access_by_api_key(&request->emulator->access, slice_text(api_key));
	if (iam_forgets(request) || user == NULL)
		return iam_refuse(request, "BXNIM0415E", "Provided API key could not be found");
	return iam_give_token(request, user);
}

static enum refusal iam_by_refresh(struct request *request, struct evkeyvalq *form)
{
	const char *token = evhttp_find_header(form, "refresh_token");
	struct access_look look = { .now = world_now(request->world), .use = TOKEN_REFRESH };

	if (token == NULL || *token == '\0')
		return iam_missing(request, "refresh_token");
	const struct access_user *user =
		access_by_token(&request->emulator->access, slice_text(token), &look);
	if (look.expired)
		return iam_refuse(request, "BXNIM0408E", "Provided refresh_token is expired");
	if (user == NULL)
		return iam_refuse(request, "BXNIM0407E", "Provided refresh_token is invalid");
	return iam_give_token(request, user);
}

static enum refusal iam_as_profile(struct request *request, const char *profile)
{
	const struct access_user *user =
		access_by_profile(&request->emulator->access, slice_text(profile));

	if (user == NULL)
		return iam_refuse(request, "BXNIM0102E", "Trusted profile not found");
	return iam_give_token(request, user);
}

static const char *profile_of(struct evkeyvalq *form)
{
	static const char *const names[] = { "profile_id", "profile_name", "profile_crn" };
	const char *profile = NULL;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && profile == NULL; i++)
		profile = evhttp_find_header(form, names[i]);
	return profile;
}

/* Every compute resource is trusted here: its token is not looked into. */
static enum refusal iam_by_compute_resource(struct request *request, struct evkeyvalq *form)
{
	const char *token = evhttp_find_header(form, "cr_token");
	const char *profile = profile_of(form);

	if (token == NULL || *token == '\0')
		return iam_missing(request, "cr_token");
	if (profile == NULL)
		return iam_missing(request, "profile_id");
	return iam_as_profile(request, profile);
}

static enum refusal iam_by_assuming(struct request *request, struct evkeyvalq *form)
{
	const char *token = evhttp_find_header(form, "access_token");
	const char *profile = profile_of(form);
	struct access_look look = { .now = world_now(request->world), .use = TOKEN_ACCESS };

	if (token == NULL || *token == '\0')
		return iam_missing(request, "access_token");
	if (profile == NULL)
		return iam_missing(request, "profile_id");
	if (access_by_token(&request->emulator->access, slice_text(token), &look) == NULL)
		return iam_refuse(request, "BXNIM0407E", "Provided access_token is invalid");
	return iam_as_profile(request, profile);
}

static const struct {
	const char *name;
	enum refusal (*give)(struct request *request, struct evkeyvalq *form);
} grants[] = {
	{ GRANT("apikey"), iam_by_api_key },
	{ "refresh_token", iam_by_refresh },
	{ GRANT("cr-token"), iam_by_compute_resource },
	{ GRANT("assume"), iam_by_assuming },
};

static enum refusal iam_judge_form(struct request *request, struct evkeyvalq *form)
{
	const char *grant = evhttp_find_header(form, "grant_type");

	for (size_t i = 0; grant != NULL && i < sizeof(grants) / sizeof(grants[0]); i++) {
		if (strcmp(grants[i].name, grant) == 0)
			return grants[i].give(request, form);
	}
	return iam_refuse(request, "BXNIM0106E",
		"Property validation failed: unsupported or missing grant_type");
}

static bool iam_is_down(struct request *request)
{
	if (!request->world->knobs.iam_down)
		return false;
	request->status = 503;
	request->answer_text = "Service Unavailable";
	return true;
}

enum refusal iam_token(struct request *request)
{
	struct evbuffer *input = evhttp_request_get_input_buffer(request->http);
	char text[FORM_MAX + 1];
	size_t len = evbuffer_get_length(input);
	struct evkeyvalq form;

	if (iam_is_down(request))
		return REFUSE_NOTHING;
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

/* ---- the metadata service of a virtual server ---- */

static void add_date(cJSON *answer, const char *name, int64_t seconds)
{
	char text[RFC3339_TEXT_LEN + 1];

	text_rfc3339_from(text, seconds);
	cJSON_AddStringToObject(answer, name, text);
}

static enum refusal metadata_answer(
	struct request *request, const struct access_user *user, int64_t life_s)
{
	struct access_term term = { .now = world_now(request->world), .life_s = life_s };
	cJSON *answer = cJSON_CreateObject();

	request->user = user;
	if (iam_add_token(answer, "access_token", request, &term) != ERR_OK) {
		cJSON_Delete(answer);
		return REFUSE_INTERNAL;
	}
	add_date(answer, "created_at", term.now);
	add_date(answer, "expires_at", term.now + life_s);
	cJSON_AddNumberToObject(answer, "expires_in", (double) life_s);
	return request_answer(request, 200, answer);
}

static const struct access_user *first_profile(const struct access *access)
{
	for (size_t i = 0; i < access->user_count; i++) {
		if (access->users[i].is_profile)
			return &access->users[i];
	}
	return NULL;
}

/* The identity of the server that we run on: it is linked to the first profile. */
enum refusal iam_metadata_token(struct request *request)
{
	const char *flavor = request_header(request, "Metadata-Flavor");
	const struct access_user *user = first_profile(&request->emulator->access);
	enum refusal refusal = request_read_body(request);
	const cJSON *wanted = cJSON_GetObjectItem(request->body, "expires_in");
	int life_s = cJSON_IsNumber(wanted) ? wanted->valueint : METADATA_LIFE_MAX_S;

	if (refusal != REFUSE_NOTHING)
		return refusal;
	if (flavor == NULL || strcmp(flavor, "ibm") != 0)
		return iam_refuse(request, "bad_request", "Metadata-Flavor: ibm is missing");
	if (user == NULL)
		return iam_refuse(request, "not_found", "no trusted profile is linked");
	if (life_s < METADATA_LIFE_MIN_S || life_s > METADATA_LIFE_MAX_S)
		return iam_refuse(request, "bad_request", "expires_in must be 5 to 3600");
	return metadata_answer(request, user, life_s);
}

enum refusal iam_metadata_iam_token(struct request *request)
{
	const struct access *access = &request->emulator->access;
	enum refusal refusal = request_read_body(request);
	const cJSON *wanted = cJSON_GetObjectItem(request->body, "trusted_profile");
	const char *profile = request_text(wanted, "id");
	const struct access_user *user = first_profile(access);

	if (iam_is_down(request))
		return REFUSE_NOTHING;
	if (refusal != REFUSE_NOTHING)
		return refusal;
	if (profile == NULL)
		profile = request_text(wanted, "crn");
	if (profile != NULL)
		user = access_by_profile(access, slice_text(profile));
	if (user == NULL)
		return iam_refuse(request, "not_found", "Trusted profile not found");
	return metadata_answer(request, user, request->world->knobs.token_life_s);
}
