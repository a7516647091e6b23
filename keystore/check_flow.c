/* SPDX-License-Identifier: Apache-2.0 */
/* Would this instance work (design D24)? Root key -> key ring and policies -> wrap -> unwrap. */
#include <stdio.h>
#include "base/clock.h"
#include "base/rand.h"
#include "keystore/envelope.h"
#include "keystore/flow.h"

enum {
	CHECK_LEN = 32,
	CHECK_MS = 20000,
	CHECK_REACH_MS = 4000, /* for the first answer: who hears none by then need not wait */
};

struct check_flow {
	struct keystore_pending flow;
	uint8_t plain[CHECK_LEN];
	uint8_t nonce[ENVELOPE_NONCE_LEN];
	char aad_hex[2 * ENVELOPE_NONCE_LEN + 1];
	struct keymanager_aad aad;
	enum keymanager_crk crk; /* that is asked for */
	enum err finding; /* of the preparation: told at the end */
	char why[KEYMANAGER_WHY_MAX];
	void (*on_checked)(void *ctx, enum err err, const char *why);
	void *ctx;
};

static void check_finish(struct check_flow *check, enum err err)
{
	void (*on_checked)(void *, enum err, const char *) = check->on_checked;
	void *ctx = check->ctx;
	char why[KEYMANAGER_WHY_MAX];

	bytes_copy(why, check->why, sizeof(why));
	flow_end(&check->flow);
	on_checked(ctx, err, why);
}

static void check_fail(struct check_flow *check, enum err err, const char *step, const char *why)
{
	snprintf(check->why, sizeof(check->why), "%s: %s", step,
		why == NULL || why[0] == '\0' ? err_text(err) : why);
	check_finish(check, err);
}

static void check_on_unwrapped(void *ctx, const struct keymanager_unwrapped *result)
{
	struct check_flow *check = ctx;

	check->flow.call = NULL;
	if (result->err != ERR_OK)
		check_fail(check, result->err, "unwrap", result->why);
	else if (!secret_equal(result->plaintext, slice_of(check->plain, sizeof(check->plain))))
		check_fail(check, ERR_CORRUPT, "unwrap", "gives other bytes than were wrapped");
	else
		check_finish(check, check->finding);
}

static void check_on_wrapped(void *ctx, const struct keymanager_wrapped *result)
{
	struct check_flow *check = ctx;
	struct keymanager_call call = flow_call(&check->flow, 100);
	enum err err;

	check->flow.call = NULL;
	if (result->err != ERR_OK) {
		check_fail(check, result->err, "wrap", result->why);
		return;
	}
	err = keymanager_unwrap_start(&check->flow.call, check->flow.instance->keymanager,
		result->ciphertext, &check->aad, check_on_unwrapped, &call);
	if (err != ERR_OK)
		check_fail(check, err, "unwrap", NULL);
}

static void check_on_prepared(void *ctx, const struct keymanager_done *result)
{
	struct check_flow *check = ctx;
	struct keymanager_call call = flow_call(&check->flow, 100);
	enum err err;

	check->flow.call = NULL;
	if (result->err != ERR_OK && result->err != ERR_FIELD) {
		check_fail(check, result->err, "key ring", result->why);
		return;
	}
	check->finding = result->err;
	if (result->why != NULL)
		snprintf(check->why, sizeof(check->why), "%s", result->why);
	/* Prepared all the same, but by a role that is not Manager: no key could be destroyed. */
	if (result->err == ERR_OK && check->why[0] != '\0')
		check->finding = ERR_REFUSED;
	rand_bytes(check->plain, sizeof(check->plain));
	rand_bytes(check->nonce, sizeof(check->nonce));
	envelope_aad(&check->aad, check->aad_hex, &check->flow.instance->id, check->nonce);
	err = keymanager_wrap_start(&check->flow.call, check->flow.instance->keymanager,
		slice_of(check->plain, sizeof(check->plain)), &check->aad, check_on_wrapped, &call);
	if (err != ERR_OK)
		check_fail(check, err, "wrap", NULL);
}

/* The first call: neither IAM nor the key manager has said anything of use. */
static void check_unreachable(struct check_flow *check, const char *why)
{
	const struct keymanager_options *options = &check->flow.instance->options;

	snprintf(check->why, sizeof(check->why),
		"no answer from %.60s or %.60s within %d s (%.90s): see url, iam-url, ca-file, "
		"proxy",
		options->url, options->iam_url, CHECK_REACH_MS / 1000, why);
	check_finish(check, ERR_UNAVAILABLE);
}

static const char *check_root_name(const struct check_flow *check)
{
	return check->crk == KEYMANAGER_CRK ? "root key" : "other root key";
}

/* No proof that it is gone, but for whoever wrote the configuration the likeliest mistake. */
static void check_unknown(struct check_flow *check)
{
	const struct keymanager_options *options = &check->flow.instance->options;
	bool is_first = check->crk == KEYMANAGER_CRK;

	snprintf(check->why, sizeof(check->why),
		"the service instance shows no %s %.90s: see %s, service-instance, url, and the "
		"key's ring",
		check_root_name(check), is_first ? options->root_key : options->other_root_key,
		is_first ? "root-key" : "other-root-key");
	check_finish(check, ERR_NOT_FOUND);
}

static void check_root(struct check_flow *check);

static void check_on_root(void *ctx, const struct keymanager_root *result)
{
	struct check_flow *check = ctx;
	struct keymanager_call call = flow_call(&check->flow, 100);
	enum err err = result->err;

	check->flow.call = NULL;
	if (err == ERR_OK && result->state != KEYMANAGER_ROOT_ENABLED)
		err = ERR_ROOT_DISABLED;
	if (err == ERR_UNAVAILABLE && result->is_unknown) {
		check_unknown(check);
		return;
	}
	if (err == ERR_UNAVAILABLE && check->crk == KEYMANAGER_CRK) {
		check_unreachable(check, result->why);
		return;
	}
	if (err != ERR_OK) {
		check_fail(check, err, check_root_name(check), result->why);
		return;
	}
	if (check->crk == KEYMANAGER_CRK && check->flow.instance->options.other_root_key != NULL) {
		check->crk = KEYMANAGER_OTHER_CRK;
		check_root(check);
		return;
	}
	err = keymanager_prepare_start(
		&check->flow.call, check->flow.instance->keymanager, check_on_prepared, &call);
	if (err != ERR_OK)
		check_fail(check, err, "key ring", NULL);
}

static void check_root(struct check_flow *check)
{
	struct keymanager_call call = flow_call(&check->flow, 100);
	if (check->crk == KEYMANAGER_CRK)
		call.deadline_ms = CHECK_REACH_MS;
	enum err err = keymanager_root_start(&check->flow.call, check->flow.instance->keymanager,
		check->crk, check_on_root, &call);

	if (err != ERR_OK)
		check_fail(check, err, check_root_name(check), NULL);
}

static void check_begin(void *ctx)
{
	check_root(ctx);
}

enum err keystore_check_start(struct keystore_pending **out, struct keystore *keystore,
	size_t instance, void (*on_checked)(void *ctx, enum err err, const char *why), void *ctx)
{
	struct keystore_pending *flow;
	struct check_flow *check;
	enum err err;

	ASSERT(instance < keystore->instance_count);
	TRY(flow_new(&flow, sizeof(*check), keystore, keystore->instances[instance]));
	check = (struct check_flow *) flow;
	flow->deadline_ms = clock_boot_ms() + CHECK_MS;
	check->on_checked = on_checked;
	check->ctx = ctx;
	flow_defer(flow, check_begin);
	*out = flow;
out:
	return err;
}
