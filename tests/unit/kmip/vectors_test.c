/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The published vectors of KMIP 1.x, from the folder that the environment variable KMIP_VECTORS
 * names (tables_check.py makes TTLV of them): every message is decoded, with the payloads of all
 * operations that have rows, and encoded again, and must come out byte for byte.
 */
#include "hex.h"
#include "kmip/message.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINE_MAX_LEN = 1 << 18, FRAMES_MIN = 5000 };

#define CHECK_SCRIPT "python3 " TESTS_DIR "/conformance/tables_check.py"

static enum err payload_again(
	struct codec *codec, const struct kmip_struct *table, struct slice *payload)
{
	enum err err;
	void *object;

	TRY(kmip_payload_decode(&object, codec, table, *payload));
	TRY(kmip_payload_encode(payload, codec, table, object));
out:
	return err;
}

static enum err request_again(struct buf *out, struct arena *arena, struct slice frame)
{
	enum err err;
	struct kmip_request request;
	struct kmip_request_item *items;

	TRY(kmip_request_decode(&request, arena, frame));
	struct codec codec = { .arena = arena, .version = request.version };
	items = arena_array(arena, request.count, sizeof(*items));
	for (size_t i = 0; i < request.count; i++) {
		const struct kmip_operation_row *row;

		TRY(request.entries[i].err == ERR_FEATURE ? ERR_OK : request.entries[i].err);
		items[i] = request.entries[i].item;
		row = kmip_operation_find(items[i].operation.value, request.version);
		if (row != NULL)
			TRY(payload_again(&codec, row->request, &items[i].payload));
	}
	TRY(kmip_request_encode(out, &request.header, items));
out:
	return err;
}

static enum err response_again(struct buf *out, struct arena *arena, struct slice frame)
{
	enum err err;
	struct kmip_response response;

	TRY(kmip_response_decode(&response, arena, frame));
	struct codec codec = { .arena = arena, .version = response.version };
	for (size_t i = 0; i < response.count; i++) {
		struct kmip_response_item *item = &response.items[i];
		const struct kmip_operation_row *row =
			kmip_operation_find(item->operation.value, response.version);

		if (row != NULL && item->payload.data != NULL)
			TRY(payload_again(&codec, row->response, &item->payload));
	}
	TRY(kmip_response_encode(out, &response.header, response.items));
out:
	return err;
}

static bool frame_survives(struct arena *arena, struct slice frame)
{
	struct buf buf;
	bool is_request = be32_get(frame.data) >> 8 == KMIP_TAG_REQUEST_MESSAGE;

	buf_init(&buf, KMIP_FRAME_LEN_MAX);
	enum err err =
		is_request ? request_again(&buf, arena, frame) : response_again(&buf, arena, frame);
	bool is_same = err == ERR_OK && slice_equal(buf_slice(&buf), frame);
	if (!is_same)
		cr_log_warn("%s %s: %zu bytes", is_request ? "request" : "response", err_name(err),
			frame.len);
	buf_free(&buf);
	return is_same;
}

static void skip_without_vectors(void)
{
	if (getenv("KMIP_VECTORS") != NULL)
		return;
	fprintf(stderr, "SKIPPED: KMIP_VECTORS is not set, no published vector was tried\n");
	cr_skip_test("KMIP_VECTORS is not set");
}

Test(vectors, survive_decoding_and_encoding)
{
	skip_without_vectors();
	FILE *pipe = popen(CHECK_SCRIPT " --frames", "r");
	char *line = calloc(1, LINE_MAX_LEN);
	size_t count = 0, failed = 0;

	cr_assert(pipe != NULL && line != NULL);
	while (fgets(line, LINE_MAX_LEN, pipe) != NULL) {
		struct arena *arena;

		line[strcspn(line, "\n")] = 0;
		cr_assert_eq(arena_new(&arena, 1 << 22), ERR_OK);
		struct slice frame = hex(arena, line);
		count++;
		failed += frame_survives(arena, frame) ? 0 : 1;
		arena_free(arena);
	}
	free(line);
	cr_assert_eq(pclose(pipe), 0);
	cr_assert_geq(count, FRAMES_MIN);
	cr_assert_eq(failed, 0, "%zu of %zu frames", failed, count);
}

/* Every tag, enumeration value and mask bit of the vectors is in the tables. */
Test(vectors, use_only_known_names)
{
	skip_without_vectors();
	cr_assert_eq(system(CHECK_SCRIPT " >&2"), 0);
}
