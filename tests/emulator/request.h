/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP request on its way through the emulator: what came, who sent it, which key it speaks of,
 * and the answer that is being made.
 */
#ifndef EMULATOR_REQUEST_H
#define EMULATOR_REQUEST_H

#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "tests/emulator/access.h"
#include "tests/emulator/refusal.h"
#include "tests/emulator/world.h"

enum { REQUEST_SEGMENTS_MAX = 8, REQUEST_CORRELATION_MAX = 64, REQUEST_DETAIL_MAX = 512 };

struct emulator;
struct route;

struct request {
	struct emulator *emulator; /* borrowed */
	struct world *world; /* borrowed */
	struct evhttp_request *http; /* borrowed until the answer is sent */
	const char *method;
	char *path; /* owned, as it came */
	char *segments[REQUEST_SEGMENTS_MAX]; /* owned, decoded */
	size_t segment_count;
	struct evkeyvalq query;
	bool query_parsed;
	char correlation[REQUEST_CORRELATION_MAX];
	uint64_t started_ms;
	/* found on the way */
	const struct route *route;
	const struct access_user *user;
	cJSON *body; /* NULL when there was none, or it was null */
	const cJSON *resource; /* of an envelope with one resource; borrowed from body */
	char *material; /* base64, owned: what came encrypted for the import token; else NULL */
	bool overrides; /* the resource may carry policies of the new key */
	struct key *key;
	/* the answer */
	int status;
	cJSON *answer;
	const char *answer_text; /* instead of JSON; borrowed for good */
	const char *phrase;
	char detail[REQUEST_DETAIL_MAX];
	const char *target_type, *target_name;
	/* for the log: lengths, never content */
	size_t payload_len, plaintext_len, ciphertext_len;
	char payload_kind[8];
};

/* Copies what must outlive the call; the caller owns the result. */
struct request *request_new(
	struct emulator *emulator, struct world *world, struct evhttp_request *http);
void request_free(struct request *request);

const char *request_header(const struct request *request, const char *name);
/* NULL when absent or empty. */
const char *request_param(const struct request *request, const char *name);
bool request_param_is_true(const struct request *request, const char *name);
bool request_wants_representation(const struct request *request);

/* Parses the body as JSON when there is one; null, nothing and {} are alike to most callers. */
enum refusal request_read_body(struct request *request);
/* The one resource of an envelope; all rules of envelopes are checked. */
enum refusal request_read_envelope(struct request *request);
/* A text member of any letter case; NULL when absent or not a text. */
const char *request_text(const cJSON *object, const char *name);

/* Refusals with a reason in words. */
enum refusal request_bad_field(struct request *request, const char *field, const char *must_be);
enum refusal request_bad_param(struct request *request, const char *param, const char *must_be);
enum refusal request_bad_body(struct request *request, const char *why);
enum refusal request_refuse(struct request *request, enum refusal refusal, const char *message);

/* Answers; each returns REFUSE_NOTHING so that a handler can end with it. Take `answer` over. */
enum refusal request_answer(struct request *request, int status, cJSON *answer);
enum refusal request_answer_key(struct request *request, int status, unsigned views);
enum refusal request_answer_empty(struct request *request, int status);

/* Decodes a base64 field into out; says what is wrong with it otherwise. */
enum refusal request_base64(
	struct request *request, struct buf *out, const char *field, const char *text);

#endif
