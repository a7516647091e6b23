/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared by http*.c. http.c is for callers and one call; http_loop.c ties curl to the loop;
 * http_setup.c has the options of one transfer; http_trust.c the certificates that are trusted.
 */
#ifndef KEYSTORE_HTTP_PRIVATE_H
#define KEYSTORE_HTTP_PRIVATE_H

#include <curl/curl.h>

#include "base/buf.h"
#include "keystore/http.h"
#include "keystore/throttle.h"

/* Of a call; each is in the list of its state. */
enum call_state { CALL_WAITING, CALL_RUNNING, CALL_DONE };

struct http_call {
	struct http *http;
	struct http_call *next, *previous; /* in the list of its state */
	enum call_state state;
	enum http_lane lane;
	CURL *easy;
	struct curl_slist *headers;
	struct buf request, response;
	CURLcode result;
	uint32_t retry_after_s;
	int64_t date;
	size_t header_len; /* received */
	bool too_long;
	char why[CURL_ERROR_SIZE];
	void (*on_answer)(void *ctx, const struct http_answer *answer);
	void *ctx;
};

struct call_list {
	struct http_call *first, *last;
	uint32_t count;
};

struct lane {
	struct call_list waiting;
	uint32_t running;
	struct throttle
		throttle; /* says how many may run; only clients' lane is ever slowed down */
};

struct http {
	struct loop *loop;
	CURLM *multi;
	struct loop_timer *timer, *open_timer; /* of curl; for when a throttled lane opens */
	struct loop_task start_task, deliver_task;
	struct lane lanes[HTTP_LANE_COUNT];
	struct call_list running, done;
	char *ca_file; /* NULL: the system's */
	struct buf ca; /* what it held when it was read; calls copy it */
	char *proxy; /* NULL: as the environment says; empty: none */
};

void http_list_append(struct call_list *list, struct http_call *call);
void http_list_remove(struct call_list *list, struct http_call *call);

/* http_loop.c: makes curl's multi handle and lets it watch its sockets; what has finished goes to
 * the list `done`. */
MUST_USE enum err http_loop_new(struct http *http, long connections);
void http_loop_free(struct http *http);

/* http_setup.c: options of one transfer. False: out of memory. */
bool http_set_transfer(CURL *easy, const struct http_request *request);
bool http_set_security(CURL *easy, const struct http *http, const char *url);
bool http_set_proxy(CURL *easy, const struct http *http, const char *url);

#endif
