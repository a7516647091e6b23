/* SPDX-License-Identifier: Apache-2.0 */
#include "hex.h"
#include "kmip/message.h"
#include "kmip/ttlv_read.h"
#include "kmip/ttlv_write.h"

#define TAG 0x420020

/* The item borrows from the arena. */
static enum err next_of(struct arena *arena, const char *text, struct ttlv_item *item)
{
	struct ttlv_reader reader = ttlv_reader_of(hex(arena, text));

	return ttlv_next(item, &reader);
}

static enum err check_of(const char *text)
{
	struct arena *arena = test_arena();
	enum err err = ttlv_check(hex(arena, text), 0);

	arena_free(arena);
	return err;
}

/* The examples of section 9.1.2, read. */
Test(ttlv, reads_the_examples_of_the_specification)
{
	struct arena *arena = test_arena();
	struct ttlv_item item;

	cr_assert_eq(next_of(arena, "42002002 00000004 0000000800000000", &item), ERR_OK);
	cr_assert_eq(item.tag, TAG);
	cr_assert_eq(ttlv_integer(&item), 8);
	cr_assert_eq(next_of(arena, "42002003 00000008 01B69B4BA5749200", &item), ERR_OK);
	cr_assert_eq(ttlv_long(&item), 123456789000000000);
	cr_assert_eq(next_of(arena, "42002004 00000010 0000000003FD35EB6BC2DF4618080000", &item),
		ERR_OK);
	cr_assert_eq(item.value.len, 16);
	cr_assert_eq(next_of(arena, "42002005 00000004 000000FF00000000", &item), ERR_OK);
	cr_assert_eq(ttlv_u32(&item), 255);
	cr_assert_eq(next_of(arena, "42002006 00000008 0000000000000001", &item), ERR_OK);
	cr_assert(ttlv_boolean(&item));
	cr_assert_eq(next_of(arena, "42002007 0000000B 48656C6C6F20576F726C640000000000", &item),
		ERR_OK);
	cr_assert(slice_equal_text(item.value, "Hello World"));
	cr_assert_eq(item.raw.len, 24);
	cr_assert_eq(next_of(arena, "42002008 00000003 0102030000000000", &item), ERR_OK);
	cr_assert_eq(item.value.len, 3);
	cr_assert_eq(next_of(arena, "42002009 00000008 0000000047DA67F8", &item), ERR_OK);
	cr_assert_eq(ttlv_long(&item), 1205495800);
	cr_assert_eq(next_of(arena, "4200200A 00000004 000D2F0000000000", &item), ERR_OK);
	cr_assert_eq(ttlv_u32(&item), 10 * 86400);
	arena_free(arena);
}

/* The same, written; one after the other into one buf. */
Test(ttlv, writes_the_examples_of_the_specification)
{
	struct arena *arena = test_arena();
	struct buf buf;
	size_t start;

	buf_init(&buf, 4096);
	cr_assert_eq(ttlv_write_integer(&buf, TAG, 8), ERR_OK);
	cr_assert_eq(ttlv_write_i64(&buf, TAG, KMIP_TYPE_LONG_INTEGER, 123456789000000000), ERR_OK);
	cr_assert_eq(ttlv_write_u32(&buf, TAG, KMIP_TYPE_ENUMERATION, 255), ERR_OK);
	cr_assert_eq(ttlv_write_boolean(&buf, TAG, true), ERR_OK);
	cr_assert_eq(
		ttlv_write_bytes(&buf, TAG, KMIP_TYPE_TEXT_STRING, SLICE_LITERAL("Hello World")),
		ERR_OK);
	cr_assert_eq(ttlv_write_bytes(&buf, TAG, KMIP_TYPE_BYTE_STRING, SLICE_LITERAL("\1\2\3")),
		ERR_OK);
	cr_assert_eq(ttlv_write_i64(&buf, TAG, KMIP_TYPE_DATE_TIME, 1205495800), ERR_OK);
	cr_assert_eq(ttlv_write_u32(&buf, TAG, KMIP_TYPE_INTERVAL, 864000), ERR_OK);
	cr_assert_eq(ttlv_write_begin(&buf, TAG, &start), ERR_OK);
	cr_assert_eq(ttlv_write_u32(&buf, 0x420004, KMIP_TYPE_ENUMERATION, 254), ERR_OK);
	cr_assert_eq(ttlv_write_integer(&buf, 0x420005, 255), ERR_OK);
	ttlv_write_end(&buf, start);
	assert_bytes(
		buf_slice(&buf), hex(arena, "42002002 00000004 0000000800000000"
					    "42002003 00000008 01B69B4BA5749200"
					    "42002005 00000004 000000FF00000000"
					    "42002006 00000008 0000000000000001"
					    "42002007 0000000B 48656C6C6F20576F726C640000000000"
					    "42002008 00000003 0102030000000000"
					    "42002009 00000008 0000000047DA67F8"
					    "4200200A 00000004 000D2F0000000000"
					    "42002001 00000020 42000405 00000004 000000FE00000000"
					    "42000502 00000004 000000FF00000000"));
	buf_free(&buf);
	arena_free(arena);
}

/* Every way in which one item can be malformed is told apart from waiting for more. */
Test(ttlv, refuses_malformed_items)
{
	struct arena *arena = test_arena();
	static const struct {
		const char *what, *text;
		enum err err;
	} cases[] = {
		{ "half a head", "420020", ERR_TRUNCATED },
		{ "no value", "42002002 00000004", ERR_TRUNCATED },
		{ "no padding", "42002002 00000004 00000008", ERR_TRUNCATED },
		{ "text without padding", "42002007 00000001 41", ERR_TRUNCATED },
		{ "tag prefix", "43002002 00000004 0000000800000000", ERR_INVALID },
		{ "type 0", "42002000 00000004 0000000800000000", ERR_INVALID },
		{ "type 0C", "4200200C 00000004 0000000800000000", ERR_INVALID },
		{ "type FF", "420020FF 00000004 0000000800000000", ERR_INVALID },
		{ "integer of 8", "42002002 00000008 0000000000000008", ERR_INVALID },
		{ "integer of 0", "42002002 00000000", ERR_INVALID },
		{ "long of 4", "42002003 00000004 0000000800000000", ERR_INVALID },
		{ "enumeration of 5", "42002005 00000005 0000000800000000", ERR_INVALID },
		{ "date of 16", "42002009 00000010 00000000000000000000000000000000", ERR_INVALID },
		{ "boolean 2", "42002006 00000008 0000000000000002", ERR_INVALID },
		{ "boolean high", "42002006 00000008 0100000000000001", ERR_INVALID },
		{ "big of 9", "42002004 00000009 00000000000000000000000000000000", ERR_INVALID },
		{ "big of 0", "42002004 00000000", ERR_INVALID },
		{ "structure of 4", "42002001 00000004 0000000000000000", ERR_INVALID },
		{ "overlong UTF-8", "42002007 00000002 C080000000000000", ERR_FIELD },
		{ "half UTF-8", "42002007 00000001 C300000000000000", ERR_FIELD },
		{ "zero in text", "42002007 00000002 4100000000000000", ERR_FIELD },
		{ "huge text", "42002007 FFFFFFFF 4100000000000000", ERR_TRUNCATED },
		{ "huge bytes", "42002008 FFFFFFF9 4100000000000000", ERR_LIMIT },
		{ "huge structure", "42002001 FFFFFFF8 4100000000000000", ERR_TRUNCATED },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ttlv_item item;

		cr_expect_eq(
			next_of(arena, cases[i].text, &item), cases[i].err, "%s", cases[i].what);
	}
	arena_free(arena);
}

/* Padding may hold anything; extension tags and empty values are fine. */
Test(ttlv, is_lenient_where_the_specification_is_silent)
{
	struct arena *arena = test_arena();
	struct ttlv_item item;

	cr_assert_eq(next_of(arena, "42002002 00000004 00000008FFFFFFFF", &item), ERR_OK);
	cr_assert_eq(next_of(arena, "42002008 00000003 01020399AABBCCDD", &item), ERR_OK);
	cr_assert_eq(item.value.len, 3);
	cr_assert_eq(next_of(arena, "54002002 00000004 0000000800000000", &item), ERR_OK);
	cr_assert_eq(next_of(arena, "42002007 00000000", &item), ERR_OK);
	cr_assert_neq(item.value.data, NULL);
	cr_assert_eq(next_of(arena, "42002001 00000000", &item), ERR_OK);
	arena_free(arena);
}

/* An item must not reach out of its structure, however deep. */
Test(ttlv, checks_the_inside_of_structures)
{
	cr_assert_eq(check_of("42002001 00000010 42000402 00000004 0000000100000000"), ERR_OK);
	cr_assert_eq(check_of("42002001 00000008 42000402 00000004"), ERR_INVALID);
	cr_assert_eq(check_of("42002001 00000010 42000406 00000008 0000000000000002"), ERR_INVALID);
	cr_assert_eq(check_of("42002001 00000010 42000402 00000004"), ERR_TRUNCATED);
	cr_assert_eq(check_of(""), ERR_OK);
}

/* 32 structures within one another pass, 33 do not. */
Test(ttlv, limits_depth)
{
	struct buf buf;
	size_t starts[TTLV_DEPTH_MAX + 1];

	for (size_t depth = TTLV_DEPTH_MAX; depth <= TTLV_DEPTH_MAX + 1; depth++) {
		buf_init(&buf, 4096);
		for (size_t i = 0; i < depth; i++)
			cr_assert_eq(ttlv_write_begin(&buf, TAG, &starts[i]), ERR_OK);
		for (size_t i = depth; i-- > 0;)
			ttlv_write_end(&buf, starts[i]);
		cr_assert_eq(ttlv_check(buf_slice(&buf), 0),
			depth <= TTLV_DEPTH_MAX ? ERR_OK : ERR_LIMIT);
		cr_assert_eq(ttlv_check(buf_slice(&buf), 1), ERR_LIMIT);
		buf_free(&buf);
	}
}

/* One item more than the maximum is refused. */
Test(ttlv, limits_items)
{
	struct buf buf;

	buf_init(&buf, 1 << 20);
	for (size_t i = 0; i < TTLV_ITEMS_MAX; i++)
		cr_assert_eq(
			ttlv_write_bytes(&buf, TAG, KMIP_TYPE_TEXT_STRING, SLICE_EMPTY), ERR_OK);
	cr_assert_eq(ttlv_check(buf_slice(&buf), 0), ERR_OK);
	cr_assert_eq(ttlv_write_integer(&buf, TAG, 1), ERR_OK);
	cr_assert_eq(ttlv_check(buf_slice(&buf), 0), ERR_LIMIT);
	buf_free(&buf);
}

static enum err frame_len_of(const char *text, size_t max, size_t *len)
{
	struct arena *arena = test_arena();
	enum err err = kmip_frame_len(len, hex(arena, text), max);

	arena_free(arena);
	return err;
}

/* A frame's length is known from eight bytes, and refused early. */
Test(ttlv, frames_messages)
{
	size_t len;

	cr_assert_eq(frame_len_of("42007801 00000090", 4096, &len), ERR_OK);
	cr_assert_eq(len, 152);
	cr_assert_eq(frame_len_of("42007B01 000000A0", 168, &len), ERR_OK);
	cr_assert_eq(frame_len_of("42007B01 000000A0", 167, &len), ERR_LIMIT);
	cr_assert_eq(frame_len_of("42007801 FFFFFFF8", SIZE_MAX, &len), ERR_LIMIT);
	cr_assert_eq(frame_len_of("42007801 00000091", 4096, &len), ERR_INVALID);
	cr_assert_eq(frame_len_of("42007901 00000090", 4096, &len), ERR_INVALID);
	cr_assert_eq(frame_len_of("42007802 00000090", 4096, &len), ERR_INVALID);
	cr_assert_eq(frame_len_of("504F5354 202F6B6D", 4096, &len), ERR_INVALID);
	cr_assert_eq(frame_len_of("42007801 000000", 4096, &len), ERR_TRUNCATED);
}
