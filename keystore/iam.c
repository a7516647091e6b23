/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "keystore/iam_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	REFRESH_PERCENT = 80,
	/* Before its end a token is no longer used, for it may end on the way. */
	END_MARGIN_MS = 10000,
	/* Failed fetches are not repeated sooner. */
	SPACING_MS = 200,
	SPACING_MS_MAX = 5000,
	/* A service that answers 401 to every token does not make us fetch one for each call. */
	FORCED_SPACING_MS = 1000,
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

void iam_settle(struct iam *iam, enum err err, const char *why)
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
	log_warning("token-refused", "instance=%s url=%s err=%s why=%s",
		log_quoted(slice_text(iam->name)), iam->url, err_name(err),
		log_quoted(slice_text(iam->why)));
}

void iam_take_token(struct iam *iam, struct secret *token, uint64_t life_ms)
{
	drop_token(iam);
	iam->token = token;
	iam->generation++;
	iam->fetched_ms = loop_now_ms(iam->loop);
	iam->refresh_ms = iam->fetched_ms + life_ms * REFRESH_PERCENT / 100;
	iam->end_ms =
		iam->fetched_ms + (life_ms > 2 * END_MARGIN_MS ? life_ms - END_MARGIN_MS : life_ms);
}

static void fetch_on_answer(void *ctx, const struct http_answer *answer)
{
	struct iam *iam = ctx;
	struct iam_said said;
	iam->fetch = NULL;
	iam_hear(&said, answer);
	if (said.err == ERR_OK)
		iam_take_token(iam, said.token, said.life_ms);
	else if (said.unknown_key && ++iam->unknown_keys <= IAM_UNKNOWN_KEY_LIMIT)
		said.err = ERR_UNAVAILABLE;
	iam_settle(iam, said.err, said.why);
}

static bool has_token(const struct iam *iam)
{
	return iam->token != NULL && loop_now_ms(iam->loop) < iam->end_ms;
}

static void poke(struct iam *iam)
{
	/* Without a token to serve with, those who wait hear what becomes of the trial. */
	if (iam->fetch != NULL || (iam->trial.api_key != NULL && !has_token(iam)))
		return;
	if (loop_now_ms(iam->loop) < iam->not_before_ms) {
		/* Too soon after a failure: its answer holds, or the token that we still have. */
		loop_defer(iam->loop, &iam->answer_task);
		return;
	}
	enum err err = iam_ask(&iam->fetch, iam, iam->api_key, fetch_on_answer);
	if (err != ERR_OK)
		iam_settle(iam, ERR_UNAVAILABLE, err_text(err));
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
	if (!has_token(iam))
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

enum err iam_read_api_key(struct secret **out, const char *path, char why[IAM_WHY_MAX])
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

void iam_start_over(struct iam *iam)
{
	iam->failures = 0;
	iam->unknown_keys = 0;
	iam->not_before_ms = 0;
	if (iam->first != NULL)
		poke(iam);
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
	iam->name = strdup(options->name);
	iam->api_key_file = strdup(options->api_key_file);
	iam->proof_url = strdup(options->proof_url);
	iam->proof_header = strdup(options->proof_header);
	if (iam->name == NULL || iam->api_key_file == NULL || iam->proof_url == NULL ||
		iam->proof_header == NULL)
		TRY(ERR_NOMEM);
	TRY(iam_read_api_key(&iam->api_key, iam->api_key_file, why));
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
	iam_trial_end(iam);
	http_cancel(iam->fetch);
	loop_task_cancel(&iam->answer_task);
	secret_free(iam->api_key);
	drop_token(iam);
	free(iam->name);
	free(iam->api_key_file);
	free(iam->proof_url);
	free(iam->proof_header);
	free(iam);
}
