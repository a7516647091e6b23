/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include "hex.h"
#include "kmip/message.h"
#include "kmip/result.h"

/* MSGENC-HTTPS-M-1 of the KMIP 1.3 profiles: Query with a small Maximum Response Size. */
#define QUERY \
	"42007801 00000090 42007701 00000048" \
	"42006901 00000020 42006A02 00000004 0000000100000000 42006B02 00000004 0000000300000000" \
	"42005002 00000004 0000010000000000 42000D02 00000004 0000000100000000" \
	"42000F01 00000038 42005C05 00000004 0000001800000000" \
	"42007901 00000020 42007405 00000004 0000000100000000 42007405 00000004 0000000200000000"
/* Its refusal. */
#define REFUSAL \
	"42007B01 000000A0 42007A01 00000048" \
	"42006901 00000020 42006A02 00000004 0000000100000000 42006B02 00000004 0000000300000000" \
	"42009209 00000008 00000000568A5BE2 42000D02 00000004 0000000100000000" \
	"42000F01 00000048 42005C05 00000004 0000001800000000" \
	"42007F05 00000004 0000000100000000 42007E05 00000004 0000000200000000" \
	"42007D07 00000009 544F4F5F4C41524745 00000000000000"

/* A request of the version with these items; header 48 bytes of children and `extra` ones. */
static struct slice request_of(
	struct arena *arena, enum kmip_version version, int32_t count, const char *items)
{
	struct slice body = hex(arena, items);
	struct buf *buf = ARENA_NEW(arena, struct buf);
	struct kmip_protocol_version protocol = kmip_protocol_version(version);
	struct kmip_request_header header = { .version = &protocol,
		.batch_count = KMIP_INT(count) };

	buf_init(buf, 65536);
	cr_assert_eq(buf_append_be32(buf, 0x42007801), ERR_OK);
	cr_assert_eq(buf_append_be32(buf, 0), ERR_OK);
	cr_assert_eq(codec_encode_structure(buf, version, KMIP_TAG_REQUEST_HEADER,
			     &kmip_request_header_table, &header),
		ERR_OK);
	cr_assert_eq(buf_append(buf, body), ERR_OK);
	buf_patch_be32(buf, 4, (uint32_t) buf_slice(buf).len - 8);
	struct slice frame = arena_copy(arena, buf_slice(buf));
	buf_free(buf);
	return frame;
}

#define QUERY_ITEM "42000F01 00000018 42005C05 00000004 0000001800000000 42007901 00000000"
#define QUERY_ITEM_ID \
	"42000F01 00000028 42005C05 00000004 0000001800000000" \
	"42009308 00000001 3100000000000000 42007901 00000000"

/* The published request is understood, and comes out byte for byte when written again. */
Test(message, request_round_trip)
{
	struct arena *arena = test_arena();
	struct slice frame = hex(arena, QUERY);
	struct kmip_request request;
	struct buf buf;

	cr_assert_eq(kmip_request_decode(&request, arena, frame), ERR_OK);
	cr_assert_eq(request.version, KMIP_1_3);
	cr_assert_eq(request.header.response_len_max.value, 256);
	cr_assert_not(request.header.time_stamp.has);
	cr_assert_eq(request.count, 1);
	cr_assert_eq(request.entries[0].err, ERR_OK);
	cr_assert_eq(request.entries[0].item.operation.value, KMIP_OPERATION_QUERY);

	struct codec codec = { .arena = arena, .version = request.version };
	void *payload;
	cr_assert_eq(kmip_payload_decode(&payload, &codec, &kmip_query_request_table,
			     request.entries[0].item.payload),
		ERR_OK);
	struct kmip_query_request *query = payload;
	cr_assert_eq(query->functions.count, 2);
	cr_assert_eq(query->functions.items[1], KMIP_QUERY_FUNCTION_OBJECTS);

	buf_init(&buf, 4096);
	cr_assert_eq(kmip_payload_encode(&request.entries[0].item.payload, &codec,
			     &kmip_query_request_table, query),
		ERR_OK);
	cr_assert_eq(kmip_request_encode(&buf, &request.header, &request.entries[0].item), ERR_OK);
	assert_bytes(buf_slice(&buf), frame);
	buf_free(&buf);
	arena_free(arena);
}

/* The published refusal, made from our own error. */
Test(message, response_round_trip)
{
	struct arena *arena = test_arena();
	struct slice frame = hex(arena, REFUSAL);
	struct kmip_response response;
	struct kmip_protocol_version version = kmip_protocol_version(KMIP_1_3);
	struct kmip_response_header header = {
		.version = &version, .time_stamp = KMIP_LONG(0x568A5BE2), .batch_count = KMIP_INT(1)
	};
	struct kmip_response_item item = { .operation = KMIP_UINT(KMIP_OPERATION_QUERY) };
	struct buf buf;

	kmip_result_fill(&item, ERR_TOO_LARGE, KMIP_1_3);
	item.message = SLICE_LITERAL("TOO_LARGE");
	buf_init(&buf, 4096);
	cr_assert_eq(kmip_response_encode(&buf, &header, &item), ERR_OK);
	assert_bytes(buf_slice(&buf), frame);

	cr_assert_eq(kmip_response_decode(&response, arena, frame), ERR_OK);
	cr_assert_eq(response.count, 1);
	cr_assert_eq(
		kmip_result_err(response.items[0].status.value, response.items[0].reason.value),
		ERR_TOO_LARGE);
	buf_free(&buf);
	arena_free(arena);
}

/* A response names the operation even when its version does not have it. */
Test(message, operation_is_echoed_in_any_version)
{
	struct arena *arena = test_arena();
	struct kmip_protocol_version version = kmip_protocol_version(KMIP_1_0);
	struct kmip_response_header header = {
		.version = &version, .time_stamp = KMIP_LONG(1), .batch_count = KMIP_INT(1)
	};
	struct kmip_response_item item = { .operation = KMIP_UINT(0x99) };
	struct kmip_response response;
	struct buf buf;

	kmip_result_fill(&item, ERR_OPERATION, KMIP_1_0);
	buf_init(&buf, 4096);
	cr_assert_eq(kmip_response_encode(&buf, &header, &item), ERR_OK);
	cr_assert_eq(kmip_response_decode(&response, arena, buf_slice(&buf)), ERR_OK);
	cr_assert(response.items[0].operation.has);
	cr_assert_eq(response.items[0].operation.value, 0x99);
	buf_free(&buf);
	arena_free(arena);
}

/* The header's count must be right. */
Test(message, batch_is_checked)
{
	struct arena *arena = test_arena();
	struct kmip_request request;

	cr_assert_eq(
		kmip_request_decode(&request, arena, request_of(arena, KMIP_1_1, 1, QUERY_ITEM)),
		ERR_OK);
	cr_assert_eq(
		kmip_request_decode(&request, arena, request_of(arena, KMIP_1_1, 2, QUERY_ITEM)),
		ERR_MESSAGE);
	cr_assert_eq(request.version, KMIP_1_1);
	cr_assert_eq(kmip_request_decode(&request, arena, request_of(arena, KMIP_1_1, 0, "")),
		ERR_MESSAGE);
	cr_assert_eq(kmip_request_decode(&request, arena, request_of(arena, KMIP_1_1, -1, "")),
		ERR_MESSAGE);
	arena_free(arena);
}

/* Several items have ids, each its own; 1.0 and 1.1 leave them to the client. The fourth row is of
 * a minor version that is to come. */
Test(message, ids)
{
	static const struct {
		enum kmip_version version;
		enum err without;
	} rows[] = { { KMIP_1_0, ERR_OK }, { KMIP_1_1, ERR_OK }, { KMIP_1_2, ERR_MESSAGE },
		{ (enum kmip_version) KMIP_VERSION(1, 9), ERR_MESSAGE } };
	struct arena *arena = test_arena();
	struct kmip_request request;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum kmip_version version = rows[i].version;

		cr_assert_eq(kmip_request_decode(&request, arena,
				     request_of(arena, version, 2, QUERY_ITEM QUERY_ITEM)),
			rows[i].without);
		cr_assert_eq(kmip_request_decode(&request, arena,
				     request_of(arena, version, 2, QUERY_ITEM_ID QUERY_ITEM)),
			rows[i].without);
		cr_assert_eq(kmip_request_decode(&request, arena,
				     request_of(arena, version, 2, QUERY_ITEM_ID QUERY_ITEM_ID)),
			ERR_OK);
		cr_assert_eq(kmip_request_decode(
				     &request, arena, request_of(arena, version, 1, QUERY_ITEM)),
			ERR_OK);
	}
	arena_free(arena);
}

/* Behind a field that nobody knows, and out of their order: the answer has operation and id. */
Test(message, broken_item_is_named)
{
	static const char *const items[] = {
		"42000F01 00000038 42005C05 00000004 0000001800000000"
		"54000102 00000004 0000000100000000"
		"42009308 00000001 3200000000000000 42007901 00000000",
		"42000F01 00000028 42009308 00000001 3200000000000000"
		"42005C05 00000004 0000001800000000 42007901 00000000",
		"42000F01 00000028 42005C05 00000004 0000001800000000 42007901 00000000"
		"42009308 00000001 3200000000000000",
	};
	static const enum err errs[] = { ERR_FIELD, ERR_MESSAGE, ERR_MESSAGE };
	struct arena *arena = test_arena();
	struct kmip_request request;

	for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
		cr_assert_eq(kmip_request_decode(
				     &request, arena, request_of(arena, KMIP_1_4, 1, items[i])),
			ERR_OK);
		cr_assert_eq(request.entries[0].err, errs[i]);
		cr_assert_eq(request.entries[0].item.operation.value, KMIP_OPERATION_QUERY);
		cr_assert(slice_equal_text(request.entries[0].item.id, "2"));
	}
	arena_free(arena);
}

/* What is wrong within an item stays there, and operation and id are known nevertheless. */
Test(message, broken_item_fails_alone)
{
	struct arena *arena = test_arena();
	struct kmip_request request;
	/* The second item's payload holds a Boolean 2; the third has no payload; the fourth an
	 * unknown operation. */
	struct slice frame = request_of(arena, KMIP_1_4, 4,
		QUERY_ITEM_ID "42000F01 00000038 42005C05 00000004 0000001800000000"
			      "42009308 00000001 3200000000000000"
			      "42007901 00000010 42007406 00000008 0000000000000002"
			      "42000F01 00000020 42005C05 00000004 0000000A00000000"
			      "42009308 00000001 3300000000000000"
			      "42000F01 00000028 42005C05 00000004 0000009900000000"
			      "42009308 00000001 3400000000000000 42007901 00000000");
	struct codec codec = { .arena = arena, .version = KMIP_1_4 };
	void *payload;

	cr_assert_eq(kmip_request_decode(&request, arena, frame), ERR_OK);
	cr_assert_eq(request.entries[0].err, ERR_OK);
	cr_assert_eq(request.entries[1].err, ERR_OK);
	cr_assert(slice_equal_text(request.entries[1].item.id, "2"));
	cr_assert_eq(kmip_payload_decode(&payload, &codec, &kmip_query_request_table,
			     request.entries[1].item.payload),
		ERR_MESSAGE);
	cr_assert_eq(request.entries[2].err, ERR_MESSAGE);
	cr_assert_eq(request.entries[2].item.operation.value, KMIP_OPERATION_GET);
	cr_assert(slice_equal_text(request.entries[2].item.id, "3"));
	cr_assert_eq(request.entries[3].err, ERR_OK);
	cr_assert_eq(kmip_operation_find(request.entries[3].item.operation.value, KMIP_1_4), NULL);
	arena_free(arena);
}

/* Other major versions are refused with our newest; newer minors are read as our newest. */
Test(message, versions)
{
	struct arena *arena = test_arena();
	struct kmip_request request;

	cr_assert_eq(
		kmip_request_decode(&request, arena, request_of(arena, KMIP_2_1, 1, QUERY_ITEM)),
		ERR_VERSION);
	cr_assert_eq(request.version, KMIP_NEWEST);
	cr_assert_eq(
		kmip_request_decode(&request, arena,
			request_of(arena, (enum kmip_version) KMIP_VERSION(1, 9), 1, QUERY_ITEM)),
		ERR_OK);
	cr_assert_eq(request.version, KMIP_NEWEST);
	for (int minor = 0; minor <= 4; minor++) {
		enum kmip_version version = (enum kmip_version) KMIP_VERSION(1, minor);

		cr_assert_eq(kmip_request_decode(
				     &request, arena, request_of(arena, version, 1, QUERY_ITEM)),
			ERR_OK);
		cr_assert_eq(request.version, version);
	}
	arena_free(arena);
}

/* A request whose Protocol Version is this. */
static struct slice request_saying(struct arena *arena, const char *version)
{
	char text[512];

	cr_assert_lt(snprintf(text, sizeof(text),
			     "%s 42000D02 00000004 0000000100000000" QUERY_ITEM, version),
		(int) sizeof(text));
	struct slice body = hex(arena, text);
	size_t header_len = body.len - hex(arena, QUERY_ITEM).len;
	struct buf buf;

	buf_init(&buf, 1024);
	cr_assert_eq(buf_append_be32(&buf, 0x42007801), ERR_OK);
	cr_assert_eq(buf_append_be32(&buf, (uint32_t) body.len + 8), ERR_OK);
	cr_assert_eq(buf_append_be32(&buf, 0x42007701), ERR_OK);
	cr_assert_eq(buf_append_be32(&buf, (uint32_t) header_len), ERR_OK);
	cr_assert_eq(buf_append(&buf, body), ERR_OK);
	struct slice frame = arena_copy(arena, buf_slice(&buf));
	buf_free(&buf);
	return frame;
}

/* Minor versions far ahead are newer ones, too; below nothing there are none. What a Protocol
 * Version holds beside its numbers is passed over but in the version that we know best. */
Test(message, odd_versions)
{
#define MAJOR_ONE "42006A02 00000004 0000000100000000"
	static const struct {
		const char *version;
		enum err err;
		enum kmip_version answered;
	} rows[] = {
		{ "42006901 00000020" MAJOR_ONE "42006B02 00000004 0000012C00000000", ERR_OK,
			KMIP_NEWEST },
		{ "42006901 00000020" MAJOR_ONE "42006B02 00000004 7FFFFFFF00000000", ERR_OK,
			KMIP_NEWEST },
		{ "42006901 00000020" MAJOR_ONE "42006B02 00000004 FFFFFFFF00000000", ERR_VERSION,
			KMIP_NEWEST },
		{ "42006901 00000030" MAJOR_ONE "42006B02 00000004 0000000000000000"
		  "54000102 00000004 0000000100000000",
			ERR_OK, KMIP_1_0 },
		{ "42006901 00000030" MAJOR_ONE "42006B02 00000004 0000000400000000"
		  "54000102 00000004 0000000100000000",
			ERR_FIELD, KMIP_1_4 },
		{ "42006901 00000010" MAJOR_ONE, ERR_MESSAGE, KMIP_NEWEST },
	};
#undef MAJOR_ONE
	struct arena *arena = test_arena();
	struct kmip_request request;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_eq(kmip_request_decode(
				     &request, arena, request_saying(arena, rows[i].version)),
			rows[i].err, "row %zu", i);
		cr_assert_eq(request.version, rows[i].answered, "row %zu", i);
	}
	arena_free(arena);
}

/* TC_71 and TC_72: a critical message extension fails its item, another is ignored. */
Test(message, extensions)
{
	static const char *const items[] = {
		"42000F01 00000058 42005C05 00000004 0000001800000000 42007901 00000000"
		"42005101 00000038 42009D07 00000004 41434D4500000000"
		"42002606 00000008 0000000000000000 42009C01 00000010"
		"54000102 00000004 0000000100000000",
		"42000F01 00000058 42005C05 00000004 0000001800000000 42007901 00000000"
		"42005101 00000038 42009D07 00000004 41434D4500000000"
		"42002606 00000008 0000000000000001 42009C01 00000010"
		"54000102 00000004 0000000100000000"
	};
	struct arena *arena = test_arena();
	struct kmip_request request;

	cr_assert_eq(kmip_request_decode(&request, arena, request_of(arena, KMIP_1_1, 1, items[0])),
		ERR_OK);
	cr_assert_eq(request.entries[0].err, ERR_OK);
	cr_assert_eq(kmip_request_decode(&request, arena, request_of(arena, KMIP_1_1, 1, items[1])),
		ERR_OK);
	cr_assert_eq(request.entries[0].err, ERR_FEATURE);
	arena_free(arena);
}

/* Every truncation of a good message is refused, and none is read beyond its end. */
Test(message, truncations)
{
	struct arena *arena = test_arena();
	struct slice frame = hex(arena, QUERY);
	struct kmip_request request;

	for (size_t len = 0; len < frame.len; len++) {
		struct slice part = arena_copy(arena, slice_cut(frame, 0, len));

		cr_assert_eq(kmip_request_decode(&request, arena, part), ERR_MESSAGE);
	}
	arena_free(arena);
}

/* Operations exist from their version on. */
/* A Locate of everything: longer than any request may be. */
Test(message, long_answer)
{
	enum { KEYS = 30000, ARENA_LEN = 8 << 20 };
	struct kmip_locate_response response = { .unique_identifiers = { .count = KEYS } };
	struct codec codec = { .version = KMIP_1_4 };
	struct slice payload, *uids;

	cr_assert_eq(arena_new(&codec.arena, ARENA_LEN), ERR_OK);
	uids = arena_array(codec.arena, KEYS, sizeof(struct slice));
	cr_assert_not_null(uids);
	response.unique_identifiers.items = uids;
	for (size_t i = 0; i < KEYS; i++)
		uids[i] = slice_text("00000000-0000-4000-8000-000000000000");
	cr_assert_eq(kmip_payload_encode(&payload, &codec, &kmip_locate_response_table, &response),
		ERR_OK);
	cr_assert_gt(payload.len, KMIP_FRAME_LEN_MAX);
	arena_free(codec.arena);
}

Test(message, operations)
{
	cr_assert_eq(kmip_operation_find(KMIP_OPERATION_DISCOVER_VERSIONS, KMIP_1_0), NULL);
	cr_assert_eq(kmip_operation_find(KMIP_OPERATION_DISCOVER_VERSIONS, KMIP_1_1)->request,
		&kmip_discover_versions_request_table);
	cr_assert_eq(kmip_operation_find(KMIP_OPERATION_GET, KMIP_1_0)->response,
		&kmip_get_response_table);
	cr_assert_str_eq(kmip_operation_name(KMIP_OPERATION_GET_ATTRIBUTES), "Get Attributes");
	cr_assert_str_eq(kmip_operation_name(0x1234), "unknown");
}
