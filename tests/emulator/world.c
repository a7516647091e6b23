/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/emulator/world.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"

enum { NAME_MAX_LEN = 160 };

struct alias_entry {
	const char *alias; /* owned */
	struct key *key;
};

static int key_compare(const void *a, const void *b)
{
	return strcmp(((const struct key *) a)->id, ((const struct key *) b)->id);
}

static int alias_compare(const void *a, const void *b)
{
	const struct alias_entry *left = a;
	const struct alias_entry *right = b;

	return strcmp(left->alias, right->alias);
}

static void alias_entry_free(void *node)
{
	struct alias_entry *entry = node;

	free((void *) (uintptr_t) entry->alias);
	free(entry);
}

static void world_index_alias(struct world *world, struct key *key, const char *alias)
{
	struct alias_entry *entry = calloc(1, sizeof(*entry));

	ASSERT(entry != NULL);
	entry->alias = strdup(alias);
	entry->key = key;
	ASSERT(entry->alias != NULL && tsearch(entry, &world->keys_by_alias, alias_compare));
	world->alias_count++;
}

static void world_unindex_alias(struct world *world, const char *alias)
{
	struct alias_entry wanted = { .alias = alias };
	struct alias_entry **node = tfind(&wanted, &world->keys_by_alias, alias_compare);

	if (node == NULL)
		return;
	struct alias_entry *entry = *node;
	tdelete(entry, &world->keys_by_alias, alias_compare);
	alias_entry_free(entry);
	world->alias_count--;
}

static void world_index_key(struct world *world, struct key *key)
{
	ASSERT(tsearch(key, &world->keys_by_id, key_compare) != NULL);
	world->key_count++;
	for (size_t i = 0; i < key->alias_count; i++)
		world_index_alias(world, key, key->aliases[i].name);
}

static void load_key(void *ctx, const char *name, const cJSON *document)
{
	struct key *key = key_of_json(document);

	if (key == NULL) {
		log_warning("key-unreadable", "name=%s", log_quoted(slice_text(name)));
		return;
	}
	struct key_context context = world_context(ctx);
	key_note_change(key, &context);
	key->shown_changed = 0;
	world_index_key(ctx, key);
}

static const char *name_tail(const char *name)
{
	return strchr(name, '/') + 1;
}

static void load_ring(void *ctx, const char *name, const cJSON *document)
{
	struct world *world = ctx;

	cJSON_AddItemToObject(world->rings, name_tail(name), cJSON_Duplicate(document, true));
}

static void load_policy(void *ctx, const char *name, const cJSON *document)
{
	struct world *world = ctx;

	cJSON_AddItemToObject(world->policies, name_tail(name), cJSON_Duplicate(document, true));
}

static void load_adapter(void *ctx, const char *name, const cJSON *document)
{
	struct world *world = ctx;

	cJSON_AddItemToObject(world->adapters, name_tail(name), cJSON_Duplicate(document, true));
}

static void load_meta(void *ctx, const char *name, const cJSON *document)
{
	struct world *world = ctx;
	const char *what = name_tail(name);

	if (strcmp(what, "instance") == 0) {
		const char *id = cJSON_GetStringValue(cJSON_GetObjectItem(document, "id"));
		if (id == NULL || strlen(id) != UUID_TEXT_LEN)
			return;
		bytes_copy(world->instance, id, UUID_TEXT_LEN + 1);
	}
	if (strcmp(what, "import-token") == 0)
		world->import_token = cJSON_Duplicate(document, true);
	if (strcmp(what, "clock") == 0) {
		world->timeline.scale =
			cJSON_GetNumberValue(cJSON_GetObjectItem(document, "scale"));
		world->timeline.anchor_ms =
			(int64_t) cJSON_GetNumberValue(cJSON_GetObjectItem(document, "anchor_ms"));
		world->timeline.anchor_real_ms = (int64_t) cJSON_GetNumberValue(
			cJSON_GetObjectItem(document, "anchor_real_ms"));
	}
}

/* A folder belongs to one instance for good: its keys' CRNs carry the id. */
static enum err world_settle_instance(struct world *world, const char *instance)
{
	bool remembered = world->instance[0] != '\0';

	if (remembered && instance != NULL && strcmp(instance, world->instance) != 0) {
		log_error("instance-differs", "folder_has=%s asked_for=%s", world->instance,
			log_quoted(slice_text(instance)));
		return ERR_CONFIG;
	}
	if (!remembered && instance != NULL)
		bytes_copy(world->instance, instance, UUID_TEXT_LEN + 1);
	if (!remembered && instance == NULL)
		text_uuid(world->instance);
	if (!remembered) {
		cJSON *document = cJSON_CreateObject();
		cJSON_AddStringToObject(document, "id", world->instance);
		store_begin(world->store);
		store_put(world->store, "meta/instance", document);
		store_commit(world->store);
		cJSON_Delete(document);
	}
	return ERR_OK;
}

static void world_set_crn(struct world *world, const char *region)
{
	snprintf(world->crn_prefix, sizeof(world->crn_prefix),
		"crn:v1:bluemix:public:%s:%s:a/%s:%s:key:",
		world->service == WORLD_HPCS ? "hs-crypto" : "kms", region, WORLD_ACCOUNT,
		world->instance);
}

enum err world_new(struct world **out, const struct world_options *options)
{
	enum err err;
	struct world *world = calloc(1, sizeof(*world));

	if (world == NULL)
		TRY(ERR_NOMEM);
	timeline_init(&world->timeline);
	world->knobs = knobs_default;
	world->rings = cJSON_CreateObject();
	world->policies = cJSON_CreateObject();
	world->adapters = cJSON_CreateObject();
	world->service = options->service;
	TRY(file_make_folder(options->folder, 0700));
	TRY(store_new(&world->store, options->folder));
	TRY(vault_new(&world->vault, options->folder));
	store_each(world->store, "meta/", load_meta, world);
	store_each(world->store, "rings/", load_ring, world);
	store_each(world->store, "policies/", load_policy, world);
	store_each(world->store, "adapters/", load_adapter, world);
	store_each(world->store, "keys/", load_key, world);
	TRY(world_settle_instance(world, options->instance));
	world_set_crn(world, options->region);
	*out = world;
	world = NULL;
out:
	world_free(world);
	return err;
}

static void free_key_node(void *node)
{
	key_free(node);
}

void world_free(struct world *world)
{
	if (world == NULL)
		return;
	tdestroy(world->keys_by_alias, alias_entry_free);
	tdestroy(world->keys_by_id, free_key_node);
	cJSON_Delete(world->rings);
	cJSON_Delete(world->policies);
	cJSON_Delete(world->adapters);
	cJSON_Delete(world->import_token);
	vault_free(world->vault);
	store_free(world->store);
	free(world);
}

int64_t world_now(const struct world *world)
{
	return timeline_now(&world->timeline);
}

struct key_context world_context(const struct world *world)
{
	return (struct key_context){
		.crn_prefix = world->crn_prefix, .knobs = &world->knobs, .now = world_now(world)
	};
}

struct key *world_key_by_id(const struct world *world, const char *id)
{
	struct key wanted = { .id = (char *) (uintptr_t) id };
	struct key **node = tfind(&wanted, &world->keys_by_id, key_compare);

	return node != NULL ? *node : NULL;
}

struct key *world_key_by_alias(struct world *world, const char *alias)
{
	struct alias_entry wanted = { .alias = alias };
	struct alias_entry **node = tfind(&wanted, &world->keys_by_alias, alias_compare);

	if (node == NULL)
		return NULL;
	world_reap_aliases(world, (*node)->key);
	node = tfind(&wanted, &world->keys_by_alias, alias_compare);
	return node != NULL ? (*node)->key : NULL;
}

struct key *world_key(struct world *world, const char *id_or_alias)
{
	struct key *key = world_key_by_id(world, id_or_alias);

	return key != NULL ? key : world_key_by_alias(world, id_or_alias);
}

struct key_collection {
	struct key **keys;
	size_t count;
};

static void collect_key(const void *node, VISIT visit, void *ctx)
{
	struct key_collection *collection = ctx;

	if (visit == postorder || visit == leaf)
		collection->keys[collection->count++] = *(struct key *const *) node;
}

struct key **world_keys(const struct world *world)
{
	struct key_collection collection = { .keys = calloc(
						     world->key_count + 1, sizeof(struct key *)) };

	ASSERT(collection.keys != NULL);
	twalk_r(world->keys_by_id, collect_key, &collection);
	ASSERT(collection.count == world->key_count);
	return collection.keys;
}

/* Within a transaction. */
static void world_put_key(struct world *world, struct key *key)
{
	char name[NAME_MAX_LEN];
	struct key_context context = world_context(world);

	key_note_change(key, &context);
	cJSON *document = key_json(key, KEY_VIEW_STORE, &context);
	snprintf(name, sizeof(name), "keys/%s", key->id);
	store_put(world->store, name, document);
	cJSON_Delete(document);
}

void world_save_key(struct world *world, struct key *key)
{
	store_begin(world->store);
	world_put_key(world, key);
	store_commit(world->store);
}

void world_add_key(struct world *world, struct key *key)
{
	world_index_key(world, key);
	world_save_key(world, key);
}

void world_add_alias(struct world *world, struct key *key, const char *alias, const char *by)
{
	key_add_alias(key, alias, by, world_now(world));
	world_index_alias(world, key, alias);
	world_save_key(world, key);
}

void world_drop_alias(struct world *world, struct key *key, const char *alias)
{
	for (size_t i = 0; i < key->alias_count; i++) {
		if (strcmp(key->aliases[i].name, alias) == 0 && key->aliases[i].gone == 0)
			key->aliases[i].gone = world_now(world) + world->knobs.alias_lag_s;
	}
	world_save_key(world, key);
	world_reap_aliases(world, key);
}

void world_reap_aliases(struct world *world, struct key *key)
{
	int64_t now = world_now(world);
	bool changed = false;

	for (size_t i = key->alias_count; i-- > 0;) {
		const struct key_alias *alias = &key->aliases[i];
		if (alias->gone == 0 || alias->gone > now)
			continue;
		world_unindex_alias(world, alias->name);
		ASSERT(key_drop_alias(key, alias->name));
		changed = true;
	}
	if (changed)
		world_save_key(world, key);
}

void world_drop_key(struct world *world, struct key *key)
{
	char name[NAME_MAX_LEN];

	snprintf(name, sizeof(name), "keys/%s", key->id);
	store_begin(world->store);
	store_drop(world->store, name);
	store_commit(world->store);
	for (size_t i = 0; i < key->alias_count; i++)
		world_unindex_alias(world, key->aliases[i].name);
	tdelete(key, &world->keys_by_id, key_compare);
	world->key_count--;
	key_free(key);
}

bool world_has_ring(const struct world *world, const char *ring)
{
	return strcmp(ring, WORLD_RING_DEFAULT) == 0 ||
	       cJSON_GetObjectItemCaseSensitive(world->rings, ring) != NULL;
}

static void world_put(struct world *world, const char *kind, const char *id, const cJSON *document)
{
	char name[NAME_MAX_LEN];

	snprintf(name, sizeof(name), "%s/%s", kind, id);
	store_begin(world->store);
	store_put(world->store, name, document);
	store_commit(world->store);
}

void world_add_ring(struct world *world, const char *ring, const char *by)
{
	cJSON *document = cJSON_CreateObject();
	char date[RFC3339_TEXT_LEN + 1];

	text_rfc3339_from(date, world_now(world));
	cJSON_AddStringToObject(document, "id", ring);
	cJSON_AddStringToObject(document, "creationDate", date);
	cJSON_AddStringToObject(document, "createdBy", by);
	world_put(world, "rings", ring, document);
	cJSON_AddItemToObject(world->rings, ring, document);
}

void world_drop_ring(struct world *world, const char *ring)
{
	char name[NAME_MAX_LEN];
	struct key **keys = world_keys(world);

	store_begin(world->store);
	for (size_t i = 0; i < world->key_count; i++) {
		if (strcmp(keys[i]->ring, ring) != 0)
			continue;
		key_set_text(&keys[i]->ring, WORLD_RING_DEFAULT);
		world_put_key(world, keys[i]);
	}
	snprintf(name, sizeof(name), "rings/%s", ring);
	store_drop(world->store, name);
	store_commit(world->store);
	cJSON_DeleteItemFromObjectCaseSensitive(world->rings, ring);
	free(keys);
}

void world_set_policy(struct world *world, const char *type, cJSON *resource)
{
	world_put(world, "policies", type, resource);
	cJSON_DeleteItemFromObjectCaseSensitive(world->policies, type);
	cJSON_AddItemToObject(world->policies, type, resource);
}

void world_set_import_token(struct world *world, cJSON *token)
{
	world_put(world, "meta", "import-token", token);
	cJSON_Delete(world->import_token);
	world->import_token = token;
}

static const char *adapter_id(const cJSON *adapter)
{
	return cJSON_GetStringValue(cJSON_GetObjectItem(adapter, "id"));
}

void world_save_adapter(struct world *world, const cJSON *adapter)
{
	world_put(world, "adapters", adapter_id(adapter), adapter);
}

void world_set_adapter(struct world *world, cJSON *adapter)
{
	world_save_adapter(world, adapter);
	cJSON_AddItemToObject(world->adapters, adapter_id(adapter), adapter);
}

void world_drop_adapter(struct world *world, const char *id)
{
	char name[NAME_MAX_LEN];

	snprintf(name, sizeof(name), "adapters/%s", id);
	store_begin(world->store);
	store_drop(world->store, name);
	store_commit(world->store);
	cJSON_DeleteItemFromObject(world->adapters, id);
}

void world_save_clock(struct world *world)
{
	cJSON *document = cJSON_CreateObject();

	cJSON_AddNumberToObject(document, "scale", world->timeline.scale);
	cJSON_AddNumberToObject(document, "anchor_ms", (double) world->timeline.anchor_ms);
	cJSON_AddNumberToObject(
		document, "anchor_real_ms", (double) world->timeline.anchor_real_ms);
	world_put(world, "meta", "clock", document);
	cJSON_Delete(document);
}
