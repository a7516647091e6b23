/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/poll.h"
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/sm.h"
#include "base/text.h"
#include "keystore/current.h"
#include "keystore/fact.h"
#include "keystore/sweep.h"

/*
 *	WAITING -> READING_DELETIONS -> READING_CHANGES -> WAITING
 *	           READING_DELETIONS -> WAITING (it failed)
 */
enum poll_state { POLL_WAITING, POLL_READING_DELETIONS, POLL_READING_CHANGES, POLL_STATE_COUNT };

static const struct sm_state poll_states[POLL_STATE_COUNT] = {
	[POLL_WAITING] = { "waiting", SM_TO(POLL_READING_DELETIONS) },
	[POLL_READING_DELETIONS] = { "reading-deletions",
		SM_TO(POLL_READING_CHANGES) | SM_TO(POLL_WAITING) },
	[POLL_READING_CHANGES] = { "reading-changes", SM_TO(POLL_WAITING) },
};

struct poll {
	struct instance *instance;
	struct sm sm;
	struct loop_timer *timer;
	struct keystore_pending *work;
	uint64_t begun_ms, ended_ms; /* boot time */
	int64_t begun; /* when the changes were asked for: keymanager_seconds */
	int64_t window_from; /* the same of the last good one, else of the first; 0: of none */
	int64_t saved; /* what is durable of it; 0: nothing */
	uint32_t spread; /* percent of the interval, so that nodes do not ask in step */
	uint64_t backoff_ms; /* 0 after a good one */
	bool asked; /* a request waits for the next one */
	bool told_alone; /* that neither peer nor key manager vouches */
};

/* ---- when ---- */

static bool poll_is_leased(const struct poll *poll)
{
	return kek_table_lease_of(poll->instance->keystore->table, &poll->instance->id) >
	       clock_boot_ms();
}

static uint64_t poll_due_ms(const struct poll *poll)
{
	uint64_t delay_ms = 1000ull * poll->instance->keystore->settings.reconcile_s;

	if (poll->begun_ms == 0 || poll->asked)
		return 0;
	if (delay_ms > POLL_ALONE_MS && !poll_is_leased(poll))
		delay_ms = POLL_ALONE_MS;
	if (poll->backoff_ms != 0 && poll->backoff_ms < delay_ms)
		delay_ms = poll->backoff_ms;
	return (poll->backoff_ms != 0 ? poll->ended_ms : poll->begun_ms) +
	       delay_ms * poll->spread / 100;
}

static void poll_wait(struct poll *poll)
{
	uint64_t due_ms = poll_due_ms(poll), now_ms = clock_boot_ms();
	uint64_t delay_ms = due_ms > now_ms ? due_ms - now_ms : 0;

	if (!poll->instance->prepared || delay_ms > POLL_TICK_MS)
		delay_ms = POLL_TICK_MS;
	loop_timer_set(poll->timer, delay_ms);
}

/* ---- the end of one ---- */

static void polled_fact(char out[INSTANCE_FACT_LEN], const struct instance_id *id)
{
	snprintf(out, INSTANCE_FACT_LEN, "polled-%s", id->text);
}

static void poll_save(struct poll *poll)
{
	char name[INSTANCE_FACT_LEN], value[FACT_VALUE_LEN];

	if (poll->window_from < poll->saved + POLL_SAVE_S && poll->window_from >= poll->saved)
		return;
	poll->saved = poll->window_from;
	polled_fact(name, &poll->instance->id);
	snprintf(value, sizeof(value), "%lld", (long long) poll->saved);
	fact_put(poll->instance, name, value);
}

/* What was deleted or recorded before the first window is known from the cache's earlier life, or
 * from the first listing. */
static bool poll_reaches_back(const struct poll *poll)
{
	return poll->saved != 0 || poll->instance->listed;
}

static void poll_vouch(struct poll *poll)
{
	struct keystore *keystore = poll->instance->keystore;
	uint64_t stale_ms = 1000ull * keystore->settings.max_stale_s;

	poll->instance->poll_good_ms = poll->begun_ms;
	kek_table_set_vouch_of(keystore->table, &poll->instance->id,
		stale_ms == 0 ? 0 : poll->begun_ms + stale_ms);
}

static void poll_succeed(struct poll *poll, const struct sweep_counts *counts)
{
	struct instance *instance = poll->instance;

	poll->backoff_ms = 0;
	poll->told_alone = false;
	instance_note_good(instance, true);
	instance_set_behind(instance, ERR_OK);
	if (poll_reaches_back(poll))
		poll_vouch(poll);
	if (!instance->rebuilt)
		return;
	instance->unclaimed += counts->found;
	poll->window_from = poll->begun;
	instance->ledger_at = poll->begun;
	poll_save(poll);
}

static void poll_fail(struct poll *poll, enum err err)
{
	struct instance *instance = poll->instance;

	poll->asked = false;
	poll->backoff_ms = 2 * poll->backoff_ms;
	if (poll->backoff_ms < POLL_BACKOFF_MS_MIN)
		poll->backoff_ms = POLL_BACKOFF_MS_MIN;
	if (poll->backoff_ms > POLL_ALONE_MS)
		poll->backoff_ms = POLL_ALONE_MS;
	instance_note_failed(instance, err, true);
	if (instance_is_ours(instance, err))
		instance_set_behind(instance, err);
	if (instance->behind || poll->told_alone || poll_is_leased(poll))
		return;
	poll->told_alone = true;
	log_warning("nobody-vouches",
		"instance=%s error=%s last_good_poll_ms_ago=%llu outage_grace_s=%u",
		instance->id.text, err_name(err),
		(unsigned long long) (instance->poll_good_ms == 0
					      ? 0
					      : clock_boot_ms() - instance->poll_good_ms),
		instance->keystore->settings.outage_grace_s);
}

/* ---- one poll ---- */

static void poll_on_swept(void *ctx, enum err err, const struct sweep_counts *counts);

static enum err poll_sweep(struct poll *poll, struct sweep_options options)
{
	options.call_ms = POLL_CALL_MS;
	options.on_done = poll_on_swept;
	options.ctx = poll;
	return sweep_start(&poll->work, poll->instance, &options);
}

static void poll_end(struct poll *poll, enum err err, const struct sweep_counts *counts)
{
	poll->ended_ms = clock_boot_ms();
	if (err == ERR_OK)
		poll_succeed(poll, counts);
	else
		poll_fail(poll, err);
	sm_move(&poll->sm, POLL_WAITING, err_name(err));
	current_polled(poll->instance, poll->begun_ms, err);
	poll_wait(poll);
}

/* New keys are adopted only when those that were there before are known. The deletions were
 * answered before: what time it is for the key manager is known. */
static void poll_read_changes(struct poll *poll, const struct sweep_counts *counts)
{
	struct sweep_options options = { .what = "changes", .objects = poll->instance->rebuilt };
	enum err err;

	poll->begun = keymanager_seconds(poll->instance->keymanager);
	/* One that is to come was written down while the clock was ahead: each start reads the
	 * whole ledger. */
	if (poll->window_from == 0 || poll->window_from > poll->begun)
		poll->window_from = poll->begun;
	options.updated_since = poll->window_from - POLL_OVERLAP_S;
	sm_move(&poll->sm, POLL_READING_CHANGES, "deletions-read");
	err = poll_sweep(poll, options);
	if (err != ERR_OK)
		poll_end(poll, err, counts);
}

static void poll_on_swept(void *ctx, enum err err, const struct sweep_counts *counts)
{
	struct poll *poll = ctx;

	poll->work = NULL;
	if (err == ERR_OK && poll->sm.state == POLL_READING_DELETIONS)
		poll_read_changes(poll, counts);
	else
		poll_end(poll, err, counts);
}

/* Asked apart from the changes, since that question depends on no clock (design D12). */
static void poll_begin(struct poll *poll)
{
	static const struct sweep_counts none;
	struct sweep_options options = { .what = "deletions", .deletions = true };
	enum err err;

	poll->asked = false;
	poll->begun_ms = clock_boot_ms();
	poll->spread = 80 + rand_below(41);
	sm_move(&poll->sm, POLL_READING_DELETIONS, "time");
	err = poll_sweep(poll, options);
	if (err != ERR_OK)
		poll_end(poll, err, &none);
}

static void poll_on_timer(void *ctx)
{
	struct poll *poll = ctx;

	if (poll->sm.state != POLL_WAITING)
		return;
	if (poll->instance->prepared && clock_boot_ms() >= poll_due_ms(poll))
		poll_begin(poll);
	else
		poll_wait(poll);
}

bool poll_now(struct poll *poll)
{
	if (poll->backoff_ms != 0 || !poll->instance->prepared)
		return false;
	poll->asked = true;
	if (poll->sm.state == POLL_WAITING)
		loop_timer_set(poll->timer, 0);
	return true;
}

void poll_poke(struct poll *poll)
{
	if (poll->sm.state != POLL_WAITING)
		return;
	/* The one that ended before the ledger was read vouched for nothing. */
	if (poll->instance->listed && poll->instance->poll_good_ms == 0)
		poll->begun_ms = 0;
	loop_timer_set(poll->timer, 0);
}

/* ---- birth and end ---- */

static enum err poll_load(struct poll *poll)
{
	char name[INSTANCE_FACT_LEN], value[FACT_VALUE_LEN];
	uint64_t from = 0;
	enum err err;

	polled_fact(name, &poll->instance->id);
	err = fact_get(poll->instance->keystore, name, value);
	if (err == ERR_OK && text_u64(&from, slice_text(value), INT64_MAX) == ERR_OK)
		poll->saved = poll->instance->ledger_at = (int64_t) from;
	poll->window_from = poll->saved;
	return err == ERR_MISS ? ERR_OK : err;
}

enum err poll_new(struct poll **out, struct instance *instance)
{
	struct poll *poll = calloc(1, sizeof(*poll));
	enum err err = poll == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	poll->instance = instance;
	sm_init(&poll->sm, poll_states, POLL_STATE_COUNT, "poll", instance->id.text);
	poll->sm.quiet = true;
	TRY(poll_load(poll));
	TRY(loop_timer_new(&poll->timer, instance->keystore->loop, poll_on_timer, poll));
	loop_timer_set(poll->timer, 0);
	*out = poll;
	poll = NULL;
out:
	poll_free(poll);
	return err;
}

void poll_free(struct poll *poll)
{
	if (poll == NULL)
		return;
	loop_timer_free(poll->timer);
	free(poll);
}
