/* SPDX-License-Identifier: Apache-2.0 */
/* Actions on a living key: rotation, disable and enable, the first of two authorisations to delete.
 */
#include <stdio.h>
#include <string.h>

#include "base/rand.h"
#include "base/secret.h"
#include "tests/emulator/handlers.h"

enum { GENERATED_LEN = 32, MONTH_S = 30 * 86400 };

static enum refusal life_done(struct request *request)
{
	request->key->updated = world_now(request->world);
	world_save_key(request->world, request->key);
	return request_answer_empty(request, 204);
}

static const char *rotate_payload(const struct request *request)
{
	if (request->material != NULL)
		return request->material;
	const char *payload = request_text(request->body, "payload");

	return payload != NULL && *payload != '\0' ? payload : NULL;
}

enum refusal life_check_rotate(struct request *request)
{
	struct buf payload;
	enum refusal refusal = request_read_body(request);

	if (refusal == REFUSE_NOTHING && import_token_is_used(request->body))
		refusal = import_token_open(request, request->body);
	const char *text = rotate_payload(request);
	if (refusal != REFUSE_NOTHING || text == NULL)
		return refusal;
	buf_init(&payload, text_unbase64_size(strlen(text)));
	refusal = request_base64(request, &payload, "payload", text);
	size_t len = buf_slice(&payload).len;
	buf_free(&payload);
	if (refusal == REFUSE_NOTHING && len != 16 && len != 24 && len != 32)
		refusal = request_bad_field(
			request, "payload", "16, 24 or 32 bytes before it is encoded");
	return refusal;
}

enum err life_add_version(struct world *world, struct key *key, const char *text)
{
	enum err err;
	uint8_t material[64];
	size_t len = GENERATED_LEN;
	char *sealed = NULL;

	rand_bytes(material, sizeof(material));
	if (text != NULL)
		TRY(text_unbase64(material, &len, slice_text(text)));
	TRY(vault_seal(world->vault, &sealed, slice_of(material, len)));
	key_add_version(key, world_now(world), sealed);
out:
	secret_wipe(material, sizeof(material));
	return err;
}

void life_rotate_when_due(struct world *world, struct key *key)
{
	const cJSON *policy = cJSON_GetObjectItem(key->policies, "rotation");
	const cJSON *rotation = cJSON_GetObjectItem(policy, "rotation");
	const cJSON *months = cJSON_GetObjectItem(rotation, "interval_month");
	struct key_context context = world_context(world);
	int64_t from = key->rotated != 0 ? key->rotated : key->created;

	if (!cJSON_IsTrue(cJSON_GetObjectItem(rotation, "enabled")) || !cJSON_IsNumber(months) ||
		key_state_at(key, &context) != KEY_ACTIVE ||
		context.now < from + (int64_t) months->valueint * MONTH_S)
		return;
	if (life_add_version(world, key, NULL) != ERR_OK)
		return;
	key->rotated = key->updated = context.now;
	world_save_key(world, key);
}

enum refusal life_rotate(struct request *request)
{
	struct key *key = request->key;
	bool given = rotate_payload(request) != NULL;
	int64_t now = world_now(request->world);

	if (given && !key->imported)
		return request_bad_param(request, "payload", "provided only if key is imported");
	if (!given && key->imported)
		return REFUSE_KEY_PAYLOAD_REQ_ERR;
	if (key->rotated != 0 && now < key->rotated + request->world->knobs.rotate_guard_s)
		return REFUSE_KEY_ROTATION_NOT_PERMITTED;
	if (life_add_version(request->world, key, rotate_payload(request)) != ERR_OK)
		return REFUSE_INTERNAL;
	key->rotated = now;
	return life_done(request);
}

enum refusal life_disable(struct request *request)
{
	request->key->state = KEY_SUSPENDED;
	request->key->acted = world_now(request->world);
	return life_done(request);
}

enum refusal life_enable(struct request *request)
{
	int64_t now = world_now(request->world);

	if (now < request->key->acted + request->world->knobs.guard_s)
		return REFUSE_REQ_TOO_EARLY_ERR;
	request->key->state = KEY_ACTIVE;
	request->key->acted = now;
	return life_done(request);
}

enum refusal life_set_deletion(struct request *request)
{
	struct key *key = request->key;

	if (!key->dual_auth)
		return REFUSE_NOT_DUAL_AUTH_ERR;
	key->dual_auth_set = true;
	key->dual_auth_until = world_now(request->world) + request->world->knobs.dual_auth_s;
	key_set_text(&key->dual_auth_by, request->user->id);
	return life_done(request);
}

enum refusal life_unset_deletion(struct request *request)
{
	if (!request->key->dual_auth)
		return REFUSE_NOT_DUAL_AUTH_ERR;
	request->key->dual_auth_set = false;
	return life_done(request);
}

/* There are no registered services to tell; only how often is minded. */
enum refusal life_sync(struct request *request)
{
	struct key *key = request->key;
	int64_t now = world_now(request->world);
	int64_t from = key->synced + request->world->knobs.sync_guard_s;
	char date[RFC3339_TEXT_LEN + 1];
	char why[160];

	if (key->synced != 0 && now < from) {
		text_rfc3339_from(date, from);
		snprintf(why, sizeof(why),
			"The key was updated recently: Please wait and try again: Sync cannot be "
			"performed until at least %s",
			date);
		return request_refuse(request, REFUSE_REQ_TOO_EARLY_ERR, why);
	}
	key->synced = now;
	world_save_key(request->world, key);
	return request_answer_empty(request, 204);
}
