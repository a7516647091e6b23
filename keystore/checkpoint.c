/* SPDX-License-Identifier: Apache-2.0 */
/* In the order of time: where the last one was -> fill the ledger -> remember the position. */
#include "keystore/checkpoint.h"
#include <stdio.h>
#include "base/clock.h"

enum { CHECKPOINT_PAGE = 256, POSITION_LEN = 32 };

struct checkpoint_key {
	uint8_t bytes[RECORD_KEY_LEN_MAX];
	size_t len;
};

struct checkpoint {
	struct keystore_pending flow;
	struct keystore_pending *fill;
	struct cache_position
		end; /* of the log when it began: changes behind it are the next one's */
	bool whole; /* walks the cache, not the log */
	enum record_kind kind; /* of the walk */
	uint64_t next_seq; /* of the log */
	struct checkpoint_key keys[CHECKPOINT_PAGE];
	size_t key_count, key_next;
	bool last_page;
	struct ledger_fill_counts counts;
	void (*on_done)(void *ctx, enum err err, const struct ledger_fill_counts *counts);
	void *ctx;
};

static void checkpoint_on_end(struct keystore_pending *flow)
{
	struct checkpoint *checkpoint = (struct checkpoint *) flow;

	if (checkpoint->fill != NULL)
		flow_end(checkpoint->fill);
}

static void checkpoint_finish(struct checkpoint *checkpoint, enum err err)
{
	void (*on_done)(void *, enum err, const struct ledger_fill_counts *) = checkpoint->on_done;
	struct ledger_fill_counts counts = checkpoint->counts;
	void *ctx = checkpoint->ctx;

	flow_end(&checkpoint->flow);
	on_done(ctx, err, &counts);
}

/* ---- the position: incarnation (16), sequence (8), time (8) ---- */

static void position_name(char out[INSTANCE_FACT_LEN], const struct instance_id *instance)
{
	snprintf(out, INSTANCE_FACT_LEN, "checkpoint-%s", instance->text);
}

enum err checkpoint_load(struct checkpoint_position *out, struct cache_read *read,
	const struct instance_id *instance)
{
	char name[INSTANCE_FACT_LEN];
	struct cursor cursor;
	struct slice value;
	enum err err;

	position_name(name, instance);
	TRY(cache_get_fact(read, name, &value));
	TRY(value.len == POSITION_LEN ? ERR_OK : ERR_CORRUPT);
	cursor = cursor_of(value);
	(void) slice_copy_exact(out->incarnation, sizeof(out->incarnation),
		cursor_bytes(&cursor, sizeof(out->incarnation)));
	out->seq = cursor_be64(&cursor);
	out->at = (int64_t) cursor_be64(&cursor);
out:
	return err;
}

enum err checkpoint_save(struct cache_write *write, const struct instance_id *instance,
	const struct checkpoint_position *position)
{
	char name[INSTANCE_FACT_LEN];
	struct buf value;
	enum err err;

	buf_init(&value, POSITION_LEN);
	TRY(buf_append(&value, slice_of(position->incarnation, sizeof(position->incarnation))));
	TRY(buf_append_be64(&value, position->seq));
	TRY(buf_append_be64(&value, (uint64_t) position->at));
	position_name(name, instance);
	TRY(cache_put_fact(write, name, buf_slice(&value)));
out:
	buf_free(&value);
	return err;
}

/* ---- the pages of record keys ---- */

static enum err page_take(struct checkpoint *checkpoint, struct slice record_key)
{
	struct checkpoint_key *key = &checkpoint->keys[checkpoint->key_count];

	if (record_key.len > sizeof(key->bytes))
		return ERR_CORRUPT;
	bytes_copy(key->bytes, record_key.data, record_key.len);
	key->len = record_key.len;
	checkpoint->key_count++;
	return ERR_OK;
}

static enum err page_on_logged(void *ctx, const struct cache_log_entry *entry)
{
	struct checkpoint *checkpoint = ctx;

	checkpoint->next_seq = entry->seq + 1;
	return entry->seq > checkpoint->end.seq ? ERR_OK : page_take(checkpoint, entry->record_key);
}

static enum err page_on_walked(void *ctx, struct slice record_key, struct slice bytes)
{
	(void) bytes;
	return page_take(ctx, record_key);
}

static enum err page_walk(struct checkpoint *checkpoint, struct cache_read *read)
{
	const struct checkpoint_key *last = &checkpoint->keys[CHECKPOINT_PAGE - 1];
	struct cache_walk walk = { .kind = checkpoint->kind,
		.records_max = CHECKPOINT_PAGE,
		.visit = page_on_walked,
		.ctx = checkpoint };
	uint8_t after[RECORD_KEY_LEN_MAX];
	bool more;
	enum err err;

	/* The page is overwritten while it is walked. */
	bytes_copy(after, last->bytes, last->len);
	walk.after = slice_of(after, last->len);
	checkpoint->key_count = 0;
	TRY(cache_walk(read, &walk, &more));
	if (more)
		return ERR_OK;
	checkpoint->keys[CHECKPOINT_PAGE - 1].len = 0;
	checkpoint->last_page = checkpoint->kind == RECORD_CLIENT;
	checkpoint->kind = RECORD_CLIENT;
out:
	return err;
}

static void checkpoint_go_whole(struct checkpoint *checkpoint)
{
	checkpoint->whole = true;
	checkpoint->kind = RECORD_OBJECT;
	checkpoint->keys[CHECKPOINT_PAGE - 1].len = 0;
}

static enum err page_log(struct checkpoint *checkpoint, struct cache_read *read)
{
	enum err err;

	if (checkpoint->next_seq > checkpoint->end.seq) {
		checkpoint->last_page = true;
		return ERR_OK;
	}
	err = cache_log_read(
		read, checkpoint->next_seq, CHECKPOINT_PAGE, page_on_logged, checkpoint);
	if (err == ERR_MISS || (err == ERR_OK && checkpoint->key_count == 0)) {
		checkpoint_go_whole(checkpoint);
		return ERR_OK;
	}
	return err;
}

static enum err page_load(struct checkpoint *checkpoint)
{
	struct cache_read *read = NULL;
	enum err err;

	checkpoint->key_next = checkpoint->key_count = 0;
	TRY(cache_read_begin(&read, checkpoint->flow.keystore->cache));
	err = checkpoint->whole ? page_walk(checkpoint, read) : page_log(checkpoint, read);
out:
	cache_read_end(read);
	return err;
}

static enum err checkpoint_next(void *ctx, struct buf *record_key)
{
	struct checkpoint *checkpoint = ctx;
	const struct checkpoint_key *key;
	enum err err;

	while (checkpoint->key_next == checkpoint->key_count) {
		if (checkpoint->last_page)
			return ERR_MISS;
		TRY(page_load(checkpoint));
	}
	key = &checkpoint->keys[checkpoint->key_next++];
	TRY(buf_append(record_key, slice_of(key->bytes, key->len)));
out:
	return err;
}

/* ---- start and end ---- */

static enum err checkpoint_write(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct checkpoint *checkpoint = ctx;
	struct checkpoint_position position = { .seq = checkpoint->end.seq,
		.at = clock_wall_seconds() };

	(void) arena;
	bytes_copy(position.incarnation, checkpoint->end.incarnation, sizeof(position.incarnation));
	return checkpoint_save(write, &checkpoint->flow.instance->id, &position);
}

static void checkpoint_on_committed(void *ctx, enum err err)
{
	struct checkpoint *checkpoint = ctx;

	KILL_POINT(checkpoint->flow.keystore, checkpoint_saved);
	checkpoint_finish(checkpoint, err);
}

static void checkpoint_on_filled(void *ctx, enum err err, const struct ledger_fill_counts *counts)
{
	struct checkpoint *checkpoint = ctx;

	checkpoint->fill = NULL;
	checkpoint->counts = *counts;
	if (err == ERR_OK)
		KILL_POINT(checkpoint->flow.keystore, checkpoint_filled);
	if (err == ERR_OK)
		err = flow_commit(&checkpoint->flow, checkpoint_write, checkpoint_on_committed);
	if (err != ERR_OK)
		checkpoint_finish(checkpoint, err);
}

static enum err checkpoint_prepare(struct checkpoint *checkpoint)
{
	struct checkpoint_position position = { 0 };
	struct cache_read *read = NULL;
	enum err err;

	TRY(cache_read_begin(&read, checkpoint->flow.keystore->cache));
	TRY(cache_log_position(read, &checkpoint->end));
	err = checkpoint_load(&position, read, &checkpoint->flow.instance->id);
	TRY(err == ERR_MISS || err == ERR_CORRUPT ? ERR_OK : err);
	checkpoint->next_seq = position.seq + 1;
	if (!slice_equal(slice_of(position.incarnation, sizeof(position.incarnation)),
		    slice_of(checkpoint->end.incarnation, sizeof(position.incarnation))))
		checkpoint_go_whole(checkpoint);
out:
	cache_read_end(read);
	return err;
}

static void checkpoint_begin(void *ctx)
{
	struct checkpoint *checkpoint = ctx;
	struct ledger_fill_options options = {
		.next = checkpoint_next, .on_done = checkpoint_on_filled, .ctx = checkpoint
	};
	enum err err;

	TRY(checkpoint_prepare(checkpoint));
	TRY(ledger_fill_start(&checkpoint->fill, checkpoint->flow.instance, &options));
out:
	if (err != ERR_OK)
		checkpoint_finish(checkpoint, err);
}

struct ledger_fill_counts checkpoint_counts(const struct keystore_pending *flow)
{
	const struct checkpoint *checkpoint = (const struct checkpoint *) flow;

	return checkpoint->fill != NULL ? *ledger_fill_counts(checkpoint->fill)
					: checkpoint->counts;
}

enum err checkpoint_start(struct keystore_pending **out, struct instance *instance,
	void (*on_done)(void *ctx, enum err err, const struct ledger_fill_counts *counts),
	void *ctx)
{
	struct keystore_pending *flow;
	struct checkpoint *checkpoint;
	enum err err;

	TRY(flow_new(&flow, sizeof(*checkpoint), instance->keystore, instance));
	checkpoint = (struct checkpoint *) flow;
	flow->background = true;
	flow->on_end = checkpoint_on_end;
	checkpoint->on_done = on_done;
	checkpoint->ctx = ctx;
	flow_defer(flow, checkpoint_begin);
	*out = flow;
out:
	return err;
}
