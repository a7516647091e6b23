/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared by iam*.c. iam.c keeps the token and those who wait for it; iam_ask.c is one exchange with
 * IAM; iam_trial.c tries an API key that a reload brought beside the one in use.
 */
#ifndef KEYSTORE_IAM_PRIVATE_H
#define KEYSTORE_IAM_PRIVATE_H

#include "keystore/iam.h"

enum {
	IAM_URL_MAX = 512,
	/* IAM has denied to know valid keys for a moment. */
	IAM_UNKNOWN_KEY_LIMIT = 3,
};

/* An API key that is tried. */
struct iam_trial {
	struct secret *api_key; /* NULL: none is */
	struct secret *token; /* that IAM gave for it */
	uint64_t life_ms; /* of the token */
	struct http_call *call;
	struct loop_timer *timer; /* the next try */
	uint32_t tries, unknown_keys;
	char outcome[IAM_WHY_MAX]; /* of the last trial; empty when it went well */
};

struct iam {
	struct loop *loop;
	struct http *http;
	char url[IAM_URL_MAX];
	char *name, *api_key_file, *proof_url, *proof_header;
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
	struct iam_trial trial;
};

/* ---- iam_ask.c ---- */

MUST_USE enum err iam_ask(struct http_call **out, struct iam *iam, const struct secret *api_key,
	void (*on_answer)(void *ctx, const struct http_answer *answer));
/* What IAM said. */
struct iam_said {
	enum err err; /* ERR_OK, ERR_UNAVAILABLE, ERR_REFUSED */
	bool unknown_key; /* ERR_REFUSED, which may be for a moment only */
	struct secret *token; /* the caller's; NULL unless ERR_OK */
	uint64_t life_ms;
	char why[IAM_WHY_MAX];
};
void iam_hear(struct iam_said *out, const struct http_answer *answer);

/* ---- iam.c ---- */

MUST_USE enum err iam_read_api_key(struct secret **out, const char *path, char why[IAM_WHY_MAX]);
/* Takes the token over. */
void iam_take_token(struct iam *iam, struct secret *token, uint64_t life_ms);
/* All who wait now are told. */
void iam_settle(struct iam *iam, enum err err, const char *why);
/* The state of failures is forgotten; who waits is served by a fetch. */
void iam_start_over(struct iam *iam);

/* ---- iam_trial.c ---- */

void iam_trial_end(struct iam *iam);

#endif
