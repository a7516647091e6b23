/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/wrapping.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"

static void wrapping_end(struct wrapping *wrapping, enum err err, const char *why)
{
	wrapping->wrapped.err = err;
	wrapping->wrapped.why = why;
	wrapping->on_wrapped(wrapping->flow, &wrapping->wrapped);
}

static struct keymanager_call wrapping_call(struct wrapping *wrapping)
{
	uint64_t now_ms = clock_boot_ms();

	return (struct keymanager_call){ .ctx = wrapping,
		.deadline_ms = wrapping->deadline_ms > now_ms
				       ? (uint32_t) (wrapping->deadline_ms - now_ms)
				       : 1,
		.background = wrapping->flow->background };
}

static void wrapping_on_unwrapped(void *ctx, const struct keymanager_unwrapped *result)
{
	struct wrapping *wrapping = ctx;
	enum err err = result->err;

	wrapping->flow->call = NULL;
	if (err == ERR_OK && !secret_equal(result->plaintext, wrapping->plain))
		err = ERR_CORRUPT;
	if (err == ERR_CORRUPT) {
		log_error("wrapped-form-unreadable", "instance=%s effect=\"not used\"",
			wrapping->envelope->instance.text);
		err = ERR_UNAVAILABLE;
	}
	wrapping_end(wrapping, err, result->why);
}

static enum err wrapping_keep(struct wrapping *wrapping, const struct keymanager_wrapped *result)
{
	struct arena *arena = wrapping->flow->arena;
	struct keymanager_wrapped *wrapped = &wrapping->wrapped;

	*wrapped = *result;
	wrapped->ciphertext = arena_copy(arena, result->ciphertext);
	wrapped->key_version = arena_copy(arena, result->key_version);
	if (wrapped->ciphertext.data == NULL ||
		(wrapped->key_version.data == NULL && wrapped->key_version.len > 0))
		return ERR_NOMEM;
	return ERR_OK;
}

static void wrapping_on_wrapped(void *ctx, const struct keymanager_wrapped *result)
{
	struct wrapping *wrapping = ctx;
	struct keymanager_call call = wrapping_call(wrapping);
	enum err err;

	wrapping->flow->call = NULL;
	TRY(result->err);
	TRY(wrapping_keep(wrapping, result));
	err = keymanager_unwrap_start(&wrapping->flow->call, wrapping->flow->instance->keymanager,
		wrapping->wrapped.ciphertext, &wrapping->aad, wrapping_on_unwrapped, &call);
out:
	if (err != ERR_OK)
		wrapping_end(wrapping, err, result->why);
}

enum err wrapping_start(struct wrapping *wrapping, uint32_t part)
{
	struct keystore_pending *flow = wrapping->flow;
	const struct envelope *envelope = wrapping->envelope;
	struct keymanager_call call;

	wrapping->deadline_ms = clock_boot_ms() + flow_call(flow, part).deadline_ms;
	envelope_aad(&wrapping->aad, wrapping->aad_hex, &envelope->instance, envelope->nonce);
	call = wrapping_call(wrapping);
	return keymanager_wrap_start(&flow->call, flow->instance->keymanager, wrapping->plain,
		&wrapping->aad, wrapping_on_wrapped, &call);
}
