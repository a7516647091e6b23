/* SPDX-License-Identifier: Apache-2.0 */
/* Aliases: the only names that are unique in an instance. A destroyed key keeps its own. */
#include <string.h>

#include "tests/emulator/handlers.h"

#define ALIAS_TYPE "application/vnd.ibm.kms.alias+json"

enum { ALIAS_LEN_MIN = 2, ALIAS_LEN_MAX = 90 };

static const char *const reserved[] = { "allowed_ip", "key", "keys", "metadata", "policy",
	"policies", "registration", "registrations", "ring", "rings", "rotate", "wrap", "unwrap",
	"rewrap", "version", "versions" };

bool alias_is_valid(const char *alias)
{
	size_t len = strlen(alias);

	if (len < ALIAS_LEN_MIN || len > ALIAS_LEN_MAX || text_is_uuid(slice_text(alias)))
		return false;
	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
		if (strcmp(alias, reserved[i]) == 0)
			return false;
	}
	return strspn(alias, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
	       len;
}

enum refusal alias_check(struct request *request)
{
	if (!alias_is_valid(request->segments[5]))
		return request_bad_param(request, "alias",
			"2 to 90 characters of letters, digits, - and _, neither a UUID nor a "
			"reserved word");
	return REFUSE_NOTHING;
}

enum refusal alias_create(struct request *request)
{
	struct key *key = request->key;
	struct world *world = request->world;
	const char *alias = request->segments[5];

	world_reap_aliases(world, key);
	if (key->alias_count == KEY_ALIASES_MAX ||
		(int64_t) world->alias_count >= world->knobs.aliases_max)
		return REFUSE_KEY_ALIAS_QUOTA_ERR;
	if (world_key_by_alias(world, alias) != NULL)
		return REFUSE_KEY_ALIAS_NOT_UNIQUE_ERR;
	key->updated = world_now(world);
	world_add_alias(world, key, alias, request->user->id);
	cJSON *resources = cJSON_CreateArray();
	cJSON_AddItemToArray(resources, key_alias_json(key, &key->aliases[key->alias_count - 1]));
	return request_answer(request, 201, key_envelope(ALIAS_TYPE, resources));
}

enum refusal alias_delete(struct request *request)
{
	const char *alias = request->segments[5];

	if (world_key_by_alias(request->world, alias) != request->key)
		return REFUSE_KEY_ALIAS_NOT_FOUND_ERR;
	request->key->updated = world_now(request->world);
	world_drop_alias(request->world, request->key, alias);
	return request_answer_empty(request, 204);
}
