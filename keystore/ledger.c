/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits for the ledger, and when it is written; how is in ledger_write.c. */
#include "keystore/ledger_write.h"
#include <stdlib.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"

static void ledger_on_timer(void *ctx);

enum err ledger_new(struct ledger **out, struct instance *instance)
{
	struct ledger *ledger = calloc(1, sizeof(*ledger));
	enum err err = ledger == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	ledger->instance = instance;
	TRY(loop_timer_new(&ledger->timer, instance->keystore->loop, ledger_on_timer, ledger));
	*out = ledger;
	ledger = NULL;
out:
	free(ledger);
	return err;
}

void ledger_free(struct ledger *ledger)
{
	if (ledger == NULL)
		return;
	ASSERT(ledger->writing == NULL);
	loop_timer_free(ledger->timer);
	free(ledger);
}

uint64_t ledger_waiting(const struct ledger *ledger)
{
	return ledger->wait_count + ledger->intents_seen;
}

/* Starts the timer unless something is under way or due already. */
static void ledger_schedule(struct ledger *ledger, uint64_t delay_ms)
{
	if (ledger->writing == NULL && !loop_timer_is_set(ledger->timer))
		loop_timer_set(ledger->timer, delay_ms);
}

/* What waits fills a record: nothing more would share it. */
static bool ledger_is_full(const struct ledger *ledger)
{
	size_t len = 0;

	for (const struct ledger_wait *wait = ledger->waits;
		wait != NULL && len <= LEDGER_PLAIN_LEN_MAX; wait = wait->next)
		len += wait->record.len;
	return len > LEDGER_PLAIN_LEN_MAX;
}

enum err ledger_add(struct ledger *ledger, struct ledger_wait *wait)
{
	struct ledger_wait **place = &ledger->waits;

	ASSERT(!wait->waiting && wait->record.len <= LEDGER_RECORD_LEN_MAX);
	if (ledger->wait_count == LEDGER_WAITS_MAX)
		return ERR_LIMIT;
	while (*place != NULL && (wait->later || !(*place)->later))
		place = &(*place)->next;
	wait->next = *place;
	wait->waiting = true;
	*place = wait;
	ledger->wait_count++;
	/* A removal in backoff does not hold up what a client waits for. */
	if (ledger->writing == NULL && ledger->backoff_ms > 0)
		loop_timer_stop(ledger->timer);
	ledger_schedule(ledger, LEDGER_GATHER_MS);
	if (ledger->writing == NULL && ledger->backoff_ms == 0 && ledger_is_full(ledger))
		loop_timer_set(ledger->timer, 0);
	return ERR_OK;
}

static bool list_remove(struct ledger_wait **place, const struct ledger_wait *wait)
{
	while (*place != NULL && *place != wait)
		place = &(*place)->next;
	if (*place == NULL)
		return false;
	*place = wait->next;
	return true;
}

void ledger_forget(struct ledger *ledger, struct ledger_wait *wait)
{
	if (!wait->waiting)
		return;
	wait->waiting = false;
	if (list_remove(&ledger->waits, wait))
		ledger->wait_count--;
	else if (ledger->writing != NULL)
		wait->may_exist = list_remove(&ledger->writing->waits, wait);
}

void ledger_poke(struct ledger *ledger)
{
	ledger->has_intents = true;
	ledger_schedule(ledger, LEDGER_GATHER_MS);
}

/* Callbacks may add to the ledger and forget other waits, so that the list is taken from its head.
 */
static void ledger_tell(struct ledger_write *write, enum err err)
{
	struct ledger_wait *wait;

	while ((wait = write->waits) != NULL) {
		write->waits = wait->next;
		wait->waiting = false;
		wait->may_exist = err == ERR_OK || write->is_sent;
		wait->on_written(wait->ctx, err);
	}
}

static uint64_t ledger_back_off(struct ledger *ledger)
{
	uint64_t next_ms = 2 * ledger->backoff_ms;

	if (next_ms < LEDGER_BACKOFF_MS_MIN)
		next_ms = LEDGER_BACKOFF_MS_MIN;
	ledger->backoff_ms = next_ms > LEDGER_BACKOFF_MS_MAX ? LEDGER_BACKOFF_MS_MAX : next_ms;
	/* Jitter of a fifth either way, so that nodes do not come back in step. */
	return ledger->backoff_ms * (80 + rand_below(41)) / 100;
}

void ledger_written(struct ledger_write *write, enum err err)
{
	struct ledger *ledger = write->ledger;
	uint64_t delay_ms = LEDGER_GATHER_MS;

	if (err != ERR_OK) {
		delay_ms = ledger_back_off(ledger);
		log_warning("ledger-write-failed", "instance=%s error=%s retry_ms=%llu",
			ledger->instance->id.text, err_name(err), (unsigned long long) delay_ms);
	} else {
		ledger->backoff_ms = 0;
		ledger->intents_seen -= write->nonce_count;
		ledger->instance->ledger_records += buf_slice(&write->plain).len > 0;
	}
	ledger_tell(write, err);
	ledger->writing = NULL;
	flow_end(&write->flow);
	if (ledger->waits != NULL)
		ledger_schedule(ledger, ledger_is_full(ledger) ? 0 : LEDGER_GATHER_MS);
	else if (ledger->has_intents)
		ledger_schedule(ledger, delay_ms);
}

static void ledger_on_timer(void *ctx)
{
	struct ledger *ledger = ctx;
	enum err err = ledger_write_start(ledger);

	if (err != ERR_OK) {
		log_warning("ledger-write-failed", "instance=%s error=%s",
			ledger->instance->id.text, err_name(err));
		loop_timer_set(ledger->timer, ledger_back_off(ledger));
	}
}
