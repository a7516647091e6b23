/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/keep_warm.h"
#include <stdlib.h>
#include "base/clock.h"
#include "base/log.h"
#include "keystore/fetch.h"
#include "keystore/missing.h"
#include "keystore/walk.h"

struct keep_warm {
	struct instance *instance;
	struct loop_timer *timer;
	struct keystore_pending *walk; /* the pass under way */
	uint32_t keys, rate; /* of the settings; keys 0: off */
	uint64_t recent_ms; /* used since then: among those that clients asked for last */
	uint64_t began_ms;
};

static uint64_t grace_ms(const struct keep_warm *warm)
{
	return 1000ull * warm->instance->keystore->settings.outage_grace_s;
}

static uint64_t pass_ms(const struct keep_warm *warm)
{
	uint64_t pass = grace_ms(warm) / KEEP_WARM_PARTS;

	if (pass < KEEP_WARM_PASS_MS_MIN)
		return KEEP_WARM_PASS_MS_MIN;
	return pass > KEEP_WARM_PASS_MS_MAX ? KEEP_WARM_PASS_MS_MAX : pass;
}

/* ---- one key ---- */

static bool is_due(const struct keep_warm *warm, const struct kek_seen *seen, uint64_t now_ms)
{
	return seen->has_room && seen->resident_until_ms < now_ms + grace_ms(warm) / 2;
}

static bool is_chosen(const struct keep_warm *warm, const struct kek_seen *seen)
{
	return warm->keys == KEYSTORE_WARM_ALL || seen->used_ms >= warm->recent_ms;
}

/* An outage, a refusal or a disabled root key ends the pass for the keys that are left: it would
 * get nothing. */
static bool may_ask(const struct instance *instance)
{
	for (enum keymanager_crk crk = 0; crk < KEYMANAGER_CRK_COUNT; crk++) {
		if (!instance_root_is_usable(instance, crk))
			return false;
	}
	return instance->poll_good_ms != 0 && instance->outage_since_ms == 0 && !instance->refused;
}

static bool warm_wants(void *ctx, struct cache_read *read, const struct object *object)
{
	const struct keep_warm *warm = ctx;
	struct kek_entry of = { .instance = warm->instance->id, .uid = object->uid };
	uint64_t now_ms = clock_boot_ms();
	struct kek_seen seen;

	/* What is sealed under a one-time key is too long to be kept. */
	if (!may_ask(warm->instance) || object_is_quarantined(object) ||
		object->wrapped.sealed.len > 0)
		return false;
	kek_table_look(warm->instance->keystore->table, &of, now_ms, &seen);
	return is_chosen(warm, &seen) && is_due(warm, &seen, now_ms) &&
	       !missing_is(read, &object->uid);
}

/* A key that is gone by now has not failed; one that may not be unwrapped now has its turn in a
 * later pass. */
static void warm_on_fetched(void *ctx, enum err err)
{
	switch (err) {
	case ERR_NOT_FOUND:
	case ERR_DESTROYED:
	case ERR_MISSING:
	case ERR_REFUSED:
	case ERR_ROOT_DISABLED:
		err = ERR_OK;
		break;
	default:
		break;
	}
	walk_item_done(ctx, err);
}

static enum err warm_begin(struct walk_item *item)
{
	const struct keep_warm *warm = item->ctx;

	return fetch_warm_start(&item->work, warm->instance, &item->uid, warm_on_fetched, item);
}

/* ---- passes ---- */

static void warm_wait(struct keep_warm *warm, uint64_t at_least_ms)
{
	uint64_t pass = pass_ms(warm);

	loop_timer_set(warm->timer, pass < at_least_ms ? at_least_ms : pass);
}

static void warm_on_walked(void *ctx, enum err err, const struct walk_progress *progress)
{
	struct keep_warm *warm = ctx;
	uint64_t took_ms = clock_boot_ms() - warm->began_ms;

	warm->walk = NULL;
	if (err == ERR_CANCELLED) {
		loop_timer_set(warm->timer, 0);
		return;
	}
	if (err != ERR_OK)
		log_warning("keep-warm-failed", "instance=%s error=%s", warm->instance->id.text,
			err_name(err));
	if (progress->counts.done > 0)
		log_info("kept-warm", "instance=%s keys=%llu took_ms=%llu", warm->instance->id.text,
			(unsigned long long) progress->counts.done, (unsigned long long) took_ms);
	if (progress->counts.done > 0 && took_ms > grace_ms(warm) / 2)
		log_warning("keep-warm-too-slow",
			"instance=%s took_ms=%llu effect=\"keys leave before their turn comes\" "
			"hint=\"a greater keep-warm-rate, unless the key manager was away\"",
			warm->instance->id.text, (unsigned long long) took_ms);
	warm_wait(warm, progress->counts.done == 0 ? KEEP_WARM_SHARE * took_ms : 0);
}

static enum err warm_start(struct keep_warm *warm)
{
	struct walk_options options = { .name = "keep-warm",
		.is_forgotten = true,
		.rate = warm->rate,
		.at_once = KEEP_WARM_AT_ONCE,
		.wants = warm_wants,
		.begin = warm_begin,
		.on_done = warm_on_walked,
		.ctx = warm };
	enum err err = ERR_OK;

	warm->began_ms = clock_boot_ms();
	if (warm->keys != KEYSTORE_WARM_ALL)
		TRY(kek_table_recent(
			warm->instance->keystore->table, warm->keys, &warm->recent_ms));
	TRY(walk_start(&warm->walk, warm->instance, &options));
out:
	return err;
}

static void warm_on_timer(void *ctx)
{
	struct keep_warm *warm = ctx;

	if (warm->keys == 0)
		return;
	if (!may_ask(warm->instance) || warm_start(warm) != ERR_OK)
		loop_timer_set(warm->timer, KEEP_WARM_WAIT_MS);
}

/* ---- the contract ---- */

void keep_warm_reload(struct keep_warm *warm)
{
	const struct keystore_settings *settings = &warm->instance->keystore->settings;

	if (warm->keys == settings->keep_warm && warm->rate == settings->keep_warm_rate)
		return;
	warm->keys = settings->keep_warm;
	warm->rate = settings->keep_warm_rate;
	if (warm->walk != NULL)
		walk_stop(warm->walk);
	else
		loop_timer_set(warm->timer, 0);
}

enum err keep_warm_new(struct keep_warm **out, struct instance *instance)
{
	struct keep_warm *warm = calloc(1, sizeof(*warm));
	enum err err = warm == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	warm->instance = instance;
	TRY(loop_timer_new(&warm->timer, instance->keystore->loop, warm_on_timer, warm));
	keep_warm_reload(warm);
	*out = warm;
	warm = NULL;
out:
	keep_warm_free(warm);
	return err;
}

void keep_warm_free(struct keep_warm *warm)
{
	if (warm == NULL)
		return;
	loop_timer_free(warm->timer);
	free(warm);
}
