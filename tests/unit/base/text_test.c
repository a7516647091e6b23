/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>
#include "base/text.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Hex comes back, with colons and capitals, and nothing but exactly that is taken. */
Test(text, hex)
{
	char hex[5];
	uint8_t bytes[2];

	text_hex(hex, SLICE_LITERAL("\x0a\xff"));
	cr_assert_str_eq(hex, "0aff");
	cr_assert_eq(text_unhex(bytes, 2, SLICE_LITERAL("0A:Ff")), ERR_OK);
	cr_assert_eq(bytes[1], 0xff);
	cr_assert_eq(text_unhex(bytes, 2, SLICE_LITERAL("0aff0")), ERR_INVALID);
	cr_assert_eq(text_unhex(bytes, 2, SLICE_LITERAL("0af")), ERR_INVALID);
	cr_assert_eq(text_unhex(bytes, 2, SLICE_LITERAL(":0aff")), ERR_INVALID);
	cr_assert_eq(text_unhex(bytes, 2, SLICE_LITERAL("0a::ff")), ERR_INVALID);
	cr_assert_eq(text_unhex(bytes, 2, SLICE_LITERAL("0aff:")), ERR_INVALID);
	cr_assert_eq(text_unhex(bytes, 2, SLICE_LITERAL("0agf")), ERR_INVALID);
}

/* The examples of RFC 4648, both ways. */
Test(text, base64_round_trip)
{
	static const char *const rows[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" },
		{ "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "\xfb\xff", "+/8=" } };

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice plain = slice_text(rows[i][0]);
		char text[16];
		uint8_t bytes[16];
		size_t len;

		text_base64(text, plain);
		cr_assert_str_eq(text, rows[i][1]);
		cr_assert_eq(strlen(text) + 1, text_base64_size(plain.len));
		cr_assert_eq(text_unbase64(bytes, &len, slice_text(text)), ERR_OK);
		cr_assert_leq(len, text_unbase64_size(strlen(text)));
		cr_assert(slice_equal(slice_of(bytes, len), plain));
	}
}

/* One content has one text: no blanks, no missing or stray padding, no loose bits. */
Test(text, base64_is_strict)
{
	static const char *const bad[] = { "Zg",
		"Zg=", "Zh==", "Zm9=", "=Zg=", "Z===", "====", "Zg==Zg==", "Zm9v\n", "Zm 9", "Zm9-",
		"Zm_v" };

	for (size_t i = 0; i < COUNT(bad); i++) {
		uint8_t bytes[16];
		size_t len;
		cr_assert_eq(
			text_unbase64(bytes, &len, slice_text(bad[i])), ERR_INVALID, "%s", bad[i]);
	}
}

/* A made UUID is a version 4 one and survives the trip to bytes. */
Test(text, uuid)
{
	char uuid[UUID_TEXT_LEN + 1], again[UUID_TEXT_LEN + 1];
	uint8_t bytes[16];

	text_uuid(uuid);
	cr_assert(text_is_uuid(slice_text(uuid)));
	cr_assert_eq(uuid[14], '4');
	cr_assert_eq(text_uuid_bytes(bytes, slice_text(uuid)), ERR_OK);
	text_uuid_from_bytes(again, bytes);
	cr_assert_str_eq(uuid, again);
	cr_assert(text_is_uuid(SLICE_LITERAL("0123ABCD-0123-0123-0123-0123456789ab")));
	cr_assert(!text_is_uuid(SLICE_LITERAL("0123abcd-0123-0123-0123-0123456789a")));
	cr_assert(!text_is_uuid(SLICE_LITERAL("0123abcd-0123-0123-01230-123456789ab")));
	cr_assert(!text_is_uuid(SLICE_LITERAL("{123abcd-0123-0123-0123-0123456789a}")));
	cr_assert_eq(text_uuid_bytes(bytes, SLICE_LITERAL("x")), ERR_INVALID);
}

/* Dates at the edges of the calendar, of zones and of fractions. */
Test(text, rfc3339_reads)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} rows[] = { { "1970-01-01T00:00:00Z", 0 }, { "2026-11-23T10:20:30Z", 1795429230 },
		{ "2026-11-23t10:20:30.999999z", 1795429230 },
		{ "2026-11-23T12:20:30+02:00", 1795429230 },
		{ "2026-11-23T09:50:30.5-00:30", 1795429230 },
		{ "2000-02-29T00:00:00Z", 951782400 }, { "1969-12-31T23:59:59Z", -1 },
		{ "2016-12-31T23:59:60Z", 1483228800 }, { "9999-12-31T23:59:59Z", 253402300799 },
		{ "0000-01-01T00:00:00Z", -62167219200 } };

	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t seconds;
		cr_assert_eq(text_rfc3339(&seconds, slice_text(rows[i].text)), ERR_OK, "%s",
			rows[i].text);
		cr_assert_eq(
			seconds, rows[i].seconds, "%s: %lld", rows[i].text, (long long) seconds);
	}
}

/* What is out of range or out of form is refused. */
Test(text, rfc3339_refuses)
{
	static const char *const bad[] = { "", "2026-11-23", "2026-11-23T10:20:30",
		"2026-11-23 10:20:30Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
		"2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2026-01-00T00:00:00Z",
		"2026-01-32T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
		"2026-01-01T00:00:61Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00ZZ",
		"2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+0000",
		"2026-01-01T00:00:00+00:60", "+026-01-01T00:00:00Z", "2026-1-01T00:00:00ZZ",
		"0000-01-01T00:00:00+00:01", "9999-12-31T23:59:60Z" };

	for (size_t i = 0; i < COUNT(bad); i++) {
		int64_t seconds;
		cr_assert_eq(text_rfc3339(&seconds, slice_text(bad[i])), ERR_INVALID, "%s", bad[i]);
	}
}

/* Every day's first second of 400 years survives the trip; far ones are held at the edge. */
Test(text, rfc3339_round_trip)
{
	char text[RFC3339_TEXT_LEN + 1];
	int64_t back;

	for (int64_t day = -73000; day < 73200; day++) {
		text_rfc3339_from(text, day * 86400 + 3661);
		cr_assert_eq(text_rfc3339(&back, slice_text(text)), ERR_OK);
		cr_assert_eq(back, day * 86400 + 3661);
	}
	text_rfc3339_from(text, INT64_MAX);
	cr_assert_str_eq(text, "9999-12-31T23:59:59Z");
	text_rfc3339_from(text, INT64_MIN);
	cr_assert_str_eq(text, "0000-01-01T00:00:00Z");
}

/* Numbers: no sign, no blank, no overflow, within the maximum. */
Test(text, numbers_and_copies)
{
	uint64_t value;
	char copy[4];

	cr_assert_eq(text_u64(&value, SLICE_LITERAL("18446744073709551615"), UINT64_MAX), ERR_OK);
	cr_assert_eq(value, UINT64_MAX);
	cr_assert_eq(
		text_u64(&value, SLICE_LITERAL("18446744073709551616"), UINT64_MAX), ERR_INVALID);
	cr_assert_eq(text_u64(&value, SLICE_LITERAL("11"), 10), ERR_INVALID);
	cr_assert_eq(text_u64(&value, SLICE_LITERAL(""), 10), ERR_INVALID);
	cr_assert_eq(text_u64(&value, SLICE_LITERAL("+1"), 10), ERR_INVALID);
	cr_assert_eq(text_u64(&value, SLICE_LITERAL("1 "), 10), ERR_INVALID);
	cr_assert_eq(text_copy(copy, sizeof(copy), SLICE_LITERAL("abc")), ERR_OK);
	cr_assert_str_eq(copy, "abc");
	cr_assert_eq(text_copy(copy, sizeof(copy), SLICE_LITERAL("abcd")), ERR_LIMIT);
}
