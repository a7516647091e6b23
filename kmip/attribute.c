/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/attribute.h"

#include "kmip/codec_value.h"
#include "kmip/ttlv_read.h"
#include "kmip/ttlv_write.h"

enum {
	/* Longest stored value: what a byte string may be, plus heads of a structure around it. */
	VALUE_LEN_MAX = TTLV_BYTES_LEN_MAX + 4096
};

/* Clients of 1.x cannot read all the types that there are. */
static bool type_exists(enum kmip_type type, enum kmip_version version)
{
	return type != KMIP_TYPE_DATE_TIME_EXTENDED || version >= KMIP_2_0;
}

/* Section 3.36: the structure of a custom attribute contains no structures. */
static enum err custom_check(const struct kmip_value *value, enum kmip_version version)
{
	enum err err = ERR_OK;

	if (!type_exists(value->type, version))
		return ERR_FIELD;
	if (value->type != KMIP_TYPE_STRUCTURE)
		return ERR_OK;
	struct ttlv_reader reader = ttlv_reader_of(value->children);
	while (!ttlv_is_end(&reader)) {
		struct ttlv_item item;

		TRY(ttlv_next(&item, &reader));
		if (item.type == KMIP_TYPE_STRUCTURE || !type_exists(item.type, version))
			TRY(ERR_FIELD);
	}
out:
	return err == ERR_OK ? ERR_OK : ERR_FIELD;
}

static enum err structure_check(
	const struct codec *codec, const struct kmip_struct *table, const struct kmip_value *value)
{
	struct codec strict = *codec;
	void *object;

	if (table == NULL)
		return ERR_OK;
	object = arena_alloc(codec->arena, table->size);
	if (object == NULL)
		return ERR_NOMEM;
	strict.flags |= CODEC_KNOWN_VALUES;
	enum err err = kmip_value_read(object, &strict, table, value);
	return err == ERR_OK || err == ERR_NOMEM ? err : ERR_FIELD;
}

static enum err value_check(
	struct codec *codec, const struct kmip_attribute_row *row, const struct kmip_value *value)
{
	if (row->type == KMIP_TYPE_ANY)
		return custom_check(value, codec->version);
	if (value->type != row->type)
		return ERR_FIELD;
	if (row->type == KMIP_TYPE_ENUMERATION)
		return kmip_enum_is_known(row->set, value->u32, codec->version) ? ERR_OK
										: ERR_FIELD;
	if (row->type == KMIP_TYPE_STRUCTURE)
		return structure_check(codec, row->structure, value);
	return ERR_OK;
}

enum err kmip_attribute_check(const struct kmip_attribute_row **out, struct codec *codec,
	const struct kmip_attribute *attribute)
{
	const struct kmip_attribute_row *row = kmip_attribute_find(attribute->name);

	if (row == NULL || !kmip_attribute_exists(row, codec->version))
		return ERR_FIELD;
	*out = row;
	if (attribute->value.type == KMIP_TYPE_ANY)
		return (codec->flags & CODEC_PARTIAL) != 0 ? ERR_OK : ERR_MESSAGE;
	return value_check(codec, row, &attribute->value);
}

/* False when the structure would be malformed without what the version does not have. */
static bool structure_is_visible(
	const struct kmip_struct *table, struct slice children, enum kmip_version version)
{
	struct ttlv_reader reader = ttlv_reader_of(children);
	struct ttlv_item item;

	while (!ttlv_is_end(&reader) && ttlv_next(&item, &reader) == ERR_OK)
		for (size_t i = 0; i < table->count; i++) {
			const struct kmip_field *field = &table->fields[i];

			if (field->tag == item.tag && field->type == KMIP_TYPE_ENUMERATION &&
				item.type == field->type && field->presence == KMIP_REQUIRED &&
				!kmip_enum_is_known(field->set, ttlv_u32(&item), version))
				return false;
		}
	return true;
}

bool kmip_attribute_is_visible(const struct kmip_attribute *attribute, enum kmip_version version)
{
	const struct kmip_attribute_row *row = kmip_attribute_find(attribute->name);

	if (row == NULL || !kmip_attribute_exists(row, version))
		return false;
	if (attribute->value.type == KMIP_TYPE_STRUCTURE && row->structure != NULL)
		return structure_is_visible(row->structure, attribute->value.children, version);
	if (attribute->value.type != KMIP_TYPE_ENUMERATION)
		return true;
	return kmip_enum_is_known(row->set, attribute->value.u32, version);
}

/* The bytes of `out` go to the arena; the buf is wiped. */
static enum err buf_to_arena(struct slice *out, struct arena *arena, const struct buf *buf)
{
	struct slice copy = arena_copy(arena, buf_slice(buf));

	if (copy.data == NULL)
		return ERR_NOMEM;
	*out = copy;
	return ERR_OK;
}

static enum err value_write(struct buf *out, const struct kmip_value *value)
{
	enum err err;
	size_t start;

	if (value->type != KMIP_TYPE_STRUCTURE)
		return codec_value_write(out, KMIP_TAG_ATTRIBUTE_VALUE, value);
	TRY(ttlv_write_begin(out, KMIP_TAG_ATTRIBUTE_VALUE, &start));
	TRY(codec_copy(out, KMIP_NEWEST, NULL, value->children));
	ttlv_write_end(out, start);
out:
	return err;
}

enum err kmip_value_encode(struct slice *out, struct arena *arena, const struct kmip_value *value)
{
	enum err err = ERR_OK;
	struct buf buf;

	if (value->type == KMIP_TYPE_ANY)
		return ERR_FIELD;
	buf_init(&buf, VALUE_LEN_MAX);
	TRY(value_write(&buf, value));
	TRY(buf_to_arena(out, arena, &buf));
out:
	buf_free(&buf);
	return err;
}

enum err kmip_value_decode(struct kmip_value *out, struct slice stored)
{
	struct ttlv_item item;

	if (ttlv_check(stored, 0) != ERR_OK || ttlv_single(&item, stored) != ERR_OK)
		return ERR_CORRUPT;
	if (item.tag != KMIP_TAG_ATTRIBUTE_VALUE)
		return ERR_CORRUPT;
	*out = codec_value_of(&item);
	return ERR_OK;
}

struct kmip_value kmip_value_integer(int32_t integer)
{
	return (struct kmip_value){ .type = KMIP_TYPE_INTEGER, .integer = integer };
}

struct kmip_value kmip_value_enum(uint32_t number)
{
	return (struct kmip_value){ .type = KMIP_TYPE_ENUMERATION, .u32 = number };
}

struct kmip_value kmip_value_interval(uint32_t seconds)
{
	return (struct kmip_value){ .type = KMIP_TYPE_INTERVAL, .u32 = seconds };
}

struct kmip_value kmip_value_long(int64_t number)
{
	return (struct kmip_value){ .type = KMIP_TYPE_LONG_INTEGER, .i64 = number };
}

struct kmip_value kmip_value_date(int64_t seconds)
{
	return (struct kmip_value){ .type = KMIP_TYPE_DATE_TIME, .i64 = seconds };
}

struct kmip_value kmip_value_boolean(bool truth)
{
	return (struct kmip_value){ .type = KMIP_TYPE_BOOLEAN, .boolean = truth };
}

struct kmip_value kmip_value_text(struct slice text)
{
	return (struct kmip_value){ .type = KMIP_TYPE_TEXT_STRING, .bytes = text };
}

struct kmip_value kmip_value_bytes(struct slice bytes)
{
	return (struct kmip_value){ .type = KMIP_TYPE_BYTE_STRING, .bytes = bytes };
}

enum err kmip_value_write(struct kmip_value *out, struct arena *arena,
	const struct kmip_struct *table, const void *object)
{
	enum err err;
	struct buf buf;

	buf_init(&buf, VALUE_LEN_MAX);
	TRY(codec_encode(&buf, KMIP_NEWEST, table, object));
	out->type = KMIP_TYPE_STRUCTURE;
	TRY(buf_to_arena(&out->children, arena, &buf));
out:
	buf_free(&buf);
	return err;
}

enum err kmip_value_read(void *out, struct codec *codec, const struct kmip_struct *table,
	const struct kmip_value *value)
{
	if (value->type != KMIP_TYPE_STRUCTURE)
		return ERR_FIELD;
	return codec_decode(codec, out, table, value->children);
}

bool kmip_value_covers(const struct kmip_value *whole, const struct kmip_value *part)
{
	struct ttlv_reader wanted = ttlv_reader_of(part->children);
	struct ttlv_item field;

	while (ttlv_next(&field, &wanted) == ERR_OK) {
		struct ttlv_reader reader = ttlv_reader_of(whole->children);
		struct ttlv_item item;
		bool found = false;

		while (!found && ttlv_next(&item, &reader) == ERR_OK)
			found = slice_equal(item.raw, field.raw);
		if (!found)
			return false;
	}
	return true;
}
