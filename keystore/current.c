/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a key by id proves that it exists, and nothing of who may ask for it or what was revoked:
 * that stands in the ledger, which a poll looks at. All who wait share one.
 */
#include "keystore/current.h"
#include "base/clock.h"
#include "keystore/background.h"

struct current {
	struct keystore_pending flow;
	uint64_t since_ms; /* a poll that begins after this is good enough in any case */
	struct current *next; /* of those that wait in the instance */
	enum err err;
	void (*on_done)(void *ctx, enum err err);
	void *ctx;
};

bool keystore_is_vouched(const struct keystore *keystore, const struct instance_id *instance)
{
	return kek_table_vouch_of(keystore->table, instance) > clock_boot_ms();
}

static void current_leave(struct keystore_pending *flow)
{
	struct current *current = (struct current *) flow;
	struct current **place = &flow->instance->waiting;

	while (*place != NULL && *place != current)
		place = &(*place)->next;
	if (*place != NULL)
		*place = current->next;
}

static void current_deliver(void *ctx)
{
	struct current *current = ctx;
	void (*on_done)(void *, enum err) = current->on_done;
	void *on_done_ctx = current->ctx;
	enum err err = current->err;

	flow_end(&current->flow);
	on_done(on_done_ctx, err);
}

static void current_on_timeout(void *ctx)
{
	struct current *current = ctx;

	current->err = ERR_TIMEOUT;
	current_deliver(current);
}

void current_polled(struct instance *instance, uint64_t begun_ms, enum err err)
{
	bool vouched = keystore_is_vouched(instance->keystore, &instance->id);
	struct current *next;

	for (struct current *current = instance->waiting; current != NULL; current = next) {
		next = current->next;
		if (err == ERR_OK && !vouched && begun_ms < current->since_ms)
			continue;
		current_leave(&current->flow);
		current->err = err == ERR_OK ? ERR_OK : ERR_UNAVAILABLE;
		flow_defer(&current->flow, current_deliver);
	}
	if (instance->waiting != NULL)
		(void) background_poll_now(instance->background);
}

enum err keystore_current_start(struct keystore_pending **out, struct keystore *keystore,
	const struct instance_id *id, void (*on_done)(void *ctx, enum err err), void *ctx)
{
	struct instance *instance = keystore_instance_of(keystore, id);
	struct keystore_pending *flow = NULL;
	struct current *current;
	enum err err;

	TRY(instance == NULL ? ERR_NOT_FOUND : ERR_OK);
	TRY(flow_new(&flow, sizeof(*current), keystore, instance));
	current = (struct current *) flow;
	current->since_ms = clock_boot_ms();
	current->on_done = on_done;
	current->ctx = ctx;
	TRY(flow_wait(flow, KEYSTORE_CURRENT_MS, current_on_timeout, current));
	flow->on_end = current_leave;
	if (background_poll_now(instance->background)) {
		current->next = instance->waiting;
		instance->waiting = current;
	} else {
		current->err = ERR_UNAVAILABLE;
		flow_defer(flow, current_deliver);
	}
	*out = flow;
	flow = NULL;
out:
	if (flow != NULL)
		flow_end(flow);
	return err;
}
