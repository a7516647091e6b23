/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/rewrap.h"
#include <stdlib.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/sm.h"
#include "keystore/background.h"
#include "keystore/rewrap_key.h"
#include "keystore/survey.h"
#include "keystore/walk.h"

/*
 *	IDLE -> ASKING -> WALKING -> ASKING -> IDLE
 *	                  WALKING -> IDLE (stopped)
 */
enum rewrap_state { REWRAP_IDLE, REWRAP_ASKING, REWRAP_WALKING, REWRAP_STATE_COUNT };

static const struct sm_state rewrap_states[REWRAP_STATE_COUNT] = {
	[REWRAP_IDLE] = { "idle", SM_TO(REWRAP_ASKING) },
	[REWRAP_ASKING] = { "asking", SM_TO(REWRAP_WALKING) | SM_TO(REWRAP_IDLE) },
	[REWRAP_WALKING] = { "walking", SM_TO(REWRAP_ASKING) | SM_TO(REWRAP_IDLE) },
};

static const char walk_name[] = "rewrap";

_Static_assert((int) KEYSTORE_REWRAP_FAILURES == (int) WALK_FAILED_MAX, "all are told");

struct rewrap {
	struct instance *instance;
	struct sm sm;
	struct loop_timer *timer;
	struct keystore_pending *walk;
	uint32_t rate; /* of the next walk; 0: as the fact says */
	unsigned rounds;
	uint64_t asked_ms; /* what was heard of the root keys before does not count */
	int64_t versions[KEYMANAGER_CRK_COUNT]; /* the newest when the round began */
	struct walk_progress last; /* of the walk that ended last */
	uint64_t done_before; /* in earlier rounds */
	enum err err; /* how the last run ended */
};

static void rewrap_end(struct rewrap *rewrap, enum err err)
{
	log_info("rewrap-ends", "instance=%s result=%s rewrapped=%llu failed=%llu",
		rewrap->instance->id.text, err_name(err),
		(unsigned long long) (rewrap->done_before + rewrap->last.counts.done),
		(unsigned long long) rewrap->last.counts.failed);
	rewrap->err = err;
	loop_timer_stop(rewrap->timer);
	sm_move(&rewrap->sm, REWRAP_IDLE, err_name(err));
	survey_poke(rewrap->instance->survey);
}

/* ---- the walk ---- */

static bool rewrap_wants(void *ctx, struct cache_read *read, const struct object *object)
{
	const struct rewrap *rewrap = ctx;

	return rewrap_key_is_due(rewrap->instance, read, object);
}

static void rewrap_on_key(void *ctx, enum err err)
{
	walk_item_done(ctx, err);
}

static enum err rewrap_key(struct walk_item *item)
{
	const struct rewrap *rewrap = item->ctx;

	return rewrap_key_start(&item->work, rewrap->instance, &item->uid, rewrap_on_key, item);
}

static void rewrap_ask(struct rewrap *rewrap, const char *why);

static void rewrap_on_walked(void *ctx, enum err err, const struct walk_progress *progress)
{
	struct rewrap *rewrap = ctx;

	rewrap->walk = NULL;
	rewrap->last = *progress;
	rewrap->rate = progress->rate;
	if (err != ERR_OK)
		rewrap_end(rewrap, err);
	else
		rewrap_ask(rewrap, "walked");
}

static enum err rewrap_walk(struct rewrap *rewrap)
{
	struct walk_options options = { .name = walk_name,
		.rate = rewrap->rate,
		.at_once = REWRAP_AT_ONCE,
		.wants = rewrap_wants,
		.begin = rewrap_key,
		.on_done = rewrap_on_walked,
		.ctx = rewrap };
	enum err err;

	TRY(rewrap->rounds < REWRAP_ROUNDS_MAX ? ERR_OK : ERR_LIMIT);
	TRY(walk_start(&rewrap->walk, rewrap->instance, &options));
	rewrap->done_before += rewrap->last.counts.done;
	rewrap->last = (struct walk_progress){ 0 };
	rewrap->rounds++;
	loop_timer_stop(rewrap->timer);
	sm_move(&rewrap->sm, REWRAP_WALKING, "asked");
out:
	return err;
}

/* ---- the newest version ---- */

static bool is_configured(const struct instance *instance, enum keymanager_crk crk)
{
	return crk == KEYMANAGER_CRK || instance->options.other_root_key != NULL;
}

static void rewrap_look(struct rewrap *rewrap)
{
	struct instance *instance = rewrap->instance;

	for (enum keymanager_crk crk = 0; crk < KEYMANAGER_CRK_COUNT; crk++) {
		if (instance->background != NULL && is_configured(instance, crk))
			background_look_at_root(instance->background, crk);
	}
	loop_timer_set(rewrap->timer, REWRAP_ASK_MS);
}

static void rewrap_ask(struct rewrap *rewrap, const char *why)
{
	rewrap->asked_ms = clock_boot_ms();
	sm_move(&rewrap->sm, REWRAP_ASKING, why);
	rewrap_look(rewrap);
}

/* ERR_OK: each root key was heard of since we asked, and may be used. */
static enum err rewrap_heard(const struct rewrap *rewrap)
{
	const struct instance *instance = rewrap->instance;

	for (enum keymanager_crk crk = 0; crk < KEYMANAGER_CRK_COUNT; crk++) {
		const struct instance_crk *root = &instance->crks[crk];

		if (!is_configured(instance, crk))
			continue;
		if (root->heard_ms < rewrap->asked_ms)
			return root->err != ERR_OK ? root->err : ERR_AGAIN;
		if (!instance_root_is_usable(instance, crk))
			return ERR_ROOT_DISABLED;
	}
	return ERR_OK;
}

static bool rewrap_is_behind(struct rewrap *rewrap)
{
	bool behind = rewrap->rounds == 0;

	for (enum keymanager_crk crk = 0; crk < KEYMANAGER_CRK_COUNT; crk++) {
		int64_t newest = root_versions_newest(&rewrap->instance->crks[crk].versions);

		behind |= newest != rewrap->versions[crk];
		rewrap->versions[crk] = newest;
	}
	return behind;
}

void rewrap_poke(struct rewrap *rewrap)
{
	enum err err = ERR_OK;

	if (rewrap->sm.state != REWRAP_ASKING || rewrap_heard(rewrap) != ERR_OK)
		return;
	if (!rewrap_is_behind(rewrap)) {
		rewrap_end(rewrap, ERR_OK);
		return;
	}
	/* A key manager that tells no version: nothing can be said of any key. */
	TRY(rewrap->versions[KEYMANAGER_CRK] != 0 ? ERR_OK : ERR_OPERATION);
	TRY(rewrap_walk(rewrap));
out:
	if (err != ERR_OK)
		rewrap_end(rewrap, err);
}

static void rewrap_on_timer(void *ctx)
{
	struct rewrap *rewrap = ctx;

	rewrap_look(rewrap);
	rewrap_poke(rewrap);
}

/* ---- the contract ---- */

static void rewrap_begin(struct rewrap *rewrap, uint32_t rate)
{
	rewrap->rate = rate;
	rewrap->rounds = 0;
	rewrap->done_before = 0;
	rewrap->last = (struct walk_progress){ 0 };
	rewrap->err = ERR_OK;
	rewrap_ask(rewrap, rate == 0 ? "resumed" : "operator");
}

void rewrap_run(struct rewrap *rewrap, uint32_t rate)
{
	if (rewrap->sm.state == REWRAP_IDLE)
		rewrap_begin(rewrap, rate == 0 ? KEYSTORE_REWRAP_RATE : rate);
	else if (rate != 0 && rewrap->walk != NULL)
		walk_set_rate(rewrap->walk, rate);
	else if (rate != 0)
		rewrap->rate = rate;
}

/* An earlier life's walk may not have been gone on with yet. */
static void rewrap_cancel(struct rewrap *rewrap)
{
	walk_forget(rewrap->instance, walk_name);
	rewrap_end(rewrap, ERR_CANCELLED);
}

void rewrap_stop(struct rewrap *rewrap)
{
	if (rewrap->sm.state == REWRAP_WALKING)
		walk_stop(rewrap->walk);
	else if (rewrap->sm.state == REWRAP_ASKING)
		rewrap_cancel(rewrap);
}

void rewrap_status(const struct rewrap *rewrap, struct keystore_rewrap_status *out)
{
	struct walk_progress progress = rewrap->last;

	if (rewrap->walk != NULL)
		walk_progress(rewrap->walk, &progress);
	*out = (struct keystore_rewrap_status){ .running = rewrap->sm.state != REWRAP_IDLE,
		.round = rewrap->rounds,
		.rate = progress.rate != 0 ? progress.rate : rewrap->rate,
		.looked = progress.counts.looked,
		.rewrapped = rewrap->done_before + progress.counts.done,
		.failed = progress.counts.failed,
		.per_mille = progress.per_mille,
		.waiting = progress.waiting,
		.err = rewrap->err,
		.failed_count = progress.failed_count };
	if (rewrap->sm.state == REWRAP_ASKING)
		out->waiting = rewrap_heard(rewrap);
	for (size_t i = 0; i < progress.failed_count; i++) {
		out->failures[i].uid = progress.failed[i].uid;
		out->failures[i].err = progress.failed[i].err;
	}
}

static enum err rewrap_resume(struct rewrap *rewrap)
{
	struct cache_read *read = NULL;
	enum err err;

	TRY(cache_read_begin(&read, rewrap->instance->keystore->cache));
	if (walk_was_left(read, walk_name, &rewrap->instance->id))
		rewrap_begin(rewrap, 0);
out:
	cache_read_end(read);
	return err;
}

enum err rewrap_new(struct rewrap **out, struct instance *instance)
{
	struct rewrap *rewrap = calloc(1, sizeof(*rewrap));
	enum err err = rewrap == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	rewrap->instance = instance;
	sm_init(&rewrap->sm, rewrap_states, REWRAP_STATE_COUNT, "rewrap", instance->id.text);
	TRY(loop_timer_new(&rewrap->timer, instance->keystore->loop, rewrap_on_timer, rewrap));
	TRY(rewrap_resume(rewrap));
	*out = rewrap;
	rewrap = NULL;
out:
	rewrap_free(rewrap);
	return err;
}

void rewrap_free(struct rewrap *rewrap)
{
	if (rewrap == NULL)
		return;
	loop_timer_free(rewrap->timer);
	free(rewrap);
}

/* ---- of all instances (keystore.h) ---- */

static bool is_meant(const struct instance *instance, const struct instance_id *id)
{
	return instance->rewrap != NULL && (id == NULL || instance_id_equal(&instance->id, id));
}

enum err keystore_rewrap(
	struct keystore *keystore, const struct instance_id *instance, uint32_t rate)
{
	if (rate > KEYSTORE_REWRAP_RATE_MAX)
		return ERR_LIMIT;
	if (instance != NULL && keystore_instance_of(keystore, instance) == NULL)
		return ERR_NOT_FOUND;
	for (size_t i = 0; i < keystore->instance_count; i++) {
		if (is_meant(keystore->instances[i], instance))
			rewrap_run(keystore->instances[i]->rewrap, rate);
	}
	return ERR_OK;
}

enum err keystore_rewrap_stop(struct keystore *keystore, const struct instance_id *instance)
{
	if (instance != NULL && keystore_instance_of(keystore, instance) == NULL)
		return ERR_NOT_FOUND;
	for (size_t i = 0; i < keystore->instance_count; i++) {
		if (is_meant(keystore->instances[i], instance))
			rewrap_stop(keystore->instances[i]->rewrap);
	}
	return ERR_OK;
}

void keystore_rewrap_status(
	const struct keystore *keystore, size_t instance, struct keystore_rewrap_status *out)
{
	rewrap_status(keystore->instances[instance]->rewrap, out);
}

bool keystore_is_older(const struct keystore *keystore, const struct object *object)
{
	const struct instance *instance = keystore_instance_of(keystore, &object->instance);

	return instance != NULL && object->wrapped.ciphertext.len > 0 &&
	       !instance_wraps_newest(instance, object->wrapped.version_label);
}
