/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/emulator/key.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

struct key *key_new(void)
{
	struct key *key = calloc(1, sizeof(*key));
	char id[UUID_TEXT_LEN + 1];

	ASSERT(key != NULL);
	text_uuid(id);
	key_set_text(&key->id, id);
	key->state = KEY_ACTIVE;
	return key;
}

void key_free(struct key *key)
{
	if (key == NULL)
		return;
	char *texts[] = { key->id, key->name, key->description, key->ring, key->ring_before,
		key->created_by, key->deleted_by, key->payload, key->dual_auth_by };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		free(texts[i]);
	for (size_t i = 0; i < key->alias_count; i++) {
		free(key->aliases[i].name);
		free(key->aliases[i].created_by);
	}
	for (size_t i = 0; i < key->version_count; i++)
		free(key->versions[i].sealed);
	free(key->versions);
	cJSON_Delete(key->tags);
	cJSON_Delete(key->policies);
	cJSON_Delete(key->registrations);
	free(key);
}

void key_set_text(char **member, const char *text)
{
	free(*member);
	*member = NULL;
	if (text == NULL)
		return;
	*member = strdup(text);
	ASSERT(*member != NULL);
}

const struct key_version *key_newest(const struct key *key)
{
	return &key->versions[key->version_count - 1];
}

void key_add_version(struct key *key, int64_t now, char *sealed)
{
	size_t count = key->version_count + 1;
	struct key_version *versions = reallocarray(key->versions, count, sizeof(*versions));

	ASSERT(versions != NULL);
	key->versions = versions;
	versions[count - 1] = (struct key_version){ .created = now, .sealed = sealed };
	text_uuid(versions[count - 1].id);
	key->version_count = count;
}

void key_add_alias(struct key *key, const char *name, const char *by, int64_t now)
{
	ASSERT(key->alias_count < KEY_ALIASES_MAX);
	struct key_alias *alias = &key->aliases[key->alias_count++];

	*alias = (struct key_alias){ .created = now };
	key_set_text(&alias->name, name);
	key_set_text(&alias->created_by, by);
}

bool key_drop_alias(struct key *key, const char *name)
{
	for (size_t i = 0; i < key->alias_count; i++) {
		if (strcmp(key->aliases[i].name, name) != 0)
			continue;
		free(key->aliases[i].name);
		free(key->aliases[i].created_by);
		key->aliases[i] = key->aliases[--key->alias_count];
		return true;
	}
	return false;
}

int64_t key_state_at(const struct key *key, const struct key_context *context)
{
	int64_t from = key->expires + context->knobs->expiry_lag_s;

	if (key->state == KEY_ACTIVE && key->expires != 0 && from <= context->now)
		return KEY_DEACTIVATED;
	return key->state;
}

bool key_is_purged(const struct key *key, const struct key_context *context)
{
	return key->state == KEY_DESTROYED &&
	       key->deleted + context->knobs->purge_auto_s <= context->now;
}

bool key_is_in_ring(const struct key *key, const char *ring, const struct key_context *context)
{
	bool lags = key->ring_before != NULL &&
		    context->now < key->ring_moved + context->knobs->ring_lag_s;

	return strcmp(ring, key->ring) == 0 || (lags && strcmp(ring, key->ring_before) == 0);
}

void key_move(struct key *key, const char *ring, int64_t now)
{
	key_set_text(&key->ring_before, key->ring);
	key_set_text(&key->ring, ring);
	key->ring_moved = now;
}

void key_note_change(struct key *key, const struct key_context *context)
{
	/* Of several changes within the lag, the state before the first one is shown. */
	if (context->now >= key->shown_changed + context->knobs->list_lag_s) {
		key->shown_before = key->shown;
		key->shown_changed = context->now;
	}
	key->shown = (struct key_shown){
		.there = true, .state = key->state, .updated = key->updated, .deleted = key->deleted
	};
}

bool key_as_shown(struct key *out, const struct key *key, const struct key_context *context)
{
	bool lags = context->now < key->shown_changed + context->knobs->list_lag_s;
	struct key_shown shown = lags ? key->shown_before : key->shown;

	*out = *key;
	out->state = shown.state;
	out->updated = shown.updated;
	out->deleted = shown.deleted;
	return shown.there;
}

cJSON *key_envelope(const char *type, cJSON *resources)
{
	cJSON *envelope = cJSON_CreateObject();
	cJSON *metadata = cJSON_AddObjectToObject(envelope, "metadata");
	int total = cJSON_GetArraySize(resources);

	cJSON_AddStringToObject(metadata, "collectionType", type);
	cJSON_AddNumberToObject(metadata, "collectionTotal", total);
	if (total > 0)
		cJSON_AddItemToObject(envelope, "resources", resources);
	else
		cJSON_Delete(resources);
	return envelope;
}
