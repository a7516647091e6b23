/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing one ledger record, in the order of time: gather -> seal -> wrap the one-time key -> one
 * standard key -> commit: the record is known, its intents are done.
 */
#include "keystore/ledger_write.h"
#include "base/clock.h"
#include "base/rand.h"
#include "keystore/ledger_content.h"
#include "keystore/sealing.h"

/* ---- gather ---- */

static bool write_fits(struct ledger_write *write, const struct ledger_wait *wait)
{
	struct slice record = wait->record;

	if (record.len == 0)
		return true;
	if (wait->is_packed)
		return buf_append(&write->plain, record) == ERR_OK;
	return buf_append_bytes32(&write->plain, record) == ERR_OK;
}

/* Those that give way are behind the others. */
static void write_take_waits(struct ledger_write *write, bool later)
{
	struct ledger *ledger = write->ledger;
	struct ledger_wait **end = &write->waits;

	while (*end != NULL)
		end = &(*end)->next;
	while (ledger->waits != NULL && ledger->waits->later == later &&
		write_fits(write, ledger->waits)) {
		*end = ledger->waits;
		ledger->waits = ledger->waits->next;
		ledger->wait_count--;
		(*end)->next = NULL;
		end = &(*end)->next;
	}
}

static enum err write_take_intent(
	void *ctx, const uint8_t nonce[INTENT_NONCE_LEN], struct slice body)
{
	struct ledger_write *write = ctx;
	struct intent intent;

	if (intent_decode(&intent, nonce, body) != ERR_OK || intent.kind != INTENT_LEDGER ||
		!instance_id_equal(&intent.instance, &write->ledger->instance->id))
		return ERR_OK;
	write->ledger->intents_seen++;
	if (write->nonce_count == LEDGER_INTENTS_MAX ||
		buf_append_bytes32(&write->plain, intent.record) != ERR_OK)
		return ERR_OK;
	bytes_copy(write->nonces[write->nonce_count++], nonce, INTENT_NONCE_LEN);
	return ERR_OK;
}

static enum err write_take_intents(struct ledger_write *write)
{
	struct ledger *ledger = write->ledger;
	struct cache_read *read = NULL;
	enum err err;

	ledger->intents_seen = 0;
	TRY(cache_read_begin(&read, write->flow.keystore->cache));
	TRY(cache_walk_intents(read, write_take_intent, write));
	ledger->has_intents = ledger->intents_seen > 0;
out:
	cache_read_end(read);
	return err;
}

/* ---- wrap ---- */

static void write_on_wrapped(void *ctx, const struct keymanager_wrapped *result);

static void write_begin(void *ctx)
{
	struct ledger_write *write = ctx;
	struct sealing sealing = { .instance = &write->envelope.instance,
		.nonce = write->envelope.nonce };
	uint8_t *key = arena_alloc(write->flow.arena, FLOW_ONE_TIME_KEY_LEN);
	enum err err = key == NULL ? ERR_NOMEM : ERR_OK;

	/* What somebody waits for may have been written by the one before. */
	if (buf_slice(&write->plain).len == 0) {
		ledger_written(write, ERR_OK);
		return;
	}
	TRY(err);
	rand_bytes(key, FLOW_ONE_TIME_KEY_LEN);
	sealing.key = slice_of(key, FLOW_ONE_TIME_KEY_LEN);
	TRY(sealing_close(
		&write->envelope.sealed, write->flow.arena, &sealing, buf_slice(&write->plain)));
	write->wrapping = (struct wrapping){ .flow = &write->flow,
		.envelope = &write->envelope,
		.plain = sealing.key,
		.on_wrapped = write_on_wrapped };
	err = wrapping_start(&write->wrapping, 50);
out:
	if (err != ERR_OK)
		ledger_written(write, flow_error(err));
}

/* ---- the standard key ---- */

static void write_on_created(void *ctx, const struct keymanager_created *result);

static enum err write_pack(struct ledger_write *write, struct slice ciphertext)
{
	struct buf payload;
	enum err err;

	buf_init(&payload, ENVELOPE_LEN_MAX);
	write->envelope.ciphertext = ciphertext;
	TRY(envelope_encode(&payload, &write->envelope));
	write->payload = arena_copy(write->flow.arena, buf_slice(&payload));
	TRY(write->payload.data == NULL ? ERR_NOMEM : ERR_OK);
out:
	buf_free(&payload);
	return err;
}

static void write_on_wrapped(void *ctx, const struct keymanager_wrapped *result)
{
	struct ledger_write *write = ctx;
	struct keymanager_call call = flow_call(&write->flow, 66);
	enum err err;

	TRY(flow_error(result->err));
	KILL_POINT(write->flow.keystore, ledger_wrapped);
	TRY(write_pack(write, result->ciphertext));
	envelope_name(write->lookup.name, ENVELOPE_LEDGER, &write->envelope.instance,
		write->envelope.nonce);
	err = flow_error(
		keymanager_create_start(&write->flow.call, write->flow.instance->keymanager,
			write->lookup.name, write->payload, write_on_created, &call));
	write->is_sent = err == ERR_OK;
out:
	if (err != ERR_OK)
		ledger_written(write, err);
}

static void write_record(struct ledger_write *write, const struct uid *id);

static void write_on_found(void *ctx, enum err err, const struct uid *id)
{
	struct ledger_write *write = ctx;

	if (err == ERR_OK)
		write_record(write, id);
	else
		ledger_written(write, ERR_UNAVAILABLE);
}

static void write_on_created(void *ctx, const struct keymanager_created *result)
{
	struct ledger_write *write = ctx;

	write->flow.call = NULL;
	if (result->err == ERR_OK) {
		write_record(write, &result->id);
		return;
	}
	write->is_sent = result->err == ERR_AMBIGUOUS;
	write->lookup.flow = &write->flow;
	write->lookup.since = write->started - LOOKUP_MARGIN_S;
	write->lookup.on_found = write_on_found;
	if (result->err != ERR_AMBIGUOUS || lookup_start(&write->lookup) != ERR_OK)
		ledger_written(write, flow_error(result->err));
}

/* ---- commit: whoever learns that a ledger record exists, merges it, so that a waiter that went
 * away or a crash leaves no node behind the key manager ---- */

static enum err write_write(void *ctx, struct cache_write *cache_write, struct arena *arena)
{
	struct ledger_write *write = ctx;
	struct ledger_content content = {
		.flow = &write->flow, .id = write->id, .plain = buf_slice(&write->plain)
	};
	enum err err;

	TRY(ledger_content_merge(&content, cache_write, arena));
	for (size_t i = 0; i < write->nonce_count; i++)
		TRY(cache_delete_intent(cache_write, write->nonces[i]));
out:
	return err;
}

static void write_on_committed(void *ctx, enum err err)
{
	struct ledger_write *write = ctx;

	if (err == ERR_OK)
		KILL_POINT(write->flow.keystore, ledger_recorded);
	for (struct ledger_wait *wait = write->waits; wait != NULL; wait = wait->next)
		wait->id = write->id;
	ledger_written(write, err);
}

static void write_record(struct ledger_write *write, const struct uid *id)
{
	enum err err;

	write->id = *id;
	KILL_POINT(write->flow.keystore, ledger_posted);
	err = flow_commit(&write->flow, write_write, write_on_committed);
	if (err != ERR_OK)
		ledger_written(write, err);
}

/* ---- start ---- */

/* Only the closing store ends a write that has not told its waits. */
static void write_on_end(struct keystore_pending *flow)
{
	struct ledger_write *write = (struct ledger_write *) flow;

	for (struct ledger_wait *wait = write->waits; wait != NULL; wait = wait->next)
		wait->waiting = false;
	write->ledger->writing = NULL;
	buf_free(&write->plain);
}

enum err ledger_write_start(struct ledger *ledger)
{
	struct instance *instance = ledger->instance;
	struct keystore_pending *flow;
	struct ledger_write *write;
	enum err err;

	ASSERT(ledger->writing == NULL);
	TRY(flow_new(&flow, sizeof(*write), instance->keystore, instance));
	write = (struct ledger_write *) flow;
	flow->on_end = write_on_end;
	flow->deadline_ms = clock_boot_ms() + LEDGER_CALL_MS;
	write->ledger = ledger;
	write->started = keymanager_seconds(instance->keymanager);
	write->envelope.kind = ENVELOPE_LEDGER;
	write->envelope.instance = instance->id;
	rand_bytes(write->envelope.nonce, sizeof(write->envelope.nonce));
	buf_init(&write->plain, LEDGER_PLAIN_LEN_MAX);
	ledger->writing = write;
	write_take_waits(write, false);
	err = write_take_intents(write);
	write_take_waits(write, true);
	if (buf_slice(&write->plain).len > 0 || write->waits != NULL) {
		flow_defer(flow, write_begin);
		return ERR_OK;
	}
	flow_end(flow);
out:
	return err;
}
