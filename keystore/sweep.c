/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/sweep_private.h"
#include "base/clock.h"
#include "base/log.h"
#include "keystore/absent.h"
#include "keystore/checkpoint.h"
#include "keystore/fetch.h"
#include "keystore/ledger_care.h"
#include "keystore/ledger_note.h"
#include "keystore/ledger_read.h"

static void sweep_poke(struct sweep *sweep);

static void sweep_on_end(struct keystore_pending *flow)
{
	struct sweep *sweep = (struct sweep *) flow;

	for (size_t i = 0; i < SWEEP_PARALLEL; i++) {
		if (sweep->slots[i].work != NULL)
			flow_end(sweep->slots[i].work);
	}
	absent_free(sweep->absent);
}

static void sweep_finish(struct sweep *sweep)
{
	struct sweep_options options = sweep->options;
	struct sweep_counts counts = sweep->counts;
	enum err err = sweep->err;

	flow_end(&sweep->flow);
	options.on_done(options.ctx, err, &counts);
}

/* ---- reading what a page asks for ---- */

static void sweep_tell(struct sweep *sweep)
{
	struct instance *instance = sweep->flow.instance;
	uint64_t now_ms = clock_boot_ms();

	if (sweep_is_whole(&sweep->options)) {
		instance->listing_listed = sweep->counts.listed;
		instance->listing_read = sweep->counts.read;
	}
	if (now_ms - sweep->told_ms < SWEEP_PROGRESS_MS)
		return;
	sweep->told_ms = now_ms;
	log_info("listing-progress", "instance=%s what=%s listed=%llu read=%llu",
		sweep->flow.instance->id.text, sweep->options.what,
		(unsigned long long) sweep->counts.listed, (unsigned long long) sweep->counts.read);
}

/* What is wrong with one key does not stop the listing; what is wrong with the key manager does. */
static bool sweep_stops(enum err err)
{
	switch (err) {
	case ERR_OK:
	case ERR_NOT_FOUND:
	case ERR_DESTROYED:
	case ERR_MISSING:
	case ERR_CORRUPT:
		return false;
	default:
		return true;
	}
}

static void sweep_on_read(void *ctx, enum err err)
{
	struct sweep_slot *slot = ctx;
	struct sweep *sweep = slot->sweep;

	slot->work = NULL;
	sweep->running--;
	if (err == ERR_OK) {
		sweep->counts.read++;
		if (slot->action == SWEEP_ADOPT && !sweep->options.rebuild) {
			sweep->counts.unclaimed++;
			sweep->counts.found++;
		}
	}
	if (slot->action == SWEEP_READ_LEDGER && (err == ERR_DESTROYED || err == ERR_NOT_FOUND))
		sweep->stale = true;
	if (sweep_stops(err) && sweep->err == ERR_OK)
		sweep->err = err;
	sweep_tell(sweep);
	sweep_poke(sweep);
}

static enum err sweep_read(struct sweep *sweep, struct sweep_slot *slot)
{
	const struct sweep_entry *entry = &sweep->entries[sweep->entry_next];
	enum err err;

	slot->sweep = sweep;
	slot->action = entry->action;
	if (entry->action == SWEEP_READ_LEDGER)
		TRY(ledger_read_start(
			&slot->work, sweep->flow.instance, &entry->id, sweep_on_read, slot));
	else if (entry->action == SWEEP_LOOK_AGAIN)
		TRY(fetch_again_start(
			&slot->work, sweep->flow.instance, &entry->id, sweep_on_read, slot));
	else
		TRY(fetch_adopt_start(&slot->work, sweep->flow.instance, &entry->id,
			!sweep->options.rebuild, sweep_on_read, slot));
	sweep->entry_next++;
	sweep->running++;
out:
	return err;
}

static void sweep_list(struct sweep *sweep);
static void sweep_look_for_absent(void *ctx);

/* ---- ledger records that are gone (design D10) ---- */

static enum err sweep_write_gone(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct sweep *sweep = ctx;
	struct checkpoint_position nowhere = { 0 };
	enum err err = ERR_OK;

	sweep->lost = 0;
	for (size_t i = 0; i < sweep->gone_count; i++) {
		size_t lost = 0;

		err = ledger_note_lose(write, arena, &sweep->gone[i], &lost);
		TRY(err == ERR_MISS ? ERR_OK : err);
		sweep->lost += lost;
	}
	if (sweep->lost > 0)
		TRY(checkpoint_save(write, &sweep->flow.instance->id, &nowhere));
out:
	return err;
}

static void sweep_on_gone(void *ctx, enum err err)
{
	struct sweep *sweep = ctx;
	struct instance *instance = sweep->flow.instance;

	sweep->err = err;
	if (err == ERR_OK && sweep->lost > 0) {
		log_error("ledger-record-destroyed",
			"instance=%s records=%zu lost=%zu effect=\"they are written again from "
			"this node's cache\"",
			instance->id.text, sweep->gone_count, sweep->lost);
		/* Not before the ledger was read; the lost position tells of it then. */
		if (ledger_care_checkpoint(instance->care) != ERR_OK)
			log_debug("checkpoint-later", "instance=%s", instance->id.text);
	}
	sweep_finish(sweep);
}

static void sweep_conclude(struct sweep *sweep)
{
	if (sweep->err == ERR_OK && sweep->gone_count > 0) {
		sweep->err = flow_commit(&sweep->flow, sweep_write_gone, sweep_on_gone);
		if (sweep->err == ERR_OK)
			return;
	}
	sweep_finish(sweep);
}

/* What a compaction moved out of a record that was listed is in one that was made since. */
static bool sweep_begins_again(struct sweep *sweep)
{
	if (!sweep->stale || sweep->again == SWEEP_AGAIN_MAX)
		return false;
	sweep->again++;
	sweep->stale = sweep->last_page = false;
	sweep->offset = 0;
	sweep->gone_count = 0;
	sweep->counts =
		(struct sweep_counts){ .read = sweep->counts.read, .found = sweep->counts.found };
	return true;
}

static void sweep_go_on(struct sweep *sweep)
{
	if (sweep->err != ERR_OK)
		sweep_finish(sweep);
	else if (!sweep->last_page || sweep_begins_again(sweep))
		sweep_list(sweep);
	else if (sweep->absent == NULL)
		sweep_conclude(sweep);
	else {
		sweep->entry_count = sweep->entry_next = 0;
		flow_defer(&sweep->flow, sweep_look_for_absent);
	}
}

static void sweep_poke(struct sweep *sweep)
{
	for (size_t i = 0; i < SWEEP_PARALLEL && sweep->err == ERR_OK &&
			   sweep->entry_next < sweep->entry_count;
		i++) {
		if (sweep->slots[i].work == NULL)
			sweep->err = sweep_read(sweep, &sweep->slots[i]);
	}
	if (sweep->running == 0)
		sweep_go_on(sweep);
}

/* ---- what the listing lacks ---- */

static void sweep_add_absent(void *ctx, const struct uid *uid)
{
	struct sweep *sweep = ctx;

	if (sweep->entry_count < SWEEP_ABSENT_MAX)
		sweep->entries[sweep->entry_count++] =
			(struct sweep_entry){ .action = SWEEP_LOOK_AGAIN, .id = *uid };
}

/* A part of the cache in each turn, so that the loop goes on. */
static void sweep_look_for_absent(void *ctx)
{
	struct sweep *sweep = ctx;
	bool more = false;

	sweep->err = absent_look(sweep->absent, sweep_add_absent, sweep, &more);
	if (sweep->err == ERR_OK && more) {
		flow_defer(&sweep->flow, sweep_look_for_absent);
		return;
	}
	absent_free(sweep->absent);
	sweep->absent = NULL;
	sweep_poke(sweep);
}

/* ---- listing ---- */

/* Deletions come newest first: a page without news is the last that is needed. */
static bool sweep_is_last_page(const struct sweep *sweep, const struct keymanager_listed *result)
{
	if (sweep->options.deletions)
		return result->count < SWEEP_DELETIONS_PAGE || sweep->entry_count == 0;
	return result->count < KEYMANAGER_LIST_MAX;
}

static void sweep_on_listed(void *ctx, const struct keymanager_listed *result)
{
	struct sweep *sweep = ctx;

	sweep->flow.call = NULL;
	sweep->err = result->err;
	if (sweep->err == ERR_OK)
		sweep->err = sweep_judge(sweep, result);
	sweep_tell(sweep);
	sweep->offset += (uint32_t) result->count;
	sweep->last_page = sweep_is_last_page(sweep, result);
	sweep_poke(sweep);
}

static void sweep_list(struct sweep *sweep)
{
	const struct sweep_options *options = &sweep->options;
	/* What changes in another ring may be a key of ours that the owner moved there. */
	struct keymanager_list_query query = { .updated_since = options->updated_since,
		.any_ring = options->updated_since != 0,
		.with_destroyed = true,
		.only_destroyed = options->deletions,
		.offset = sweep->offset,
		.limit = options->deletions ? SWEEP_DELETIONS_PAGE : KEYMANAGER_LIST_MAX };
	uint32_t call_ms = options->call_ms != 0 ? options->call_ms : FLOW_BACKGROUND_MS;
	struct keymanager_call call;

	sweep->flow.deadline_ms = clock_boot_ms() + call_ms;
	call = flow_call(&sweep->flow, 100);
	sweep->err = keymanager_list_start(&sweep->flow.call, sweep->flow.instance->keymanager,
		&query, sweep_on_listed, &call);
	if (sweep->err != ERR_OK)
		sweep_finish(sweep);
}

static void sweep_begin(void *ctx)
{
	sweep_list(ctx);
}

enum err sweep_start(struct keystore_pending **out, struct instance *instance,
	const struct sweep_options *options)
{
	struct keystore_pending *flow = NULL;
	struct sweep *sweep;
	enum err err;

	TRY(flow_new(&flow, sizeof(*sweep), instance->keystore, instance));
	sweep = (struct sweep *) flow;
	flow->background = true;
	flow->on_end = sweep_on_end;
	sweep->options = *options;
	sweep->told_ms = clock_boot_ms();
	if (sweep_is_whole(options))
		TRY(absent_new(&sweep->absent, instance, clock_wall_seconds()));
	flow_defer(flow, sweep_begin);
	*out = flow;
	return ERR_OK;
out:
	if (flow != NULL)
		flow_end(flow);
	return err;
}
