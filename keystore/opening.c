/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/opening.h"
#include "base/clock.h"
#include "keystore/sealing.h"

static struct keymanager_call opening_call(struct opening *opening)
{
	struct keymanager_call call;

	opening->flow->deadline_ms = clock_boot_ms() + FLOW_BACKGROUND_MS;
	call = flow_call(opening->flow, 100);
	call.ctx = opening;
	return call;
}

static void opening_end(struct opening *opening, enum err err)
{
	opening->on_opened(opening->flow, err);
}

static void opening_on_unwrapped(void *ctx, const struct keymanager_unwrapped *result)
{
	struct opening *opening = ctx;
	struct sealing sealing = { .instance = &opening->envelope.instance,
		.nonce = opening->envelope.nonce,
		.key = result->plaintext,
		.uid = &opening->envelope.old_uid };
	enum err err;

	opening->flow->call = NULL;
	opening->crk = result->crk;
	if (result->err == ERR_ROOT_DISABLED)
		instance_close_root(opening->flow->instance, result->crk, KEYMANAGER_ROOT_DISABLED);
	TRY(result->err);
	TRY(sealing_unpack(
		&opening->material, opening->flow->arena, &sealing, opening->envelope.sealed));
out:
	opening_end(opening, err);
}

static enum err opening_decode(struct opening *opening, const struct keymanager_key *key)
{
	struct arena *arena = opening->flow->arena;
	enum err err;

	TRY(key->standard ? ERR_OK : ERR_CORRUPT);
	opening->payload = arena_copy(arena, key->payload);
	TRY(opening->payload.data == NULL ? ERR_NOMEM : ERR_OK);
	opening->created = key->created;
	err = envelope_decode(
		&opening->envelope, arena, &opening->flow->instance->id, opening->payload);
	TRY(err == ERR_FOREIGN || err == ERR_VERSION ? ERR_CORRUPT : err);
	TRY(opening->envelope.kind == ENVELOPE_OBJECT ? ERR_OK : ERR_CORRUPT);
out:
	return err;
}

static void opening_on_got(void *ctx, const struct keymanager_got *result)
{
	struct opening *opening = ctx;
	struct keymanager_call call = opening_call(opening);
	struct keymanager_aad aad;
	enum err err;

	opening->flow->call = NULL;
	TRY(result->err == ERR_NOT_FOUND ? ERR_MISSING : result->err);
	TRY(flow_key_is_dead(result->key) ? ERR_DESTROYED : ERR_OK);
	TRY(opening_decode(opening, result->key));
	envelope_aad(&aad, opening->aad_hex, &opening->envelope.instance, opening->envelope.nonce);
	TRY(keymanager_unwrap_start(&opening->flow->call, opening->flow->instance->keymanager,
		opening->envelope.ciphertext, &aad, opening_on_unwrapped, &call));
out:
	if (err != ERR_OK)
		opening_end(opening, err);
}

void opening_start(struct opening *opening, const struct uid *id)
{
	struct keymanager_call call = opening_call(opening);
	enum err err;

	opening->id = *id;
	err = keymanager_get_start(&opening->flow->call, opening->flow->instance->keymanager, id,
		opening_on_got, &call);
	if (err != ERR_OK)
		opening_end(opening, err);
}
