/* SPDX-License-Identifier: Apache-2.0 */
#include "node/probe_message.h"

#include <stdio.h>

#include "base/text.h"
#include "kmip/attribute.h"
#include "kmip/result.h"

enum {
	ID_LEN = 8,
	ID_COUNTER_AT = 4, /* after "QLKC"; little-endian, but PROBE_TAGS_MAX fits its first byte */
	KEY_LENGTH_BITS = 256,
	CREATE_ATTRIBUTES = 3
};

/* What is special about an operation: how a request payload is filled (item i of the batch), and
 * what is read in a response payload. */
struct operation {
	enum kmip_operation operation;
	const void *(*fill)(struct arena *arena, const struct probe_request *request, size_t i);
	/* NULL: nothing but that it is well-formed. False: something is missing. */
	bool (*read)(struct probe_answer *answer, const void *payload);
};

/* ---- requests ---- */

static const void *fill_discover_versions(
	struct arena *arena, const struct probe_request *request, size_t i)
{
	(void) request;
	(void) i;
	return ARENA_NEW(arena, struct kmip_discover_versions_request);
}

static const void *fill_query(struct arena *arena, const struct probe_request *request, size_t i)
{
	struct kmip_query_request *payload = ARENA_NEW(arena, struct kmip_query_request);
	uint32_t *functions = arena_array(arena, 1, sizeof(*functions));

	(void) request;
	(void) i;
	if (payload == NULL || functions == NULL)
		return NULL;
	functions[0] = KMIP_QUERY_FUNCTION_SERVER_INFORMATION;
	payload->functions = (struct kmip_uints){ functions, 1 };
	return payload;
}

static struct kmip_attribute attribute_of(enum kmip_attribute_id id, struct kmip_value value)
{
	return (struct kmip_attribute){ .name = slice_text(kmip_attribute_row(id)->name),
		.value = value };
}

static const void *fill_create(struct arena *arena, const struct probe_request *request, size_t i)
{
	struct kmip_create_request *payload = ARENA_NEW(arena, struct kmip_create_request);
	struct kmip_template_attribute *template = ARENA_NEW(arena, struct kmip_template_attribute);
	struct kmip_attribute *attributes =
		arena_array(arena, CREATE_ATTRIBUTES, sizeof(*attributes));

	(void) request;
	(void) i;
	if (payload == NULL || template == NULL || attributes == NULL)
		return NULL;
	attributes[0] = attribute_of(KMIP_ATTRIBUTE_CRYPTOGRAPHIC_ALGORITHM,
		kmip_value_enum(KMIP_CRYPTOGRAPHIC_ALGORITHM_AES));
	attributes[1] = attribute_of(KMIP_ATTRIBUTE_CRYPTOGRAPHIC_USAGE_MASK,
		kmip_value_integer(KMIP_CRYPTOGRAPHIC_USAGE_MASK_ENCRYPT |
				   KMIP_CRYPTOGRAPHIC_USAGE_MASK_DECRYPT));
	attributes[2] = attribute_of(
		KMIP_ATTRIBUTE_CRYPTOGRAPHIC_LENGTH, kmip_value_integer(KEY_LENGTH_BITS));
	template->attributes.items = attributes;
	template->attributes.count = CREATE_ATTRIBUTES;
	payload->object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SYMMETRIC_KEY);
	payload->template_attribute = template;
	return payload;
}

static const void *fill_get(struct arena *arena, const struct probe_request *request, size_t i)
{
	struct kmip_get_request *payload = ARENA_NEW(arena, struct kmip_get_request);

	(void) i;
	if (payload != NULL)
		payload->unique_identifier = request->uid;
	return payload;
}

static const void *fill_get_attributes(
	struct arena *arena, const struct probe_request *request, size_t i)
{
	struct kmip_get_attributes_request *payload =
		ARENA_NEW(arena, struct kmip_get_attributes_request);
	struct slice *names = arena_array(arena, 1, sizeof(*names));

	(void) i;
	if (payload == NULL || names == NULL)
		return NULL;
	names[0] = slice_text(request->attribute);
	payload->unique_identifier = request->uid;
	payload->attribute_names = (struct kmip_slices){ names, 1 };
	return payload;
}

static const void *fill_add_attribute(
	struct arena *arena, const struct probe_request *request, size_t i)
{
	struct kmip_add_attribute_request *payload =
		ARENA_NEW(arena, struct kmip_add_attribute_request);
	struct kmip_attribute *attribute = ARENA_NEW(arena, struct kmip_attribute);

	if (payload == NULL || attribute == NULL)
		return NULL;
	attribute->name = slice_text(request->tags[i].name);
	attribute->value = kmip_value_text(slice_text(request->tags[i].value));
	payload->unique_identifier = request->uid;
	payload->attribute = attribute;
	return payload;
}

static const void *fill_activate(struct arena *arena, const struct probe_request *request, size_t i)
{
	struct kmip_activate_request *payload = ARENA_NEW(arena, struct kmip_activate_request);

	(void) i;
	if (payload != NULL)
		payload->unique_identifier = request->uid;
	return payload;
}

static const void *fill_revoke(struct arena *arena, const struct probe_request *request, size_t i)
{
	struct kmip_revoke_request *payload = ARENA_NEW(arena, struct kmip_revoke_request);
	struct kmip_revocation_reason *reason = ARENA_NEW(arena, struct kmip_revocation_reason);

	(void) i;
	if (payload == NULL || reason == NULL)
		return NULL;
	reason->code = KMIP_UINT(KMIP_REVOCATION_REASON_CODE_CESSATION_OF_OPERATION);
	payload->unique_identifier = request->uid;
	payload->revocation_reason = reason;
	return payload;
}

static const void *fill_destroy(struct arena *arena, const struct probe_request *request, size_t i)
{
	struct kmip_destroy_request *payload = ARENA_NEW(arena, struct kmip_destroy_request);

	(void) i;
	if (payload != NULL)
		payload->unique_identifier = request->uid;
	return payload;
}

/* ---- answers ---- */

static bool read_discover_versions(struct probe_answer *answer, const void *payload)
{
	const struct kmip_discover_versions_response *response = payload;

	answer->versions = response->versions.items;
	answer->version_count = response->versions.count;
	return true;
}

static bool read_query(struct probe_answer *answer, const void *payload)
{
	answer->vendor = ((const struct kmip_query_response *) payload)->vendor;
	return true;
}

/* Identifiers go to terminals and into lines of words. */
static bool is_one_word(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] <= ' ' || text.data[i] >= 0x7F)
			return false;
	return text.len > 0;
}

static bool read_create(struct probe_answer *answer, const void *payload)
{
	const struct kmip_create_response *response = payload;

	return response->object_type.value == KMIP_OBJECT_TYPE_SYMMETRIC_KEY &&
	       is_one_word(response->unique_identifier) &&
	       text_copy(answer->uid, sizeof(answer->uid), response->unique_identifier) == ERR_OK;
}

static bool read_get(struct probe_answer *answer, const void *payload)
{
	const struct kmip_get_response *response = payload;
	const struct kmip_key_block *block = kmip_object_key_block(&response->object);

	if (response->object.symmetric_key == NULL || block == NULL || block->value == NULL ||
		block->format.value != KMIP_KEY_FORMAT_TYPE_RAW)
		return false;
	answer->key = block->value->material;
	return answer->key.len * 8 == KEY_LENGTH_BITS;
}

static bool read_get_attributes(struct probe_answer *answer, const void *payload)
{
	const struct kmip_get_attributes_response *response = payload;
	const char *state = kmip_attribute_row(KMIP_ATTRIBUTE_STATE)->name;

	answer->attribute_count = response->attributes.count;
	for (size_t i = 0; i < response->attributes.count; i++) {
		const struct kmip_attribute *attribute = &response->attributes.items[i];

		if (!slice_equal_text(attribute->name, state))
			continue;
		if (attribute->value.type != KMIP_TYPE_ENUMERATION)
			return false;
		answer->state = attribute->value.u32;
	}
	return true;
}

static bool read_add_attribute(struct probe_answer *answer, const void *payload)
{
	(void) payload;
	answer->attribute_count++;
	return true;
}

static const struct operation operations[] = {
	{ KMIP_OPERATION_DISCOVER_VERSIONS, fill_discover_versions, read_discover_versions },
	{ KMIP_OPERATION_QUERY, fill_query, read_query },
	{ KMIP_OPERATION_CREATE, fill_create, read_create },
	{ KMIP_OPERATION_GET, fill_get, read_get },
	{ KMIP_OPERATION_GET_ATTRIBUTES, fill_get_attributes, read_get_attributes },
	{ KMIP_OPERATION_ADD_ATTRIBUTE, fill_add_attribute, read_add_attribute },
	{ KMIP_OPERATION_ACTIVATE, fill_activate, NULL },
	{ KMIP_OPERATION_REVOKE, fill_revoke, NULL },
	{ KMIP_OPERATION_DESTROY, fill_destroy, NULL },
};

/* ---- whole messages ---- */

static const struct operation *operation_of(const struct probe_request *request)
{
	size_t i = 0;

	while (operations[i].operation != request->operation) {
		i++;
		ASSERT(i < sizeof(operations) / sizeof(operations[0]));
	}
	return &operations[i];
}

static size_t item_count(const struct probe_request *request)
{
	return request->operation == KMIP_OPERATION_ADD_ATTRIBUTE ? request->tag_count : 1;
}

static struct slice id_make(struct arena *arena, size_t i)
{
	static const uint8_t first[ID_LEN] = { 'Q', 'L', 'K', 'C' };
	uint8_t *id = arena_alloc(arena, ID_LEN);

	if (id == NULL)
		return SLICE_EMPTY;
	bytes_copy(id, first, ID_LEN);
	id[ID_COUNTER_AT] = (uint8_t) (i + 1);
	return slice_of(id, ID_LEN);
}

static enum err item_make(struct kmip_request_item *out, struct arena *arena,
	const struct probe_request *request, size_t i)
{
	enum err err;
	struct codec codec = { .arena = arena, .version = KMIP_1_1 };
	uint32_t operation = (uint32_t) request->operation;
	const void *payload = operation_of(request)->fill(arena, request, i);

	TRY(payload == NULL ? ERR_NOMEM : ERR_OK);
	*out = (struct kmip_request_item){ .operation = KMIP_UINT(operation) };
	TRY(kmip_payload_encode(
		&out->payload, &codec, kmip_operation_find(operation, KMIP_1_1)->request, payload));
	if (request->is_first)
		return ERR_OK;
	out->id = id_make(arena, i);
	TRY(out->id.data == NULL ? ERR_NOMEM : ERR_OK);
out:
	return err;
}

enum err probe_request_encode(
	struct buf *out, struct arena *arena, const struct probe_request *request)
{
	enum err err = ERR_OK;
	size_t count = item_count(request);
	struct kmip_protocol_version version = kmip_protocol_version(KMIP_1_1);
	struct kmip_request_header header = { .version = &version,
		.batch_count = KMIP_INT((int32_t) count) };
	struct kmip_request_item items[PROBE_TAGS_MAX];

	ASSERT(count > 0 && count <= PROBE_TAGS_MAX);
	for (size_t i = 0; i < count; i++)
		TRY(item_make(&items[i], arena, request, i));
	TRY(kmip_request_encode(out, &header, items));
out:
	return err;
}

/* The answer is not what the request asked for. */
static enum err wrong(struct probe_answer *out, const char *text)
{
	(void) snprintf(out->text, sizeof(out->text), "the answer is wrong: %s", text);
	return ERR_MESSAGE;
}

static void read_failure(struct probe_answer *out, const struct kmip_response_item *item)
{
	const char *reason = kmip_enum_name(KMIP_SET_RESULT_REASON, item->reason.value);
	int len = item->message.len < 150 ? (int) item->message.len : 150;

	out->err = kmip_result_err(item->status.value, item->reason.value);
	out->reason = item->reason.value;
	(void) snprintf(out->text, sizeof(out->text), "the server answers %s: %.*s",
		reason == NULL ? "an unknown reason" : reason, len,
		len == 0 ? "" : (const char *) item->message.data);
	/* Terminals and logs are spared what a server may put there. */
	for (char *p = out->text; *p != '\0'; p++)
		if (*p > 0 && (*p < ' ' || *p == 0x7F))
			*p = '?';
}

static bool id_is_echoed(
	const struct probe_request *request, const struct kmip_response_item *item, size_t i)
{
	uint8_t id[ID_LEN];

	if (request->is_first)
		return item->id.data == NULL;
	return slice_copy_exact(id, ID_LEN, item->id) &&
	       slice_equal(slice_of(id, ID_COUNTER_AT), SLICE_LITERAL("QLKC")) &&
	       id[ID_COUNTER_AT] == i + 1;
}

static enum err read_item(struct probe_answer *out, struct codec *codec,
	const struct probe_request *request, const struct kmip_response_item *item)
{
	enum err err;
	const struct operation *operation = operation_of(request);
	void *payload;

	TRY(kmip_payload_decode(&payload, codec,
		kmip_operation_find((uint32_t) request->operation, KMIP_1_1)->response,
		item->payload));
	if (operation->read != NULL && !operation->read(out, payload))
		return wrong(out, "its payload lacks something, or has something else");
out:
	if (err != ERR_OK)
		return wrong(out, "its payload cannot be decoded");
	return err;
}

/* Item i, or the one item that says that the message as a whole was refused. */
static enum err judge_item(struct probe_answer *out, struct codec *codec,
	const struct probe_request *request, const struct kmip_response_item *item, size_t i)
{
	bool is_failure = item->status.value != KMIP_RESULT_STATUS_SUCCESS;

	if (is_failure && !item->operation.has) {
		read_failure(out, item);
		return ERR_OK;
	}
	if (item->operation.value != (uint32_t) request->operation)
		return wrong(out, "it is for another operation");
	if (!id_is_echoed(request, item, i))
		return wrong(out, "the batch item id is not echoed");
	if (is_failure) {
		read_failure(out, item);
		return ERR_OK;
	}
	return read_item(out, codec, request, item);
}

enum err probe_answer_decode(struct probe_answer *out, struct arena *arena,
	const struct probe_request *request, struct slice frame)
{
	enum err err;
	struct codec codec = { .arena = arena, .version = KMIP_1_1, .flags = CODEC_SKIP_UNKNOWN };
	struct kmip_response response;
	size_t count = item_count(request);

	*out = (struct probe_answer){ .err = ERR_OK };
	if (kmip_response_decode(&response, arena, frame) != ERR_OK)
		return wrong(out, "it cannot be decoded");
	if (response.version > KMIP_1_1)
		return wrong(out, "it is of a newer version than the request");
	if (response.count == 0 || response.count > count)
		return wrong(out, "it has another number of items than the request");
	for (size_t i = 0; i < response.count && out->err == ERR_OK; i++)
		TRY(judge_item(out, &codec, request, &response.items[i], i));
	/* After a failing item the rest is left out, and only then. */
	if (response.count < count && out->err == ERR_OK)
		return wrong(out, "items are missing");
out:
	return err;
}
