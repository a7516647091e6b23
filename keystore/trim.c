/* SPDX-License-Identifier: Apache-2.0 */
/* Tombstones that both nodes hold alike and nobody asks for any more (design D20) go. */
#include "keystore/cache_digest.h"
#include "keystore/flow.h"

struct trim {
	struct keystore_pending flow;
	struct cache_grave graves[CACHE_GRAVES_MAX];
	size_t grave_count, trimmed;
	void (*on_trimmed)(void *ctx, enum err err, size_t trimmed);
	void *ctx;
};

static enum err trim_write(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct trim *trim = ctx;

	return cache_digest_trim(write, arena, trim->graves, trim->grave_count, &trim->trimmed);
}

static void trim_on_committed(void *ctx, enum err err)
{
	struct trim *trim = ctx;
	void (*on_trimmed)(void *, enum err, size_t) = trim->on_trimmed;
	void *on_trimmed_ctx = trim->ctx;
	size_t trimmed = trim->trimmed;

	flow_end(&trim->flow);
	on_trimmed(on_trimmed_ctx, err, trimmed);
}

enum err keystore_trim_start(struct keystore_pending **out, struct keystore *keystore,
	const struct cache_grave *graves, size_t grave_count,
	void (*on_trimmed)(void *ctx, enum err err, size_t trimmed), void *ctx)
{
	struct keystore_pending *flow = NULL;
	struct trim *trim;
	enum err err;

	ASSERT(grave_count <= CACHE_GRAVES_MAX);
	TRY(flow_new(&flow, sizeof(*trim), keystore, NULL));
	trim = (struct trim *) flow;
	bytes_copy(trim->graves, graves, grave_count * sizeof(*graves));
	trim->grave_count = grave_count;
	trim->on_trimmed = on_trimmed;
	trim->ctx = ctx;
	TRY(flow_commit(flow, trim_write, trim_on_committed));
	*out = flow;
	return ERR_OK;
out:
	if (flow != NULL)
		flow_end(flow);
	return err;
}
