/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reload: the API key is read again. Another one than that in use is tried first, beside it: IAM
 * must give a token for it, and the service must open the root key's metadata to that token. Until
 * then, and when either refuses, the key and the token in use stay.
 */
#include <stdio.h>

#include "base/buf.h"
#include "base/log.h"
#include "keystore/iam_private.h"

enum {
	TRIES_MAX = 60, /* while nobody answers: some minutes */
	TRY_PAUSE_MS = 1000,
	TRY_PAUSE_MS_MAX = 5000,
	PROOF_TIMEOUT_MS = 10000,
	AUTHORIZATION_MAX = IAM_TOKEN_LEN_MAX + 32,
};

static void stop(struct iam_trial *trial)
{
	http_cancel(trial->call);
	trial->call = NULL;
	loop_timer_free(trial->timer);
	trial->timer = NULL;
	secret_free(trial->api_key);
	trial->api_key = NULL;
	secret_free(trial->token);
	trial->token = NULL;
	trial->tries = 0;
	trial->unknown_keys = 0;
}

void iam_trial_end(struct iam *iam)
{
	stop(&iam->trial);
}

static void refuse(struct iam *iam, const char *why)
{
	snprintf(
		iam->trial.outcome, sizeof(iam->trial.outcome), "new API key refused: %.200s", why);
	log_error("credential-refused",
		"instance=%s file=%s why=%s effect=\"the API key in use stays\"",
		log_quoted(slice_text(iam->name)), log_quoted(slice_text(iam->api_key_file)),
		log_quoted(slice_text(why)));
	stop(&iam->trial);
	iam_start_over(iam);
}

static void accept(struct iam *iam)
{
	struct iam_trial *trial = &iam->trial;
	struct secret *token = trial->token;
	secret_free(iam->api_key);
	iam->api_key = trial->api_key;
	trial->api_key = NULL;
	trial->token = NULL;
	trial->outcome[0] = '\0';
	/* A fetch with the old key would bring the old key's token. */
	http_cancel(iam->fetch);
	iam->fetch = NULL;
	iam_take_token(iam, token, trial->life_ms);
	stop(trial);
	log_info("credential-changed", "instance=%s file=%s", log_quoted(slice_text(iam->name)),
		log_quoted(slice_text(iam->api_key_file)));
	iam_settle(iam, ERR_OK, "");
}

static void try_later(struct iam *iam, const char *why)
{
	struct iam_trial *trial = &iam->trial;
	uint64_t pause_ms = (uint64_t) TRY_PAUSE_MS * trial->tries;
	if (trial->tries >= TRIES_MAX) {
		refuse(iam, why);
		return;
	}
	snprintf(trial->outcome, sizeof(trial->outcome), "new API key not tried yet: %.200s", why);
	iam_settle(iam, ERR_UNAVAILABLE, trial->outcome);
	loop_timer_set(trial->timer, pause_ms < TRY_PAUSE_MS_MAX ? pause_ms : TRY_PAUSE_MS_MAX);
}

/* ---- the service ---- */

static void trial_on_proof(void *ctx, const struct http_answer *answer)
{
	struct iam *iam = ctx;
	char why[IAM_WHY_MAX];
	iam->trial.call = NULL;
	if (answer->outcome != HTTP_ANSWERED) {
		try_later(iam, answer->why);
		return;
	}
	snprintf(why, sizeof(why), "the key manager answered %ld to it", answer->status);
	if (answer->status == 401 || answer->status == 403)
		refuse(iam, why);
	else if (answer->status == 408 || answer->status == 429 || answer->status >= 500)
		try_later(iam, why);
	else
		accept(iam);
}

static enum err start_proof(struct iam *iam)
{
	enum err err;
	struct buf authorization;
	buf_init(&authorization, AUTHORIZATION_MAX);
	TRY(buf_append(&authorization, SLICE_LITERAL("Authorization: Bearer ")));
	TRY(buf_append(&authorization, secret_slice(iam->trial.token)));
	TRY(buf_append_u8(&authorization, 0));
	struct http_request request = {
		.method = "GET",
		.url = iam->proof_url,
		.headers = { (const char *) buf_slice(&authorization).data, iam->proof_header,
			"Accept: application/json" },
		.header_count = 3,
		.lane = HTTP_LANE_TOKEN,
		.timeout_ms = PROOF_TIMEOUT_MS,
	};
	TRY(http_start(&iam->trial.call, iam->http, &request, trial_on_proof, iam));
out:
	buf_free(&authorization);
	return err;
}

/* ---- IAM ---- */

static void trial_on_token(void *ctx, const struct http_answer *answer)
{
	struct iam *iam = ctx;
	struct iam_trial *trial = &iam->trial;
	struct iam_said said;
	trial->call = NULL;
	iam_hear(&said, answer);
	if (said.err == ERR_OK) {
		secret_free(trial->token);
		trial->token = said.token;
		trial->life_ms = said.life_ms;
		enum err err = start_proof(iam);
		if (err != ERR_OK)
			try_later(iam, err_text(err));
		return;
	}
	bool may_pass = said.unknown_key && ++trial->unknown_keys <= IAM_UNKNOWN_KEY_LIMIT;
	if (said.err == ERR_REFUSED && !may_pass)
		refuse(iam, said.why);
	else
		try_later(iam, said.why);
}

static void trial_on_timer(void *ctx)
{
	struct iam *iam = ctx;
	iam->trial.tries++;
	enum err err = iam_ask(&iam->trial.call, iam, iam->trial.api_key, trial_on_token);
	if (err != ERR_OK)
		try_later(iam, err_text(err));
}

enum err iam_reload(struct iam *iam, char why[IAM_WHY_MAX])
{
	enum err err;
	struct secret *fresh = NULL;
	TRY(iam_read_api_key(&fresh, iam->api_key_file, why));
	stop(&iam->trial);
	iam->trial.outcome[0] = '\0';
	if (secret_equal(secret_slice(fresh), secret_slice(iam->api_key))) {
		secret_free(fresh);
		iam_start_over(iam);
		return ERR_OK;
	}
	iam->trial.api_key = fresh;
	TRY(loop_timer_new(&iam->trial.timer, iam->loop, trial_on_timer, iam));
	snprintf(iam->trial.outcome, sizeof(iam->trial.outcome), "new API key is being tried");
	loop_timer_set(iam->trial.timer, 0);
out:
	if (err != ERR_OK && iam->trial.timer == NULL)
		stop(&iam->trial);
	return err;
}

const char *iam_trial_outcome(const struct iam *iam)
{
	return iam->trial.outcome;
}
