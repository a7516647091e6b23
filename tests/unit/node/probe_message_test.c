/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests have the sizes of those that vCenter sends, and answers are judged: what echoes the
 * request is read, what does not is wrong.
 */
#include <criterion/criterion.h>

#include "kmip/attribute.h"
#include "kmip/result.h"
#include "node/probe_message.h"

enum { ARENA_LEN = 1 << 20 };

static struct arena *arena;
static struct buf bytes;

static void open_all(void)
{
	cr_assert_eq(arena_new(&arena, ARENA_LEN), ERR_OK);
	buf_init(&bytes, PROBE_REQUEST_LEN_MAX);
}

static void close_all(void)
{
	buf_free(&bytes);
	arena_free(arena);
}

TestSuite(probe_message, .init = open_all, .fini = close_all);

static size_t size_of(const struct probe_request *request)
{
	buf_clear(&bytes);
	cr_assert_eq(probe_request_encode(&bytes, arena, request), ERR_OK);
	return buf_slice(&bytes).len;
}

static const struct probe_tag tags[] = { { "x-Product_Version", "7.0.3 build-19480866" },
	{ "x-Vendor", "VMware, Inc." }, { "x-Product", "VMware vSphere" } };

/* The lengths on the wire, with the identifier "1" where one is needed. */
Test(probe_message, sizes)
{
	struct probe_request request = { .operation = KMIP_OPERATION_DISCOVER_VERSIONS,
		.is_first = true };

	cr_assert_eq(size_of(&request), 104);
	request.is_first = false;
	cr_assert_eq(size_of(&request), 120);
	request.operation = KMIP_OPERATION_QUERY;
	cr_assert_eq(size_of(&request), 136);
	request.operation = KMIP_OPERATION_CREATE;
	cr_assert_eq(size_of(&request), 312);
	request.uid = slice_text("1");
	request.operation = KMIP_OPERATION_GET;
	cr_assert_eq(size_of(&request), 136);
	request.operation = KMIP_OPERATION_ACTIVATE;
	cr_assert_eq(size_of(&request), 136);
	request.operation = KMIP_OPERATION_GET_ATTRIBUTES;
	request.attribute = "State";
	cr_assert_eq(size_of(&request), 152);
	request.operation = KMIP_OPERATION_ADD_ATTRIBUTE;
	request.tags = tags;
	request.tag_count = 3;
	cr_assert_eq(size_of(&request), 440);
}

/* The ids count from 1 within the message; the header holds only what must be there. */
Test(probe_message, ids_and_header)
{
	struct kmip_request decoded;
	const struct probe_request request = { .operation = KMIP_OPERATION_ADD_ATTRIBUTE,
		.uid = slice_text("1"),
		.tags = tags,
		.tag_count = 3 };

	(void) size_of(&request);
	cr_assert_eq(kmip_request_decode(&decoded, arena, buf_slice(&bytes)), ERR_OK);
	cr_assert_eq(decoded.version, KMIP_1_1);
	cr_assert_eq(decoded.count, 3);
	cr_assert_null(decoded.header.authentication);
	cr_assert(!decoded.header.time_stamp.has && !decoded.header.response_len_max.has);
	cr_assert(slice_equal(decoded.entries[2].item.id, SLICE_LITERAL("QLKC\x03\x00\x00\x00")));
}

/* An answer to the request, before it is encoded. */
struct made {
	struct kmip_response_header header;
	struct kmip_protocol_version version;
	struct kmip_response_item items[3];
};

static void make_item(struct made *made, size_t i, uint32_t operation, const void *payload)
{
	static const char *const ids[] = { "QLKC\x01\x00\x00\x00", "QLKC\x02\x00\x00\x00",
		"QLKC\x03\x00\x00\x00" };
	struct codec codec = { .arena = arena, .version = KMIP_1_1 };

	made->version = kmip_protocol_version(KMIP_1_1);
	made->header = (struct kmip_response_header){ .version = &made->version,
		.time_stamp = KMIP_LONG(1700000000),
		.batch_count = KMIP_INT((int32_t) i + 1) };
	made->items[i] = (struct kmip_response_item){ .operation = KMIP_UINT(operation),
		.id = slice_of(ids[i], 8),
		.status = KMIP_UINT(KMIP_RESULT_STATUS_SUCCESS) };
	if (payload != NULL)
		cr_assert_eq(kmip_payload_encode(&made->items[i].payload, &codec,
				     kmip_operation_find(operation, KMIP_1_1)->response, payload),
			ERR_OK);
}

static enum err judge(
	struct probe_answer *answer, const struct probe_request *request, const struct made *made)
{
	buf_clear(&bytes);
	cr_assert_eq(kmip_response_encode(&bytes, &made->header, made->items), ERR_OK);
	return probe_answer_decode(answer, arena, request, buf_slice(&bytes));
}

static const struct probe_request create = { .operation = KMIP_OPERATION_CREATE };

static void make_created(struct made *made)
{
	const struct kmip_create_response payload = { .object_type = KMIP_UINT(
							      KMIP_OBJECT_TYPE_SYMMETRIC_KEY),
		.unique_identifier = slice_text("a-key") };

	make_item(made, 0, KMIP_OPERATION_CREATE, &payload);
}

Test(probe_message, reads_create)
{
	struct made made;
	struct probe_answer answer;

	make_created(&made);
	cr_assert_eq(judge(&answer, &create, &made), ERR_OK, "%s", answer.text);
	cr_assert_eq(answer.err, ERR_OK);
	cr_assert_str_eq(answer.uid, "a-key");
}

/* A refusal is a right answer; its reason and text come through, without control characters. */
Test(probe_message, reads_refusal)
{
	struct made made;
	struct probe_answer answer;

	make_created(&made);
	made.items[0].status = KMIP_UINT(KMIP_RESULT_STATUS_OPERATION_FAILED);
	made.items[0].reason = KMIP_UINT(KMIP_RESULT_REASON_ITEM_NOT_FOUND);
	made.items[0].message = slice_text("gone\x1b[2J");
	cr_assert_eq(judge(&answer, &create, &made), ERR_OK);
	cr_assert_eq(answer.err, ERR_NOT_FOUND);
	cr_assert_str_eq(answer.text, "the server answers Item Not Found: gone?[2J");
	/* The message as a whole: without operation and id. */
	made.items[0].operation.has = false;
	made.items[0].id = SLICE_EMPTY;
	made.items[0].reason = KMIP_UINT(KMIP_RESULT_REASON_GENERAL_FAILURE);
	cr_assert_eq(judge(&answer, &create, &made), ERR_OK);
	cr_assert_eq(answer.err, ERR_UNAVAILABLE);
}

/* Another id, no id, another operation, no identifier, another version: wrong. */
Test(probe_message, refuses_wrong_answers)
{
	struct made made;
	struct probe_answer answer;

	make_created(&made);
	made.items[0].id = slice_text("QLKC\x02");
	cr_assert_eq(judge(&answer, &create, &made), ERR_MESSAGE);
	made.items[0].id = SLICE_EMPTY;
	cr_assert_eq(judge(&answer, &create, &made), ERR_MESSAGE);
	make_created(&made);
	made.items[0].operation = KMIP_UINT(KMIP_OPERATION_GET);
	cr_assert_eq(judge(&answer, &create, &made), ERR_MESSAGE);
	make_created(&made);
	made.items[0].payload = SLICE_EMPTY;
	cr_assert_eq(judge(&answer, &create, &made), ERR_MESSAGE);
	make_created(&made);
	made.version = kmip_protocol_version(KMIP_1_4);
	cr_assert_eq(judge(&answer, &create, &made), ERR_MESSAGE);
	cr_assert_eq(probe_answer_decode(&answer, arena, &create, SLICE_LITERAL("rubbish")),
		ERR_MESSAGE);
}

static void make_got(struct made *made, size_t len)
{
	static const uint8_t material[32] = { 1, 2, 3 };
	struct kmip_key_value value = { .material = slice_of(material, len) };
	struct kmip_key_block block = { .format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_RAW),
		.value = &value,
		.cryptographic_algorithm = KMIP_UINT(KMIP_CRYPTOGRAPHIC_ALGORITHM_AES),
		.cryptographic_length_bits = KMIP_INT(256) };
	struct kmip_symmetric_key key = { .key_block = &block };
	const struct kmip_get_response payload = { .object_type = KMIP_UINT(
							   KMIP_OBJECT_TYPE_SYMMETRIC_KEY),
		.unique_identifier = slice_text("a-key"),
		.object.symmetric_key = &key };

	make_item(made, 0, KMIP_OPERATION_GET, &payload);
}

/* A key is 32 bytes, not fewer. */
Test(probe_message, reads_get)
{
	const struct probe_request get = { .operation = KMIP_OPERATION_GET,
		.uid = slice_text("a-key") };
	struct made made;
	struct probe_answer answer;

	make_got(&made, 32);
	cr_assert_eq(judge(&answer, &get, &made), ERR_OK, "%s", answer.text);
	cr_assert_eq(answer.key.len, 32);
	cr_assert_eq(answer.key.data[2], 3);
	make_got(&made, 16);
	cr_assert_eq(judge(&answer, &get, &made), ERR_MESSAGE);
}

Test(probe_message, reads_state)
{
	const struct probe_request request = { .operation = KMIP_OPERATION_GET_ATTRIBUTES,
		.uid = slice_text("a-key"),
		.attribute = "State" };
	struct kmip_attribute attribute = { .name = slice_text("State"),
		.value = kmip_value_enum(KMIP_STATE_ACTIVE) };
	struct kmip_get_attributes_response payload = { .unique_identifier = slice_text("a-key") };
	struct made made;
	struct probe_answer answer;

	payload.attributes.items = &attribute;
	payload.attributes.count = 1;
	make_item(&made, 0, KMIP_OPERATION_GET_ATTRIBUTES, &payload);
	cr_assert_eq(judge(&answer, &request, &made), ERR_OK, "%s", answer.text);
	cr_assert_eq(answer.state, KMIP_STATE_ACTIVE);
	cr_assert_eq(answer.attribute_count, 1);
}

/* Of a batch the items after a failing one are left out; without a failure none may be. */
Test(probe_message, batches)
{
	const struct probe_request request = { .operation = KMIP_OPERATION_ADD_ATTRIBUTE,
		.uid = slice_text("a-key"),
		.tags = tags,
		.tag_count = 3 };
	struct kmip_attribute attribute = { .name = slice_text("x-Vendor"),
		.value = kmip_value_text(slice_text("VMware, Inc.")) };
	const struct kmip_add_attribute_response payload = {
		.unique_identifier = slice_text("a-key"), .attribute = &attribute
	};
	struct made made;
	struct probe_answer answer;

	make_item(&made, 0, KMIP_OPERATION_ADD_ATTRIBUTE, &payload);
	make_item(&made, 1, KMIP_OPERATION_ADD_ATTRIBUTE, &payload);
	cr_assert_eq(judge(&answer, &request, &made), ERR_MESSAGE);
	kmip_result_fill(&made.items[1], ERR_READ_ONLY, KMIP_1_1);
	made.items[1].payload = SLICE_EMPTY;
	cr_assert_eq(judge(&answer, &request, &made), ERR_OK, "%s", answer.text);
	cr_assert_neq(answer.err, ERR_OK);
	make_item(&made, 1, KMIP_OPERATION_ADD_ATTRIBUTE, &payload);
	make_item(&made, 2, KMIP_OPERATION_ADD_ATTRIBUTE, &payload);
	cr_assert_eq(judge(&answer, &request, &made), ERR_OK, "%s", answer.text);
	cr_assert_eq(answer.attribute_count, 3);
}
