/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/root_watch.h"
#include <stdlib.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "keystore/roots.h"

struct root_watch {
	struct instance *instance;
	enum keymanager_crk crk;
	struct loop_timer *timer;
	struct keymanager_pending *call;
	uint64_t looked_ms; /* boot time at which it was asked last */
	bool failing; /* said in the log once */
};

static void watch_on_timer(void *ctx);

static void watch_wait(struct root_watch *watch)
{
	uint64_t poll_ms = 1000ull * watch->instance->keystore->settings.root_poll_s;

	/* A fifth either way, so that nodes do not ask in step. */
	loop_timer_set(watch->timer, poll_ms * (80 + rand_below(41)) / 100);
}

/* true: there is a newer one than was known. */
static bool watch_note_version(const struct instance *instance, struct instance_crk *crk,
	const struct keymanager_root *result)
{
	int64_t before = root_versions_newest(&crk->versions);
	bool newer;

	root_versions_note(&crk->versions, result->key_version, result->version_date);
	newer = before < root_versions_newest(&crk->versions);
	if (before != 0 && newer)
		log_info("root-key-rotated", "instance=%s", instance->id.text);
	return newer;
}

static void watch_judge(struct root_watch *watch, const struct keymanager_root *result)
{
	struct instance *instance = watch->instance;
	struct instance_crk *crk = &instance->crks[watch->crk];

	crk->heard_ms = watch->looked_ms;
	if (result->state == KEYMANAGER_ROOT_DISABLED || result->state == KEYMANAGER_ROOT_DELETED) {
		instance_close_root(instance, watch->crk, result->state);
		crk->state = result->state;
		return;
	}
	if (!instance_root_is_usable(instance, watch->crk))
		log_info("root-key-usable", "instance=%s", instance->id.text);
	crk->state = result->state;
	crk->id = result->id;
	roots_note(instance, watch->crk);
	instance_on_root(instance, watch_note_version(instance, crk, result));
}

static void watch_on_root(void *ctx, const struct keymanager_root *result)
{
	struct root_watch *watch = ctx;
	bool failed = result->err != ERR_OK && result->err != ERR_ROOT_DISABLED;

	watch->call = NULL;
	watch->instance->crks[watch->crk].err = result->err;
	if (result->err == ERR_OK)
		watch_judge(watch, result);
	else if (result->err == ERR_ROOT_DISABLED)
		instance_close_root(watch->instance, watch->crk, KEYMANAGER_ROOT_DISABLED);
	if (failed && !watch->failing)
		log_warning("root-key-unknown", "instance=%s error=%s why=%s",
			watch->instance->id.text, err_name(result->err),
			log_quoted(slice_text(result->why == NULL ? "" : result->why)));
	watch->failing = failed;
	watch_wait(watch);
}

static void watch_on_timer(void *ctx)
{
	struct root_watch *watch = ctx;
	struct keymanager_call call = {
		.ctx = watch, .deadline_ms = ROOT_WATCH_DEADLINE_MS, .background = true
	};

	if (watch->crk == KEYMANAGER_OTHER_CRK && watch->instance->options.other_root_key == NULL)
		return;
	watch->looked_ms = clock_boot_ms();
	if (keymanager_root_start(&watch->call, watch->instance->keymanager, watch->crk,
		    watch_on_root, &call) != ERR_OK)
		watch_wait(watch);
}

void root_watch_again(struct root_watch *watch)
{
	keymanager_cancel(watch->call);
	watch->call = NULL;
	loop_timer_set(watch->timer, 0);
}

enum err root_watch_new(struct root_watch **out, struct instance *instance, enum keymanager_crk crk)
{
	struct root_watch *watch = calloc(1, sizeof(*watch));
	enum err err = watch == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	watch->instance = instance;
	watch->crk = crk;
	TRY(loop_timer_new(&watch->timer, instance->keystore->loop, watch_on_timer, watch));
	loop_timer_set(watch->timer, 0);
	*out = watch;
	watch = NULL;
out:
	root_watch_free(watch);
	return err;
}

void root_watch_poke(struct root_watch *watch)
{
	uint64_t due_ms = watch->looked_ms + ROOT_WATCH_POKE_MS, now_ms = clock_boot_ms();

	if (watch->call == NULL)
		loop_timer_set(watch->timer, due_ms > now_ms ? due_ms - now_ms : 0);
}

void root_watch_free(struct root_watch *watch)
{
	if (watch == NULL)
		return;
	keymanager_cancel(watch->call);
	loop_timer_free(watch->timer);
	free(watch);
}
