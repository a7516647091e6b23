/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON forms of a key: one table of fields in the order in which the service gives them. */
#include "tests/emulator/key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define M KEY_VIEW_MINIMAL
#define F KEY_VIEW_FULL
#define P KEY_VIEW_PAYLOAD
#define S KEY_VIEW_STORE

enum field_kind { FIELD_TEXT, FIELD_BOOL, FIELD_NUMBER, FIELD_DATE, FIELD_MADE };

typedef void field_make(cJSON *out, const struct key *key, const struct key_context *context);

struct field {
	const char *name;
	enum field_kind kind;
	unsigned views;
	size_t offset; /* of a plain member */
	field_make *make; /* of a composed one */
};

static void add_date(cJSON *out, const char *name, int64_t seconds)
{
	char text[RFC3339_TEXT_LEN + 1];

	text_rfc3339_from(text, seconds);
	cJSON_AddStringToObject(out, name, text);
}

static int64_t date_of(const cJSON *object, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(object, name));
	int64_t seconds = 0;

	if (text == NULL || text_rfc3339(&seconds, slice_text(text)) != ERR_OK)
		return 0;
	return seconds;
}

static void make_type(cJSON *out, const struct key *key, const struct key_context *context)
{
	(void) key;
	(void) context;
	cJSON_AddStringToObject(out, "type", KEY_TYPE);
}

static void make_aliases(cJSON *out, const struct key *key, const struct key_context *context)
{
	cJSON *aliases = cJSON_CreateArray();
	for (size_t i = 0; i < key->alias_count; i++) {
		const struct key_alias *alias = &key->aliases[i];
		if (alias->gone == 0 || alias->gone > context->now)
			cJSON_AddItemToArray(aliases, cJSON_CreateString(alias->name));
	}
	if (cJSON_GetArraySize(aliases) > 0)
		cJSON_AddItemToObject(out, "aliases", aliases);
	else
		cJSON_Delete(aliases);
}

static void make_tags(cJSON *out, const struct key *key, const struct key_context *context)
{
	(void) context;
	if (key->tags != NULL)
		cJSON_AddItemToObject(out, "tags", cJSON_Duplicate(key->tags, true));
}

static void make_state(cJSON *out, const struct key *key, const struct key_context *context)
{
	cJSON_AddNumberToObject(out, "state", (double) key_state_at(key, context));
}

static void make_crn(cJSON *out, const struct key *key, const struct key_context *context)
{
	char crn[512];

	snprintf(crn, sizeof(crn), "%s%s", context->crn_prefix, key->id);
	cJSON_AddStringToObject(out, "crn", crn);
}

static void make_algorithm(cJSON *out, const struct key *key, const struct key_context *context)
{
	(void) key;
	(void) context;
	cJSON_AddStringToObject(out, "algorithmType", "Deprecated");
	cJSON *metadata = cJSON_AddObjectToObject(out, "algorithmMetadata");
	cJSON_AddStringToObject(metadata, "bitLength", "256");
	cJSON_AddStringToObject(metadata, "mode", "Deprecated");
	cJSON_AddNumberToObject(out, "algorithmBitSize", 256);
	cJSON_AddStringToObject(out, "algorithmMode", "Deprecated");
}

static void make_version(cJSON *out, const struct key *key, const struct key_context *context)
{
	(void) context;
	if (key->extractable)
		return;
	cJSON *version = cJSON_AddObjectToObject(out, "keyVersion");
	cJSON_AddStringToObject(version, "id", key_newest(key)->id);
	add_date(version, "creationDate", key_newest(key)->created);
}

static void make_dual_auth(cJSON *out, const struct key *key, const struct key_context *context)
{
	cJSON *dual = cJSON_AddObjectToObject(out, "dualAuthDelete");

	cJSON_AddBoolToObject(dual, "enabled", key->dual_auth);
	if (!key->dual_auth_set || key->dual_auth_until <= context->now)
		return;
	cJSON_AddBoolToObject(dual, "keySetForDeletion", true);
	add_date(dual, "authExpiration", key->dual_auth_until);
}

static void make_rotation(cJSON *out, const struct key *key, const struct key_context *context)
{
	const cJSON *policy = cJSON_GetObjectItem(key->policies, "rotation");
	const cJSON *rotation = cJSON_GetObjectItem(policy, "rotation");

	(void) context;
	if (rotation != NULL)
		cJSON_AddItemToObject(out, "rotation", cJSON_Duplicate(rotation, true));
}

static void make_deleted(cJSON *out, const struct key *key, const struct key_context *context)
{
	(void) context;
	cJSON_AddBoolToObject(out, "deleted", key->state == KEY_DESTROYED);
}

static void make_destroyed(cJSON *out, const struct key *key, const struct key_context *context)
{
	if (key->state != KEY_DESTROYED)
		return;
	int64_t until = key->deleted + context->knobs->restore_s;
	int64_t purge_from = key->deleted + context->knobs->purge_from_s;

	add_date(out, "restoreExpirationDate", until);
	cJSON_AddBoolToObject(out, "restoreAllowed", context->now <= until);
	cJSON_AddBoolToObject(out, "purgeAllowed", context->now >= purge_from);
	add_date(out, "purgeAllowedFrom", purge_from);
	add_date(out, "purgeScheduledOn", key->deleted + context->knobs->purge_auto_s);
}

static void make_payload(cJSON *out, const struct key *key, const struct key_context *context)
{
	(void) context;
	if (key->extractable && key->payload != NULL && key->state != KEY_DESTROYED)
		cJSON_AddStringToObject(out, "payload", key->payload);
}

static void make_stored(cJSON *out, const struct key *key, const struct key_context *context)
{
	cJSON *aliases = cJSON_AddArrayToObject(out, "storedAliases");
	cJSON *versions = cJSON_AddArrayToObject(out, "storedVersions");

	(void) context;
	if (key->payload != NULL)
		cJSON_AddStringToObject(out, "storedPayload", key->payload);
	for (size_t i = 0; i < key->alias_count; i++) {
		cJSON *alias = key_alias_json(key, &key->aliases[i]);
		if (key->aliases[i].gone != 0)
			add_date(alias, "gone", key->aliases[i].gone);
		cJSON_AddItemToArray(aliases, alias);
	}
	for (size_t i = 0; i < key->version_count; i++) {
		cJSON *version = cJSON_CreateObject();
		cJSON_AddStringToObject(version, "id", key->versions[i].id);
		add_date(version, "creationDate", key->versions[i].created);
		if (key->versions[i].sealed != NULL)
			cJSON_AddStringToObject(version, "sealed", key->versions[i].sealed);
		cJSON_AddItemToArray(versions, version);
	}
	if (key->policies != NULL)
		cJSON_AddItemToObject(out, "storedPolicies", cJSON_Duplicate(key->policies, true));
	if (key->registrations != NULL)
		cJSON_AddItemToObject(
			out, "storedRegistrations", cJSON_Duplicate(key->registrations, true));
}

#define MEMBER(member) offsetof(struct key, member), NULL
#define MAKER(function) 0, function

static const struct field fields[] = {
	{ "type", FIELD_MADE, M | F, MAKER(make_type) },
	{ "id", FIELD_TEXT, M | F | S, MEMBER(id) },
	{ "name", FIELD_TEXT, M | F | S, MEMBER(name) },
	{ "aliases", FIELD_MADE, M | F, MAKER(make_aliases) },
	{ "description", FIELD_TEXT, M | F | S, MEMBER(description) },
	{ "tags", FIELD_MADE, F | S, MAKER(make_tags) },
	{ "state", FIELD_MADE, M | F, MAKER(make_state) },
	{ "storedState", FIELD_NUMBER, S, MEMBER(state) },
	{ "expirationDate", FIELD_DATE, M | F | S, MEMBER(expires) },
	{ "extractable", FIELD_BOOL, M | F | S, MEMBER(extractable) },
	{ "crn", FIELD_MADE, M | F, MAKER(make_crn) },
	{ "imported", FIELD_BOOL, M | F | S, MEMBER(imported) },
	{ "keyRingID", FIELD_TEXT, F | S, MEMBER(ring) },
	{ "creationDate", FIELD_DATE, F | S, MEMBER(created) },
	{ "createdBy", FIELD_TEXT, F | S, MEMBER(created_by) },
	{ "algorithm", FIELD_MADE, F, MAKER(make_algorithm) },
	{ "lastUpdateDate", FIELD_DATE, F | S, MEMBER(updated) },
	{ "lastRotateDate", FIELD_DATE, F | S, MEMBER(rotated) },
	{ "keyVersion", FIELD_MADE, F, MAKER(make_version) },
	{ "dualAuthDelete", FIELD_MADE, F, MAKER(make_dual_auth) },
	{ "rotation", FIELD_MADE, F, MAKER(make_rotation) },
	{ "deleted", FIELD_MADE, M | F, MAKER(make_deleted) },
	{ "deletionDate", FIELD_DATE, F | S, MEMBER(deleted) },
	{ "deletedBy", FIELD_TEXT, F | S, MEMBER(deleted_by) },
	{ "destroyed", FIELD_MADE, F, MAKER(make_destroyed) },
	{ "payload", FIELD_MADE, P, MAKER(make_payload) },
	{ "actedDate", FIELD_DATE, S, MEMBER(acted) },
	{ "syncedDate", FIELD_DATE, S, MEMBER(synced) },
	{ "dualAuth", FIELD_BOOL, S, MEMBER(dual_auth) },
	{ "dualAuthSet", FIELD_BOOL, S, MEMBER(dual_auth_set) },
	{ "dualAuthUntil", FIELD_DATE, S, MEMBER(dual_auth_until) },
	{ "dualAuthBy", FIELD_TEXT, S, MEMBER(dual_auth_by) },
	{ "stored", FIELD_MADE, S, MAKER(make_stored) },
};

enum { FIELD_COUNT = sizeof(fields) / sizeof(fields[0]) };

static void field_put(cJSON *out, const struct field *field, const struct key *key,
	const struct key_context *context)
{
	const void *member = (const char *) key + field->offset;

	switch (field->kind) {
	case FIELD_TEXT:
		if (*(char *const *) member != NULL)
			cJSON_AddStringToObject(out, field->name, *(char *const *) member);
		break;
	case FIELD_BOOL:
		cJSON_AddBoolToObject(out, field->name, *(const bool *) member);
		break;
	case FIELD_NUMBER:
		cJSON_AddNumberToObject(out, field->name, (double) *(const int64_t *) member);
		break;
	case FIELD_DATE:
		if (*(const int64_t *) member != 0)
			add_date(out, field->name, *(const int64_t *) member);
		break;
	case FIELD_MADE:
		field->make(out, key, context);
		break;
	}
}

cJSON *key_json(const struct key *key, unsigned views, const struct key_context *context)
{
	cJSON *out = cJSON_CreateObject();

	for (size_t i = 0; i < FIELD_COUNT; i++) {
		if (fields[i].views & views)
			field_put(out, &fields[i], key, context);
	}
	return out;
}

cJSON *key_alias_json(const struct key *key, const struct key_alias *alias)
{
	cJSON *out = cJSON_CreateObject();

	cJSON_AddStringToObject(out, "keyId", key->id);
	cJSON_AddStringToObject(out, "alias", alias->name);
	cJSON_AddStringToObject(out, "createdBy", alias->created_by);
	add_date(out, "creationDate", alias->created);
	return out;
}

static void field_get(const struct field *field, const cJSON *document, struct key *key)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(document, field->name);
	void *member = (char *) key + field->offset;

	if (item == NULL || !(field->views & S))
		return;
	switch (field->kind) {
	case FIELD_TEXT:
		key_set_text(member, cJSON_GetStringValue(item));
		break;
	case FIELD_BOOL:
		*(bool *) member = cJSON_IsTrue(item);
		break;
	case FIELD_NUMBER:
		*(int64_t *) member = item->valueint;
		break;
	case FIELD_DATE:
		*(int64_t *) member = date_of(document, field->name);
		break;
	case FIELD_MADE:
		break;
	}
}

static void load_lists(struct key *key, const cJSON *document)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, cJSON_GetObjectItem(document, "storedAliases"))
	{
		const char *by = cJSON_GetStringValue(cJSON_GetObjectItem(item, "createdBy"));
		const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(item, "alias"));
		key_add_alias(key, name, by, date_of(item, "creationDate"));
		key->aliases[key->alias_count - 1].gone = date_of(item, "gone");
	}
	cJSON_ArrayForEach(item, cJSON_GetObjectItem(document, "storedVersions"))
	{
		char *sealed = NULL;
		const char *id = cJSON_GetStringValue(cJSON_GetObjectItem(item, "id"));
		key_set_text(&sealed, cJSON_GetStringValue(cJSON_GetObjectItem(item, "sealed")));
		key_add_version(key, date_of(item, "creationDate"), sealed);
		struct key_version *version = &key->versions[key->version_count - 1];
		ASSERT(text_copy(version->id, sizeof(version->id), slice_text(id)) == ERR_OK);
	}
}

struct key *key_of_json(const cJSON *document)
{
	struct key *key = key_new();

	for (size_t i = 0; i < FIELD_COUNT; i++)
		field_get(&fields[i], document, key);
	key_set_text(&key->payload,
		cJSON_GetStringValue(cJSON_GetObjectItem(document, "storedPayload")));
	key->tags = cJSON_Duplicate(cJSON_GetObjectItem(document, "tags"), true);
	key->policies = cJSON_Duplicate(cJSON_GetObjectItem(document, "storedPolicies"), true);
	key->registrations =
		cJSON_Duplicate(cJSON_GetObjectItem(document, "storedRegistrations"), true);
	load_lists(key, document);
	if (key->name == NULL || key->version_count == 0) {
		key_free(key);
		return NULL;
	}
	return key;
}
