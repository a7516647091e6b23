/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a message: nothing is read beyond its end, and what decodes is encoded, decodes
 * again, and is then encoded to the same bytes. All payload tables are tried, also on the bare
 * input. Corpus: ttlv_corpus.py writes one from the vectors; dictionary: ttlv.dict.
 */
#include "kmip/message.h"
#include "kmip/print.h"
#include "kmip/ttlv_read.h"

#include <stdlib.h>

enum { ARENA_MAX = 1 << 24, PRINT_MAX = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* One table: decode, encode, decode, encode; the two encodings are equal. */
static void table_try(struct arena *arena, enum kmip_version version,
	const struct kmip_struct *table, struct slice in)
{
	struct codec codec = { .arena = arena, .version = version };
	struct slice first, second;
	void *object;

	if (kmip_payload_decode(&object, &codec, table, in) != ERR_OK)
		return;
	if (kmip_payload_encode(&first, &codec, table, object) != ERR_OK)
		return;
	/* What a version does not show may leave a structure without a required part. */
	if (kmip_payload_decode(&object, &codec, table, first) != ERR_OK)
		return;
	require(kmip_payload_encode(&second, &codec, table, object) == ERR_OK);
	require(slice_equal(first, second));
}

static void request_try(struct arena *arena, struct slice frame)
{
	struct kmip_request request;

	if (kmip_request_decode(&request, arena, frame) != ERR_OK)
		return;
	for (size_t i = 0; i < request.count; i++) {
		const struct kmip_request_item *item = &request.entries[i].item;
		const struct kmip_operation_row *row =
			kmip_operation_find(item->operation.value, request.version);

		if (request.entries[i].err == ERR_OK && row != NULL)
			table_try(arena, request.version, row->request, item->payload);
	}
}

static void response_try(struct arena *arena, struct slice frame)
{
	struct kmip_response response;
	struct buf buf;

	if (kmip_response_decode(&response, arena, frame) != ERR_OK)
		return;
	buf_init(&buf, KMIP_FRAME_LEN_MAX);
	require(kmip_response_encode(&buf, &response.header, response.items) == ERR_OK);
	buf_free(&buf);
}

static void payloads_try(struct arena *arena, struct slice in)
{
	for (uint32_t code = 1; code <= KMIP_OPERATION_DISCOVER_VERSIONS; code++) {
		const struct kmip_operation_row *row = kmip_operation_find(code, KMIP_1_4);

		if (row == NULL)
			continue;
		table_try(arena, KMIP_1_1, row->request, in);
		table_try(arena, KMIP_1_4, row->response, in);
		arena_reset(arena);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size);
	struct arena *arena;
	struct buf text;

	if (arena_new(&arena, ARENA_MAX) != ERR_OK)
		return 0;
	buf_init(&text, PRINT_MAX);
	kmip_print(&text, in);
	request_try(arena, in);
	response_try(arena, in);
	arena_reset(arena);
	payloads_try(arena, in);
	buf_free(&text);
	arena_free(arena);
	return 0;
}
