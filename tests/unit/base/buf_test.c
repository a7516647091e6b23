/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <signal.h>
#include "base/buf.h"

/* The maximum is exact, and a refused append leaves the content as it was. */
Test(buf, maximum_is_exact)
{
	struct buf buf;

	buf_init(&buf, 4);
	cr_assert_eq(buf_append(&buf, SLICE_LITERAL("abc")), ERR_OK);
	cr_assert_eq(buf_append_be16(&buf, 1), ERR_LIMIT);
	cr_assert(slice_equal_text(buf_slice(&buf), "abc"));
	cr_assert_eq(buf_room(&buf), 1);
	cr_assert_eq(buf_printf(&buf, "%s", "d"), ERR_OK);
	cr_assert_eq(buf_append_u8(&buf, 0), ERR_LIMIT);
	cr_assert_eq(buf_append_zeros(&buf, SIZE_MAX), ERR_LIMIT);
	cr_assert(slice_equal_text(buf_slice(&buf), "abcd"));
	buf_free(&buf);
	cr_assert_eq(buf_append(&buf, SLICE_LITERAL("again")), ERR_LIMIT);
	buf_free(&buf);
}

/* Consuming and appending in turn keeps the order, growing or not. */
Test(buf, works_as_a_queue)
{
	struct buf buf;
	uint32_t written = 0, read = 0;

	buf_init(&buf, 4096);
	while (read < 5000) {
		while (written < read + 700 && buf_append_be32(&buf, written) == ERR_OK)
			written++;
		for (int i = 0; i < 300; i++, read++) {
			cr_assert_eq(be32_get(buf_slice(&buf).data), read);
			buf_consume(&buf, 4);
		}
	}
	buf_free(&buf);
}

/* Bytes that were consumed or cleared are gone from memory. */
Test(buf, wipes_what_it_drops)
{
	struct buf buf;
	const uint8_t *memory;

	buf_init(&buf, 100);
	cr_assert_eq(buf_append(&buf, SLICE_LITERAL("secret")), ERR_OK);
	memory = buf_slice(&buf).data;
	buf_consume(&buf, 3);
	cr_assert_eq(memory[0], 0);
	cr_assert_eq(memory[3], 'r');
	buf_clear(&buf);
	cr_assert_eq(memory[3], 0);
	buf_free(&buf);
}

/* Lengths known later, and prefixed bytes, come back through the cursor. */
Test(buf, cursor_reads_what_was_written)
{
	struct buf buf;
	struct cursor cursor;

	buf_init(&buf, 100);
	cr_assert_eq(buf_append_be32(&buf, 0), ERR_OK);
	cr_assert_eq(buf_append_u8(&buf, 7), ERR_OK);
	cr_assert_eq(buf_append_be64(&buf, 8), ERR_OK);
	cr_assert_eq(buf_append_bytes16(&buf, SLICE_LITERAL("ab")), ERR_OK);
	cr_assert_eq(buf_append_bytes32(&buf, SLICE_LITERAL("")), ERR_OK);
	buf_patch_be32(&buf, 0, 99);
	cursor = cursor_of(buf_slice(&buf));
	cr_assert_eq(cursor_be32(&cursor), 99);
	cr_assert_eq(cursor_u8(&cursor), 7);
	cr_assert_eq(cursor_be64(&cursor), 8);
	cr_assert(slice_equal_text(cursor_bytes16(&cursor, 2), "ab"));
	cr_assert_eq(cursor_bytes32(&cursor, 0).len, 0);
	cr_assert_eq(cursor_end(&cursor), ERR_OK);
	buf_free(&buf);
}

/* The first bad read spoils all later ones; leftovers and overlong fields are malformed. */
Test(buf, cursor_stays_bad)
{
	struct cursor cursor = cursor_of(SLICE_LITERAL("\x01\x02\x03"));

	cr_assert_eq(cursor_be32(&cursor), 0);
	cr_assert_eq(cursor_u8(&cursor), 0);
	cr_assert_eq(cursor_end(&cursor), ERR_INVALID);
	cursor = cursor_of(SLICE_LITERAL("\x00\x02hi"));
	cr_assert_eq(cursor_bytes16(&cursor, 1).len, 0);
	cr_assert_eq(cursor_end(&cursor), ERR_INVALID);
	cursor = cursor_of(SLICE_LITERAL("\x00"));
	cr_assert_eq(cursor_end(&cursor), ERR_INVALID);
	cursor = cursor_of(SLICE_LITERAL("\xff\xff\xff\xff"));
	cr_assert_eq(cursor_bytes32(&cursor, SIZE_MAX).len, 0);
	cr_assert(cursor.bad);
}

/* A prefix is written together with its bytes or not at all. */
Test(buf, prefixed_bytes_are_whole)
{
	static const uint8_t zeros[65536];
	struct buf buf;

	buf_init(&buf, 70000);
	cr_assert_eq(buf_append_bytes16(&buf, slice_of(zeros, 65536)), ERR_LIMIT);
	cr_assert_eq(buf_append_zeros(&buf, 69997), ERR_OK);
	cr_assert_eq(buf_append_bytes16(&buf, SLICE_LITERAL("ab")), ERR_LIMIT);
	cr_assert_eq(buf_append_bytes32(&buf, SLICE_EMPTY), ERR_LIMIT);
	cr_assert_eq(buf_slice(&buf).len, 69997);
	buf_free(&buf);
}

/* Consuming more than there is, is our own mistake. */
Test(buf, consuming_too_much_aborts, .signal = SIGABRT)
{
	struct buf buf;

	buf_init(&buf, 4);
	buf_consume(&buf, 1);
}
