/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/tls_policy.h"
#include "node/admin_call.h"

enum { CLIENTS_LIST_MAX = 10000 };

/* The instance that the question names, or the only one there is. */
static const struct instance_id *call_instance(struct admin_call *call)
{
	struct keystore *keystore = keeper_keystore(call->keeper);
	const char *name = admin_text(call, "instance");
	struct keystore_instance_status status;
	if (name == NULL && keystore_instance_count(keystore) != 1)
		return NULL;
	if (name == NULL) {
		keystore_instance_status(keystore, 0, &status);
		return keystore_instance_find(keystore, status.id.text);
	}
	return keystore_instance_find(keystore, name);
}

static void client_on_stored(void *ctx, enum err err, const char *why)
{
	struct admin_call *call = ctx;
	char hex[2 * sizeof(call->client.fingerprint.bytes) + 1];
	text_hex(hex,
		slice_of(call->client.fingerprint.bytes, sizeof(call->client.fingerprint.bytes)));
	call->pending = NULL;
	if (err != ERR_OK) {
		admin_refuse(call, "%s", why != NULL && why[0] != '\0' ? why : err_text(err));
		return;
	}
	log_info(call->client.removed ? "client-removed" : "client-added",
		"instance=%s fingerprint=%s name=%s", call->client.instance.text, hex,
		log_quoted(slice_text(call->client.name)));
	cJSON *answer = cJSON_CreateObject();
	cJSON_AddStringToObject(answer, "fingerprint", hex);
	cJSON_AddStringToObject(answer, "instance", call->client.instance.text);
	cJSON_AddStringToObject(answer, "name", call->client.name);
	admin_answer(call, answer);
}

static void client_store(struct admin_call *call)
{
	enum err err = keystore_client_start(&call->pending, keeper_keystore(call->keeper),
		&call->client, client_on_stored, call);
	if (err != ERR_OK)
		admin_refuse(call, "%s", err_text(err));
}

void admin_client_add(struct admin_call *call)
{
	struct tls_peer leaf;
	const char *pem = admin_text(call, "certificate");
	const char *name = admin_text(call, "name");
	const struct instance_id *instance = call_instance(call);
	struct client *client = &call->client;
	if (instance == NULL) {
		admin_refuse(call,
			"name the instance with --instance (kmipctl instance list shows them)");
		return;
	}
	if (pem == NULL || tls_leaf_of_pem(&leaf, slice_text(pem)) != ERR_OK) {
		admin_refuse(call,
			"the file holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
		return;
	}
	if (name == NULL || !slice_is_utf8(slice_text(name)) ||
		text_copy(client->name, sizeof(client->name), slice_text(name)) != ERR_OK) {
		admin_refuse(call, "the name must be UTF-8 text of at most %d bytes",
			CLIENT_NAME_LEN_MAX);
		return;
	}
	bytes_copy(client->fingerprint.bytes, leaf.fingerprint, sizeof(client->fingerprint.bytes));
	client->instance = *instance;
	client->added_at = clock_wall_seconds();
	client->not_after = leaf.not_after;
	client_store(call);
}

/* ---- finding a registration by name or by the start of its fingerprint ---- */

struct client_search {
	const char *wanted;
	const struct instance_id *instance; /* NULL: any */
	struct client found;
	size_t matches;
	struct arena *arena;
	cJSON *list;
	size_t listed;
};

static bool client_matches(const struct client_search *search, const struct client *client)
{
	char hex[2 * sizeof(client->fingerprint.bytes) + 1];
	text_hex(hex, slice_of(client->fingerprint.bytes, sizeof(client->fingerprint.bytes)));
	if (search->wanted == NULL)
		return true;
	size_t len = strlen(search->wanted);
	return strcmp(client->name, search->wanted) == 0 ||
	       (len >= 8 && strncasecmp(hex, search->wanted, len) == 0);
}

static void client_list_one(struct client_search *search, const struct client *client)
{
	char hex[2 * sizeof(client->fingerprint.bytes) + 1];
	char date[RFC3339_TEXT_LEN + 1];
	cJSON *object = cJSON_CreateObject();
	text_hex(hex, slice_of(client->fingerprint.bytes, sizeof(client->fingerprint.bytes)));
	cJSON_AddStringToObject(object, "name", client->name);
	cJSON_AddStringToObject(object, "instance", client->instance.text);
	cJSON_AddStringToObject(object, "fingerprint", hex);
	text_rfc3339_from(date, client->added_at);
	cJSON_AddStringToObject(object, "added", date);
	text_rfc3339_from(date, client->not_after);
	cJSON_AddStringToObject(object, "certificate_not_after", date);
	cJSON_AddItemToArray(search->list, object);
}

static enum err client_visit(void *ctx, struct slice record_key, struct slice bytes)
{
	struct client_search *search = ctx;
	struct record record;
	(void) record_key;
	arena_reset(search->arena);
	if (record_decode(&record, search->arena, bytes) != ERR_OK || record.client.removed)
		return ERR_OK;
	if (search->instance != NULL &&
		!instance_id_equal(search->instance, &record.client.instance))
		return ERR_OK;
	if (!client_matches(search, &record.client))
		return ERR_OK;
	search->matches++;
	search->found = record.client;
	if (search->list != NULL && search->listed++ < CLIENTS_LIST_MAX)
		client_list_one(search, &record.client);
	return ERR_OK;
}

static enum err clients_walk(struct admin_call *call, struct client_search *search)
{
	enum err err;
	bool more = false;
	struct cache_read *read = NULL;
	struct cache_walk walk = {
		.kind = RECORD_CLIENT, .records_max = SIZE_MAX, .visit = client_visit, .ctx = search
	};
	TRY(arena_new(&search->arena, RECORD_LEN_MAX * 4));
	TRY(cache_read_begin(&read, keystore_cache(keeper_keystore(call->keeper))));
	TRY(cache_walk(read, &walk, &more));
out:
	if (read != NULL)
		cache_read_end(read);
	arena_free(search->arena);
	return err;
}

void admin_client_list(struct admin_call *call)
{
	struct client_search search = { .instance = call_instance(call),
		.list = cJSON_CreateArray() };
	cJSON *answer = cJSON_CreateObject();
	cJSON_AddItemToObject(answer, "clients", search.list);
	if (admin_text(call, "instance") != NULL && search.instance == NULL) {
		cJSON_Delete(answer);
		admin_refuse(call, "no instance is called \"%s\"", admin_text(call, "instance"));
		return;
	}
	enum err err = clients_walk(call, &search);
	if (err == ERR_OK) {
		admin_answer(call, answer);
		return;
	}
	cJSON_Delete(answer);
	admin_refuse(call, "the cache cannot be read: %s", err_text(err));
}

void admin_client_remove(struct admin_call *call)
{
	struct client_search search = { .wanted = admin_text(call, "client"),
		.instance = call_instance(call) };
	if (search.wanted == NULL || search.wanted[0] == '\0') {
		admin_refuse(
			call, "say which client: its name or at least 8 digits of its fingerprint");
		return;
	}
	enum err err = clients_walk(call, &search);
	if (err != ERR_OK || search.matches != 1) {
		admin_refuse(call, "%zu clients are called \"%s\"%s", search.matches, search.wanted,
			search.matches > 1 ? "; use the fingerprint"
					   : " (kmipctl client list shows them)");
		return;
	}
	call->client = search.found;
	call->client.removed = true;
	client_store(call);
}
