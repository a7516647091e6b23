/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "keystore/root_versions.h"
#include "keystore/usage.h"
#include "kmip/attribute.h"
#include "kmip/print.h"
#include "node/admin_call.h"

enum {
	KEYS_PAGE_MAX = 1000,
	KEYS_ARENA_MAX = 1 << 20,
	KEYS_VALUE_TEXT_MAX = 8192,
	KEYS_SCANNED_MAX = 4000 /* some 20 ms of the keeper's time (design D3) */
};

struct key_page {
	struct arena *arena;
	const struct instance_id *instance; /* NULL: all */
	bool unclaimed_only, missing_only, older_only;
	const struct keystore *keystore;
	struct cache_read *read;
	cJSON *list;
	size_t limit, listed, scanned;
	char last[UUID_TEXT_LEN + 1];
};

static void add_date(cJSON *object, const char *name, int64_t seconds)
{
	char date[RFC3339_TEXT_LEN + 1];
	if (seconds == 0)
		return;
	text_rfc3339_from(date, seconds);
	cJSON_AddStringToObject(object, name, date);
}

static int64_t scheduled(const struct object *object, const char *name)
{
	struct kmip_value value;
	const struct object_attribute *attribute =
		object_attribute_find(object, slice_text(name), 0);
	if (attribute == NULL || kmip_value_decode(&value, attribute->value) != ERR_OK ||
		value.type != KMIP_TYPE_DATE_TIME)
		return 0;
	return value.i64;
}

static const char *state_name(const struct object *object)
{
	struct object_schedule schedule = { scheduled(object, "Activation Date"),
		scheduled(object, "Deactivation Date") };
	enum object_state state = object_state(object, &schedule, clock_wall_seconds());
	return kmip_enum_name(KMIP_SET_STATE, (uint32_t) state);
}

static void add_enumeration(cJSON *object, struct slice attribute_name, uint32_t number)
{
	char text[24];
	const struct kmip_attribute_row *row = kmip_attribute_find(attribute_name);
	const char *name = row == NULL ? NULL : kmip_enum_name(kmip_tag_set(row->tag), number);
	(void) snprintf(text, sizeof(text), "0x%08x", number);
	cJSON_AddStringToObject(object, "value", name != NULL ? name : text);
}

static void add_text(cJSON *object, struct buf *text)
{
	if (buf_append_u8(text, 0) == ERR_OK)
		cJSON_AddStringToObject(object, "value", (const char *) buf_slice(text).data);
}

/* A value as people read it; structures by the names of their fields. */
static void add_value(cJSON *object, const struct object_attribute *attribute)
{
	struct buf text;
	struct kmip_value value;
	buf_init(&text, KEYS_VALUE_TEXT_MAX);
	if (kmip_value_decode(&value, attribute->value) != ERR_OK)
		cJSON_AddNullToObject(object, "value");
	else if (value.type == KMIP_TYPE_INTEGER)
		cJSON_AddNumberToObject(object, "value", value.integer);
	else if (value.type == KMIP_TYPE_DATE_TIME)
		add_date(object, "value", value.i64);
	else if (value.type == KMIP_TYPE_ENUMERATION)
		add_enumeration(object, attribute->name, value.u32);
	else if (value.type == KMIP_TYPE_TEXT_STRING) {
		if (buf_append(&text, value.bytes) == ERR_OK)
			add_text(object, &text);
	} else {
		kmip_print(&text,
			value.type == KMIP_TYPE_STRUCTURE ? value.children : attribute->value);
		add_text(object, &text);
	}
	buf_free(&text);
}

static cJSON *attribute_json(const struct object *object, const struct object_attribute *attribute)
{
	char name[OBJECT_NAME_LEN_MAX + 1];
	cJSON *json = cJSON_CreateObject();
	if (text_copy(name, sizeof(name), attribute->name) != ERR_OK)
		name[0] = '\0';
	cJSON_AddStringToObject(json, "name", name);
	cJSON_AddNumberToObject(json, "index", object_attribute_index(object, attribute));
	add_value(json, attribute);
	return json;
}

static bool is_missing(struct cache_read *read, const struct object *object)
{
	return !object->dead && keystore_is_missing(read, &object->uid);
}

/* Of the root key, as far as the cached form's is known (design D14). */
static void add_version(cJSON *json, const struct keystore *keystore, const struct object *object)
{
	add_date(json, "root_key_version", root_versions_date(object->wrapped.version_label));
	cJSON_AddBoolToObject(
		json, "older_version", !object->dead && keystore_is_older(keystore, object));
}

static cJSON *key_json(
	const struct keystore *keystore, struct cache_read *read, const struct object *object)
{
	char uid[UUID_TEXT_LEN + 1];
	cJSON *json = cJSON_CreateObject();
	uid_text(uid, &object->uid);
	cJSON_AddStringToObject(json, "uid", uid);
	cJSON_AddStringToObject(json, "instance", object->instance.text);
	cJSON_AddStringToObject(json, "state", state_name(object));
	cJSON_AddStringToObject(json, "type", kmip_enum_name(KMIP_SET_OBJECT_TYPE, object->type));
	add_date(json, "created", object->dates[OBJECT_DATE_INITIAL]);
	cJSON_AddBoolToObject(json, "unclaimed", object->unclaimed);
	cJSON_AddBoolToObject(json, "quarantined", object_is_quarantined(object));
	cJSON_AddBoolToObject(json, "missing", is_missing(read, object));
	add_version(json, keystore, object);
	return json;
}

static void add_details(cJSON *json, const struct object *object)
{
	char key_id[UUID_TEXT_LEN + 1];
	uid_text(key_id, &object->key_id);
	cJSON_AddStringToObject(json, "standard_key", key_id);
	add_date(json, "activated", object->dates[OBJECT_DATE_ACTIVATED]);
	add_date(json, "deactivated", object->dates[OBJECT_DATE_DEACTIVATED]);
	add_date(json, "compromised", object->dates[OBJECT_DATE_COMPROMISED]);
	add_date(json, "destroyed", object->dates[OBJECT_DATE_DESTROYED]);
	add_date(json, "last_change", object->last_change);
	cJSON *list = cJSON_AddArrayToObject(json, "attributes");
	for (size_t i = 0; i < object->attribute_count; i++)
		if (!object->attributes[i].deleted &&
			!usage_is_register(object->attributes[i].name))
			cJSON_AddItemToArray(list, attribute_json(object, &object->attributes[i]));
}

static bool key_is_wanted(const struct key_page *page, const struct object *object)
{
	/* Of which only the ledger told: its key may be long gone. */
	if (!object->has_material && !object->dead)
		return false;
	if (page->instance != NULL && !instance_id_equal(page->instance, &object->instance))
		return false;
	if (page->unclaimed_only && !object->unclaimed)
		return false;
	if (page->older_only && (object->dead || !keystore_is_older(page->keystore, object)))
		return false;
	return !page->missing_only || is_missing(page->read, object);
}

static enum err key_visit(void *ctx, struct slice record_key, struct slice bytes)
{
	struct key_page *page = ctx;
	struct record record;
	struct uid uid;
	arena_reset(page->arena);
	page->scanned++;
	if (!slice_copy_exact(
		    uid.bytes, sizeof(uid.bytes), slice_cut(record_key, 1, record_key.len)))
		return ERR_CORRUPT;
	uid_text(page->last, &uid);
	if (record_decode(&record, page->arena, bytes) != ERR_OK)
		return ERR_OK;
	if (key_is_wanted(page, &record.object)) {
		cJSON_AddItemToArray(
			page->list, key_json(page->keystore, page->read, &record.object));
		page->listed++;
	}
	return page->listed >= page->limit || page->scanned >= KEYS_SCANNED_MAX ? ERR_LIMIT
										: ERR_OK;
}

static enum err key_visit_of_instance(void *ctx, const struct uid *uid)
{
	struct key_page *page = ctx;
	uint8_t key[RECORD_KEY_LEN_MAX] = { RECORD_OBJECT };
	struct slice record_key = slice_of(key, 1 + sizeof(uid->bytes)), bytes;
	bytes_copy(key + 1, uid->bytes, sizeof(uid->bytes));
	enum err err = cache_get_bytes(page->read, record_key, &bytes);
	if (err == ERR_MISS)
		return ERR_OK;
	return err == ERR_OK ? key_visit(page, record_key, bytes) : err;
}

/* Those of one instance by the index, whatever else there is. */
static enum err keys_list(struct key_page *page, const struct uid *after)
{
	struct cache_list list = { .instance = *page->instance,
		.after = after,
		.visit = key_visit_of_instance,
		.ctx = page };
	return cache_list(page->read, &list);
}

static enum err keys_walk(
	struct admin_call *call, struct key_page *page, const struct uid *after, bool *more)
{
	enum err err;
	uint8_t key[RECORD_KEY_LEN_MAX] = { RECORD_OBJECT };
	struct cache_walk walk = {
		.kind = RECORD_OBJECT, .records_max = SIZE_MAX, .visit = key_visit, .ctx = page
	};
	if (after != NULL) {
		bytes_copy(key + 1, after->bytes, sizeof(after->bytes));
		walk.after = slice_of(key, 1 + sizeof(after->bytes));
	}
	TRY(arena_new(&page->arena, KEYS_ARENA_MAX));
	TRY(cache_read_begin(&page->read, keystore_cache(keeper_keystore(call->keeper))));
	if (page->instance != NULL)
		err = keys_list(page, after);
	else
		err = cache_walk(page->read, &walk, more);
	if (err == ERR_LIMIT) {
		*more = true;
		err = ERR_OK;
	}
out:
	cache_read_end(page->read);
	arena_free(page->arena);
	return err;
}

/* One page: kmipctl asks again with "after" while "more" is true. */
void admin_key_list(struct admin_call *call)
{
	struct uid after;
	bool more = false;
	const char *after_text = admin_text(call, "after");
	const char *name = admin_text(call, "instance");
	struct keystore *keystore = keeper_keystore(call->keeper);
	const struct instance_id *instance =
		name == NULL ? NULL : keystore_instance_find(keystore, name);
	cJSON *answer = cJSON_CreateObject();
	struct key_page page = {
		.limit = KEYS_PAGE_MAX, .list = cJSON_CreateArray(), .keystore = keystore
	};
	cJSON_AddItemToObject(answer, "keys", page.list);
	page.instance = instance;
	page.unclaimed_only =
		cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(call->question, "unclaimed"));
	page.missing_only =
		cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(call->question, "missing"));
	page.older_only =
		cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(call->question, "older_version"));
	if (name != NULL && instance == NULL) {
		cJSON_Delete(answer);
		admin_refuse(call,
			"no instance is called \"%s\" (kmipctl instance list shows them)", name);
		return;
	}
	bool bad = after_text != NULL && uid_parse(&after, slice_text(after_text)) != ERR_OK;
	enum err err = bad ? ERR_INVALID
			   : keys_walk(call, &page, after_text == NULL ? NULL : &after, &more);
	if (err != ERR_OK) {
		cJSON_Delete(answer);
		admin_refuse(call, "the cache cannot be read: %s", err_text(err));
		return;
	}
	cJSON_AddBoolToObject(answer, "more", more);
	cJSON_AddStringToObject(answer, "last", page.last);
	admin_answer(call, answer);
}

void admin_key_show(struct admin_call *call)
{
	enum err err;
	struct uid uid;
	struct object *object;
	struct arena *arena = NULL;
	struct cache_read *read = NULL;
	cJSON *answer = NULL;
	const char *text = admin_text(call, "uid");
	TRY(text == NULL ? ERR_INVALID : uid_parse(&uid, slice_text(text)));
	TRY(arena_new(&arena, KEYS_ARENA_MAX));
	TRY(cache_read_begin(&read, keystore_cache(keeper_keystore(call->keeper))));
	TRY(cache_get_object(read, arena, &uid, &object));
	answer = key_json(keeper_keystore(call->keeper), read, object);
	add_details(answer, object);
out:
	if (read != NULL)
		cache_read_end(read);
	arena_free(arena);
	if (err == ERR_OK)
		admin_answer(call, answer);
	else if (err == ERR_INVALID)
		admin_refuse(call, "\"%s\" is not a key id (a UUID)", text == NULL ? "" : text);
	else
		admin_refuse(call, "key %s: %s%s", text, err_text(err),
			err == ERR_MISS ? "; a client that fetches it makes this node look" : "");
}

/* ---- giving a missing key up ---- */

static void key_on_forgotten(void *ctx, enum err err)
{
	struct admin_call *call = ctx;
	call->pending = NULL;
	switch (err) {
	case ERR_OK:
		admin_answer(call, NULL);
		return;
	case ERR_STATE:
		admin_refuse(call, "the key is not missing: the key manager has it. A client "
				   "destroys it, or you delete it in the key manager");
		return;
	case ERR_MISS:
		admin_refuse(call, "no such key is cached here");
		return;
	case ERR_DESTROYED:
		admin_refuse(call, "the key is destroyed already");
		return;
	default:
		admin_refuse(call, "the key cannot be forgotten: %s", err_text(err));
	}
}

void admin_key_forget(struct admin_call *call)
{
	struct uid uid;
	const char *text = admin_text(call, "uid");
	if (text == NULL || uid_parse(&uid, slice_text(text)) != ERR_OK) {
		admin_refuse(call, "\"%s\" is not a key id (a UUID)", text == NULL ? "" : text);
		return;
	}
	enum err err = keystore_forget_start(
		&call->pending, keeper_keystore(call->keeper), &uid, key_on_forgotten, call);
	if (err != ERR_OK)
		admin_refuse(call, "the key cannot be forgotten: %s", err_text(err));
}
