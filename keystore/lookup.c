/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/lookup.h"

static void lookup_on_listed(void *ctx, const struct keymanager_listed *result);

static void lookup_page(void *ctx)
{
	struct lookup *lookup = ctx;
	struct keystore_pending *flow = lookup->flow;
	struct keymanager_list_query query = { .created_since = lookup->since,
		.newest_first = true,
		.offset = lookup->page * KEYMANAGER_LIST_MAX,
		.limit = KEYMANAGER_LIST_MAX };
	struct keymanager_call call = flow_call(flow, 100);
	enum err err = ERR_TIMEOUT;

	call.ctx = lookup;
	if (flow_left_ms(flow) > 0)
		err = keymanager_list_start(
			&flow->call, flow->instance->keymanager, &query, lookup_on_listed, &call);
	if (err != ERR_OK)
		lookup->on_found(flow, err, NULL);
}

static void lookup_on_nothing(struct lookup *lookup)
{
	struct keystore_pending *flow = lookup->flow;

	lookup->page = 0;
	if (lookup->once || flow_left_ms(flow) <= LOOKUP_AGAIN_MS ||
		flow_wait(flow, LOOKUP_AGAIN_MS, lookup_page, lookup) != ERR_OK)
		lookup->on_found(flow, ERR_NOT_FOUND, NULL);
}

static void lookup_on_listed(void *ctx, const struct keymanager_listed *result)
{
	struct lookup *lookup = ctx;

	lookup->flow->call = NULL;
	if (result->err != ERR_OK) {
		lookup->on_found(lookup->flow, result->err, NULL);
		return;
	}
	for (size_t i = 0; i < result->count; i++) {
		if (slice_equal_text(slice_text(result->keys[i].name), lookup->name)) {
			struct uid id = result->keys[i].id;

			lookup->on_found(lookup->flow, ERR_OK, &id);
			return;
		}
	}
	if (result->count < KEYMANAGER_LIST_MAX)
		lookup_on_nothing(lookup);
	else if (++lookup->page < LOOKUP_PAGES_MAX)
		lookup_page(lookup);
	else
		lookup->on_found(lookup->flow, ERR_LIMIT, NULL);
}

enum err lookup_start(struct lookup *lookup)
{
	lookup->page = 0;
	return flow_wait(lookup->flow, 0, lookup_page, lookup);
}
