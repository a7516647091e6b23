/* SPDX-License-Identifier: Apache-2.0 */
/* Reading keys: lists, counts, one key, its metadata, its versions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tests/emulator/collection.h"
#include "tests/emulator/handlers.h"
#include "tests/emulator/list.h"

static const struct collection versions = { "application/vnd.ibm.kms.key.version+json", 200, 5000 };

static struct list_texts read_texts(const struct request *request)
{
	return (struct list_texts){ .state = request_param(request, "state"),
		.extractable = request_param(request, "extractable"),
		.filter = request_param(request, "filter"),
		.search = request_param(request, "search"),
		.sort = request_param(request, "sort"),
		.limit = request_param(request, "limit"),
		.offset = request_param(request, "offset") };
}

static enum refusal read_query(struct request *request, struct list_query *query)
{
	struct list_texts texts = read_texts(request);
	const char *bad = NULL;
	const char *must = NULL;

	if (list_parse(query, &texts, &bad, &must) != ERR_OK)
		return request_bad_param(request, bad, must);
	return REFUSE_NOTHING;
}

enum refusal read_list_check(struct request *request)
{
	struct list_query query;

	return read_query(request, &query);
}

/* What a list shows: pointers into `forms`, in order. */
struct matches {
	struct key *forms; /* shallow copies, as old as list_lag_s makes them */
	struct key **keys;
	size_t count;
};

static void matches_free(struct matches *matches)
{
	free(matches->keys);
	free(matches->forms);
}

static void read_matches(
	struct matches *out, struct request *request, const struct list_query *query)
{
	const char *ring = request_header(request, "X-Kms-Key-Ring");
	struct key_context context = world_context(request->world);
	size_t key_count = request->world->key_count;
	char total[24];

	*out = (struct matches){ .forms = calloc(key_count + 1, sizeof(*out->forms)),
		.keys = world_keys(request->world) };
	ASSERT(out->forms != NULL);
	for (size_t i = 0; i < key_count; i++) {
		struct key *form = &out->forms[out->count];
		if (!key_as_shown(form, out->keys[i], &context) || key_is_purged(form, &context))
			continue;
		bool here = ring == NULL || key_is_in_ring(form, ring, &context);
		if (here && list_matches(query, form, &context))
			out->keys[out->count++] = form;
	}
	list_sort(query, out->keys, out->count);
	snprintf(total, sizeof(total), "%zu", out->count);
	evhttp_add_header(evhttp_request_get_output_headers(request->http), "Key-Total", total);
}

static void add_search_metadata(cJSON *envelope, const struct list_search *search)
{
	cJSON *metadata = cJSON_GetObjectItem(envelope, "metadata");
	cJSON *query = cJSON_AddObjectToObject(metadata, "searchQuery");
	cJSON *scopes = cJSON_CreateArray();

	cJSON_AddStringToObject(query, "query", search->text);
	if (search->in_name)
		cJSON_AddItemToArray(scopes, cJSON_CreateString("name"));
	if (search->in_alias)
		cJSON_AddItemToArray(scopes, cJSON_CreateString("alias"));
	cJSON_AddItemToObject(query, "scopes", scopes);
	cJSON_AddBoolToObject(query, "not", search->not );
	cJSON_AddBoolToObject(query, "exact", search->exact);
}

/* Among too many keys only an id or an alias, given whole, is found. */
static enum refusal read_incomplete(struct request *request, const struct list_query *query)
{
	request->key = world_key(request->world, query->search.text);
	if (request->key == NULL)
		return REFUSE_KEY_SEARCH_TOO_BROAD;
	enum refusal refusal = request_answer_key(request, 200, KEY_VIEW_FULL);
	add_search_metadata(request->answer, &query->search);
	cJSON_AddBoolToObject(
		cJSON_GetObjectItem(request->answer, "metadata"), "incompleteSearch", true);
	return refusal;
}

enum refusal read_list(struct request *request)
{
	struct list_query query;
	struct key_context context = world_context(request->world);
	struct matches matches;
	enum refusal refusal = read_query(request, &query);

	if (refusal != REFUSE_NOTHING)
		return refusal;
	if (query.search.text[0] != '\0' &&
		(int64_t) request->world->key_count > request->world->knobs.search_max)
		return read_incomplete(request, &query);
	read_matches(&matches, request, &query);
	cJSON *resources = cJSON_CreateArray();
	for (size_t i = query.offset; i < matches.count && i - query.offset < query.limit; i++)
		cJSON_AddItemToArray(resources, key_json(matches.keys[i], KEY_VIEW_FULL, &context));
	matches_free(&matches);
	cJSON *envelope = key_envelope(KEY_TYPE, resources);
	if (query.search.text[0] != '\0')
		add_search_metadata(envelope, &query.search);
	return request_answer(request, 200, envelope);
}

enum refusal read_count(struct request *request)
{
	struct list_query query;
	struct matches matches;
	enum refusal refusal = read_query(request, &query);

	if (refusal != REFUSE_NOTHING)
		return refusal;
	read_matches(&matches, request, &query);
	matches_free(&matches);
	return request_answer_empty(request, 200);
}

enum refusal read_key(struct request *request)
{
	return request_answer_key(request, 200, KEY_VIEW_FULL | KEY_VIEW_PAYLOAD);
}

enum refusal read_metadata(struct request *request)
{
	return request_answer_key(request, 200, KEY_VIEW_FULL);
}

enum refusal read_versions_check(struct request *request)
{
	return collection_check(request, &versions);
}

enum refusal read_versions(struct request *request)
{
	const struct key *key = request->key;
	struct key_context context = world_context(request->world);
	int64_t state = key_state_at(key, &context);
	char date[RFC3339_TEXT_LEN + 1];

	if (state != KEY_ACTIVE && !request_param_is_true(request, "allKeyStates"))
		return state == KEY_DESTROYED ? REFUSE_KEY_DELETED_ERR
					      : REFUSE_KEY_ACTION_INVALID_STATE_ERR;
	cJSON *resources = cJSON_CreateArray();
	for (size_t i = key->version_count; i-- > 0;) {
		const struct key_version *version = &key->versions[i];
		cJSON *item = cJSON_CreateObject();
		text_rfc3339_from(date, version->created);
		cJSON_AddStringToObject(item, "id", version->id);
		cJSON_AddStringToObject(item, "creationDate", date);
		cJSON_AddItemToArray(resources, item);
	}
	return collection_answer(request, &versions, resources);
}
