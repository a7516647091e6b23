/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include "base/slice.h"

/* A cut never reaches outside of its slice, whatever is asked. */
Test(slice, cut_stays_inside)
{
	struct slice slice = SLICE_LITERAL("abcdef");

	cr_assert(slice_equal_text(slice_cut(slice, 2, 3), "cde"));
	cr_assert(slice_equal_text(slice_cut(slice, 4, SIZE_MAX), "ef"));
	cr_assert_eq(slice_cut(slice, SIZE_MAX, SIZE_MAX).len, 0);
	cr_assert_eq(slice_cut(SLICE_EMPTY, 1, 1).len, 0);
}

/* Order is by bytes, then by length. */
Test(slice, compare_orders)
{
	cr_assert_lt(slice_compare(SLICE_LITERAL("a"), SLICE_LITERAL("ab")), 0);
	cr_assert_gt(slice_compare(SLICE_LITERAL("\xff"), SLICE_LITERAL("ab")), 0);
	cr_assert_eq(slice_compare(SLICE_EMPTY, SLICE_LITERAL("")), 0);
	cr_assert(!slice_equal(SLICE_LITERAL("ab"), SLICE_LITERAL("ac")));
}

/* Nothing is written when the lengths differ. */
Test(slice, copy_exact_is_exact)
{
	uint8_t to[3] = { 1, 2, 3 };

	cr_assert(!slice_copy_exact(to, 3, SLICE_LITERAL("ab")));
	cr_assert_eq(to[0], 1);
	cr_assert(slice_copy_exact(to, 3, SLICE_LITERAL("abc")));
	cr_assert_eq(to[2], 'c');
}

/* RFC 3629: what is well-formed passes, each class of malformed bytes does not. */
Test(slice, utf8_is_strict)
{
	static const struct slice good[] = { SLICE_LITERAL(""), SLICE_LITERAL("plain"),
		SLICE_LITERAL("\xc2\x80"), SLICE_LITERAL("\xe0\xa0\x80"),
		SLICE_LITERAL("\xed\x9f\xbf"), SLICE_LITERAL("\xee\x80\x80"),
		SLICE_LITERAL("\xf0\x90\x80\x80"), SLICE_LITERAL("\xf4\x8f\xbf\xbf") };
	static const struct slice bad[] = { SLICE_LITERAL("\x80"), SLICE_LITERAL("\xc0\x80"),
		SLICE_LITERAL("\xc1\xbf"), SLICE_LITERAL("\xe0\x9f\xbf"),
		SLICE_LITERAL("\xed\xa0\x80"), SLICE_LITERAL("\xf0\x8f\xbf\xbf"),
		SLICE_LITERAL("\xf4\x90\x80\x80"), SLICE_LITERAL("\xf5\x80\x80\x80"),
		SLICE_LITERAL("\xe2\x82"), SLICE_LITERAL("\xc3("), SLICE_LITERAL("a\xff") };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		cr_assert(slice_is_utf8(good[i]), "good %zu", i);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert(!slice_is_utf8(bad[i]), "bad %zu", i);
}

/* Numbers go out and come back, most significant byte first. */
Test(slice, big_endian)
{
	uint8_t bytes[8];

	be64_put(bytes, 0x0102030405060708u);
	cr_assert_eq(bytes[0], 1);
	cr_assert_eq(be16_get(bytes), 0x0102);
	cr_assert_eq(be32_get(bytes + 4), 0x05060708);
	cr_assert_eq(be64_get(bytes), 0x0102030405060708u);
}
