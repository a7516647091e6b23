/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/ledger_care.h"
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/sm.h"
#include "keystore/checkpoint.h"
#include "keystore/compaction.h"

/*
 *	WAITING -> RESTING <-> CHECKPOINT
 *	           RESTING <-> COMPACTION
 */
enum care_state { CARE_WAITING, CARE_RESTING, CARE_CHECKPOINT, CARE_COMPACTION, CARE_STATE_COUNT };

static const struct sm_state care_states[CARE_STATE_COUNT] = {
	[CARE_WAITING] = { "waiting", SM_TO(CARE_RESTING) },
	[CARE_RESTING] = { "resting", SM_TO(CARE_CHECKPOINT) | SM_TO(CARE_COMPACTION) },
	[CARE_CHECKPOINT] = { "checkpoint", SM_TO(CARE_RESTING) },
	[CARE_COMPACTION] = { "compaction", SM_TO(CARE_RESTING) },
};

struct ledger_care {
	struct instance *instance;
	struct sm sm;
	struct loop_timer *timer;
	struct keystore_pending *work;
	bool rewrite; /* a compaction of what another root key wraps, likewise */
	bool wanted; /* a checkpoint, as soon as the work under way is over */
	int64_t checkpoint_due, compaction_due; /* wall clock, since they outlast a restart */
	struct ledger_fill_counts counts;
	enum err err;
	enum err rewrite_err; /* of the last compaction */
};

/* A tenth either way, so that two nodes do not begin in step. */
static int64_t jittered(int64_t seconds)
{
	return seconds * (90 + (int64_t) rand_below(21)) / 100;
}

static void care_poke(struct ledger_care *care);

/* ---- checkpoint ---- */

static void care_on_checkpoint(void *ctx, enum err err, const struct ledger_fill_counts *counts)
{
	struct ledger_care *care = ctx;
	struct instance *instance = care->instance;
	int64_t interval_s = instance->keystore->settings.checkpoint_s;

	care->work = NULL;
	care->err = err;
	care->counts = *counts;
	if (err != ERR_OK)
		log_warning("checkpoint-failed", "instance=%s error=%s written=%llu",
			instance->id.text, err_name(err), (unsigned long long) counts->written);
	else if (counts->written > 0)
		log_info("checkpoint", "instance=%s looked=%llu written=%llu", instance->id.text,
			(unsigned long long) counts->looked, (unsigned long long) counts->written);
	care->checkpoint_due =
		clock_wall_seconds() + jittered(err == ERR_OK ? interval_s : LEDGER_CARE_RETRY_S);
	sm_move(&care->sm, CARE_RESTING, err_name(err));
	care_poke(care);
	keystore_poke_closed(instance->keystore);
}

static enum err care_start_checkpoint(struct ledger_care *care)
{
	enum err err;

	care->wanted = false;
	TRY(checkpoint_start(&care->work, care->instance, care_on_checkpoint, care));
	sm_move(&care->sm, CARE_CHECKPOINT, "due");
out:
	return err;
}

/* ---- compaction ---- */

static void care_on_compacted(void *ctx, enum err err, size_t deleted)
{
	struct ledger_care *care = ctx;

	(void) deleted;
	care->work = NULL;
	care->rewrite_err = err;
	care->compaction_due = clock_wall_seconds() + jittered(COMPACTION_INTERVAL_S);
	sm_move(&care->sm, CARE_RESTING, err_name(err));
	care_poke(care);
	keystore_poke_closed(care->instance->keystore);
}

static enum err care_start_compaction(struct ledger_care *care)
{
	enum err err;

	TRY(compaction_start(&care->work, care->instance, care->rewrite, care_on_compacted, care));
	care->rewrite = false;
	sm_move(&care->sm, CARE_COMPACTION, "due");
out:
	return err;
}

/* ---- when ---- */

/* The wall clock may be set back: nothing is due later than if it had been done just now. */
static void care_clamp(struct ledger_care *care, int64_t now)
{
	int64_t interval_s = care->instance->keystore->settings.checkpoint_s;

	if (interval_s < LEDGER_CARE_RETRY_S)
		interval_s = LEDGER_CARE_RETRY_S;
	if (care->checkpoint_due > now + 2 * interval_s)
		care->checkpoint_due = now + interval_s;
	if (care->compaction_due > now + 2 * COMPACTION_INTERVAL_S)
		care->compaction_due = now + COMPACTION_INTERVAL_S;
}

static void care_wait(struct ledger_care *care, int64_t now)
{
	bool periodic = care->instance->keystore->settings.checkpoint_s > 0;
	int64_t due = care->compaction_due;

	if (periodic && care->checkpoint_due < due)
		due = care->checkpoint_due;
	loop_timer_set(care->timer, due <= now ? 1000 : 1000 * (uint64_t) (due - now));
}

static void care_poke(struct ledger_care *care)
{
	bool periodic = care->instance->keystore->settings.checkpoint_s > 0;
	int64_t now = clock_wall_seconds();
	enum err err = ERR_OK;

	if (care->sm.state != CARE_RESTING)
		return;
	care_clamp(care, now);
	if (care->wanted || (periodic && now >= care->checkpoint_due))
		err = care_start_checkpoint(care);
	else if (care->rewrite || now >= care->compaction_due)
		err = care_start_compaction(care);
	if (err != ERR_OK) {
		log_warning("ledger-care-failed", "instance=%s error=%s", care->instance->id.text,
			err_name(err));
		care->err = err;
		care->checkpoint_due = care->compaction_due = now + LEDGER_CARE_RETRY_S;
	}
	if (care->sm.state == CARE_RESTING)
		care_wait(care, now);
}

static void care_on_timer(void *ctx)
{
	care_poke(ctx);
}

/* ---- the beginning ---- */

struct first_flow {
	struct keystore_pending flow;
};

/* From here on the log of own changes holds what the ledger does not. */
static enum err first_write(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct first_flow *first = ctx;
	struct checkpoint_position position = { .at = clock_wall_seconds() };
	struct cache_position end;
	enum err err;

	(void) arena;
	TRY(cache_log_position(cache_write_read(write), &end));
	bytes_copy(position.incarnation, end.incarnation, sizeof(position.incarnation));
	TRY(checkpoint_save(write, &first->flow.instance->id, &position));
out:
	return err;
}

static void first_on_committed(void *ctx, enum err err)
{
	struct first_flow *first = ctx;

	if (err != ERR_OK)
		log_warning("fact-not-written", "fact=checkpoint error=%s", err_name(err));
	flow_end(&first->flow);
}

/* Without the fact the next checkpoint goes through the whole cache, no more. */
static void care_put_first(struct ledger_care *care)
{
	struct keystore_pending *flow = NULL;
	enum err err;

	TRY(flow_new(&flow, sizeof(struct first_flow), care->instance->keystore, care->instance));
	TRY(flow_commit(flow, first_write, first_on_committed));
out:
	if (err != ERR_OK && flow != NULL)
		flow_end(flow);
}

void ledger_care_begin(struct ledger_care *care)
{
	int64_t interval_s = care->instance->keystore->settings.checkpoint_s;
	int64_t now = clock_wall_seconds();
	struct checkpoint_position last;
	struct cache_read *read = NULL;
	enum err err;

	if (care->sm.state != CARE_WAITING)
		return;
	err = cache_read_begin(&read, care->instance->keystore->cache);
	if (err == ERR_OK)
		err = checkpoint_load(&last, read, &care->instance->id);
	cache_read_end(read);
	if (err == ERR_MISS)
		care_put_first(care);
	/* A ledger record was lost, and is not yet written again. */
	care->wanted = err == ERR_OK && last.at == 0;
	care->checkpoint_due =
		err == ERR_OK ? (last.at < now ? last.at : now) + interval_s
			      : now + (interval_s < LEDGER_CARE_FIRST_S ? interval_s
									: LEDGER_CARE_FIRST_S);
	care->compaction_due = now + jittered(LEDGER_CARE_FIRST_S);
	sm_move(&care->sm, CARE_RESTING, "ledger-read");
	care_poke(care);
}

/* ---- the contract ---- */

enum err ledger_care_checkpoint(struct ledger_care *care)
{
	if (care->sm.state == CARE_WAITING)
		return ERR_STATE;
	care->wanted = true;
	care_poke(care);
	return ERR_OK;
}

enum err ledger_care_compact(struct ledger_care *care)
{
	if (care->sm.state == CARE_WAITING)
		return ERR_STATE;
	care->compaction_due = 0;
	care_poke(care);
	return ERR_OK;
}

enum err ledger_care_rewrite(struct ledger_care *care)
{
	if (care->sm.state == CARE_WAITING)
		return ERR_STATE;
	care->rewrite = true;
	care_poke(care);
	return ERR_OK;
}

void ledger_care_reload(struct ledger_care *care)
{
	int64_t latest = clock_wall_seconds() + care->instance->keystore->settings.checkpoint_s;

	if (care->checkpoint_due > latest)
		care->checkpoint_due = latest;
	care_poke(care);
}

void ledger_care_status(const struct ledger_care *care, struct ledger_care_status *out)
{
	*out = (struct ledger_care_status){ .running = care->work != NULL || care->wanted ||
						       care->rewrite,
		.counts = care->counts,
		.err = care->err,
		.rewrite_err = care->rewrite_err };
	if (care->sm.state == CARE_CHECKPOINT)
		out->counts = checkpoint_counts(care->work);
}

enum err ledger_care_new(struct ledger_care **out, struct instance *instance)
{
	struct ledger_care *care = calloc(1, sizeof(*care));
	enum err err = care == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	care->instance = instance;
	sm_init(&care->sm, care_states, CARE_STATE_COUNT, "ledger", instance->id.text);
	care->sm.quiet = true;
	TRY(loop_timer_new(&care->timer, instance->keystore->loop, care_on_timer, care));
	*out = care;
	care = NULL;
out:
	ledger_care_free(care);
	return err;
}

void ledger_care_free(struct ledger_care *care)
{
	if (care == NULL)
		return;
	loop_timer_free(care->timer);
	free(care);
}
