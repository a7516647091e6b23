/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The access token of one API key: fetched once for all who wait, kept in a secret, fetched anew at
 * 80 % of its life while the old one still serves.
 */
#ifndef KEYSTORE_IAM_H
#define KEYSTORE_IAM_H

#include "base/secret.h"
#include "keystore/http.h"

struct iam;

enum { IAM_WHY_MAX = 240, IAM_TOKEN_LEN_MAX = 16384, IAM_API_KEY_LEN_MAX = 1024 };

struct iam_options {
	struct loop *loop;
	struct http *http; /* borrowed */
	const char *url; /* without path; copied, like the next ones */
	const char *api_key_file;
	const char *name; /* of the instance, for the log */
	/* Where a token of an API key that is new is shown to the service before it is used: a GET
	 * with this header beside it. */
	const char *proof_url, *proof_header;
};
/* Reads the API key; ERR_CONFIG, or why the file could not be read. */
MUST_USE enum err iam_new(
	struct iam **out, const struct iam_options *options, char why[IAM_WHY_MAX]);
/* Waiters are forgotten: nothing is called. */
void iam_free(struct iam *iam);
/* Reads the API key again. Another one than that in use is tried in the background: key and token
 * in use serve on until IAM and the service take the new one, and for good when they refuse it. */
MUST_USE enum err iam_reload(struct iam *iam, char why[IAM_WHY_MAX]);
/* What became of the last reload: empty when the key in use is the file's. */
const char *iam_trial_outcome(const struct iam *iam);

/*
 * Embedded by the caller. After iam_wait on_ready comes once, later, or iam_leave. ERR_OK:
 * iam_token has one now. ERR_UNAVAILABLE: IAM does not answer (also the first three times that it
 * does not know the API key). ERR_REFUSED.
 */
struct iam_waiter {
	void (*on_ready)(void *ctx, enum err err, const char *why);
	void *ctx;
	struct iam_waiter *next, *previous;
	struct iam *iam; /* set while waiting */
};
void iam_wait(struct iam *iam, struct iam_waiter *waiter);
void iam_leave(struct iam_waiter *waiter);

/* The token if there is a valid one (borrowed until the next turn of the loop), else empty.
 * *generation names it. */
struct slice iam_token(struct iam *iam, uint64_t *generation);
/* The service answered 401 to the token of that generation: the next iam_wait fetches. */
void iam_reject(struct iam *iam, uint64_t generation);

#endif
