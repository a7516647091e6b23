/* SPDX-License-Identifier: Apache-2.0 */
#include "node/ready.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "node/keeper.h"

/* The last trial of one instance. */
struct trial {
	struct ready *ready;
	struct keystore_pending *pending;
	bool done; /* one has come to a verdict */
	enum err err;
	char why[KEYMANAGER_WHY_MAX];
	uint64_t due_ms;
};

struct ready {
	struct keeper *keeper;
	struct loop_timer *timer;
	bool told; /* that we are ready */
	struct trial trials[KEYSTORE_INSTANCES_MAX];
};

struct looking {
	const struct ready *ready;
	size_t count;
	void (*on_reason)(void *ctx, const struct ready_reason *reason);
	void *ctx;
};

/* ---- trials ---- */

static bool is_verdict(enum err err)
{
	return err != ERR_UNAVAILABLE && err != ERR_THROTTLED && err != ERR_LIMIT &&
	       err != ERR_NOMEM && err != ERR_AMBIGUOUS;
}

/* Trouble on the way says nothing of the instance: the verdict before it stays. */
static void trial_on_checked(void *ctx, enum err err, const char *why)
{
	struct trial *trial = ctx;
	trial->pending = NULL;
	trial->due_ms = clock_boot_ms() + (err == ERR_OK ? READY_CHECK_MS : READY_RETRY_MS);
	if (!is_verdict(err))
		return;
	trial->done = true;
	trial->err = err;
	snprintf(trial->why, sizeof(trial->why), "%s", why == NULL ? "" : why);
}

static void ready_try(struct ready *ready)
{
	struct keystore *keystore = keeper_keystore(ready->keeper);
	for (size_t i = 0; i < keystore_instance_count(keystore); i++) {
		struct trial *trial = &ready->trials[i];
		if (trial->pending != NULL || clock_boot_ms() < trial->due_ms)
			continue;
		trial->ready = ready;
		if (keystore_check_start(&trial->pending, keystore, i, trial_on_checked, trial) !=
			ERR_OK)
			trial->due_ms = clock_boot_ms() + READY_RETRY_MS;
	}
}

/* ---- the answer ---- */

static void say(struct looking *looking, const char *condition, const char *instance,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

static void say(struct looking *looking, const char *condition, const char *instance,
	const char *format, ...)
{
	struct ready_reason reason = { .condition = condition, .instance = instance };
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(reason.why, sizeof(reason.why), format, arguments);
	va_end(arguments);
	looking->count++;
	if (looking->on_reason != NULL)
		looking->on_reason(looking->ctx, &reason);
}

static void look_at_node(struct looking *looking)
{
	struct keeper_status status;
	keeper_status(looking->ready->keeper, &status);
	if (strcmp(status.state, "open") != 0)
		say(looking, "port", "", "the KMIP port is not open: the node is %s", status.state);
	else if (status.workers.running == 0)
		say(looking, "workers", "", "no worker process accepts connections");
	if (status.certificate_not_after < clock_wall_seconds())
		say(looking, "certificate", "", "the certificate of the KMIP port has expired");
}

static void look_at_key_manager(
	struct looking *looking, const struct keystore_instance_status *instance)
{
	if (instance->outage_since_ms != 0)
		say(looking, "key-manager", instance->id.text,
			"the key manager has not answered for %llu s: %s",
			(unsigned long long) (clock_boot_ms() - instance->outage_since_ms) / 1000,
			instance->health.last_error);
	if (instance->refused)
		say(looking, "credentials", instance->id.text,
			"the key manager refuses the API key: %s", instance->health.last_error);
	if (instance->root == KEYMANAGER_ROOT_DISABLED || instance->root == KEYMANAGER_ROOT_DELETED)
		say(looking, "root-key", instance->id.text, "the root key is %s",
			instance->root == KEYMANAGER_ROOT_DELETED ? "deleted" : "disabled");
}

static void look_at_trial(struct looking *looking, const struct trial *trial, const char *instance)
{
	if (!trial->done)
		say(looking, "usable", instance, "wrap and unwrap were not tried yet");
	else if (trial->err != ERR_OK)
		say(looking, "usable", instance, "%s%s%s", err_text(trial->err),
			trial->why[0] == '\0' ? "" : ": ", trial->why);
}

size_t ready_look(const struct ready *ready,
	void (*on_reason)(void *ctx, const struct ready_reason *reason), void *ctx)
{
	struct keystore *keystore = keeper_keystore(ready->keeper);
	struct looking looking = { .ready = ready, .on_reason = on_reason, .ctx = ctx };
	look_at_node(&looking);
	for (size_t i = 0; i < keystore_instance_count(keystore); i++) {
		struct keystore_instance_status instance;
		keystore_instance_status(keystore, i, &instance);
		look_at_key_manager(&looking, &instance);
		look_at_trial(&looking, &ready->trials[i], instance.id.text);
	}
	return looking.count;
}

/* ---- watching ---- */

static void log_reason(void *ctx, const struct ready_reason *reason)
{
	(void) ctx;
	log_warning("not-ready", "condition=%s instance=%s why=%s", reason->condition,
		reason->instance[0] == '\0' ? "-" : reason->instance,
		log_quoted(slice_text(reason->why)));
}

static void ready_on_timer(void *ctx)
{
	struct ready *ready = ctx;
	ready_try(ready);
	bool is = ready_look(ready, NULL, NULL) == 0;
	if (is && !ready->told)
		log_info("ready", "instances=%zu",
			keystore_instance_count(keeper_keystore(ready->keeper)));
	else if (!is && ready->told)
		ready_look(ready, log_reason, NULL);
	ready->told = is;
	loop_timer_set(ready->timer, READY_TICK_MS);
}

enum err ready_new(struct ready **out, struct keeper *keeper)
{
	enum err err = ERR_NOMEM;
	struct ready *ready = calloc(1, sizeof(*ready));
	if (ready == NULL)
		goto out;
	ready->keeper = keeper;
	TRY(loop_timer_new(&ready->timer, keeper_loop(keeper), ready_on_timer, ready));
	loop_timer_set(ready->timer, READY_TICK_MS);
	*out = ready;
	ready = NULL;
out:
	ready_free(ready);
	return err;
}

void ready_free(struct ready *ready)
{
	if (ready == NULL)
		return;
	loop_timer_free(ready->timer);
	for (size_t i = 0; i < KEYSTORE_INSTANCES_MAX; i++)
		if (ready->trials[i].pending != NULL)
			keystore_cancel(ready->trials[i].pending);
	free(ready);
}
