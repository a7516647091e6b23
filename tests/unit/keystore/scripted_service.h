/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key manager that plays what a test wrote down: an HTTP/1.1 server on loopback, in the test's
 * own loop, and the client under test before it. A request is answered by the first line of the
 * script that fits it and is not used up; tokens are given out when no line says otherwise.
 */
#ifndef TESTS_UNIT_KEYSTORE_SCRIPTED_SERVICE_H
#define TESTS_UNIT_KEYSTORE_SCRIPTED_SERVICE_H

#include "base/loop.h"
#include "keystore/keymanager.h"

enum { LINES_MAX = 12, REQUESTS_MAX = 320, REQUEST_TEXT_MAX = 4096 };

enum line_act {
	LINE_ANSWER,
	LINE_CUT, /* the request is read, then the connection closed */
	LINE_SILENT, /* no answer ever */
	LINE_HALF, /* a head, a piece of the body, then nothing */
	LINE_HUGE, /* eight megabytes */
};

struct line {
	const char *request; /* "POST /api/v2/keys": the beginning of the request line */
	int status;
	const char *body; /* NULL: none */
	const char *headers; /* NULL: none; else whole lines */
	enum line_act act;
	unsigned times; /* 0: as often as asked */
	unsigned used;
};

struct service {
	struct loop *loop;
	struct keymanager *keymanager;
	struct line lines[LINES_MAX];
	size_t line_count;
	char *requests[REQUESTS_MAX]; /* as they came, tokens included */
	size_t request_count;
	unsigned stray; /* requests that no line fits */
	char url[64];
	char key_file[64];

	/* What came back. */
	unsigned answers;
	enum err err;
	char why[KEYMANAGER_WHY_MAX];
	char text[3][512]; /* ciphertext, plaintext or payload; rewrapped; version */
	struct keymanager_key key;
	bool has_key;
	struct keymanager_key keys[4];
	size_t key_count;
	struct keymanager_root root;
	struct uid created;
	enum keymanager_crk crk; /* of the last unwrap */

	bool in_start; /* a callback now would be a fault */
	unsigned waiting; /* the loop stops when so many answers have come */
	struct connection *connections;
	struct listener *listener;
	struct loop_timer *guard;
	int listen_fd;
};

void service_start(struct service *service);
void service_stop(struct service *service);
/* Adds a line to the script. */
void service_line(struct service *service, struct line line);
/* Runs the loop until `answers` callbacks have come; the test fails after ten seconds. */
void service_run(struct service *service, unsigned answers);
/* Runs it for that long whatever comes. */
void service_run_for(struct service *service, uint64_t ms);
/* How many requests began with that text. */
unsigned service_count(const struct service *service, const char *beginning);
/* The text of the last such request; NULL when there was none. */
const char *service_last(const struct service *service, const char *beginning);
/* Header names are compared without case. */
bool service_last_has(const struct service *service, const char *beginning, const char *text);
/* Nobody listens there any more. */
void service_stop_listening(struct service *service);
struct keymanager_options service_options(struct service *service);

/* The calls, with what the tests do not vary. */
struct keymanager_pending *service_wrap(struct service *service, uint32_t deadline_ms);
struct keymanager_pending *service_unwrap(struct service *service);
struct keymanager_pending *service_rewrap(struct service *service);
struct keymanager_pending *service_get(struct service *service);
struct keymanager_pending *service_create(struct service *service, uint32_t deadline_ms);
struct keymanager_pending *service_delete(struct service *service);
struct keymanager_pending *service_list(
	struct service *service, const struct keymanager_list_query *query);
struct keymanager_pending *service_root(struct service *service);
/* In the lane of polls and listings. */
struct keymanager_pending *service_root_background(struct service *service);
struct keymanager_pending *service_prepare(struct service *service);

#define SERVICE_KEY_ID "60d72058-ec53-4d77-b7ef-ba56443e76d5"
#define SERVICE_ROOT_ID "11111111-2222-4333-8444-555555555555"
#define SERVICE_GUID "87fa68d0-fa10-47d0-a201-603949808530"
#define SERVICE_KEYS "/api/v2/keys"
#define SERVICE_ROOT SERVICE_KEYS "/" SERVICE_ROOT_ID
#define SERVICE_KEY SERVICE_KEYS "/" SERVICE_KEY_ID
/* An error as the service words it. */
#define SERVICE_REASON(code) \
	"{\"metadata\":{\"collectionType\":\"application/vnd.ibm.kms.error+json\"," \
	"\"collectionTotal\":1},\"resources\":[{\"errorMsg\":\"Something: Please see `reasons` " \
	"for more details (" code ")\",\"reasons\":[{\"code\":\" " code "\"," \
	"\"message\":\"said so\",\"moreInfo\":\"https://cloud.ibm.com\"}]}]}"
#define SERVICE_UNAUTHORIZED \
	"{\"metadata\":{\"collectionType\":\"application/vnd.ibm.kms.error+json\"," \
	"\"collectionTotal\":1},\"resources\":[{\"errorMsg\":\"Unauthorized: The user does " \
	"not have access to the specified resource\"}]}"
#define SERVICE_WRAPPED "{\"ciphertext\":\"eyJ3cmFwcGVkIn0=\",\"keyVersion\":{\"id\":\"v-1\"}}"

#endif
