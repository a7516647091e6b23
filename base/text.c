/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "base/rand.h"

static const char hex_digits[] = "0123456789abcdef";
static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void text_hex(char *out, struct slice bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		*out++ = hex_digits[bytes.data[i] >> 4];
		*out++ = hex_digits[bytes.data[i] & 15];
	}
	*out = '\0';
}

/* The digit's value, or -1. */
static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

enum err text_unhex(uint8_t *out, size_t out_len, struct slice hex)
{
	size_t at = 0;

	for (size_t i = 0; i < out_len; i++) {
		int high, low;

		if (i > 0 && at < hex.len && hex.data[at] == ':')
			at++;
		if (hex.len - at < 2)
			return ERR_INVALID;
		high = hex_value(hex.data[at]);
		low = hex_value(hex.data[at + 1]);
		if (high < 0 || low < 0)
			return ERR_INVALID;
		out[i] = (uint8_t) (high << 4 | low);
		at += 2;
	}
	return at == hex.len ? ERR_OK : ERR_INVALID;
}

size_t text_base64_size(size_t len)
{
	return (len + 2) / 3 * 4 + 1;
}

size_t text_unbase64_size(size_t len)
{
	return len / 4 * 3;
}

void text_base64(char *out, struct slice bytes)
{
	for (size_t at = 0; at < bytes.len; at += 3) {
		size_t left = bytes.len - at;
		uint32_t group = (uint32_t) bytes.data[at] << 16;

		if (left > 1)
			group |= (uint32_t) bytes.data[at + 1] << 8;
		if (left > 2)
			group |= bytes.data[at + 2];
		*out++ = base64_digits[group >> 18];
		*out++ = base64_digits[group >> 12 & 63];
		*out++ = left > 1 ? base64_digits[group >> 6 & 63] : '=';
		*out++ = left > 2 ? base64_digits[group & 63] : '=';
	}
	*out = '\0';
}

/* The digit's value, or -1. */
static int base64_value(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* Four characters, the last `padding` of them '='; writes 3 - padding bytes. */
static enum err base64_group(uint8_t *out, const uint8_t *text, size_t padding)
{
	uint32_t group = 0;

	for (size_t i = 0; i < 4; i++) {
		int value = i < 4 - padding ? base64_value(text[i]) : 0;
		if (value < 0)
			return ERR_INVALID;
		group = group << 6 | (uint32_t) value;
	}
	/* Bits under the padding must be zero: one text for one content. */
	if ((padding == 1 && (group & 0xff) != 0) || (padding == 2 && (group & 0xffff) != 0))
		return ERR_INVALID;
	for (size_t i = 0; i < 3 - padding; i++)
		out[i] = (uint8_t) (group >> (16 - 8 * i));
	return ERR_OK;
}

enum err text_unbase64(uint8_t *out, size_t *out_len, struct slice text)
{
	enum err err = ERR_OK;

	*out_len = 0;
	if (text.len % 4 != 0)
		return ERR_INVALID;
	for (size_t at = 0; at < text.len; at += 4) {
		const uint8_t *group = text.data + at;
		size_t padding = 0;

		if (at + 4 == text.len && group[3] == '=')
			padding = group[2] == '=' ? 2 : 1;
		TRY(base64_group(out + *out_len, group, padding));
		*out_len += 3 - padding;
	}
out:
	return err;
}

void text_uuid(char out[UUID_TEXT_LEN + 1])
{
	uint8_t bytes[16];

	rand_bytes(bytes, sizeof(bytes));
	bytes[6] = (uint8_t) ((bytes[6] & 0x0f) | 0x40);
	bytes[8] = (uint8_t) ((bytes[8] & 0x3f) | 0x80);
	text_uuid_from_bytes(out, bytes);
}

static bool uuid_dash_at(size_t i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

bool text_is_uuid(struct slice text)
{
	if (text.len != UUID_TEXT_LEN)
		return false;
	for (size_t i = 0; i < UUID_TEXT_LEN; i++)
		if (uuid_dash_at(i) ? text.data[i] != '-' : hex_value(text.data[i]) < 0)
			return false;
	return true;
}

enum err text_uuid_bytes(uint8_t out[16], struct slice text)
{
	size_t at = 0;

	if (!text_is_uuid(text))
		return ERR_INVALID;
	for (size_t i = 0; i < 16; i++) {
		if (uuid_dash_at(at))
			at++;
		out[i] = (uint8_t) (hex_value(text.data[at]) << 4 | hex_value(text.data[at + 1]));
		at += 2;
	}
	return ERR_OK;
}

void text_uuid_from_bytes(char out[UUID_TEXT_LEN + 1], const uint8_t bytes[16])
{
	size_t at = 0;

	for (size_t i = 0; i < 16; i++) {
		if (uuid_dash_at(at))
			out[at++] = '-';
		out[at++] = hex_digits[bytes[i] >> 4];
		out[at++] = hex_digits[bytes[i] & 15];
	}
	out[at] = '\0';
}

enum err text_u64(uint64_t *out, struct slice text, uint64_t max)
{
	uint64_t value = 0;

	if (text.len == 0)
		return ERR_INVALID;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];

		if (c < '0' || c > '9' || __builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, (uint64_t) (c - '0'), &value))
			return ERR_INVALID;
	}
	if (value > max)
		return ERR_INVALID;
	*out = value;
	return ERR_OK;
}

enum err text_copy(char *out, size_t out_size, struct slice text)
{
	if (text.len >= out_size)
		return ERR_LIMIT;
	bytes_copy(out, text.data, text.len);
	out[text.len] = '\0';
	return ERR_OK;
}
