/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random requests of every operation and version, made from the tables of fields: right in form,
 * with values that make sense more often than not. Nothing crashes or leaks (this runs under
 * AddressSanitizer, too); every answer is well formed, holds no field that its version does not
 * have (their order is tests/conformance/orders.py's), each failure has a reason that the version
 * knows, and none is called our own trouble. Prints a seed; RANDOM_SEED=n asks the same again.
 */
#include "kmip/operations.h"
#include "kmip/ttlv_write.h"
#include "random.h"
#include "served.h"

enum {
	REQUESTS = 1000,
	POOL = 24, /* objects that later requests name */
	PAYLOAD_LEN_MAX = 1 << 16,
	REPEATS_MAX = 3,
	DEPTH_MAX = 8,
	SOON = 4102444800 /* 2100 */
};

static char pool[POOL][UUID_TEXT_LEN + 1];
static size_t pooled;
static uint32_t asked; /* the operation */
static enum kmip_version version;

/* ---- values ---- */

/* Pairs of DSA keys are left out: making them takes seconds. */
static uint32_t draw_algorithm(void)
{
	static const uint32_t all[] = { KMIP_CRYPTOGRAPHIC_ALGORITHM_AES,
		KMIP_CRYPTOGRAPHIC_ALGORITHM_AES, KMIP_CRYPTOGRAPHIC_ALGORITHM_3DES,
		KMIP_CRYPTOGRAPHIC_ALGORITHM_CAMELLIA, KMIP_CRYPTOGRAPHIC_ALGORITHM_CHACHA20,
		KMIP_CRYPTOGRAPHIC_ALGORITHM_HMAC_SHA256, KMIP_CRYPTOGRAPHIC_ALGORITHM_RC4,
		KMIP_CRYPTOGRAPHIC_ALGORITHM_ECDSA, KMIP_CRYPTOGRAPHIC_ALGORITHM_ECDH,
		KMIP_CRYPTOGRAPHIC_ALGORITHM_RSA };

	return DRAW(all);
}

static uint32_t draw_enum(uint32_t tag, enum kmip_set set)
{
	if (tag == KMIP_TAG_CRYPTOGRAPHIC_ALGORITHM)
		return draw_algorithm();
	if (tag == KMIP_TAG_OBJECT_TYPE && perhaps(60))
		return KMIP_OBJECT_TYPE_SYMMETRIC_KEY;
	if (perhaps(3))
		return draw(200);
	for (unsigned tries = 0; tries < 200; tries++) {
		uint32_t number = 1 + draw(48);

		if (set != KMIP_SET_NONE && kmip_enum_is_known(set, number, version))
			return number;
	}
	return 1;
}

static int32_t draw_integer(uint32_t tag)
{
	static const int32_t lengths[] = { 128, 192, 256, 168, 112, 160, 384, 521, 1024, 0, -1, 7 };
	static const int32_t small[] = { 0, 1, 2, 3, 5, 12, 16, 100, -1 };

	if (tag == KMIP_TAG_CRYPTOGRAPHIC_LENGTH)
		return DRAW(lengths);
	if (tag == KMIP_TAG_CRYPTOGRAPHIC_USAGE_MASK)
		return perhaps(70) ? 0xFFFFF : (int32_t) draw(1 << 20);
	return DRAW(small);
}

static int64_t draw_date(void)
{
	return perhaps(50) ? (int64_t) draw(1000) : SOON + (int64_t) draw(1000);
}

static const char *draw_uid(void)
{
	static const char *const strangers[] = { "", "no-uuid",
		"11111111-2222-4333-8444-555555555555" };

	return pooled > 0 && perhaps(95) ? pool[draw((uint32_t) pooled)] : DRAW(strangers);
}

static struct slice draw_text(uint32_t tag)
{
	static const char *const texts[] = { "a", "b", "default", "x-tag", "some longer text", "" };

	if (tag == KMIP_TAG_UNIQUE_IDENTIFIER || tag == KMIP_TAG_LINKED_OBJECT_IDENTIFIER)
		return slice_text(draw_uid());
	if (tag == KMIP_TAG_ATTRIBUTE_NAME)
		return perhaps(90)
			       ? slice_text(kmip_attribute_row(draw(KMIP_ATTRIBUTE_COUNT))->name)
			       : slice_text(DRAW(texts));
	return slice_text(DRAW(texts));
}

static struct slice draw_bytes(enum kmip_type type)
{
	static const uint8_t bytes[64] = { 3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8,
		4 };
	static const size_t lengths[] = { 16, 16, 16, 24, 32, 12, 8, 20, 64, 1, 0 };
	size_t len = type == KMIP_TYPE_BIG_INTEGER ? 8 : DRAW(lengths);

	return slice_of(bytes, len);
}

/* ---- structures ---- */

static void write_struct(struct buf *out, const struct kmip_struct *table, unsigned depth);

static void write_plain(struct buf *out, uint32_t tag, enum kmip_type type, enum kmip_set set)
{
	enum err err = ERR_OK;

	switch (type) {
	case KMIP_TYPE_INTEGER:
		err = ttlv_write_integer(out, tag, draw_integer(tag));
		break;
	case KMIP_TYPE_LONG_INTEGER:
		err = ttlv_write_i64(out, tag, type, (int64_t) draw(1000) - 1);
		break;
	case KMIP_TYPE_DATE_TIME:
		err = ttlv_write_i64(out, tag, type, draw_date());
		break;
	case KMIP_TYPE_ENUMERATION:
		err = ttlv_write_u32(out, tag, type, draw_enum(tag, set));
		break;
	case KMIP_TYPE_INTERVAL:
		err = ttlv_write_u32(out, tag, type, draw(10000));
		break;
	case KMIP_TYPE_BOOLEAN:
		err = ttlv_write_boolean(out, tag, perhaps(50));
		break;
	case KMIP_TYPE_TEXT_STRING:
		err = ttlv_write_bytes(out, tag, type, draw_text(tag));
		break;
	case KMIP_TYPE_BYTE_STRING:
	case KMIP_TYPE_BIG_INTEGER:
		err = ttlv_write_bytes(out, tag, type, draw_bytes(type));
		break;
	default:
		break;
	}
	cr_assert_eq(err, ERR_OK);
}

static void write_nested(
	struct buf *out, uint32_t tag, const struct kmip_struct *table, unsigned depth)
{
	size_t start;

	cr_assert_eq(ttlv_write_begin(out, tag, &start), ERR_OK);
	if (table != NULL)
		write_struct(out, table, depth + 1);
	ttlv_write_end(out, start);
}

/* An attribute whose value is of its own type, more often than not. */
static void write_attribute(struct buf *out, unsigned depth)
{
	const struct kmip_attribute_row *row = kmip_attribute_row(draw(KMIP_ATTRIBUTE_COUNT));
	bool is_custom = row->type == KMIP_TYPE_ANY;
	struct slice name = slice_text(is_custom ? "x-random" : row->name);
	enum kmip_type type = is_custom || perhaps(3) ? KMIP_TYPE_TEXT_STRING : row->type;
	size_t start;

	cr_assert_eq(ttlv_write_begin(out, KMIP_TAG_ATTRIBUTE, &start), ERR_OK);
	cr_assert_eq(ttlv_write_bytes(out, KMIP_TAG_ATTRIBUTE_NAME, KMIP_TYPE_TEXT_STRING, name),
		ERR_OK);
	if (perhaps(10))
		cr_assert_eq(ttlv_write_integer(out, KMIP_TAG_ATTRIBUTE_INDEX, (int32_t) draw(3)),
			ERR_OK);
	if (type == KMIP_TYPE_STRUCTURE)
		write_nested(out, KMIP_TAG_ATTRIBUTE_VALUE, row->structure, depth);
	else if (row->tag == KMIP_TAG_CRYPTOGRAPHIC_LENGTH ||
		 row->tag == KMIP_TAG_CRYPTOGRAPHIC_USAGE_MASK)
		cr_assert_eq(
			ttlv_write_integer(out, KMIP_TAG_ATTRIBUTE_VALUE, draw_integer(row->tag)),
			ERR_OK);
	else if (type == KMIP_TYPE_ENUMERATION)
		cr_assert_eq(ttlv_write_u32(out, KMIP_TAG_ATTRIBUTE_VALUE, type,
				     draw_enum(row->tag, row->set)),
			ERR_OK);
	else
		write_plain(out, KMIP_TAG_ATTRIBUTE_VALUE, type, KMIP_SET_NONE);
	ttlv_write_end(out, start);
}

/* What makes something needs these to succeed. */
static void write_usual_attributes(struct buf *out)
{
	const struct {
		const char *name;
		struct kmip_value value;
	} usual[] = {
		{ "Cryptographic Algorithm", kmip_value_enum(draw_algorithm()) },
		{ "Cryptographic Length",
			kmip_value_integer(draw_integer(KMIP_TAG_CRYPTOGRAPHIC_LENGTH)) },
		{ "Cryptographic Usage Mask", kmip_value_integer(0xFFFFF) },
		{ "Activation Date", kmip_value_date(draw_date()) },
	};

	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
		size_t start;

		if (perhaps(10))
			continue;
		cr_assert_eq(ttlv_write_begin(out, KMIP_TAG_ATTRIBUTE, &start), ERR_OK);
		cr_assert_eq(ttlv_write_bytes(out, KMIP_TAG_ATTRIBUTE_NAME, KMIP_TYPE_TEXT_STRING,
				     slice_text(usual[i].name)),
			ERR_OK);
		if (usual[i].value.type == KMIP_TYPE_ENUMERATION)
			cr_assert_eq(ttlv_write_u32(out, KMIP_TAG_ATTRIBUTE_VALUE,
					     KMIP_TYPE_ENUMERATION, usual[i].value.u32),
				ERR_OK);
		else if (usual[i].value.type == KMIP_TYPE_INTEGER)
			cr_assert_eq(ttlv_write_integer(
					     out, KMIP_TAG_ATTRIBUTE_VALUE, usual[i].value.integer),
				ERR_OK);
		else
			cr_assert_eq(ttlv_write_i64(out, KMIP_TAG_ATTRIBUTE_VALUE,
					     KMIP_TYPE_DATE_TIME, usual[i].value.i64),
				ERR_OK);
		ttlv_write_end(out, start);
	}
}

static void write_field(struct buf *out, const struct kmip_field *field, unsigned depth)
{
	if (field->tag == KMIP_TAG_ATTRIBUTE && field->type == KMIP_TYPE_STRUCTURE)
		write_attribute(out, depth);
	else if (field->type == KMIP_TYPE_STRUCTURE)
		write_nested(out, field->tag, field->child, depth);
	else
		write_plain(out, field->tag, field->type, field->set);
}

static uint32_t chance_of(const struct kmip_field *field, unsigned depth)
{
	if (field->presence == KMIP_REQUIRED)
		return 98;
	if (field->tag == KMIP_TAG_UNIQUE_IDENTIFIER)
		return 92;
	if (field->tag == KMIP_TAG_SYMMETRIC_KEY || field->tag == KMIP_TAG_TEMPLATE_ATTRIBUTE ||
		field->tag == KMIP_TAG_DATA || field->tag == KMIP_TAG_KEY_VALUE)
		return 70;
	return depth >= DEPTH_MAX ? 0 : 20;
}

static void write_struct(struct buf *out, const struct kmip_struct *table, unsigned depth)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct kmip_field *field = &table->fields[i];
		unsigned times = field->is_repeated ? 1 + draw(REPEATS_MAX) : 1;

		if (field->since > version || field->until < version ||
			field->type == KMIP_TYPE_ANY)
			continue;
		if (field->tag == KMIP_TAG_ATTRIBUTE && depth == 1)
			write_usual_attributes(out);
		if (!perhaps(chance_of(field, depth)))
			continue;
		for (unsigned n = 0; n < times; n++)
			write_field(out, field, depth);
	}
}

/* ---- asking ---- */

static struct slice draw_payload(struct served *served, const struct kmip_struct *table)
{
	struct slice payload;
	struct buf buf;

	buf_init(&buf, PAYLOAD_LEN_MAX);
	write_struct(&buf, table, 0);
	payload = arena_copy(served->arena, buf_slice(&buf));
	buf_free(&buf);
	return payload;
}

static struct slice draw_frame(struct served *served, size_t count, uint32_t *operations)
{
	struct kmip_protocol_version said = kmip_protocol_version(version);
	struct kmip_request_header header = { .version = &said,
		.batch_count = KMIP_INT((int32_t) count) };
	struct kmip_request_item items[4] = { 0 };
	struct slice frame;
	struct buf buf;

	if (perhaps(60))
		header.batch_error_option = KMIP_UINT(
			perhaps(20) ? KMIP_BATCH_ERROR_CONTINUATION_OPTION_UNDO : 1 + draw(2));
	if (perhaps(20))
		header.response_len_max = KMIP_INT((int32_t) draw(2000));
	for (size_t i = 0; i < count; i++) {
		const struct operation *operation = NULL;
		size_t rows = 0;

		while (operation_at(rows) != NULL)
			rows++;
		while (operation == NULL || operation->since > version)
			operation = operation_at(draw((uint32_t) rows));
		asked = operations[i] = operation->code;
		items[i].operation = KMIP_UINT(operation->code);
		items[i].id = slice_of("id", 2);
		items[i].payload = draw_payload(served, operation->request);
	}
	buf_init(&buf, KMIP_FRAME_LEN_MAX);
	cr_assert_eq(kmip_request_encode(&buf, &header, items), ERR_OK);
	frame = arena_copy(served->arena, buf_slice(&buf));
	buf_free(&buf);
	return frame;
}

static void take_uid(const char *uid)
{
	size_t at = pooled < POOL ? pooled++ : draw(POOL);

	cr_assert_eq(text_copy(pool[at], sizeof(pool[at]), slice_text(uid)), ERR_OK);
}

static void judge_success(
	struct served *served, const struct kmip_response_item *item, uint32_t operation)
{
	const struct kmip_operation_row *row = kmip_operation_find(operation, version);
	struct codec codec = { .arena = served->arena, .version = version };
	struct slice again;
	void *payload;

	cr_assert_eq(kmip_payload_decode(&payload, &codec, row->response, item->payload), ERR_OK,
		"%s", kmip_operation_name(operation));
	/* A field that the version does not have is passed over, and missing here. */
	cr_assert_eq(kmip_payload_encode(&again, &codec, row->response, payload), ERR_OK);
	assert_bytes(again, item->payload);
	if (operation == KMIP_OPERATION_CREATE)
		take_uid(arena_text(served->arena,
			((struct kmip_create_response *) payload)->unique_identifier));
	if (operation == KMIP_OPERATION_REGISTER)
		take_uid(arena_text(served->arena,
			((struct kmip_register_response *) payload)->unique_identifier));
	if (operation == KMIP_OPERATION_CREATE_KEY_PAIR) {
		struct kmip_create_key_pair_response *pair = payload;

		take_uid(arena_text(served->arena, pair->private_key_unique_identifier));
		take_uid(arena_text(served->arena, pair->public_key_unique_identifier));
	}
}

static void judge_failure(
	struct served *served, const struct kmip_response_item *item, uint32_t operation)
{
	char *said = arena_text(served->arena, item->message);

	cr_assert_eq(item->status.value, KMIP_RESULT_STATUS_OPERATION_FAILED);
	cr_assert(item->reason.has && item->payload.data == NULL);
	cr_assert(kmip_enum_is_known(KMIP_SET_RESULT_REASON, item->reason.value, version),
		"%s: reason %u", kmip_operation_name(operation), item->reason.value);
	cr_assert_gt(item->message.len, 0);
	cr_assert_str_neq(
		said, "The server cannot do this now", "%s", kmip_operation_name(operation));
}

static size_t ask(struct served *served)
{
	size_t count = perhaps(80) ? 1 : 1 + draw(4), good = 0;
	uint32_t operations[4];
	struct slice frame = draw_frame(served, count, operations);
	struct kmip_response response;

	served_send(served, frame);
	cr_assert_not(served->is_closed);
	cr_assert_eq(kmip_response_decode(&response, served->arena, served->answer), ERR_OK);
	cr_assert_eq(response.version, version);
	cr_assert_leq(response.count, count);
	for (size_t i = 0; i < response.count; i++) {
		const struct kmip_response_item *item = &response.items[i];

		if (!item->operation.has) { /* the message as a whole */
			cr_assert_eq(response.count, 1);
			judge_failure(served, item, 0);
			continue;
		}
		cr_assert_eq(item->operation.value, operations[i]);
		cr_assert(slice_equal_text(item->id, "id"));
		if (item->status.value == KMIP_RESULT_STATUS_OPERATION_UNDONE) {
			cr_assert(!item->reason.has && item->payload.data == NULL);
		} else if (item->status.value == KMIP_RESULT_STATUS_SUCCESS) {
			judge_success(served, item, operations[i]);
			good++;
		} else {
			judge_failure(served, item, operations[i]);
		}
	}
	return good;
}

Test(random_requests, are_answered_in_form)
{
	static const enum kmip_version versions[] = { KMIP_1_0, KMIP_1_1, KMIP_1_2, KMIP_1_3,
		KMIP_1_4, KMIP_1_4, KMIP_1_4 };
	struct served served = { 0 };
	size_t good = 0;

	random_start();
	served_start(&served, false);
	for (size_t i = 0; i < REQUESTS; i++) {
		arena_free(served.arena);
		served.arena = test_arena();
		served.record_count = 0;
		version = DRAW(versions);
		good += ask(&served);
	}
	printf("%zu of %d requests succeeded\n", good, REQUESTS);
	/* Else nothing much was shown. */
	cr_assert_gt(good, REQUESTS / 20);
	served_stop(&served);
}
