/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the peer sends (design D17, D20): merged and durable together with its position. The loop
 * decodes, and hears the end; what lies between may be on the thread that commits in bulk
 * (commit.h), which touches nothing of the store but the cache and broken_chain.
 */
#include <stdatomic.h>
#include "keystore/flow.h"
#include "keystore/stamps.h"

enum { MERGE_RECORDS_MAX = 4096 };

struct merged_record {
	struct slice bytes;
	struct record record; /* decoded from them */
};

struct merge {
	struct keystore_pending flow;
	struct arena *bytes; /* of records and fact, which may be more than a flow's own; what the
				peer sends is wrapped */
	uint32_t chain;
	struct merged_record *records;
	size_t record_count;
	enum err decoded; /* whether all of them could be */
	uint64_t stamp; /* the clock, once it had seen them */
	const char *fact_name;
	struct slice fact_value;
	struct object *closed; /* dead or quarantined now: uid and instance */
	size_t closed_count;
	void (*on_merged)(void *ctx, enum err err);
	void *ctx;
};

static void merge_on_end(struct keystore_pending *flow)
{
	arena_free(((struct merge *) flow)->bytes);
}

static void merge_finish(void *ctx, enum err err)
{
	struct merge *merge = ctx;
	void (*on_merged)(void *, enum err) = merge->on_merged;
	void *on_merged_ctx = merge->ctx;

	flow_end(&merge->flow);
	on_merged(on_merged_ctx, err);
}

/* ---- the write ---- */

static void merge_note_closed(struct merge *merge, const struct object *object)
{
	struct object *noted = &merge->closed[merge->closed_count];

	noted->uid = object->uid;
	noted->instance = object->instance;
	merge->closed_count++;
}

static enum err merge_put(struct merge *merge, struct cache_write *write, struct arena *arena,
	const struct merged_record *from)
{
	const struct record *record = &from->record;
	struct cache_put put = { .record = record, .bytes = from->bytes, .heals = true };
	struct object *object;
	enum err err;

	TRY(cache_merge(write, arena, &put));
	if (put.closed) {
		TRY(cache_get_object(cache_write_read(write), arena, &record->object.uid, &object));
		merge_note_closed(merge, object);
	}
out:
	return err;
}

static bool chain_is_broken(struct keystore *keystore, uint32_t chain)
{
	return chain != 0 && chain <= atomic_load(&keystore->broken_chain);
}

static void chain_break(struct keystore *keystore, uint32_t chain)
{
	uint32_t broken = atomic_load(&keystore->broken_chain);

	while (chain > broken &&
		!atomic_compare_exchange_weak(&keystore->broken_chain, &broken, chain))
		continue;
}

/* All were decoded before the first is put. */
static enum err merge_write_all(struct merge *merge, struct cache_write *write, struct arena *arena)
{
	enum err err;

	TRY(merge->decoded);
	for (size_t i = 0; i < merge->record_count; i++)
		TRY(merge_put(merge, write, arena, &merge->records[i]));
	if (merge->fact_name != NULL)
		TRY(cache_put_fact(write, merge->fact_name, merge->fact_value));
	TRY(stamps_save_seen(write, merge->stamp));
out:
	return err;
}

/* Writes run in the order of their start, within one transaction or several: no later one of the
 * chain can have been kept. */
static enum err merge_write(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct merge *merge = ctx;
	struct keystore *keystore = merge->flow.keystore;
	enum err err = ERR_STATE;

	if (!chain_is_broken(keystore, merge->chain))
		err = merge_write_all(merge, write, arena);
	if (err != ERR_OK)
		chain_break(keystore, merge->chain);
	return err;
}

static void merge_on_committed(void *ctx, enum err err)
{
	struct merge *merge = ctx;

	for (size_t i = 0; err == ERR_OK && i < merge->closed_count; i++)
		kek_table_drop(merge->flow.keystore->table, &merge->closed[i].instance,
			&merge->closed[i].uid);
	if (err == ERR_OK)
		KILL_POINT(merge->flow.keystore, peer_merged);
	merge_finish(merge, err);
}

/* ---- start ---- */

/* Decoded records are larger than their bytes: each register becomes a struct. */
static size_t merge_bytes(const struct keystore_merge *options)
{
	enum { SLACK = 4096, TIMES = 6 };
	size_t len = SLACK + options->fact_value.len;

	for (size_t i = 0; i < options->record_count; i++)
		len += TIMES * options->records[i].len + sizeof(struct merged_record) +
		       sizeof(struct object);
	return len;
}

static size_t merge_weight(const struct keystore_merge *options)
{
	size_t len = 0;

	for (size_t i = 0; i < options->record_count; i++)
		len += options->records[i].len;
	len /= COMMIT_RECORD_BYTES;
	return len > options->record_count ? len : options->record_count;
}

/* What cannot be decoded is told by the write, in its turn. */
static enum err merge_decode(struct merge *merge, size_t i, struct slice bytes)
{
	struct merged_record *out = &merge->records[i];
	enum err err;

	TRY(bytes.data == NULL ? ERR_NOMEM : ERR_OK);
	out->bytes = bytes;
	if (merge->decoded == ERR_OK)
		merge->decoded = record_decode(&out->record, merge->bytes, bytes);
	if (merge->decoded == ERR_OK)
		stamps_see(merge->flow.keystore, &out->record);
out:
	return err;
}

static enum err merge_keep(struct merge *merge, const struct keystore_merge *options)
{
	struct arena *bytes;
	enum err err;

	merge->chain = options->chain;
	TRY(arena_new_public(&merge->bytes, merge_bytes(options)));
	bytes = merge->bytes;
	merge->record_count = options->record_count;
	merge->records = arena_array(bytes, options->record_count, sizeof(*merge->records));
	merge->closed = arena_array(bytes, options->record_count, sizeof(*merge->closed));
	TRY(merge->records == NULL || merge->closed == NULL ? ERR_NOMEM : ERR_OK);
	for (size_t i = 0; i < options->record_count; i++)
		TRY(merge_decode(merge, i, arena_copy(bytes, options->records[i])));
	merge->stamp = merge->flow.keystore->clock.last;
	if (options->fact_name == NULL)
		return ERR_OK;
	merge->fact_name = arena_text(bytes, slice_text(options->fact_name));
	merge->fact_value = arena_copy(bytes, options->fact_value);
	TRY(merge->fact_name == NULL || merge->fact_value.data == NULL ? ERR_NOMEM : ERR_OK);
out:
	return err;
}

enum err keystore_merge_start(struct keystore_pending **out, struct keystore *keystore,
	const struct keystore_merge *options, void (*on_merged)(void *ctx, enum err err), void *ctx)
{
	struct keystore_pending *flow = NULL;
	struct merge *merge;
	enum err err;

	TRY(options->record_count > MERGE_RECORDS_MAX ? ERR_LIMIT : ERR_OK);
	TRY(flow_new(&flow, sizeof(*merge), keystore, NULL));
	flow->on_end = merge_on_end;
	merge = (struct merge *) flow;
	merge->on_merged = on_merged;
	merge->ctx = ctx;
	TRY(merge_keep(merge, options));
	TRY(flow_commit(flow, merge_write, merge_on_committed));
	flow->job.record_count = merge_weight(options);
	flow->job.apart = true;
	*out = flow;
	return ERR_OK;
out:
	chain_break(keystore, options->chain);
	if (flow != NULL)
		flow_end(flow);
	return err;
}

/* ---- a new incarnation ---- */

static enum err incarnation_write(void *ctx, struct cache_write *write, struct arena *arena)
{
	(void) ctx;
	(void) arena;
	return cache_new_incarnation(write);
}

static void incarnation_on_committed(void *ctx, enum err err)
{
	struct merge *merge = ctx;

	if (err == ERR_OK)
		merge->flow.keystore->last_seq = 0;
	merge_finish(merge, err);
}

enum err keystore_new_incarnation_start(struct keystore_pending **out, struct keystore *keystore,
	void (*on_done)(void *ctx, enum err err), void *ctx)
{
	struct keystore_pending *flow = NULL;
	struct merge *merge;
	enum err err;

	TRY(flow_new(&flow, sizeof(*merge), keystore, NULL));
	flow->on_end = merge_on_end;
	merge = (struct merge *) flow;
	merge->on_merged = on_done;
	merge->ctx = ctx;
	TRY(flow_commit(flow, incarnation_write, incarnation_on_committed));
	*out = flow;
	return ERR_OK;
out:
	if (flow != NULL)
		flow_end(flow);
	return err;
}
