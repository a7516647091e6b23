/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The remote key manager of an instance, as an interface (design D16): root key use, standard keys,
 * listing. One implementation per kind, made by keymanager_new. Everything is asynchronous on the
 * loop: a start returns a handle and ends in exactly one callback, later, or in keymanager_cancel,
 * after which nothing is called.
 *
 * Results that callers distinguish: ERR_OK; ERR_NOT_FOUND (404 for the id, while the credential
 * works); ERR_DESTROYED (410 or state 5); ERR_ROOT_DISABLED (409/410 on a root-key action);
 * ERR_REFUSED (401/403 after one fresh token); ERR_THROTTLED; ERR_UNAVAILABLE (connection, timeout,
 * 5xx, IAM down, broken answer); ERR_CORRUPT (422: wrong AAD or damaged ciphertext); ERR_AMBIGUOUS
 * (create: sent, outcome unknown); ERR_FIELD (400/409 policy: message in `why`).
 */
#ifndef KEYSTORE_KEYMANAGER_H
#define KEYSTORE_KEYMANAGER_H

#include "base/histogram.h"
#include "base/loop.h"
#include "base/secret.h"
#include "keystore/ids.h"

struct keymanager;
struct keymanager_pending;

enum {
	KEYMANAGER_WHY_MAX = 300,
	KEYMANAGER_AAD_MAX = 2,
	KEYMANAGER_WRAP_LEN_MAX = 3072, /* 4,096 base64 characters */
	KEYMANAGER_PAYLOAD_LEN_MAX = 7500,
	KEYMANAGER_LIST_MAX = 500,
	KEYMANAGER_CALLS_MAX =
		256, /* queued and running, over all callers; beyond: ERR_LIMIT at start */
};

/* The root keys of an instance: the one that wraps, and one more that keys may be wrapped with
 * while they are migrated (design D8). */
enum keymanager_crk { KEYMANAGER_CRK, KEYMANAGER_OTHER_CRK, KEYMANAGER_CRK_COUNT };

struct keymanager_options {
	struct loop *loop;
	const char *kind; /* "key-protect" (Standard and Dedicated) or "hpcs": endpoint form only */
	const char *url; /* "https://eu-de.kms.cloud.ibm.com" */
	const char *iam_url; /* "https://iam.cloud.ibm.com" */
	const char *ca_file; /* NULL: the system's; read at start and by keymanager_reload */
	const char *proxy; /* NULL: as the environment says; "none" */
	const char *service_instance; /* GUID: Bluemix-Instance */
	const char *api_key_file; /* read at start and by keymanager_reload */
	const char *key_ring; /* "default" or the instance's own */
	const char *root_key; /* id or alias of the CRK */
	const char *other_root_key; /* a second one that keys may be wrapped with; or NULL */
	const char *name; /* the KMIP instance's name, for the log */
	uint32_t connections_max; /* default 16 */
};

MUST_USE enum err keymanager_new(struct keymanager **out, const struct keymanager_options *options,
	char why[KEYMANAGER_WHY_MAX]);
/* Cancels everything. */
void keymanager_free(struct keymanager *keymanager);
/* Reads the CA file and the API key again. A new API key is tried in the background before it is
 * used; health and log tell what became of it. */
MUST_USE enum err keymanager_reload(struct keymanager *keymanager, char why[KEYMANAGER_WHY_MAX]);
/* Other root keys from now on; calls under way keep those that they began with. */
MUST_USE enum err keymanager_set_roots(struct keymanager *keymanager, const char *root_key,
	const char *other_root_key, char why[KEYMANAGER_WHY_MAX]);
/* After this no callback of the call comes. NULL is fine. */
void keymanager_cancel(struct keymanager_pending *pending);

struct keymanager_aad {
	struct slice parts[KEYMANAGER_AAD_MAX];
	size_t count;
};

/* Every call: what the caller shares between them. deadline_ms: from now, retries included. */
struct keymanager_call {
	void *ctx;
	uint32_t deadline_ms;
	bool background; /* polls and listings have connections of their own; client traffic is not
			    held up by them */
};

/* Result slices are borrowed until the callback returns; `why` is a sentence for the log. */
struct keymanager_wrapped {
	enum err err;
	const char *why;
	struct slice ciphertext; /* as the service's text */
	struct slice key_version; /* id of the CRK version */
	enum keymanager_crk crk; /* of a rewrap: as in keymanager_unwrapped */
};
MUST_USE enum err keymanager_wrap_start(struct keymanager_pending **out,
	struct keymanager *keymanager, struct slice plaintext, const struct keymanager_aad *aad,
	void (*on_wrapped)(void *ctx, const struct keymanager_wrapped *result),
	const struct keymanager_call *call);

struct keymanager_unwrapped {
	enum err err;
	const char *why;
	struct slice plaintext; /* wiped after the callback */
	struct slice rewrapped; /* set when the CRK was rotated since (design D14) */
	struct slice key_version; /* of the rewrapped form, else of the given one */
	enum keymanager_crk crk; /* which opened it; of ERR_ROOT_DISABLED: which is disabled */
};
/* Where there are two root keys both are tried: ERR_CORRUPT means that neither opens it. */
MUST_USE enum err keymanager_unwrap_start(struct keymanager_pending **out,
	struct keymanager *keymanager, struct slice ciphertext, const struct keymanager_aad *aad,
	void (*on_unwrapped)(void *ctx, const struct keymanager_unwrapped *result),
	const struct keymanager_call *call);

/* The same under the newest version of the root key that wrapped it, without its being told what is
 * in it. Harmless for one that is there already. Both root keys are tried. */
MUST_USE enum err keymanager_rewrap_start(struct keymanager_pending **out,
	struct keymanager *keymanager, struct slice ciphertext, const struct keymanager_aad *aad,
	void (*on_rewrapped)(void *ctx, const struct keymanager_wrapped *result),
	const struct keymanager_call *call);

/* A key of the service as it tells it. */
struct keymanager_key {
	struct uid id;
	char name[91];
	bool standard; /* extractable */
	int state; /* 0 to 5 */
	bool deleted;
	int64_t created, updated, deletion; /* seconds, 0 when not told */
	struct slice payload; /* decoded from base64; keymanager_get_start of a standard key only */
};

struct keymanager_got {
	enum err err;
	const char *why;
	const struct keymanager_key
		*key; /* also with ERR_DESTROYED when the service still tells of it */
};
/* By id, without ring header (design D8): ERR_OK, ERR_DESTROYED, ERR_NOT_FOUND. */
MUST_USE enum err keymanager_get_start(struct keymanager_pending **out,
	struct keymanager *keymanager, const struct uid *id,
	void (*on_got)(void *ctx, const struct keymanager_got *result),
	const struct keymanager_call *call);

struct keymanager_created {
	enum err err; /* ERR_AMBIGUOUS is never retried here (design D9) */
	const char *why;
	struct uid id;
};
MUST_USE enum err keymanager_create_start(struct keymanager_pending **out,
	struct keymanager *keymanager, const char *name, struct slice payload,
	void (*on_created)(void *ctx, const struct keymanager_created *result),
	const struct keymanager_call *call);

struct keymanager_done {
	enum err err;
	const char *why;
};
/* ERR_OK also when it was deleted before (410). */
MUST_USE enum err keymanager_delete_start(struct keymanager_pending **out,
	struct keymanager *keymanager, const struct uid *id,
	void (*on_deleted)(void *ctx, const struct keymanager_done *result),
	const struct keymanager_call *call);

struct keymanager_list_query {
	int64_t created_since; /* 0: all. Rounded down to seconds */
	int64_t updated_since;
	bool with_destroyed;
	bool only_destroyed; /* the one deleted last comes first */
	bool newest_first; /* by creation; else by id */
	bool any_ring; /* the whole service instance, where others have keys too */
	uint32_t offset;
	uint32_t limit; /* at most KEYMANAGER_LIST_MAX */
};
struct keymanager_listed {
	enum err err;
	const char *why;
	const struct keymanager_key *keys; /* without payload; of our key ring, or any */
	size_t count;
};
MUST_USE enum err keymanager_list_start(struct keymanager_pending **out,
	struct keymanager *keymanager, const struct keymanager_list_query *query,
	void (*on_listed)(void *ctx, const struct keymanager_listed *result),
	const struct keymanager_call *call);

enum keymanager_root_state {
	KEYMANAGER_ROOT_UNKNOWN,
	KEYMANAGER_ROOT_ENABLED,
	KEYMANAGER_ROOT_DISABLED,
	KEYMANAGER_ROOT_DELETED
};
struct keymanager_root {
	enum err err;
	bool is_unknown; /* with ERR_UNAVAILABLE: the service says that it has no such key */
	const char *why;
	enum keymanager_root_state state;
	struct uid id;
	int64_t version_date; /* of the newest version; 0 when not told */
	struct slice key_version;
};
/* KEYMANAGER_OTHER_CRK only where there is one. */
MUST_USE enum err keymanager_root_start(struct keymanager_pending **out,
	struct keymanager *keymanager, enum keymanager_crk crk,
	void (*on_root)(void *ctx, const struct keymanager_root *result),
	const struct keymanager_call *call);

/* Makes the key ring if the service has none of that name; names policies that would make Create or
 * Destroy fail (design D24) in `why` with ERR_FIELD. */
MUST_USE enum err keymanager_prepare_start(struct keymanager_pending **out,
	struct keymanager *keymanager,
	void (*on_prepared)(void *ctx, const struct keymanager_done *result),
	const struct keymanager_call *call);

/* For status and metrics. */
struct keymanager_health {
	bool reachable; /* the last finished call got an answer from the service */
	uint64_t last_good_ms; /* boot time of the last good answer, 0: never */
	uint64_t calls, failures;
	uint32_t running, queued;
	char last_error[KEYMANAGER_WHY_MAX];
	const char *circuit; /* closed, open or probing: whether clients' calls are tried */
	uint64_t circuit_opened, circuit_refused; /* times; calls that were not tried */
	uint32_t slots; /* clients' calls that may run at once: fewer after 429 */
	uint64_t throttled; /* 429s */
	char credential[KEYMANAGER_WHY_MAX]; /* of the last reload's API key; empty: in use */
};
void keymanager_health(const struct keymanager *keymanager, struct keymanager_health *out);

/* The present second by the key manager's clock as far as it has told one, and never later than by
 * ours: what its dates are compared to, so that a clock of ours that is ahead hides nothing new. */
int64_t keymanager_seconds(const struct keymanager *keymanager);

enum keymanager_verb {
	KEYMANAGER_WRAP,
	KEYMANAGER_UNWRAP,
	KEYMANAGER_REWRAP,
	KEYMANAGER_GET,
	KEYMANAGER_CREATE,
	KEYMANAGER_DELETE,
	KEYMANAGER_LIST,
	KEYMANAGER_ROOT,
	KEYMANAGER_PREPARE,
};
enum { KEYMANAGER_VERBS = KEYMANAGER_PREPARE + 1 };
/* "wrap" */
const char *keymanager_verb_name(enum keymanager_verb verb);

/* Calls by their end. How long one took includes waiting for a connection, for a token and for
 * further attempts. */
struct keymanager_meter {
	uint64_t ended[KEYMANAGER_VERBS][ERR_COUNT];
	uint64_t sent[KEYMANAGER_VERBS]; /* requests: attempts, and the steps of a call */
	struct histogram took[KEYMANAGER_VERBS];
};
const struct keymanager_meter *keymanager_meter(const struct keymanager *keymanager);

#endif
