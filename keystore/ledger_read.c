/* SPDX-License-Identifier: Apache-2.0 */
/* In the order of time: GET -> unwrap the one-time key -> open -> commit the merged records. */
#include "keystore/ledger_read.h"
#include "base/clock.h"
#include "base/log.h"
#include "keystore/ledger_content.h"
#include "keystore/sealing.h"

struct ledger_read {
	struct keystore_pending flow;
	struct uid id;
	struct envelope envelope;
	char aad_hex[2 * ENVELOPE_NONCE_LEN + 1];
	struct slice plain;
	enum keymanager_crk crk;
	bool is_new; /* not known before */
	void (*on_read)(void *ctx, enum err err);
	void *ctx;
};

static void read_finish(struct ledger_read *reading, enum err err)
{
	void (*on_read)(void *, enum err) = reading->on_read;
	void *ctx = reading->ctx;
	char id[UUID_TEXT_LEN + 1];

	if (err == ERR_CORRUPT || err == ERR_FOREIGN || err == ERR_VERSION) {
		uid_text(id, &reading->id);
		log_error("ledger-record-unreadable", "instance=%s key=%s error=%s",
			reading->flow.instance->id.text, id, err_name(err));
		err = ERR_CORRUPT;
	}
	flow_end(&reading->flow);
	on_read(ctx, err);
}

/* ---- commit ---- */

static enum err read_write(void *ctx, struct cache_write *write, struct arena *arena)
{
	struct ledger_read *reading = ctx;
	struct ledger_content content = { .flow = &reading->flow,
		.id = reading->id,
		.plain = reading->plain,
		.crk = reading->crk };
	enum err err;

	TRY(ledger_content_merge(&content, write, arena));
	reading->is_new = content.is_new;
out:
	return err;
}

static void read_on_committed(void *ctx, enum err err)
{
	struct ledger_read *reading = ctx;

	if (err == ERR_OK && reading->is_new)
		reading->flow.instance->ledger_records++;
	read_finish(reading, err);
}

/* ---- unwrap ---- */

/* Its checksum is right: what it says is not known until its root key is, and so is what clients
 * may be served. */
static void read_on_unopened(struct ledger_read *reading)
{
	char id[UUID_TEXT_LEN + 1];

	uid_text(id, &reading->id);
	log_error("root-key-does-not-open",
		"instance=%s ledger_record=%s effect=\"nothing that it says is known\" "
		"hint=\"name the root key that it was wrapped with as other-root-key\"",
		reading->flow.instance->id.text, id);
	read_finish(reading, ERR_CONFIG);
}

static void read_on_unwrapped(void *ctx, const struct keymanager_unwrapped *result)
{
	struct ledger_read *reading = ctx;
	struct sealing sealing = { .instance = &reading->envelope.instance,
		.nonce = reading->envelope.nonce,
		.key = result->plaintext };
	enum err err;

	reading->flow.call = NULL;
	if (result->err == ERR_CORRUPT) {
		read_on_unopened(reading);
		return;
	}
	TRY(result->err);
	reading->crk = result->crk;
	TRY(sealing_open(&reading->plain, reading->flow.arena, &sealing, reading->envelope.sealed));
	TRY(flow_commit(&reading->flow, read_write, read_on_committed));
out:
	if (err == ERR_ROOT_DISABLED)
		instance_close_root(reading->flow.instance, result->crk, KEYMANAGER_ROOT_DISABLED);
	if (err != ERR_OK)
		read_finish(reading, err);
}

/* ---- GET ---- */

static enum err read_open(struct ledger_read *reading, const struct keymanager_key *key)
{
	struct arena *arena = reading->flow.arena;
	struct slice payload = arena_copy(arena, key->payload);
	enum err err = payload.data == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	TRY(key->standard ? ERR_OK : ERR_FOREIGN);
	TRY(envelope_decode(&reading->envelope, arena, &reading->flow.instance->id, payload));
	TRY(reading->envelope.kind == ENVELOPE_LEDGER ? ERR_OK : ERR_FOREIGN);
out:
	return err;
}

static void read_on_got(void *ctx, const struct keymanager_got *result)
{
	struct ledger_read *reading = ctx;
	struct keymanager_call call = flow_call(&reading->flow, 100);
	struct keymanager_aad aad;
	enum err err;

	reading->flow.call = NULL;
	TRY(result->err);
	TRY(read_open(reading, result->key));
	envelope_aad(&aad, reading->aad_hex, &reading->envelope.instance, reading->envelope.nonce);
	TRY(keymanager_unwrap_start(&reading->flow.call, reading->flow.instance->keymanager,
		reading->envelope.ciphertext, &aad, read_on_unwrapped, &call));
out:
	if (err != ERR_OK)
		read_finish(reading, err);
}

enum err ledger_read_start(struct keystore_pending **out, struct instance *instance,
	const struct uid *key_id, void (*on_read)(void *ctx, enum err err), void *ctx)
{
	struct keystore_pending *flow = NULL;
	struct ledger_read *reading;
	struct keymanager_call call;
	enum err err;

	TRY(flow_new(&flow, sizeof(*reading), instance->keystore, instance));
	reading = (struct ledger_read *) flow;
	flow->background = true;
	flow->deadline_ms = clock_boot_ms() + FLOW_BACKGROUND_MS;
	reading->id = *key_id;
	reading->on_read = on_read;
	reading->ctx = ctx;
	call = flow_call(flow, 100);
	TRY(keymanager_get_start(&flow->call, instance->keymanager, key_id, read_on_got, &call));
	*out = flow;
	return ERR_OK;
out:
	if (flow != NULL)
		flow_end(flow);
	return err;
}
