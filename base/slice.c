/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slice.h"
#include <string.h>
#include "base/err.h"

struct slice slice_of(const void *data, size_t len)
{
	ASSERT(data != NULL || len == 0);
	return (struct slice){ data, len };
}

struct slice slice_text(const char *text)
{
	return text == NULL ? SLICE_EMPTY : slice_of(text, strlen(text));
}

struct slice slice_cut(struct slice slice, size_t from, size_t len)
{
	if (from > slice.len)
		from = slice.len;
	if (len > slice.len - from)
		len = slice.len - from;
	if (slice.data == NULL)
		return SLICE_EMPTY;
	return (struct slice){ slice.data + from, len };
}

bool slice_equal(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

int slice_compare(struct slice a, struct slice b)
{
	size_t common = a.len < b.len ? a.len : b.len;
	int order = common == 0 ? 0 : memcmp(a.data, b.data, common);

	if (order != 0)
		return order < 0 ? -1 : 1;
	return (a.len > b.len) - (a.len < b.len);
}

bool slice_equal_text(struct slice slice, const char *text)
{
	return slice_equal(slice, slice_text(text));
}

bool slice_copy_exact(void *to, size_t len, struct slice from)
{
	if (from.len != len)
		return false;
	bytes_copy(to, from.data, len);
	return true;
}

/* Length of the well-formed sequence at the front, 0 when there is none (RFC 3629, section 4). */
static size_t utf8_sequence_len(const uint8_t *p, size_t left)
{
	uint8_t low = 0x80, high = 0xbf;
	size_t len;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (left < len)
		return 0;
	/* The second byte's range shuts out overlong forms, surrogates and beyond U+10FFFF. */
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	return len;
}

bool slice_is_utf8(struct slice slice)
{
	size_t at = 0;

	while (at < slice.len) {
		size_t len = utf8_sequence_len(slice.data + at, slice.len - at);
		if (len == 0)
			return false;
		at += len;
	}
	return true;
}

void bytes_copy(void *to, const void *from, size_t len)
{
	if (len > 0)
		memcpy(to, from, len);
}

void bytes_move(void *to, const void *from, size_t len)
{
	if (len > 0)
		memmove(to, from, len);
}

void bytes_zero(void *to, size_t len)
{
	if (len > 0)
		memset(to, 0, len);
}

uint16_t be16_get(const uint8_t *p)
{
	return (uint16_t) (p[0] << 8 | p[1]);
}

uint32_t be32_get(const uint8_t *p)
{
	return (uint32_t) be16_get(p) << 16 | be16_get(p + 2);
}

uint64_t be64_get(const uint8_t *p)
{
	return (uint64_t) be32_get(p) << 32 | be32_get(p + 4);
}

void be16_put(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t) (value >> 8);
	p[1] = (uint8_t) value;
}

void be32_put(uint8_t *p, uint32_t value)
{
	be16_put(p, (uint16_t) (value >> 16));
	be16_put(p + 2, (uint16_t) value);
}

void be64_put(uint8_t *p, uint64_t value)
{
	be32_put(p, (uint32_t) (value >> 32));
	be32_put(p + 4, (uint32_t) value);
}
