/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/ttlv_read.h"

struct type_form {
	bool is_known;
	size_t len; /* fixed length of the value; 0 when it varies */
};

static const struct type_form forms[] = {
#define TYPE(name, code, display, fixed_len) [code] = { true, fixed_len },
#include "kmip/spec/types.def"
#undef TYPE
};

struct ttlv_reader ttlv_reader_of(struct slice items)
{
	return (struct ttlv_reader){ items };
}

bool ttlv_is_end(const struct ttlv_reader *reader)
{
	return reader->rest.len == 0;
}

uint32_t ttlv_peek_tag(const struct ttlv_reader *reader)
{
	if (reader->rest.len < TTLV_HEAD_LEN)
		return 0;
	return be32_get(reader->rest.data) >> 8;
}

static enum err len_check(enum kmip_type type, size_t len)
{
	size_t fixed = forms[type].len;

	if (fixed != 0)
		return len == fixed ? ERR_OK : ERR_INVALID;
	switch (type) {
	case KMIP_TYPE_STRUCTURE:
		return len % TTLV_ALIGN == 0 ? ERR_OK : ERR_INVALID;
	case KMIP_TYPE_BIG_INTEGER:
		if (len == 0 || len % TTLV_ALIGN != 0)
			return ERR_INVALID;
		return len <= TTLV_BYTES_LEN_MAX ? ERR_OK : ERR_LIMIT;
	case KMIP_TYPE_TEXT_STRING:
		return ERR_OK; /* judged with its content, which must be there first */
	default:
		return len <= TTLV_BYTES_LEN_MAX ? ERR_OK : ERR_LIMIT;
	}
}

static bool text_is_clean(struct slice text)
{
	if (text.len > TTLV_TEXT_LEN_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == 0)
			return false;
	return slice_is_utf8(text);
}

static enum err value_check(const struct ttlv_item *item)
{
	if (item->type == KMIP_TYPE_BOOLEAN && be64_get(item->value.data) > 1)
		return ERR_INVALID;
	if (item->type == KMIP_TYPE_TEXT_STRING && !text_is_clean(item->value))
		return ERR_FIELD;
	return ERR_OK;
}

static bool head_is_valid(uint32_t head)
{
	uint32_t prefix = head >> 24;
	uint32_t type = head & 0xFF;

	if (prefix != KMIP_TAG_PREFIX_STANDARD && prefix != KMIP_TAG_PREFIX_EXTENSION)
		return false;
	return type < sizeof(forms) / sizeof(forms[0]) && forms[type].is_known;
}

enum err ttlv_next(struct ttlv_item *out, struct ttlv_reader *reader)
{
	enum err err = ERR_OK;
	struct slice rest = reader->rest;

	if (rest.len < TTLV_HEAD_LEN)
		return ERR_TRUNCATED;
	uint32_t head = be32_get(rest.data);
	size_t len = be32_get(rest.data + 4);
	if (!head_is_valid(head))
		return ERR_INVALID;
	struct ttlv_item item = { .tag = head >> 8, .type = (enum kmip_type)(head & 0xFF) };
	TRY(len_check(item.type, len));
	size_t padded_len = (len + TTLV_ALIGN - 1) / TTLV_ALIGN * TTLV_ALIGN;
	if (padded_len > rest.len - TTLV_HEAD_LEN)
		return ERR_TRUNCATED;
	item.value = slice_cut(rest, TTLV_HEAD_LEN, len);
	item.raw = slice_cut(rest, 0, TTLV_HEAD_LEN + padded_len);
	TRY(value_check(&item));
	reader->rest = slice_cut(rest, item.raw.len, rest.len - item.raw.len);
	*out = item;
out:
	return err;
}

enum err ttlv_single(struct ttlv_item *out, struct slice raw)
{
	enum err err;
	struct ttlv_reader reader = ttlv_reader_of(raw);

	TRY(ttlv_next(out, &reader));
	if (!ttlv_is_end(&reader))
		err = ERR_INVALID;
out:
	return err;
}

enum err ttlv_check(struct slice items, unsigned depth)
{
	enum err err = ERR_OK;
	struct ttlv_reader open[TTLV_DEPTH_MAX + 1] = { { items } };
	unsigned level = 0;
	size_t count = 0;

	for (;;) {
		struct ttlv_item item;

		while (level > 0 && ttlv_is_end(&open[level]))
			level--;
		if (ttlv_is_end(&open[level]))
			break;
		err = ttlv_next(&item, &open[level]);
		/* Within a structure there is nothing to wait for. */
		if (err == ERR_TRUNCATED && level > 0)
			err = ERR_INVALID;
		TRY(err);
		if (++count > TTLV_ITEMS_MAX)
			TRY(ERR_LIMIT);
		if (item.type != KMIP_TYPE_STRUCTURE)
			continue;
		if (depth + level >= TTLV_DEPTH_MAX)
			TRY(ERR_LIMIT);
		open[++level] = ttlv_reader_of(item.value);
	}
out:
	return err;
}

int32_t ttlv_integer(const struct ttlv_item *item)
{
	ASSERT(item->type == KMIP_TYPE_INTEGER);
	return (int32_t) be32_get(item->value.data);
}

int64_t ttlv_long(const struct ttlv_item *item)
{
	ASSERT(item->type == KMIP_TYPE_LONG_INTEGER || item->type == KMIP_TYPE_DATE_TIME ||
		item->type == KMIP_TYPE_DATE_TIME_EXTENDED);
	return (int64_t) be64_get(item->value.data);
}

uint32_t ttlv_u32(const struct ttlv_item *item)
{
	ASSERT(item->type == KMIP_TYPE_ENUMERATION || item->type == KMIP_TYPE_INTERVAL);
	return be32_get(item->value.data);
}

bool ttlv_boolean(const struct ttlv_item *item)
{
	ASSERT(item->type == KMIP_TYPE_BOOLEAN);
	return be64_get(item->value.data) == 1;
}
