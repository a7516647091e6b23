/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Client registrations (design D10, D24). Installing: not installed elsewhere -> ledger -> commit
 * -> gate -> answer. Removing: commit, with the intent to tell the ledger -> gate -> answer; the
 * ledger is retried until it has it, also after a restart.
 */
#include <stdio.h>
#include "base/log.h"
#include "base/rand.h"
#include "keystore/flow.h"
#include "keystore/intent.h"
#include "keystore/ledger.h"
#include "keystore/stamps.h"

enum { CLIENT_WHY_MAX = 200 };

struct client_flow {
	struct keystore_pending flow;
	struct record record;
	struct stamp seen; /* of the stored registration, which ours must beat */
	struct buf bytes; /* the record, encoded */
	struct ledger_wait wait;
	bool released; /* by the gate */
	char why[CLIENT_WHY_MAX];
	void (*on_stored)(void *ctx, enum err err, const char *why);
	void *ctx;
};

static void client_on_end(struct keystore_pending *flow)
{
	struct client_flow *client = (struct client_flow *) flow;

	if (client->wait.waiting)
		ledger_forget(flow->instance->ledger, &client->wait);
	buf_free(&client->bytes);
}

static void client_finish(struct client_flow *client, enum err err)
{
	void (*on_stored)(void *, enum err, const char *) = client->on_stored;
	void *ctx = client->ctx;
	char why[CLIENT_WHY_MAX];

	bytes_copy(why, client->why, sizeof(why));
	flow_end(&client->flow);
	on_stored(ctx, err, why);
}

static void client_on_late(void *ctx)
{
	client_finish(ctx, ERR_OK);
}

/* A removal waits for the ledger as long as an answer may take. */
static void client_on_released(void *ctx)
{
	struct client_flow *client = ctx;

	KILL_POINT(client->flow.keystore, client_released);
	client->released = true;
	if (!client->wait.waiting || flow_wait(&client->flow, flow_left_ms(&client->flow),
					     client_on_late, client) != ERR_OK)
		client_finish(client, ERR_OK);
}

/* ---- both ---- */

/* Judges the new registration against what is stored; the stamp beats the stored one. */
static enum err client_judge(struct client_flow *client, struct cache_read *read)
{
	struct client *wanted = &client->record.client;
	struct record stored = { .kind = RECORD_CLIENT };
	enum err err = cache_get_client(read, &wanted->fingerprint, &stored.client);
	bool installed = err == ERR_OK && !stored.client.removed;

	if (err != ERR_OK && err != ERR_MISS)
		return err;
	if (err == ERR_OK) {
		stamps_see(client->flow.keystore, &stored);
		client->seen = stored.client.written;
	}
	if (installed && !instance_id_equal(&stored.client.instance, &wanted->instance)) {
		snprintf(client->why, sizeof(client->why),
			"this certificate is installed in instance %s",
			stored.client.instance.text);
		return wanted->removed ? ERR_NOT_FOUND : ERR_EXISTS;
	}
	return wanted->removed && !installed ? ERR_NOT_FOUND : ERR_OK;
}

static enum err client_encode(struct client_flow *client)
{
	enum err err;

	buf_clear(&client->bytes);
	/* A clock far ahead of ours does not drag it along, but what it wrote can be changed. */
	TRY(stamp_beat(&client->record.client.written, flow_stamp(&client->flow), client->seen));
	TRY(record_encode(&client->bytes, &client->record));
out:
	return err;
}

/* It acts here already, whether or not the ledger has it. */
static void client_on_removal_written(void *ctx, enum err err)
{
	struct client_flow *client = ctx;

	(void) err;
	if (client->released)
		client_finish(client, ERR_OK);
}

static void client_tell_ledger(struct client_flow *client)
{
	struct ledger *ledger = client->flow.instance->ledger;

	ledger_poke(ledger);
	client->wait =
		(struct ledger_wait){ .on_written = client_on_removal_written, .ctx = client };
	if (ledger_add(ledger, &client->wait) != ERR_OK)
		log_warning("removal-not-awaited", "instance=%s", client->flow.instance->id.text);
}

static void client_on_committed(void *ctx, enum err err)
{
	struct client_flow *client = ctx;

	if (err != ERR_OK) {
		client_finish(client, err);
		return;
	}
	KILL_POINT(client->flow.keystore, client_recorded);
	if (client->record.client.removed)
		client_tell_ledger(client);
	flow_hold(&client->flow, KEYSTORE_GATE_CHANGE, client_on_released);
}

/* ---- removing ---- */

static enum err client_write_removal(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct client_flow *client = ctx;
	struct intent intent = { .kind = INTENT_LEDGER,
		.instance = client->record.client.instance };
	struct buf body;
	enum err err;

	buf_init(&body, INTENT_LEN_MAX);
	TRY(client_judge(client, cache_write_read(write)));
	TRY(client_encode(client));
	intent.record = buf_slice(&client->bytes);
	rand_bytes(intent.nonce, sizeof(intent.nonce));
	TRY(intent_encode(&body, &intent));
	TRY(flow_put(&client->flow, write, arena, &client->record));
	TRY(cache_put_intent(write, intent.nonce, buf_slice(&body)));
out:
	buf_free(&body);
	return err;
}

/* ---- installing ---- */

static enum err client_write_install(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct client_flow *client = ctx;
	enum err err;

	TRY(client_judge(client, cache_write_read(write)));
	TRY(flow_put(&client->flow, write, arena, &client->record));
out:
	return err;
}

static void client_on_written(void *ctx, enum err err)
{
	struct client_flow *client = ctx;

	if (err == ERR_OK)
		err = flow_commit(&client->flow, client_write_install, client_on_committed);
	if (err != ERR_OK)
		client_finish(client, err);
}

static void client_begin(void *ctx)
{
	struct client_flow *client = ctx;
	struct cache_read *read = NULL;
	enum err err;

	TRY(cache_read_begin(&read, client->flow.keystore->cache));
	TRY(client_judge(client, read));
	TRY(client_encode(client));
	client->wait.record = buf_slice(&client->bytes);
	client->wait.on_written = client_on_written;
	client->wait.ctx = client;
	TRY(ledger_add(client->flow.instance->ledger, &client->wait));
out:
	cache_read_end(read);
	if (err != ERR_OK)
		client_finish(client, err);
}

/* ---- start ---- */

enum err keystore_client_start(struct keystore_pending **out, struct keystore *keystore,
	const struct client *wanted, void (*on_stored)(void *ctx, enum err err, const char *why),
	void *ctx)
{
	struct instance *instance = keystore_instance_of(keystore, &wanted->instance);
	struct keystore_pending *flow = NULL;
	struct client_flow *client;
	enum err err;

	if (instance == NULL)
		return ERR_NOT_FOUND;
	TRY(flow_new(&flow, sizeof(*client), keystore, instance));
	client = (struct client_flow *) flow;
	client->record = (struct record){ .kind = RECORD_CLIENT, .client = *wanted };
	client->on_stored = on_stored;
	client->ctx = ctx;
	buf_init(&client->bytes, LEDGER_RECORD_LEN_MAX);
	flow->on_end = client_on_end;
	if (wanted->removed)
		TRY(flow_commit(flow, client_write_removal, client_on_committed));
	else
		flow_defer(flow, client_begin);
	*out = flow;
	return ERR_OK;
out:
	if (flow != NULL)
		flow_end(flow);
	return err;
}
