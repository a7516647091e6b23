/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/print.h"

#include "base/text.h"
#include "kmip/ttlv_read.h"

#include <inttypes.h>

enum {
	TEXT_SHOWN_MAX = 200, /* bytes of a text that are printed */
	BYTES_SHOWN_MAX = 32 /* bytes of a byte string that are printed as hex */
};

/* Where the walk is: a level of structure, and whether its values are to be hidden. */
struct level {
	struct ttlv_reader reader;
	bool is_hidden;
	bool is_first;
};

static enum err print_text(struct buf *out, struct slice text)
{
	enum err err;
	struct slice shown = slice_cut(text, 0, TEXT_SHOWN_MAX);

	TRY(buf_append_u8(out, '"'));
	for (size_t i = 0; i < shown.len; i++) {
		uint8_t byte = shown.data[i];

		if (byte < ' ' || byte == '"' || byte == '\\' || byte == 0x7F)
			TRY(buf_printf(out, "\\x%02x", byte));
		else
			TRY(buf_append_u8(out, byte));
	}
	TRY(buf_printf(out, shown.len < text.len ? "...\"" : "\""));
out:
	return err;
}

static enum err print_bytes(struct buf *out, struct slice bytes)
{
	char hex[2 * BYTES_SHOWN_MAX + 1];
	struct slice shown = slice_cut(bytes, 0, BYTES_SHOWN_MAX);

	text_hex(hex, shown);
	return buf_printf(out, "%s%s", hex, shown.len < bytes.len ? "..." : "");
}

static enum err print_enum(struct buf *out, const struct ttlv_item *item)
{
	const char *name = kmip_enum_name(kmip_tag_set(item->tag), ttlv_u32(item));

	if (name != NULL)
		return buf_printf(out, "%s", name);
	return buf_printf(out, "0x%" PRIx32, ttlv_u32(item));
}

static enum err print_value(struct buf *out, const struct ttlv_item *item)
{
	switch (item->type) {
	case KMIP_TYPE_INTEGER:
		return buf_printf(out, "%" PRId32, ttlv_integer(item));
	case KMIP_TYPE_ENUMERATION:
		return print_enum(out, item);
	case KMIP_TYPE_INTERVAL:
		return buf_printf(out, "%" PRIu32 "s", ttlv_u32(item));
	case KMIP_TYPE_BOOLEAN:
		return buf_printf(out, ttlv_boolean(item) ? "true" : "false");
	case KMIP_TYPE_TEXT_STRING:
		return print_text(out, item->value);
	case KMIP_TYPE_BIG_INTEGER:
	case KMIP_TYPE_BYTE_STRING:
		return print_bytes(out, item->value);
	default:
		return buf_printf(out, "%" PRId64, ttlv_long(item));
	}
}

static enum err print_tag(struct buf *out, uint32_t tag)
{
	const char *name = kmip_tag_name(tag);

	if (name != NULL)
		return buf_printf(out, "%s", name);
	return buf_printf(out, "%06" PRIx32, tag);
}

/* A custom attribute's value belongs to its maker: what follows its name is hidden. */
static bool starts_hidden(const struct ttlv_item *item)
{
	return item->tag == KMIP_TAG_ATTRIBUTE_NAME && item->type == KMIP_TYPE_TEXT_STRING &&
	       kmip_attribute_find(item->value) ==
		       kmip_attribute_row(KMIP_ATTRIBUTE_CUSTOM_ATTRIBUTE);
}

static enum err print_item(
	struct buf *out, const struct level *level, const struct ttlv_item *item, bool is_hidden)
{
	enum err err;

	TRY(buf_printf(out, level->is_first ? "" : " "));
	TRY(print_tag(out, item->tag));
	if (is_hidden)
		TRY(buf_printf(out, "=<%zu bytes>", item->value.len));
	else if (item->type == KMIP_TYPE_STRUCTURE)
		TRY(buf_append_u8(out, '{'));
	else {
		TRY(buf_append_u8(out, '='));
		TRY(print_value(out, item));
	}
out:
	return err;
}

/* One step of the walk; *depth is the index of the level at hand. */
static enum err print_next(struct buf *out, struct level *levels, size_t *depth)
{
	enum err err;
	struct level *level = &levels[*depth];
	struct ttlv_item item;

	err = ttlv_next(&item, &level->reader);
	if (err != ERR_OK)
		return err;
	bool is_hidden = level->is_hidden || kmip_tag_is_sensitive(item.tag);
	TRY(print_item(out, level, &item, is_hidden));
	level->is_first = false;
	level->is_hidden |= starts_hidden(&item);
	if (item.type != KMIP_TYPE_STRUCTURE || is_hidden)
		return ERR_OK;
	if (*depth + 1 >= TTLV_DEPTH_MAX)
		return ERR_LIMIT;
	levels[++*depth] = (struct level){ ttlv_reader_of(item.value), false, true };
out:
	return err;
}

static enum err print_all(struct buf *out, struct slice items)
{
	enum err err = ERR_OK;
	struct level levels[TTLV_DEPTH_MAX] = { { ttlv_reader_of(items), false, true } };
	size_t depth = 0;

	for (;;) {
		while (depth > 0 && ttlv_is_end(&levels[depth].reader)) {
			TRY(buf_append_u8(out, '}'));
			depth--;
		}
		if (ttlv_is_end(&levels[depth].reader))
			break;
		TRY(print_next(out, levels, &depth));
	}
out:
	return err;
}

void kmip_print(struct buf *out, struct slice items)
{
	enum err err = print_all(out, items);

	/* A full buf has nothing to add to; anything else is the sender's fault. */
	if (err == ERR_INVALID || err == ERR_TRUNCATED || err == ERR_LIMIT || err == ERR_FIELD)
		(void) !buf_printf(out, "<malformed>");
}
