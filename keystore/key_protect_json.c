/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/key_protect_json.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

static const char key_type[] = "application/vnd.ibm.kms.key+json";

/* ---- cJSON, wiped ---- */

/* Depth is bounded by the parser's own limit. */
static void wipe(cJSON *json)
{
	for (; json != NULL; json = json->next) {
		if (json->valuestring != NULL)
			secret_wipe(json->valuestring, strlen(json->valuestring));
		wipe(json->child);
	}
}

static void json_free(cJSON *json)
{
	wipe(json);
	cJSON_Delete(json);
}

static cJSON *json_parse(struct slice body)
{
	return cJSON_ParseWithLength((const char *) body.data, body.len);
}

static const cJSON *member(const cJSON *json, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(json, name);
}

static struct slice text_of(const cJSON *json, const char *name)
{
	const cJSON *item = member(json, name);
	return cJSON_IsString(item) ? slice_text(item->valuestring) : SLICE_EMPTY;
}

/* The member array of an envelope; NULL when it is left out, as empty collections do. */
static const cJSON *resources_of(const cJSON *json)
{
	return member(json, "resources");
}

/* ---- requests ---- */

static enum err print_json(struct buf *out, const cJSON *json)
{
	char *text = cJSON_PrintUnformatted(json);
	if (text == NULL)
		return ERR_NOMEM;
	enum err err = buf_append(out, slice_text(text));
	secret_wipe(text, strlen(text));
	cJSON_free(text);
	return err;
}

static enum err add_base64(cJSON *json, const char *name, struct slice bytes)
{
	size_t size = text_base64_size(bytes.len);
	char *text = malloc(size);
	if (text == NULL)
		return ERR_NOMEM;
	text_base64(text, bytes);
	bool added = cJSON_AddStringToObject(json, name, text) != NULL;
	secret_wipe(text, size);
	free(text);
	return added ? ERR_OK : ERR_NOMEM;
}

static enum err add_text(cJSON *json, const char *name, struct slice bytes)
{
	char *text = strndup((const char *) bytes.data, bytes.len);
	if (text == NULL)
		return ERR_NOMEM;
	bool added = cJSON_AddStringToObject(json, name, text) != NULL;
	free(text);
	return added ? ERR_OK : ERR_NOMEM;
}

static enum err add_aad(cJSON *json, const struct keymanager_aad *aad)
{
	cJSON *array = cJSON_AddArrayToObject(json, "aad");
	if (array == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < aad->count; i++) {
		char *text = strndup((const char *) aad->parts[i].data, aad->parts[i].len);
		cJSON *item = text != NULL ? cJSON_CreateString(text) : NULL;
		free(text);
		if (item == NULL)
			return ERR_NOMEM;
		cJSON_AddItemToArray(array, item);
	}
	return ERR_OK;
}

enum err key_protect_write_wrap(
	struct buf *out, struct slice plaintext, const struct keymanager_aad *aad)
{
	enum err err;
	cJSON *json = cJSON_CreateObject();
	TRY(add_base64(json, "plaintext", plaintext));
	TRY(add_aad(json, aad));
	TRY(print_json(out, json));
out:
	json_free(json);
	return err;
}

enum err key_protect_write_unwrap(
	struct buf *out, struct slice ciphertext, const struct keymanager_aad *aad)
{
	enum err err;
	cJSON *json = cJSON_CreateObject();
	TRY(add_text(json, "ciphertext", ciphertext));
	TRY(add_aad(json, aad));
	TRY(print_json(out, json));
out:
	json_free(json);
	return err;
}

static enum err add_metadata(cJSON *json)
{
	cJSON *metadata = cJSON_AddObjectToObject(json, "metadata");
	if (cJSON_AddStringToObject(metadata, "collectionType", key_type) == NULL ||
		cJSON_AddNumberToObject(metadata, "collectionTotal", 1) == NULL)
		return ERR_NOMEM;
	return ERR_OK;
}

static enum err add_key(cJSON *json, const char *name, struct slice payload)
{
	cJSON *array = cJSON_AddArrayToObject(json, "resources");
	cJSON *key = cJSON_CreateObject();
	if (array == NULL || key == NULL) {
		cJSON_Delete(key);
		return ERR_NOMEM;
	}
	cJSON_AddItemToArray(array, key);
	if (cJSON_AddStringToObject(key, "type", key_type) == NULL ||
		cJSON_AddStringToObject(key, "name", name) == NULL ||
		cJSON_AddTrueToObject(key, "extractable") == NULL)
		return ERR_NOMEM;
	return add_base64(key, "payload", payload);
}

enum err key_protect_write_create(struct buf *out, const char *name, struct slice payload)
{
	enum err err;
	cJSON *json = cJSON_CreateObject();
	TRY(add_metadata(json));
	TRY(add_key(json, name, payload));
	TRY(print_json(out, json));
out:
	json_free(json);
	return err;
}

/* ---- answers ---- */

static enum err copy_text(struct slice *out, struct arena *arena, struct slice text)
{
	*out = arena_copy(arena, text);
	return out->data == NULL ? ERR_NOMEM : ERR_OK;
}

static enum err copy_base64(struct slice *out, struct arena *arena, struct slice text)
{
	uint8_t *bytes = arena_alloc(arena, text_unbase64_size(text.len));
	size_t len = 0;
	if (bytes == NULL)
		return ERR_NOMEM;
	if (text_unbase64(bytes, &len, text) != ERR_OK)
		return ERR_UNAVAILABLE;
	*out = slice_of(bytes, len);
	return ERR_OK;
}

static enum err read_ciphertext(
	struct keymanager_wrapped *out, struct arena *arena, const cJSON *json, const char *version)
{
	struct slice ciphertext = text_of(json, "ciphertext");
	enum err err = ciphertext.len == 0 ? ERR_UNAVAILABLE : ERR_OK;
	TRY(err);
	TRY(copy_text(&out->ciphertext, arena, ciphertext));
	TRY(copy_text(&out->key_version, arena, text_of(member(json, version), "id")));
out:
	return err;
}

enum err key_protect_read_wrapped(
	struct keymanager_wrapped *out, struct arena *arena, struct slice body)
{
	cJSON *json = json_parse(body);
	enum err err = read_ciphertext(out, arena, json, "keyVersion");
	json_free(json);
	return err;
}

enum err key_protect_read_rewrapped(
	struct keymanager_wrapped *out, struct arena *arena, struct slice body)
{
	cJSON *json = json_parse(body);
	enum err err = read_ciphertext(out, arena, json, "rewrappedKeyVersion");
	if (err == ERR_OK && out->key_version.len == 0)
		err = ERR_UNAVAILABLE;
	json_free(json);
	return err;
}

enum err key_protect_read_unwrapped(
	struct keymanager_unwrapped *out, struct arena *arena, struct slice body)
{
	enum err err = ERR_UNAVAILABLE;
	cJSON *json = json_parse(body);
	struct slice plaintext = text_of(json, "plaintext");
	struct slice rewrapped = text_of(json, "ciphertext");
	const char *version = rewrapped.len > 0 ? "rewrappedKeyVersion" : "keyVersion";
	if (plaintext.len == 0)
		goto out;
	TRY(copy_base64(&out->plaintext, arena, plaintext));
	if (rewrapped.len > 0)
		TRY(copy_text(&out->rewrapped, arena, rewrapped));
	TRY(copy_text(&out->key_version, arena, text_of(member(json, version), "id")));
out:
	json_free(json);
	return err;
}

/* A date that is not told or not readable is 0. */
static int64_t date_of(const cJSON *json, const char *name)
{
	int64_t seconds = 0;
	return text_rfc3339(&seconds, text_of(json, name)) == ERR_OK ? seconds : 0;
}

static enum err read_key(struct keymanager_key *out, const cJSON *json)
{
	const cJSON *state = member(json, "state");
	*out = (struct keymanager_key){ 0 };
	if (uid_parse(&out->id, text_of(json, "id")) != ERR_OK || !cJSON_IsNumber(state) ||
		state->valueint < 0 || state->valueint > 5)
		return ERR_UNAVAILABLE;
	struct slice name = slice_cut(text_of(json, "name"), 0, sizeof(out->name) - 1);
	if (name.len > 0)
		bytes_copy(out->name, name.data, name.len);
	out->state = state->valueint;
	out->standard = cJSON_IsTrue(member(json, "extractable"));
	out->deleted = out->state == 5 || cJSON_IsTrue(member(json, "deleted"));
	out->created = date_of(json, "creationDate");
	out->updated = date_of(json, "lastUpdateDate");
	out->deletion = date_of(json, "deletionDate");
	return ERR_OK;
}

static const cJSON *only_resource(const cJSON *json)
{
	const cJSON *resources = resources_of(json);
	return cJSON_IsArray(resources) && cJSON_GetArraySize(resources) == 1 ? resources->child
									      : NULL;
}

enum err key_protect_read_key(struct keymanager_key *out, struct arena *arena, struct slice body)
{
	enum err err = ERR_UNAVAILABLE;
	cJSON *json = json_parse(body);
	const cJSON *resource = only_resource(json);
	if (resource == NULL)
		goto out;
	TRY(read_key(out, resource));
	struct slice payload = text_of(resource, "payload");
	if (payload.len > 0 && out->standard && !out->deleted)
		TRY(copy_base64(&out->payload, arena, payload));
out:
	json_free(json);
	return err;
}

enum err key_protect_read_list(
	struct keymanager_listed *out, struct arena *arena, struct slice body)
{
	enum err err = ERR_UNAVAILABLE;
	cJSON *json = json_parse(body);
	const cJSON *resources = resources_of(json);
	const cJSON *resource = NULL;
	/* Without metadata it is no listing, and an empty one would be believed. */
	if (!cJSON_IsObject(member(json, "metadata")) ||
		(resources != NULL && !cJSON_IsArray(resources)))
		goto out;
	int count = resources != NULL ? cJSON_GetArraySize(resources) : 0;
	if (count > KEYMANAGER_LIST_MAX)
		goto out;
	struct keymanager_key *keys = arena_array(arena, (size_t) count, sizeof(*keys));
	if (keys == NULL) {
		err = ERR_NOMEM;
		goto out;
	}
	out->count = 0;
	err = ERR_OK;
	cJSON_ArrayForEach(resource, resources) TRY(read_key(&keys[out->count++], resource));
	out->keys = keys;
out:
	json_free(json);
	return err;
}

static enum keymanager_root_state root_state(const struct keymanager_key *key)
{
	if (key->deleted)
		return KEYMANAGER_ROOT_DELETED;
	/* A deactivated (expired) root key still unwraps. */
	if (key->state == 1 || key->state == 3)
		return KEYMANAGER_ROOT_ENABLED;
	return key->state == 2 ? KEYMANAGER_ROOT_DISABLED : KEYMANAGER_ROOT_UNKNOWN;
}

enum err key_protect_read_root(struct keymanager_root *out, struct arena *arena, struct slice body)
{
	enum err err = ERR_UNAVAILABLE;
	struct keymanager_key key;
	cJSON *json = json_parse(body);
	const cJSON *resource = only_resource(json);
	if (resource == NULL)
		goto out;
	TRY(read_key(&key, resource));
	if (key.standard) {
		err = ERR_FIELD;
		goto out;
	}
	const cJSON *version = member(resource, "keyVersion");
	out->id = key.id;
	out->state = root_state(&key);
	out->version_date = date_of(version, "creationDate");
	TRY(copy_text(&out->key_version, arena, text_of(version, "id")));
out:
	json_free(json);
	return err;
}

enum err key_protect_read_rings(bool *found, struct slice body, const char *ring)
{
	enum err err = ERR_UNAVAILABLE;
	cJSON *json = json_parse(body);
	const cJSON *resources = resources_of(json);
	const cJSON *resource = NULL;
	*found = false;
	if (!cJSON_IsObject(member(json, "metadata")))
		goto out;
	cJSON_ArrayForEach(resource,
		resources) if (slice_equal_text(text_of(resource, "id"), ring)) *found = true;
	err = ERR_OK;
out:
	json_free(json);
	return err;
}

static const char *policy_problem(const cJSON *policy)
{
	struct slice type = text_of(policy, "policy_type");
	const cJSON *data = member(policy, "policy_data");
	const cJSON *attributes = member(data, "attributes");
	if (!cJSON_IsTrue(member(data, "enabled")))
		return NULL;
	if (slice_equal_text(type, "dualAuthDelete"))
		return "instance policy dualAuthDelete is on: Destroy would need a second person";
	if (!slice_equal_text(type, "keyCreateImportAccess"))
		return NULL;
	if (cJSON_IsFalse(member(attributes, "import_standard_key")))
		return "instance policy keyCreateImportAccess forbids to import standard keys";
	if (cJSON_IsTrue(member(attributes, "enforce_token")))
		return "instance policy keyCreateImportAccess enforces import tokens";
	return NULL;
}

enum err key_protect_read_policies(char why[KEYMANAGER_WHY_MAX], struct slice body)
{
	enum err err = ERR_UNAVAILABLE;
	cJSON *json = json_parse(body);
	const cJSON *resources = resources_of(json);
	const cJSON *policy = NULL;
	size_t len = 0;
	if (!cJSON_IsObject(member(json, "metadata")))
		goto out;
	err = ERR_OK;
	cJSON_ArrayForEach(policy, resources)
	{
		const char *problem = policy_problem(policy);
		if (problem == NULL || len + strlen(problem) + 3 > KEYMANAGER_WHY_MAX)
			continue;
		len += (size_t) snprintf(
			why + len, KEYMANAGER_WHY_MAX - len, "%s%s", len > 0 ? "; " : "", problem);
		err = ERR_FIELD;
	}
out:
	json_free(json);
	return err;
}

void key_protect_read_code(char code[KEY_PROTECT_CODE_MAX], struct slice body)
{
	cJSON *json = json_parse(body);
	const cJSON *reasons = member(cJSON_GetArrayItem(resources_of(json), 0), "reasons");
	struct slice text = text_of(cJSON_GetArrayItem(reasons, 0), "code");
	while (text.len > 0 && text.data[0] == ' ')
		text = slice_cut(text, 1, text.len);
	while (text.len > 0 && text.data[text.len - 1] == ' ')
		text = slice_cut(text, 0, text.len - 1);
	if (text_copy(code, KEY_PROTECT_CODE_MAX, text) != ERR_OK)
		code[0] = '\0';
	json_free(json);
}
