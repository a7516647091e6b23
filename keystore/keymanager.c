/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/keymanager.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "keystore/key_protect.h"

static const struct keymanager_ops *const implementations[] = { &key_protect_ops };

static const struct keymanager_ops *find_ops(const char *kind)
{
	for (size_t i = 0; i < sizeof(implementations) / sizeof(implementations[0]); i++) {
		const struct keymanager_ops *ops = implementations[i];
		for (size_t k = 0; k < sizeof(ops->kinds) / sizeof(ops->kinds[0]); k++)
			if (strcmp(ops->kinds[k], kind) == 0)
				return ops;
	}
	return NULL;
}

enum err keymanager_new(struct keymanager **out, const struct keymanager_options *options,
	char why[KEYMANAGER_WHY_MAX])
{
	const struct keymanager_ops *ops = find_ops(options->kind);
	*out = NULL;
	why[0] = '\0';
	if (ops == NULL) {
		snprintf(why, KEYMANAGER_WHY_MAX, "no kind of key manager is called %.40s",
			options->kind);
		return ERR_CONFIG;
	}
	return ops->create(out, options, why);
}

void keymanager_free(struct keymanager *keymanager)
{
	if (keymanager != NULL)
		keymanager->ops->free(keymanager);
}

enum err keymanager_reload(struct keymanager *keymanager, char why[KEYMANAGER_WHY_MAX])
{
	why[0] = '\0';
	return keymanager->ops->reload(keymanager, why);
}

enum err keymanager_set_roots(struct keymanager *keymanager, const char *root_key,
	const char *other_root_key, char why[KEYMANAGER_WHY_MAX])
{
	why[0] = '\0';
	return keymanager->ops->set_roots(keymanager, root_key, other_root_key, why);
}

void keymanager_cancel(struct keymanager_pending *pending)
{
	if (pending != NULL)
		pending->ops->cancel(pending);
}

void keymanager_health(const struct keymanager *keymanager, struct keymanager_health *out)
{
	keymanager->ops->health(keymanager, out);
}

const struct keymanager_meter *keymanager_meter(const struct keymanager *keymanager)
{
	return &keymanager->meter;
}

void keymanager_note(
	struct keymanager *keymanager, enum keymanager_verb verb, enum err err, uint64_t took_us)
{
	keymanager->meter.ended[verb][err]++;
	histogram_note(&keymanager->meter.took[verb], took_us);
}

void keymanager_note_date(struct keymanager *keymanager, int64_t date)
{
	if (date <= 0)
		return;
	keymanager->told_date = date;
	keymanager->told_ms = clock_boot_ms();
}

int64_t keymanager_seconds(const struct keymanager *keymanager)
{
	int64_t ours = clock_wall_seconds();
	int64_t theirs =
		keymanager->told_date + (int64_t) ((clock_boot_ms() - keymanager->told_ms) / 1000);

	return keymanager->told_date != 0 && theirs < ours ? theirs : ours;
}

const char *keymanager_verb_name(enum keymanager_verb verb)
{
	static const char *const names[KEYMANAGER_VERBS] = { [KEYMANAGER_WRAP] = "wrap",
		[KEYMANAGER_UNWRAP] = "unwrap",
		[KEYMANAGER_REWRAP] = "rewrap",
		[KEYMANAGER_GET] = "get",
		[KEYMANAGER_CREATE] = "create",
		[KEYMANAGER_DELETE] = "delete",
		[KEYMANAGER_LIST] = "list",
		[KEYMANAGER_ROOT] = "root-key",
		[KEYMANAGER_PREPARE] = "prepare" };

	return names[verb];
}

static enum err start(struct keymanager_pending **out, struct keymanager *keymanager,
	const struct keymanager_order *order)
{
	*out = NULL;
	return keymanager->ops->start(out, keymanager, order);
}

enum err keymanager_wrap_start(struct keymanager_pending **out, struct keymanager *keymanager,
	struct slice plaintext, const struct keymanager_aad *aad,
	void (*on_wrapped)(void *ctx, const struct keymanager_wrapped *result),
	const struct keymanager_call *call)
{
	ASSERT(plaintext.len > 0 && plaintext.len <= KEYMANAGER_WRAP_LEN_MAX);
	return start(out, keymanager,
		&(struct keymanager_order){ .verb = KEYMANAGER_WRAP,
			.call = call,
			.bytes = plaintext,
			.aad = aad,
			.callback.on_wrapped = on_wrapped });
}

enum err keymanager_unwrap_start(struct keymanager_pending **out, struct keymanager *keymanager,
	struct slice ciphertext, const struct keymanager_aad *aad,
	void (*on_unwrapped)(void *ctx, const struct keymanager_unwrapped *result),
	const struct keymanager_call *call)
{
	return start(out, keymanager,
		&(struct keymanager_order){ .verb = KEYMANAGER_UNWRAP,
			.call = call,
			.bytes = ciphertext,
			.aad = aad,
			.callback.on_unwrapped = on_unwrapped });
}

enum err keymanager_rewrap_start(struct keymanager_pending **out, struct keymanager *keymanager,
	struct slice ciphertext, const struct keymanager_aad *aad,
	void (*on_rewrapped)(void *ctx, const struct keymanager_wrapped *result),
	const struct keymanager_call *call)
{
	return start(out, keymanager,
		&(struct keymanager_order){ .verb = KEYMANAGER_REWRAP,
			.call = call,
			.bytes = ciphertext,
			.aad = aad,
			.callback.on_wrapped = on_rewrapped });
}

enum err keymanager_get_start(struct keymanager_pending **out, struct keymanager *keymanager,
	const struct uid *id, void (*on_got)(void *ctx, const struct keymanager_got *result),
	const struct keymanager_call *call)
{
	return start(out, keymanager,
		&(struct keymanager_order){ .verb = KEYMANAGER_GET,
			.call = call,
			.id = id,
			.callback.on_got = on_got });
}

enum err keymanager_create_start(struct keymanager_pending **out, struct keymanager *keymanager,
	const char *name, struct slice payload,
	void (*on_created)(void *ctx, const struct keymanager_created *result),
	const struct keymanager_call *call)
{
	ASSERT(payload.len > 0 && payload.len <= KEYMANAGER_PAYLOAD_LEN_MAX);
	return start(out, keymanager,
		&(struct keymanager_order){ .verb = KEYMANAGER_CREATE,
			.call = call,
			.name = name,
			.bytes = payload,
			.callback.on_created = on_created });
}

enum err keymanager_delete_start(struct keymanager_pending **out, struct keymanager *keymanager,
	const struct uid *id, void (*on_deleted)(void *ctx, const struct keymanager_done *result),
	const struct keymanager_call *call)
{
	return start(out, keymanager,
		&(struct keymanager_order){ .verb = KEYMANAGER_DELETE,
			.call = call,
			.id = id,
			.callback.on_done = on_deleted });
}

enum err keymanager_list_start(struct keymanager_pending **out, struct keymanager *keymanager,
	const struct keymanager_list_query *query,
	void (*on_listed)(void *ctx, const struct keymanager_listed *result),
	const struct keymanager_call *call)
{
	ASSERT(query->limit > 0 && query->limit <= KEYMANAGER_LIST_MAX);
	return start(out, keymanager,
		&(struct keymanager_order){ .verb = KEYMANAGER_LIST,
			.call = call,
			.query = query,
			.callback.on_listed = on_listed });
}

enum err keymanager_root_start(struct keymanager_pending **out, struct keymanager *keymanager,
	enum keymanager_crk crk, void (*on_root)(void *ctx, const struct keymanager_root *result),
	const struct keymanager_call *call)
{
	return start(out, keymanager,
		&(struct keymanager_order){ .verb = KEYMANAGER_ROOT,
			.call = call,
			.crk = crk,
			.callback.on_root = on_root });
}

enum err keymanager_prepare_start(struct keymanager_pending **out, struct keymanager *keymanager,
	void (*on_prepared)(void *ctx, const struct keymanager_done *result),
	const struct keymanager_call *call)
{
	return start(out, keymanager,
		&(struct keymanager_order){ .verb = KEYMANAGER_PREPARE,
			.call = call,
			.callback.on_done = on_prepared });
}
