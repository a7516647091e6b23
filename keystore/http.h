/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTPS calls on the loop, by libcurl's multi interface: connections are kept, the number of calls
 * that run at once is bounded per lane, the rest wait in order; after a 429 clients' calls
 * run fewer at once and begin later (throttle.h). No retries, no redirects; TLS is
 * always verified. Plain http is for loopback hosts only (an emulator). Bodies are wiped.
 */
#ifndef KEYSTORE_HTTP_H
#define KEYSTORE_HTTP_H

#include "base/loop.h"
#include "base/slice.h"

struct http;
struct http_call;

enum {
	HTTP_CALLS_MAX = 320, /* waiting and running */
	HTTP_BODY_LEN_MAX = 4 * 1024 * 1024,
	HTTP_HEADERS_MAX = 8,
	HTTP_CONNECT_TIMEOUT_MS = 5000,
	HTTP_WHY_MAX = 200,
	HTTP_CA_LEN_MAX = 1 << 20,
	HTTP_HEADER_BYTES_MAX = 64 << 10, /* of an answer */
};

/* Each lane has its own slots, so that none waits for another. */
enum http_lane { HTTP_LANE_CLIENT, HTTP_LANE_BACKGROUND, HTTP_LANE_TOKEN, HTTP_LANE_COUNT };

struct http_options {
	struct loop *loop;
	const char *ca_file; /* copied; NULL: the system's */
	const char *proxy; /* copied; NULL: https_proxy and no_proxy of the environment; "none" */
	uint32_t client_slots;
};

/* ERR_CONFIG with a sentence in why when ca_file or proxy cannot be used. */
MUST_USE enum err http_new(
	struct http **out, const struct http_options *options, char why[HTTP_WHY_MAX]);
/* Cancels everything. */
void http_free(struct http *http);
/* Reads the CA file again, for connections made from now on; one that holds no certificate is
 * refused with a sentence, and what was trusted stays. */
MUST_USE enum err http_reload(struct http *http, char why[HTTP_WHY_MAX]);
/* ERR_CONFIG unless http:// or https:// with a host and no path. */
MUST_USE enum err http_check_proxy(const char *url);
/* ERR_CONFIG unless https://, or http:// with a loopback host; and no credentials, query or
 * fragment in it. */
MUST_USE enum err http_check_url(const char *url);

enum http_outcome {
	HTTP_ANSWERED, /* status and the whole body are there */
	HTTP_NOT_SENT, /* not one byte of the request left: refused, unresolved, TLS failed */
	HTTP_LOST, /* it may have been sent */
	HTTP_TOO_LONG, /* an answer beyond HTTP_BODY_LEN_MAX */
};
struct http_answer {
	enum http_outcome outcome;
	long status;
	struct slice body; /* wiped after the callback */
	uint32_t retry_after_s; /* 0: not told */
	int64_t date; /* when the service answered, by its own clock; 0: not told */
	const char *why;
};

/* Everything is copied. */
struct http_request {
	const char *method;
	const char *url;
	const char *headers[HTTP_HEADERS_MAX]; /* "Name: value" */
	size_t header_count;
	struct slice body; /* empty: none */
	enum http_lane lane;
	uint32_t timeout_ms; /* from when it runs; the caller has its own deadline */
	bool once; /* never sent twice, not even when a kept connection turns out dead */
};
MUST_USE enum err http_start(struct http_call **out, struct http *http,
	const struct http_request *request,
	void (*on_answer)(void *ctx, const struct http_answer *answer), void *ctx);
void http_cancel(struct http_call *call);
/* Whether a byte of the request may have left. */
bool http_was_sent(const struct http_call *call);
/* Whether it has a slot: it is being connected, sent or answered. */
bool http_is_running(const struct http_call *call);
/* How long no client's call may begin, since the service said 429; 0: now. */
uint64_t http_wait_ms(const struct http *http);
/* How many clients' calls may run at once, and the 429s so far. */
void http_throttling(const struct http *http, uint32_t *slots, uint64_t *throttled);
void http_count(const struct http *http, uint32_t *running, uint32_t *queued);

#endif
