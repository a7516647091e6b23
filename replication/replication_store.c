/* SPDX-License-Identifier: Apache-2.0 */
#include "replication/replication_private.h"
#include "base/log.h"

/* ---- merging ---- */

static void merge_done(struct merge_job *job, bool ok)
{
	struct replication *replication = job->replication;
	struct core_event event = { .kind = CORE_EVENT_MERGED };

	event.merged.link = job->link;
	event.merged.ok = ok;
	event.merged.has_position = job->has_position;
	event.merged.position = job->position;
	job->in_use = false;
	replication_step(replication, &event);
}

static void merge_on_merged(void *ctx, enum err err)
{
	struct merge_job *job = ctx;

	job->pending = NULL;
	if (err != ERR_OK)
		log_error("peer-merge-failed", "error=%s", err_name(err));
	merge_done(job, err == ERR_OK);
}

void replication_store_end_failed(void *ctx)
{
	struct replication *replication = ctx;

	for (size_t i = 0; i < REPLICATION_MERGES_MAX; i++)
		if (replication->merges[i].in_use && replication->merges[i].pending == NULL)
			merge_done(&replication->merges[i], false);
}

/* The core starts no more than there are. */
static struct merge_job *job_take(struct replication *replication)
{
	size_t i = 0;

	while (i < REPLICATION_MERGES_MAX && replication->merges[i].in_use)
		i++;
	ASSERT(i < REPLICATION_MERGES_MAX);
	return &replication->merges[i];
}

void replication_store_merge(struct replication *replication, const struct core_merge *action)
{
	struct merge_job *job = job_take(replication);
	uint8_t fact[WIRE_APPLIED_LEN];
	struct keystore_merge merge = {
		.chain = action->link,
		.records = action->records,
		.record_count = action->record_count,
	};

	*job = (struct merge_job){
		.replication = replication,
		.in_use = true,
		.link = action->link,
		.has_position = action->has_position,
		.position = action->applied.position,
	};
	if (action->has_position) {
		wire_applied_put(fact, &action->applied);
		merge.fact_name = replication->facts.applied;
		merge.fact_value = slice_of(fact, sizeof(fact));
	}
	if (action->has_seen) {
		wire_position_put(fact, &action->seen);
		merge.fact_name = replication->facts.seen;
		merge.fact_value = slice_of(fact, WIRE_POSITION_LEN);
	}
	if (keystore_merge_start(&job->pending, replication->options.keystore, &merge,
		    merge_on_merged, job) == ERR_OK)
		return;
	job->pending = NULL;
	loop_defer(replication->options.loop, &replication->failed_task);
}

static void incarnation_on_done(void *ctx, enum err err)
{
	struct replication *replication = ctx;
	struct core_event event = { .kind = CORE_EVENT_INCARNATION };

	replication->incarnation = NULL;
	if (err == ERR_OK)
		err = reader_position(
			keystore_cache(replication->options.keystore), &event.incarnation);
	if (err != ERR_OK)
		log_error("incarnation-failed", "error=%s", err_name(err));
	/* After a failure the next HELLO shows the rollback again. */
	replication_step(replication, &event);
}

void replication_store_renew(struct replication *replication, bool rolled_back)
{
	enum err err = keystore_new_incarnation_start(&replication->incarnation,
		replication->options.keystore, incarnation_on_done, replication);

	if (rolled_back)
		log_error("rolled-back", "node=%u peer=%u", (unsigned) replication->options.node,
			(unsigned) replication->options.peer_node);
	else
		log_info("begun-anew",
			"node=%u peer=%u why=\"the log does not tell whether it was rolled back\"",
			(unsigned) replication->options.node,
			(unsigned) replication->options.peer_node);
	/* Nothing can be done later that cannot be done now: the store refuses work. */
	ASSERT(err == ERR_OK);
}

/* ---- trimming ---- */

static void trim_on_done(void *ctx, enum err err, size_t trimmed)
{
	struct replication *replication = ctx;

	replication->trim = NULL;
	if (err != ERR_OK)
		log_warning("tombstones-not-trimmed", "error=%s", err_name(err));
	else if (trimmed > 0)
		log_info("tombstones-trimmed", "count=%zu", trimmed);
}

/* One at a time: what is left out is a grave in the next comparison, too. */
void replication_store_trim(
	struct replication *replication, const struct cache_grave *graves, size_t grave_count)
{
	enum err err;

	if (replication->trim != NULL)
		return;
	err = keystore_trim_start(&replication->trim, replication->options.keystore, graves,
		grave_count, trim_on_done, replication);
	if (err != ERR_OK)
		trim_on_done(replication, err, 0);
}

/* ---- reading ---- */

static enum err read_digest(struct replication *replication, struct core_event *event)
{
	const struct reader_digest ask = {
		.core = replication->core,
		.fact = replication->facts.applied,
		.first = replication->read.buckets.first,
		.count = replication->read.buckets.count,
	};

	return reader_digest(
		keystore_cache(replication->options.keystore), replication->arena, &ask, event);
}

void replication_store_read(void *ctx)
{
	struct replication *replication = ctx;
	struct cache *cache = keystore_cache(replication->options.keystore);
	const struct core_action *read = &replication->read;
	struct core_event event = { .kind = CORE_EVENT_LOG_READ };
	enum err err;

	switch (read->kind) {
	case CORE_ACTION_READ_SNAPSHOT:
		event.kind = CORE_EVENT_SNAPSHOT_READ;
		err = reader_snapshot(cache, replication->arena, &read->cursor, &event);
		break;
	case CORE_ACTION_READ_DIGEST:
		event.kind = CORE_EVENT_DIGEST_READ;
		err = read_digest(replication, &event);
		break;
	case CORE_ACTION_READ_BUCKET:
		event.kind = CORE_EVENT_BUCKET_READ;
		err = reader_bucket(cache, replication->arena, read->buckets.first,
			&read->buckets.cursor, &event);
		break;
	default:
		err = reader_log(cache, replication->arena, read->log_first, &event);
		break;
	}
	if (err != ERR_OK) {
		log_error("peer-read-failed", "error=%s", err_name(err));
		replication_drop_link(replication, "the cache cannot be read");
	}
	/* Also after a failure: the core then knows it for a read of an earlier link. */
	replication_step(replication, &event);
	arena_reset(replication->arena);
}

void replication_store_cancel(struct replication *replication)
{
	for (size_t i = 0; i < REPLICATION_MERGES_MAX; i++)
		if (replication->merges[i].pending != NULL)
			keystore_cancel(replication->merges[i].pending);
	if (replication->incarnation != NULL)
		keystore_cancel(replication->incarnation);
	if (replication->trim != NULL)
		keystore_cancel(replication->trim);
}
