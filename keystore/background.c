/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/background.h"
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/sm.h"
#include "keystore/fact.h"
#include "keystore/ledger.h"
#include "keystore/ledger_care.h"
#include "keystore/migration.h"
#include "keystore/poll.h"
#include "keystore/resolve.h"
#include "keystore/root_watch.h"
#include "keystore/sweep.h"

/*
 *	IDLE -> PREPARING -> RESOLVING -> LEDGER -> REBUILDING -> RESTING
 *	                     RESOLVING -> REBUILDING (the ledger was read already)
 *	RESTING -> RESOLVING -> RESTING, and every hour RESTING -> RESOLVING -> LISTING -> RESTING
 *	any of the working ones -> BACKING_OFF -> PREPARING
 */
enum background_state {
	BACKGROUND_IDLE,
	BACKGROUND_PREPARING,
	BACKGROUND_RESOLVING,
	BACKGROUND_LEDGER,
	BACKGROUND_REBUILDING,
	BACKGROUND_LISTING,
	BACKGROUND_RESTING,
	BACKGROUND_BACKING_OFF,
	BACKGROUND_STATE_COUNT
};

#define OR_BACK_OFF(next) ((next) | SM_TO(BACKGROUND_BACKING_OFF))

static const struct sm_state background_states[BACKGROUND_STATE_COUNT] = {
	[BACKGROUND_IDLE] = { "idle", SM_TO(BACKGROUND_PREPARING) },
	[BACKGROUND_PREPARING] = { "preparing", OR_BACK_OFF(SM_TO(BACKGROUND_RESOLVING)) },
	[BACKGROUND_RESOLVING] = { "resolving",
		OR_BACK_OFF(SM_TO(BACKGROUND_LEDGER) | SM_TO(BACKGROUND_REBUILDING) |
			    SM_TO(BACKGROUND_LISTING) | SM_TO(BACKGROUND_RESTING)) },
	[BACKGROUND_LEDGER] = { "reading-ledger", OR_BACK_OFF(SM_TO(BACKGROUND_REBUILDING)) },
	[BACKGROUND_REBUILDING] = { "rebuilding", OR_BACK_OFF(SM_TO(BACKGROUND_RESTING)) },
	[BACKGROUND_LISTING] = { "listing", OR_BACK_OFF(SM_TO(BACKGROUND_RESTING)) },
	[BACKGROUND_RESTING] = { "resting", SM_TO(BACKGROUND_RESOLVING) },
	[BACKGROUND_BACKING_OFF] = { "backing-off", SM_TO(BACKGROUND_PREPARING) },
};

struct background {
	struct instance *instance;
	struct sm sm;
	struct loop_timer *timer;
	struct root_watch *root_watches[KEYMANAGER_CRK_COUNT];
	struct poll *poll;
	struct keymanager_pending *call;
	struct keystore_pending *work;
	bool was_rebuilt; /* in an earlier life: what is new now was made since */
	int64_t swept; /* when the listing under way began */
	uint64_t full_due_ms;
	uint64_t begun_ms;
	uint64_t backoff_ms;
};

static void background_go(struct background *background);

/* A fifth either way, so that nodes do not ask in step. */
static uint64_t jittered(uint64_t delay_ms)
{
	return delay_ms * (80 + rand_below(41)) / 100;
}

static void background_back_off(struct background *background, enum err err, const char *why)
{
	uint64_t next_ms = 2 * background->backoff_ms;
	uint64_t delay_ms;

	if (next_ms < BACKGROUND_BACKOFF_MS_MIN)
		next_ms = BACKGROUND_BACKOFF_MS_MIN;
	if (next_ms > BACKGROUND_BACKOFF_MS_MAX)
		next_ms = BACKGROUND_BACKOFF_MS_MAX;
	background->backoff_ms = next_ms;
	background->instance->ledger_waited = true;
	keystore_poke_open(background->instance->keystore);
	instance_note_failed(background->instance, err, true);
	delay_ms = jittered(next_ms);
	log_warning("key-manager-trouble", "instance=%s while=%s error=%s why=%s retry_ms=%llu",
		background->instance->id.text, sm_state_name(&background->sm), err_name(err),
		log_quoted(slice_text(why == NULL ? "" : why)), (unsigned long long) delay_ms);
	sm_move(&background->sm, BACKGROUND_BACKING_OFF, err_name(err));
	loop_timer_set(background->timer, delay_ms);
}

/* ---- facts of earlier lives ---- */

static void rebuilt_fact(char out[INSTANCE_FACT_LEN], const struct instance_id *id)
{
	snprintf(out, INSTANCE_FACT_LEN, "rebuilt-%s", id->text);
}

static enum err background_load(struct background *background)
{
	char name[INSTANCE_FACT_LEN], value[FACT_VALUE_LEN];
	enum err err;

	rebuilt_fact(name, &background->instance->id);
	err = fact_get(background->instance->keystore, name, value);
	background->was_rebuilt = err == ERR_OK;
	return err == ERR_MISS ? ERR_OK : err;
}

static void background_put_fact(struct background *background,
	void (*name)(char out[INSTANCE_FACT_LEN], const struct instance_id *id))
{
	char text[INSTANCE_FACT_LEN];

	name(text, &background->instance->id);
	fact_put(background->instance, text, "yes");
}

/* ---- listings ---- */

static void background_on_swept(void *ctx, enum err err, const struct sweep_counts *counts);

static enum err background_sweep(struct background *background, struct sweep_options options)
{
	options.on_done = background_on_swept;
	options.ctx = background;
	options.rebuild = !background->was_rebuilt;
	background->swept = keymanager_seconds(background->instance->keymanager);
	return sweep_start(&background->work, background->instance, &options);
}

static void background_rest(struct background *background, const char *why)
{
	const struct keystore_settings *settings = &background->instance->keystore->settings;

	background->backoff_ms = 0;
	sm_move(&background->sm, BACKGROUND_RESTING, why);
	loop_timer_set(background->timer, jittered(1000ull * settings->reconcile_s));
}

static void background_on_ledger_read(struct background *background)
{
	struct instance *instance = background->instance;

	instance->listed = true;
	instance->ledger_at = background->swept;
	instance->ledger_known = true;
	background_put_fact(background, instance_fact_read);
	ledger_poke(instance->ledger);
	ledger_care_begin(instance->care);
	poll_poke(background->poll);
	keystore_poke_open(instance->keystore);
}

static void background_on_rebuilt(struct background *background, const struct sweep_counts *counts)
{
	log_info("ring-listed", "instance=%s objects=%llu ledger_records=%llu read=%llu",
		background->instance->id.text, (unsigned long long) counts->objects,
		(unsigned long long) counts->ledger_records, (unsigned long long) counts->read);
	background->instance->rebuilt = true;
	if (!background->was_rebuilt)
		background_put_fact(background, rebuilt_fact);
	background->was_rebuilt = true;
	migration_resume(background->instance->migration);
}

static void background_note_full(struct background *background, const struct sweep_counts *counts)
{
	struct instance *instance = background->instance;

	instance->objects_seen = counts->objects;
	instance->unclaimed = counts->unclaimed;
	instance->ledger_records = counts->ledger_records;
	background->full_due_ms = clock_boot_ms() + jittered(BACKGROUND_FULL_LIST_MS);
}

static void background_on_swept(void *ctx, enum err err, const struct sweep_counts *counts)
{
	struct background *background = ctx;

	background->work = NULL;
	if (err != ERR_OK) {
		background_back_off(background, err, "listing the key ring");
		return;
	}
	if (background->sm.state == BACKGROUND_LEDGER) {
		background_on_ledger_read(background);
		sm_move(&background->sm, BACKGROUND_REBUILDING, "ledger-read");
		background_go(background);
		return;
	}
	if (background->sm.state == BACKGROUND_REBUILDING)
		background_on_rebuilt(background, counts);
	background_note_full(background, counts);
	background_rest(background, "listed");
}

/* ---- preparing and intents ---- */

static void background_on_prepared(void *ctx, const struct keymanager_done *result)
{
	struct background *background = ctx;

	background->call = NULL;
	if (result->err == ERR_FIELD) {
		log_warning("key-manager-policy", "instance=%s finding=%s",
			background->instance->id.text,
			log_quoted(slice_text(result->why == NULL ? "" : result->why)));
	} else if (result->err != ERR_OK) {
		background_back_off(background, result->err, result->why);
		return;
	}
	background->instance->prepared = true;
	poll_poke(background->poll);
	sm_move(&background->sm, BACKGROUND_RESOLVING, "prepared");
	background_go(background);
}

static enum err background_prepare(struct background *background)
{
	struct keymanager_call call = {
		.ctx = background, .deadline_ms = FLOW_BACKGROUND_MS, .background = true
	};

	return keymanager_prepare_start(
		&background->call, background->instance->keymanager, background_on_prepared, &call);
}

/* An intent that cannot be settled now does not keep the registrations from being read. */
static void background_on_resolved(void *ctx, enum err err)
{
	struct background *background = ctx;

	background->work = NULL;
	if (!background->instance->listed)
		sm_move(&background->sm, BACKGROUND_LEDGER, err_name(err));
	else if (!background->instance->rebuilt)
		sm_move(&background->sm, BACKGROUND_REBUILDING, err_name(err));
	else if (clock_boot_ms() >= background->full_due_ms)
		sm_move(&background->sm, BACKGROUND_LISTING, err_name(err));
	else {
		background_rest(background, err_name(err));
		return;
	}
	background_go(background);
}

/* ---- one state after the other ---- */

/* An empty cache is filled by the peer where there is one: it has more than the key manager, and
 * costs no call for each key. */
static bool background_waits_for_peer(const struct background *background)
{
	uint64_t waited_ms = clock_boot_ms() - background->begun_ms;

	switch (background->instance->keystore->peer) {
	case KEYSTORE_PEER_EXPECTED:
		return !background->was_rebuilt && waited_ms < KEYSTORE_PEER_WAIT_MS;
	case KEYSTORE_PEER_BRINGS:
		return !background->was_rebuilt && waited_ms < BACKGROUND_PEER_MS_MAX;
	default:
		return false;
	}
}

static enum err background_rebuild(struct background *background)
{
	struct sweep_options rebuild = { .what = "rebuild", .objects = true };

	if (!background_waits_for_peer(background))
		return background_sweep(background, rebuild);
	loop_timer_set(background->timer, BACKGROUND_PEER_TICK_MS);
	return ERR_OK;
}

static enum err background_enter(struct background *background)
{
	struct sweep_options ledger = { .what = "ledger" };
	struct sweep_options listing = { .what = "ring", .objects = true };

	switch (background->sm.state) {
	case BACKGROUND_PREPARING:
		return background_prepare(background);
	case BACKGROUND_RESOLVING:
		return resolve_start(&background->work, background->instance,
			background_on_resolved, background);
	case BACKGROUND_LEDGER:
		return background_sweep(background, ledger);
	case BACKGROUND_REBUILDING:
		return background_rebuild(background);
	default:
		ASSERT(background->sm.state == BACKGROUND_LISTING);
		return background_sweep(background, listing);
	}
}

static void background_go(struct background *background)
{
	enum err err = background_enter(background);

	if (err != ERR_OK)
		background_back_off(background, err, "cannot begin");
}

static void background_on_timer(void *ctx)
{
	struct background *background = ctx;

	if (background->sm.state == BACKGROUND_RESTING)
		sm_move(&background->sm, BACKGROUND_RESOLVING, "time");
	else if (background->sm.state == BACKGROUND_BACKING_OFF ||
		 background->sm.state == BACKGROUND_IDLE)
		sm_move(&background->sm, BACKGROUND_PREPARING, "time");
	background_go(background);
}

enum err background_new(struct background **out, struct instance *instance)
{
	struct background *background = calloc(1, sizeof(*background));
	enum err err = background == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	background->instance = instance;
	background->begun_ms = clock_boot_ms();
	sm_init(&background->sm, background_states, BACKGROUND_STATE_COUNT, "instance",
		instance->id.text);
	background->sm.quiet = true;
	TRY(background_load(background));
	TRY(loop_timer_new(
		&background->timer, instance->keystore->loop, background_on_timer, background));
	for (enum keymanager_crk crk = 0; crk < KEYMANAGER_CRK_COUNT; crk++)
		TRY(root_watch_new(&background->root_watches[crk], instance, crk));
	TRY(poll_new(&background->poll, instance));
	loop_timer_set(background->timer, 0);
	*out = background;
	background = NULL;
out:
	background_free(background);
	return err;
}

void background_roots_changed(struct background *background)
{
	for (enum keymanager_crk crk = 0; crk < KEYMANAGER_CRK_COUNT; crk++)
		root_watch_again(background->root_watches[crk]);
}

void background_look_at_root(struct background *background, enum keymanager_crk crk)
{
	root_watch_poke(background->root_watches[crk]);
}

void background_free(struct background *background)
{
	if (background == NULL)
		return;
	keymanager_cancel(background->call);
	for (enum keymanager_crk crk = 0; crk < KEYMANAGER_CRK_COUNT; crk++)
		root_watch_free(background->root_watches[crk]);
	poll_free(background->poll);
	loop_timer_free(background->timer);
	free(background);
}

bool background_poll_now(struct background *background)
{
	return poll_now(background->poll);
}
