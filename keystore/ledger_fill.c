/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/ledger_fill.h"
#include "base/log.h"
#include "keystore/ledger_note.h"

struct fill;
struct fill_slot {
	struct fill *fill;
	struct ledger_wait wait;
	struct buf key, bytes; /* of one part of a trace */
	bool whole; /* the part is all of it */
};

struct fill {
	struct keystore_pending flow;
	struct ledger_fill_options options;
	struct ledger_fill_counts counts;
	struct buf key; /* of the record whose trace is being put; it lives in the flow's arena */
	struct trace trace;
	bool has_trace;
	bool ended; /* there is no further record */
	bool poked;
	enum err err; /* the first that ends it */
	struct fill_slot slots[LEDGER_FILL_SLOTS];
	size_t waiting;
};

static void fill_poke(struct fill *fill);

static void fill_on_end(struct keystore_pending *flow)
{
	struct fill *fill = (struct fill *) flow;

	for (size_t i = 0; i < LEDGER_FILL_SLOTS; i++) {
		ledger_forget(flow->instance->ledger, &fill->slots[i].wait);
		buf_free(&fill->slots[i].key);
		buf_free(&fill->slots[i].bytes);
	}
	buf_free(&fill->key);
}

static void fill_finish(struct fill *fill)
{
	struct ledger_fill_options options = fill->options;
	struct ledger_fill_counts counts = fill->counts;
	enum err err = fill->err;

	flow_end(&fill->flow);
	options.on_done(options.ctx, err, &counts);
}

/* ---- one part ---- */

static void fill_on_written(void *ctx, enum err err)
{
	struct fill_slot *slot = ctx;
	struct fill *fill = slot->fill;

	fill->waiting--;
	if (err != ERR_OK) {
		fill->err = fill->err == ERR_OK ? err : fill->err;
	} else {
		fill->counts.written++;
		if (slot->whole && fill->options.on_written != NULL)
			fill->options.on_written(
				fill->options.ctx, buf_slice(&slot->key), &slot->wait.id);
	}
	fill_poke(fill);
}

static enum err fill_put(struct fill *fill, struct fill_slot *slot)
{
	bool first = fill->trace.next == 0;
	enum err err;

	buf_clear(&slot->key);
	buf_clear(&slot->bytes);
	TRY(buf_append(&slot->key, buf_slice(&fill->key)));
	err = trace_next(&fill->trace, &slot->bytes);
	if (err == ERR_LIMIT) {
		log_error("trace-too-long",
			"instance=%s effect=\"the rest of one record's attributes "
			"is in the caches only\"",
			fill->flow.instance->id.text);
		fill->has_trace = false;
		return ERR_OK;
	}
	TRY(err);
	fill->has_trace = !fill->trace.done;
	slot->whole = first && fill->trace.done;
	slot->wait = (struct ledger_wait){ .record = buf_slice(&slot->bytes),
		.on_written = fill_on_written,
		.ctx = slot,
		.later = true };
	TRY(ledger_add(fill->flow.instance->ledger, &slot->wait));
	fill->waiting++;
out:
	return err;
}

/* ---- one record ---- */

static bool fill_is_under_way(const struct fill *fill, struct slice record_key)
{
	for (size_t i = 0; i < LEDGER_FILL_SLOTS; i++) {
		const struct fill_slot *slot = &fill->slots[i];

		if (slot->wait.waiting && slice_equal(buf_slice(&slot->key), record_key))
			return true;
	}
	return false;
}

static bool fill_wants(const struct fill *fill, const struct ledger_cover *cover)
{
	const struct record *record = &cover->record;
	const struct instance_id *instance =
		record->kind == RECORD_OBJECT ? &record->object.instance : &record->client.instance;

	return cover->needed && (fill->options.again || !cover->covered) &&
	       instance_id_equal(instance, &fill->flow.instance->id) &&
	       !fill_is_under_way(fill, buf_slice(&fill->key));
}

/* A record that cannot be read is passed over: the cache's own check reports it. */
static enum err fill_load(struct fill *fill)
{
	struct cache_read *read = NULL;
	struct ledger_cover cover;
	enum err err;

	buf_clear(&fill->key);
	arena_reset(fill->flow.arena);
	err = fill->options.next(fill->options.ctx, &fill->key);
	fill->ended = err == ERR_MISS;
	if (err != ERR_OK)
		return err == ERR_MISS ? ERR_OK : err;
	fill->counts.looked++;
	TRY(cache_read_begin(&read, fill->flow.keystore->cache));
	err = ledger_cover_get(&cover, read, fill->flow.arena, buf_slice(&fill->key));
	fill->has_trace = err == ERR_OK && fill_wants(fill, &cover);
	if (fill->has_trace)
		trace_begin(&fill->trace, &cover.record, LEDGER_RECORD_LEN_MAX);
	err = err == ERR_MISS || err == ERR_CORRUPT || err == ERR_VERSION ? ERR_OK : err;
out:
	cache_read_end(read);
	return err;
}

/* ---- all ---- */

static struct fill_slot *fill_free_slot(struct fill *fill)
{
	for (size_t i = 0; i < LEDGER_FILL_SLOTS; i++)
		if (!fill->slots[i].wait.waiting)
			return &fill->slots[i];
	return NULL;
}

static void fill_turn(void *ctx)
{
	struct fill *fill = ctx;
	struct fill_slot *slot = fill_free_slot(fill);
	size_t looked = 0;

	fill->poked = false;
	while (fill->err == ERR_OK && slot != NULL && looked < LEDGER_FILL_TURN &&
		(fill->has_trace || !fill->ended)) {
		looked += !fill->has_trace;
		fill->err = fill->has_trace ? fill_put(fill, slot) : fill_load(fill);
		slot = fill_free_slot(fill);
	}
	if (fill->err != ERR_OK || (fill->ended && !fill->has_trace && fill->waiting == 0))
		fill_finish(fill);
	else if (slot != NULL && (fill->has_trace || !fill->ended))
		fill_poke(fill);
}

static void fill_poke(struct fill *fill)
{
	if (fill->poked)
		return;
	fill->poked = true;
	flow_defer(&fill->flow, fill_turn);
}

const struct ledger_fill_counts *ledger_fill_counts(const struct keystore_pending *flow)
{
	return &((const struct fill *) flow)->counts;
}

enum err ledger_fill_start(struct keystore_pending **out, struct instance *instance,
	const struct ledger_fill_options *options)
{
	struct keystore_pending *flow;
	struct fill *fill;
	enum err err;

	TRY(flow_new(&flow, sizeof(*fill), instance->keystore, instance));
	fill = (struct fill *) flow;
	flow->background = true;
	flow->on_end = fill_on_end;
	fill->options = *options;
	buf_init(&fill->key, RECORD_KEY_LEN_MAX);
	for (size_t i = 0; i < LEDGER_FILL_SLOTS; i++) {
		fill->slots[i].fill = fill;
		buf_init(&fill->slots[i].key, RECORD_KEY_LEN_MAX);
		buf_init(&fill->slots[i].bytes, LEDGER_RECORD_LEN_MAX);
	}
	fill_poke(fill);
	*out = flow;
out:
	return err;
}
