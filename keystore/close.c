/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints of all instances: on demand, and before a clean stop, which waits for them for a
 * limited time. What is not written by then is durable in the cache, and the next checkpoint's. */
#include "base/log.h"
#include "keystore/flow.h"
#include "keystore/ledger_care.h"

struct closing {
	struct keystore_pending flow;
	bool done;
	void (*on_closed)(void *ctx);
	void *ctx;
};

enum err keystore_checkpoint(struct keystore *keystore)
{
	enum err err = ERR_STATE;

	for (size_t i = 0; i < keystore->instance_count; i++)
		if (ledger_care_checkpoint(keystore->instances[i]->care) == ERR_OK)
			err = ERR_OK;
	return err;
}

enum err keystore_compact(struct keystore *keystore)
{
	enum err err = ERR_STATE;

	for (size_t i = 0; i < keystore->instance_count; i++)
		if (ledger_care_compact(keystore->instances[i]->care) == ERR_OK)
			err = ERR_OK;
	return err;
}

void keystore_checkpoint_status(
	const struct keystore *keystore, struct keystore_checkpoint_status *out)
{
	*out = (struct keystore_checkpoint_status){ 0 };
	for (size_t i = 0; i < keystore->instance_count; i++) {
		struct ledger_care_status one;

		ledger_care_status(keystore->instances[i]->care, &one);
		out->running |= one.running;
		out->looked += one.counts.looked;
		out->written += one.counts.written;
		out->instances_failed += one.err != ERR_OK;
		out->err = one.err != ERR_OK ? one.err : out->err;
	}
}

static void closing_on_end(struct keystore_pending *flow)
{
	flow->keystore->closing = NULL;
}

static void closing_finish(void *ctx)
{
	struct closing *closing = ctx;
	void (*on_closed)(void *) = closing->on_closed;
	void *on_closed_ctx = closing->ctx;

	flow_end(&closing->flow);
	on_closed(on_closed_ctx);
}

static void closing_on_late(void *ctx)
{
	struct closing *closing = ctx;

	if (closing->done)
		return;
	log_warning("checkpoint-cut-short", "after_ms=%d", KEYSTORE_CLOSE_MS);
	closing_finish(closing);
}

void keystore_poke_closed(struct keystore *keystore)
{
	struct closing *closing = (struct closing *) keystore->closing;
	struct keystore_checkpoint_status status;

	if (closing == NULL || closing->done)
		return;
	keystore_checkpoint_status(keystore, &status);
	if (status.running)
		return;
	closing->done = true;
	flow_defer(&closing->flow, closing_finish);
}

enum err keystore_close_start(struct keystore_pending **out, struct keystore *keystore,
	void (*on_closed)(void *ctx), void *ctx)
{
	struct keystore_pending *flow = NULL;
	struct closing *closing;
	enum err err;

	TRY(flow_new(&flow, sizeof(*closing), keystore, NULL));
	closing = (struct closing *) flow;
	flow->on_end = closing_on_end;
	closing->on_closed = on_closed;
	closing->ctx = ctx;
	TRY(flow_wait(flow, KEYSTORE_CLOSE_MS, closing_on_late, closing));
	keystore->closing = flow;
	err = keystore_checkpoint(keystore);
	/* Nothing was read in this life: nothing to write either. */
	err = err == ERR_STATE ? ERR_OK : err;
	TRY(err);
	keystore_poke_closed(keystore);
	*out = flow;
	return ERR_OK;
out:
	if (flow != NULL)
		flow_end(flow);
	return err;
}
