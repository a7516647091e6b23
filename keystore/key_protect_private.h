/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared by key_protect*.c. key_protect.c makes the client and starts calls; key_protect_call.c
 * carries one through token, attempts and deadline; key_protect_verb.c knows what each verb sends
 * and what its answers mean.
 */
#ifndef KEYSTORE_KEY_PROTECT_PRIVATE_H
#define KEYSTORE_KEY_PROTECT_PRIVATE_H

#include "base/arena.h"
#include "base/buf.h"
#include "keystore/circuit.h"
#include "keystore/http.h"
#include "keystore/iam.h"
#include "keystore/keymanager_ops.h"

enum {
	KEY_PROTECT_URL_MAX = 1024,
	KEY_PROTECT_TEXT_MAX = 256, /* of an option */
	KEY_PROTECT_REQUEST_MAX = 32768,
	/* Of KEYMANAGER_CALLS_MAX: so that client traffic never keeps a poll out (design D12). */
	KEY_PROTECT_BACKGROUND_CALLS = 32,
	KEY_PROTECT_ANSWER_MAX = 8 * 1024 * 1024, /* what is read out of one answer */
};

struct call;

struct key_protect {
	struct keymanager base;
	struct loop *loop;
	struct http *http;
	struct iam *iam;
	struct circuit circuit;
	struct call *calls; /* not yet delivered */
	uint32_t call_count;
	struct keymanager_health health;
	char url[KEY_PROTECT_TEXT_MAX];
	char service_instance[KEY_PROTECT_TEXT_MAX];
	char key_ring[KEY_PROTECT_TEXT_MAX];
	char root_keys[KEYMANAGER_CRK_COUNT][KEY_PROTECT_TEXT_MAX]; /* the other may be empty */
	enum keymanager_crk opened_last; /* what an unwrap tries first */
	char name[KEY_PROTECT_TEXT_MAX];
};

/* What a verb's answer is read into, in the arena of the call. */
union call_result {
	struct keymanager_wrapped wrapped;
	struct keymanager_unwrapped unwrapped;
	struct keymanager_key key;
	struct keymanager_listed listed;
	struct keymanager_root root;
	bool ring_found;
};

enum call_step { STEP_ONLY, STEP_RINGS, STEP_MAKE_RING, STEP_RINGS_AGAIN, STEP_POLICIES };

struct call {
	struct keymanager_pending base;
	struct key_protect *km;
	struct call *next, *previous;
	enum keymanager_verb verb;
	enum call_step step;
	union keymanager_callback callback;
	void *ctx;
	bool background;
	struct uid id;
	char root_key[KEY_PROTECT_TEXT_MAX]; /* of the request under way */
	char next_root_key[KEY_PROTECT_TEXT_MAX]; /* what an unwrap goes on with; or empty */
	enum err first_err; /* what the first of two root keys said; or ERR_OK */
	const char *method;
	char url[KEY_PROTECT_URL_MAX];
	bool with_ring;
	struct buf body;
	struct arena *arena;
	union call_result result;

	struct loop_task begin_task;
	struct loop_timer *timer; /* the next attempt, else the deadline */
	bool pausing;
	uint64_t deadline_ms, began_us;
	struct iam_waiter waiter;
	uint64_t token_generation;
	bool token_renewed;
	struct http_call *http;
	uint32_t attempts;
	bool delivering;
	bool admitted; /* by the circuit */
	bool service_failed; /* the last attempt had no answer, or 5xx */
	long status;
	bool key_unknown; /* the last answer said so */
	enum err last_err;
	char why[KEYMANAGER_WHY_MAX];
	char correlation[UUID_TEXT_LEN + 1];
};

/* key_protect_verb.c */

/* Of something about the root key that wraps. */
void key_protect_root_url(
	char url[KEY_PROTECT_URL_MAX], const struct key_protect *km, const char *what);

/* Fills method, url, body. */
MUST_USE enum err call_prepare(struct call *call, const struct keymanager_order *order);
/* A whole 2xx answer, into call->result. ERR_AGAIN: the call goes on with another request, which
 * has been prepared. */
MUST_USE enum err call_read(struct call *call, struct slice body);
/* What a status other than 2xx means for this verb. */
enum err call_classify(const struct call *call, long status, const char *code);
/* After a refusal: true when the call goes on with another request, which has been prepared. */
bool call_goes_on(struct call *call, long status, enum err err);
/* What there is to say of a refusal that counts as success; else empty. */
const char *call_finding(const struct call *call);
/* Never to be repeated once it may have been sent. */
bool call_is_once(const struct call *call);
/* The one callback. */
void call_deliver(struct call *call, enum err err);

/* key_protect_call.c */

void call_begin(void *ctx);
void call_on_timer(void *ctx);
void call_on_token(void *ctx, enum err err, const char *why);
void call_free(struct call *call);
void call_cancel(struct keymanager_pending *pending);

#endif
