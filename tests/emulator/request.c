/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/emulator/request.h"

#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/secret.h"
#include "tests/emulator/list.h"

static void request_set_correlation(struct request *request)
{
	const char *given = request_header(request, "Correlation-Id");

	if (given != NULL && text_is_uuid(slice_text(given)))
		snprintf(request->correlation, sizeof(request->correlation), "%s", given);
	else
		text_uuid(request->correlation);
}

static void request_split_path(struct request *request)
{
	char *copy = strdup(request->path);
	char *rest = copy;

	ASSERT(copy != NULL);
	for (char *part = strsep(&rest, "/"); part != NULL; part = strsep(&rest, "/")) {
		if (*part == '\0')
			continue;
		if (request->segment_count == REQUEST_SEGMENTS_MAX) {
			/* no route is that long: match none */
			request->segment_count = 0;
			break;
		}
		free(request->segments[request->segment_count]);
		request->segments[request->segment_count++] = evhttp_uridecode(part, 0, NULL);
	}
	free(copy);
}

static const struct {
	enum evhttp_cmd_type type;
	const char *name;
} methods[] = {
	{ EVHTTP_REQ_GET, "GET" },
	{ EVHTTP_REQ_POST, "POST" },
	{ EVHTTP_REQ_HEAD, "HEAD" },
	{ EVHTTP_REQ_PUT, "PUT" },
	{ EVHTTP_REQ_DELETE, "DELETE" },
	{ EVHTTP_REQ_PATCH, "PATCH" },
};

static const char *request_method(const struct evhttp_request *http)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (methods[i].type == evhttp_request_get_command(http))
			return methods[i].name;
	}
	return "OTHER";
}

struct request *request_new(
	struct emulator *emulator, struct world *world, struct evhttp_request *http)
{
	struct request *request = calloc(1, sizeof(*request));
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(http);
	const char *path = uri != NULL ? evhttp_uri_get_path(uri) : NULL;
	const char *query = uri != NULL ? evhttp_uri_get_query(uri) : NULL;

	ASSERT(request != NULL);
	request->emulator = emulator;
	request->world = world;
	request->http = http;
	request->method = request_method(http);
	request->started_ms = clock_boot_ms();
	request->path = strdup(path != NULL ? path : "/");
	ASSERT(request->path != NULL);
	request_set_correlation(request);
	request_split_path(request);
	request->query_parsed =
		evhttp_parse_query_str(query != NULL ? query : "", &request->query) == 0;
	return request;
}

static void wipe_texts(cJSON *item)
{
	for (; item != NULL; item = item->next) {
		if (cJSON_IsString(item) && item->valuestring != NULL)
			secret_wipe(item->valuestring, strlen(item->valuestring));
		if (item->child != NULL)
			wipe_texts(item->child);
	}
}

void request_free(struct request *request)
{
	if (request == NULL)
		return;
	for (size_t i = 0; i < REQUEST_SEGMENTS_MAX; i++)
		free(request->segments[i]);
	if (request->query_parsed)
		evhttp_clear_headers(&request->query);
	if (request->material != NULL)
		secret_wipe(request->material, strlen(request->material));
	free(request->material);
	wipe_texts(request->body);
	wipe_texts(request->answer);
	cJSON_Delete(request->body);
	cJSON_Delete(request->answer);
	free(request->path);
	free(request);
}

const char *request_header(const struct request *request, const char *name)
{
	return evhttp_find_header(evhttp_request_get_input_headers(request->http), name);
}

const char *request_param(const struct request *request, const char *name)
{
	const char *value =
		request->query_parsed ? evhttp_find_header(&request->query, name) : NULL;

	/* a client that was given no states asks for "state=" */
	return value != NULL && *value != '\0' ? value : NULL;
}

bool request_param_is_true(const struct request *request, const char *name)
{
	const char *value = request_param(request, name);

	bool is = false;

	return value != NULL && list_parse_bool(&is, value) && is;
}

bool request_wants_representation(const struct request *request)
{
	const char *prefer = request_header(request, "Prefer");

	return prefer != NULL && strstr(prefer, "return=representation") != NULL;
}

const char *request_text(const cJSON *object, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItem(object, name));
}

enum refusal request_refuse(struct request *request, enum refusal refusal, const char *message)
{
	snprintf(request->detail, sizeof(request->detail), "%s", message);
	return refusal;
}

enum refusal request_bad_field(struct request *request, const char *field, const char *must_be)
{
	snprintf(request->detail, sizeof(request->detail), "The field '%s' must be: %s", field,
		must_be);
	request->target_type = "field";
	request->target_name = field;
	return REFUSE_INVALID_FIELD_ERR;
}

enum refusal request_bad_param(struct request *request, const char *param, const char *must_be)
{
	snprintf(request->detail, sizeof(request->detail), "The query_param '%s' must be: %s",
		param, must_be);
	request->target_type = "query_param";
	request->target_name = param;
	return REFUSE_INVALID_QUERY_PARAM_ERR;
}

enum refusal request_bad_body(struct request *request, const char *why)
{
	snprintf(request->detail, sizeof(request->detail),
		"Invalid body data was passed. Please ensure the data passed had valid formatting "
		"with no invalid characters: %s",
		why);
	return REFUSE_BAD_BODY_ERR;
}

enum refusal request_read_body(struct request *request)
{
	struct evbuffer *input = evhttp_request_get_input_buffer(request->http);
	size_t len = evbuffer_get_length(input);

	if (len == 0)
		return REFUSE_NOTHING;
	unsigned char *text = evbuffer_pullup(input, -1);
	request->body = cJSON_ParseWithLength((const char *) text, len);
	secret_wipe(text, len);
	if (request->body == NULL)
		return request_bad_body(request, "invalid character");
	if (cJSON_IsNull(request->body)) {
		cJSON_Delete(request->body);
		request->body = NULL;
		return REFUSE_NOTHING;
	}
	if (!cJSON_IsObject(request->body))
		return request_bad_body(request, "json: cannot unmarshal value into an object");
	return REFUSE_NOTHING;
}

enum refusal request_read_envelope(struct request *request)
{
	const cJSON *metadata = cJSON_GetObjectItem(request->body, "metadata");
	const cJSON *resources = cJSON_GetObjectItem(request->body, "resources");
	const cJSON *total = cJSON_GetObjectItem(metadata, "collectionTotal");

	if (request->body == NULL)
		return REFUSE_NO_BODY_ERR;
	if (!cJSON_IsObject(metadata) || metadata->child == NULL)
		return request_bad_body(request, "CollectionMetadata is empty");
	if (resources != NULL && !cJSON_IsArray(resources))
		return request_bad_body(request, "json: resources must be an array");
	int count = cJSON_GetArraySize(resources);
	if (!cJSON_IsNumber(total) || total->valueint != count)
		return REFUSE_COLLECTION_TOTAL_MISMATCH_ERR;
	request->resource = count > 0 ? cJSON_GetArrayItem(resources, 0) : NULL;
	if (count > 0 && !cJSON_IsObject(request->resource))
		return request_bad_body(request, "json: a resource must be an object");
	return REFUSE_NOTHING;
}

enum refusal request_answer(struct request *request, int status, cJSON *answer)
{
	request->status = status;
	request->answer = answer;
	return REFUSE_NOTHING;
}

enum refusal request_answer_empty(struct request *request, int status)
{
	return request_answer(request, status, NULL);
}

enum refusal request_answer_key(struct request *request, int status, unsigned views)
{
	struct key_context context = world_context(request->world);
	cJSON *resources = cJSON_CreateArray();

	cJSON_AddItemToArray(resources, key_json(request->key, views, &context));
	return request_answer(request, status, key_envelope(KEY_TYPE, resources));
}

/* Where a decoder would stop: the first byte that is not of the alphabet. */
static size_t base64_bad_byte(const char *text)
{
	return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
}

enum refusal request_base64(
	struct request *request, struct buf *out, const char *field, const char *text)
{
	char must_be[128];
	uint8_t *room = NULL;
	size_t len = 0;

	if (buf_reserve(out, text_unbase64_size(strlen(text)), &room) != ERR_OK)
		return request_bad_field(request, field, "shorter");
	if (text_unbase64(room, &len, slice_text(text)) != ERR_OK) {
		snprintf(must_be, sizeof(must_be),
			"a base64 encoded key material: illegal base64 data at input byte %zu",
			base64_bad_byte(text));
		return request_bad_field(request, field, must_be);
	}
	buf_commit(out, len);
	return REFUSE_NOTHING;
}
