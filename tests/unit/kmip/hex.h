/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes written as hex with blanks, and an arena for one test. */
#ifndef TESTS_UNIT_KMIP_HEX_H
#define TESTS_UNIT_KMIP_HEX_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <string.h>

static inline struct arena *test_arena(void)
{
	struct arena *arena;

	cr_assert_eq(arena_new(&arena, 1 << 20), ERR_OK);
	return arena;
}

static inline struct slice hex(struct arena *arena, const char *text)
{
	char *digits = arena_alloc(arena, strlen(text) + 1);
	size_t len = 0;

	for (; *text != 0; text++)
		if (*text != ' ')
			digits[len++] = *text;
	uint8_t *bytes = arena_alloc(arena, len / 2 + 1);
	cr_assert_eq(text_unhex(bytes, len / 2, slice_of(digits, len)), ERR_OK);
	return slice_of(bytes, len / 2);
}

static inline void assert_bytes(struct slice got, struct slice want)
{
	char got_hex[8192], want_hex[8192];

	cr_assert(got.len < 4000 && want.len < 4000);
	text_hex(got_hex, got);
	text_hex(want_hex, want);
	cr_assert_str_eq(got_hex, want_hex);
}

#endif
