/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/iam.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/file.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	URL_MAX = 512,
	FETCH_TIMEOUT_MS = 10000,
	LIFE_S_MAX = 86400,
	REFRESH_PERCENT = 80,
	/* Before its end a token is no longer used, for it may end on the way. */
	END_MARGIN_MS = 10000,
	/* Failed fetches are not repeated sooner. */
	SPACING_MS = 200,
	SPACING_MS_MAX = 5000,
	/* A service that answers 401 to every token does not make us fetch one for each call. */
	FORCED_SPACING_MS = 1000,
	/* IAM has denied to know valid keys for a moment. */
	UNKNOWN_KEY_LIMIT = 3,
};

struct iam {
	struct loop *loop;
	struct http *http;
	char url[URL_MAX];
	char *api_key_file;
	struct secret *api_key;
	struct secret *token;
	uint64_t generation, fetched_ms, refresh_ms, end_ms;
	struct http_call *fetch;
	struct iam_waiter *first, *last;
	struct loop_task answer_task;
	enum err answer; /* for all who wait now */
	char why[IAM_WHY_MAX];
	uint32_t failures, unknown_keys;
	uint64_t not_before_ms;
};

static void list_remove(struct iam *iam, struct iam_waiter *waiter)
{
	if (waiter->previous != NULL)
		waiter->previous->next = waiter->next;
	else
		iam->first = waiter->next;
	if (waiter->next != NULL)
		waiter->next->previous = waiter->previous;
	else
		iam->last = waiter->previous;
	waiter->next = NULL;
	waiter->previous = NULL;
	waiter->iam = NULL;
}

/* One waiter a turn, since its callback may free everything. */
static void iam_answer(void *ctx)
{
	struct iam *iam = ctx;
	struct iam_waiter *waiter = iam->first;
	char why[IAM_WHY_MAX];
	if (waiter == NULL)
		return;
	bytes_copy(why, iam->why, sizeof(why));
	list_remove(iam, waiter);
	if (iam->first != NULL)
		loop_defer(iam->loop, &iam->answer_task);
	waiter->on_ready(waiter->ctx, iam->answer, why);
}

static void drop_token(struct iam *iam)
{
	secret_free(iam->token);
	iam->token = NULL;
}

static void settle(struct iam *iam, enum err err, const char *why)
{
	uint64_t now_ms = loop_now_ms(iam->loop);
	iam->answer = err;
	snprintf(iam->why, sizeof(iam->why), "%s", why);
	loop_defer(iam->loop, &iam->answer_task);
	if (err == ERR_OK) {
		iam->failures = 0;
		iam->unknown_keys = 0;
		return;
	}
	uint64_t spacing_ms = (uint64_t) SPACING_MS << (iam->failures < 8 ? iam->failures : 8);
	if (spacing_ms > SPACING_MS_MAX)
		spacing_ms = SPACING_MS_MAX;
	iam->failures++;
	iam->not_before_ms = now_ms + spacing_ms;
	log_warning("token-refused", "url=%s err=%s why=%s", iam->url, err_name(err),
		log_quoted(slice_text(iam->why)));
}

/* ---- the answer ---- */

static void wipe_member(cJSON *json, const char *name)
{
	const cJSON *member = cJSON_GetObjectItemCaseSensitive(json, name);
	if (cJSON_IsString(member))
		secret_wipe(member->valuestring, strlen(member->valuestring));
}

static enum err take_token(struct iam *iam, const cJSON *json)
{
	struct secret *token = NULL;
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
	enum err err = secret_new(&token, bytes);
	if (err != ERR_OK)
		return err;
	uint64_t life_ms = (uint64_t) life->valuedouble * 1000;
	drop_token(iam);
	iam->token = token;
	iam->generation++;
	iam->fetched_ms = loop_now_ms(iam->loop);
	iam->refresh_ms = iam->fetched_ms + life_ms * REFRESH_PERCENT / 100;
	iam->end_ms =
		iam->fetched_ms + (life_ms > 2 * END_MARGIN_MS ? life_ms - END_MARGIN_MS : life_ms);
	return ERR_OK;
}

static void fetch_succeeded(struct iam *iam, const struct http_answer *answer)
{
	cJSON *json = cJSON_ParseWithLength((const char *) answer->body.data, answer->body.len);
	enum err err = json != NULL ? take_token(iam, json) : ERR_INVALID;
	wipe_member(json, "access_token");
	wipe_member(json, "refresh_token");
	cJSON_Delete(json);
	if (err == ERR_OK)
		settle(iam, ERR_OK, "");
	else
		settle(iam, ERR_UNAVAILABLE, "IAM's answer holds no token");
}

static void fetch_failed(struct iam *iam, const struct http_answer *answer)
{
	char why[IAM_WHY_MAX];
	enum err err = ERR_UNAVAILABLE;
	cJSON *json = cJSON_ParseWithLength((const char *) answer->body.data, answer->body.len);
	const cJSON *code = cJSON_GetObjectItemCaseSensitive(json, "errorCode");
	const char *text = cJSON_IsString(code) ? code->valuestring : "";
	bool refused = answer->status >= 400 && answer->status < 500 && answer->status != 408 &&
		       answer->status != 429;
	if (strcmp(text, "BXNIM0415E") == 0) {
		iam->unknown_keys++;
		refused = iam->unknown_keys > UNKNOWN_KEY_LIMIT;
	}
	if (refused)
		err = ERR_REFUSED;
	snprintf(why, sizeof(why), "IAM answered %ld %.40s", answer->status, text);
	cJSON_Delete(json);
	settle(iam, err, why);
}

static void fetch_on_answer(void *ctx, const struct http_answer *answer)
{
	struct iam *iam = ctx;
	char why[IAM_WHY_MAX];
	iam->fetch = NULL;
	if (answer->outcome != HTTP_ANSWERED) {
		snprintf(why, sizeof(why), "IAM: %s", answer->why);
		settle(iam, ERR_UNAVAILABLE, why);
	} else if (answer->status == 200) {
		fetch_succeeded(iam, answer);
	} else {
		fetch_failed(iam, answer);
	}
}

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

static enum err start_fetch(struct iam *iam)
{
	enum err err;
	struct buf form;
	buf_init(&form, 8 * (size_t) IAM_API_KEY_LEN_MAX);
	TRY(append_form(&form, secret_slice(iam->api_key)));
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
	TRY(http_start(&iam->fetch, iam->http, &request, fetch_on_answer, iam));
out:
	buf_free(&form);
	return err;
}

static void poke(struct iam *iam)
{
	if (iam->fetch != NULL)
		return;
	if (loop_now_ms(iam->loop) < iam->not_before_ms) {
		/* Too soon after a failure: its answer holds, or the token that we still have. */
		loop_defer(iam->loop, &iam->answer_task);
		return;
	}
	enum err err = start_fetch(iam);
	if (err != ERR_OK)
		settle(iam, ERR_UNAVAILABLE, err_text(err));
}

void iam_wait(struct iam *iam, struct iam_waiter *waiter)
{
	ASSERT(waiter->iam == NULL);
	waiter->iam = iam;
	waiter->next = NULL;
	waiter->previous = iam->last;
	if (iam->last != NULL)
		iam->last->next = waiter;
	else
		iam->first = waiter;
	iam->last = waiter;
	poke(iam);
}

void iam_leave(struct iam_waiter *waiter)
{
	if (waiter->iam != NULL)
		list_remove(waiter->iam, waiter);
}

struct slice iam_token(struct iam *iam, uint64_t *generation)
{
	uint64_t now_ms = loop_now_ms(iam->loop);
	if (iam->token == NULL || now_ms >= iam->end_ms)
		return SLICE_EMPTY;
	if (now_ms >= iam->refresh_ms && now_ms >= iam->not_before_ms)
		poke(iam);
	*generation = iam->generation;
	return secret_slice(iam->token);
}

void iam_reject(struct iam *iam, uint64_t generation)
{
	if (iam->generation != generation || iam->token == NULL ||
		loop_now_ms(iam->loop) < iam->fetched_ms + FORCED_SPACING_MS)
		return;
	drop_token(iam);
}

/* ---- making and reading ---- */

static enum err read_api_key(struct secret **out, const char *path, char why[IAM_WHY_MAX])
{
	enum err err;
	struct buf content;
	buf_init(&content, IAM_API_KEY_LEN_MAX);
	err = file_read(&content, path);
	if (err != ERR_OK) {
		snprintf(why, IAM_WHY_MAX, "API key file %.150s: %s", path, err_text(err));
		goto out;
	}
	struct slice key = buf_slice(&content);
	while (key.len > 0 && key.data[key.len - 1] <= ' ')
		key = slice_cut(key, 0, key.len - 1);
	while (key.len > 0 && key.data[0] <= ' ')
		key = slice_cut(key, 1, key.len);
	if (key.len == 0) {
		snprintf(why, IAM_WHY_MAX, "API key file %.150s is empty", path);
		err = ERR_CONFIG;
		goto out;
	}
	err = secret_new(out, key);
out:
	buf_free(&content);
	return err;
}

enum err iam_reload(struct iam *iam, char why[IAM_WHY_MAX])
{
	enum err err;
	struct secret *fresh = NULL;
	TRY(read_api_key(&fresh, iam->api_key_file, why));
	secret_free(iam->api_key);
	iam->api_key = fresh;
	drop_token(iam);
	iam->failures = 0;
	iam->unknown_keys = 0;
	iam->not_before_ms = 0;
	/* A fetch with the old key would bring the old key's token. */
	http_cancel(iam->fetch);
	iam->fetch = NULL;
	if (iam->first != NULL)
		poke(iam);
out:
	return err;
}

static enum err set_url(struct iam *iam, const char *url, char why[IAM_WHY_MAX])
{
	static const char path[] = "/identity/token";
	size_t len = strlen(url);
	if (http_check_url(url) != ERR_OK || len + sizeof(path) > sizeof(iam->url)) {
		snprintf(why, IAM_WHY_MAX, "IAM address %.150s is not an https URL", url);
		return ERR_CONFIG;
	}
	while (len > 0 && url[len - 1] == '/')
		len--;
	snprintf(iam->url, sizeof(iam->url), "%.*s%s", (int) len, url, path);
	return ERR_OK;
}

enum err iam_new(struct iam **out, const struct iam_options *options, char why[IAM_WHY_MAX])
{
	enum err err;
	struct iam *iam = calloc(1, sizeof(*iam));
	*out = NULL;
	if (iam == NULL)
		return ERR_NOMEM;
	iam->loop = options->loop;
	iam->http = options->http;
	loop_task_init(&iam->answer_task, iam_answer, iam);
	TRY(set_url(iam, options->url, why));
	iam->api_key_file = strdup(options->api_key_file);
	err = iam->api_key_file != NULL ? ERR_OK : ERR_NOMEM;
	if (err == ERR_OK)
		err = read_api_key(&iam->api_key, iam->api_key_file, why);
out:
	if (err != ERR_OK) {
		iam_free(iam);
		iam = NULL;
	}
	*out = iam;
	return err;
}

void iam_free(struct iam *iam)
{
	if (iam == NULL)
		return;
	while (iam->first != NULL)
		list_remove(iam, iam->first);
	http_cancel(iam->fetch);
	loop_task_cancel(&iam->answer_task);
	secret_free(iam->api_key);
	drop_token(iam);
	free(iam->api_key_file);
	free(iam);
}
