/* SPDX-License-Identifier: Apache-2.0 */
/* The walker from bytes to structs. Its recursion follows the tables, which do not contain
 * themselves, so that its depth is theirs. */
#include "kmip/codec.h"
#include "kmip/codec_value.h"
#include "kmip/ttlv_read.h"

enum { FIELDS_MAX = 64 }; /* of one table: bits of `seen` */

/* A structure while it is filled. */
struct filling {
	struct codec *codec;
	const struct kmip_struct *table;
	uint8_t *object;
	struct ttlv_reader reader; /* what comes after the item at hand */
	size_t next; /* first field that may come now */
	uint64_t seen;
};

static enum err children_decode(
	struct codec *codec, void *out, const struct kmip_struct *table, struct slice children);

/* Malformed and oversized bytes are an invalid message, wherever they are; a text that is none is a
 * wrong value. */
static enum err message_err(enum err err)
{
	return err == ERR_OK || err == ERR_FIELD ? err : ERR_MESSAGE;
}

static bool field_takes(const struct kmip_field *field, const struct ttlv_item *item)
{
	return field->tag == item->tag &&
	       (field->type == item->type || field->type == KMIP_TYPE_ANY);
}

/* Index of the item's field in the table, or the number of fields when there is none. */
static size_t field_find(const struct filling *filling, const struct ttlv_item *item)
{
	const struct kmip_struct *table = filling->table;

	for (size_t i = 0; i < table->count; i++)
		if (field_takes(&table->fields[i], item) &&
			codec_field_exists(&table->fields[i], filling->codec->version))
			return i;
	return table->count;
}

static bool tag_belongs(const struct filling *filling, uint32_t tag)
{
	for (size_t i = 0; i < filling->table->count; i++)
		if (filling->table->fields[i].tag == tag &&
			codec_field_exists(&filling->table->fields[i], filling->codec->version))
			return true;
	return false;
}

/* Section 11.2: an unknown field is skipped when the sender speaks another version than our newest,
 * since it may come from there. A known tag with another type is wrong in any version. */
static enum err unknown_take(const struct filling *filling, const struct ttlv_item *item)
{
	const struct codec *codec = filling->codec;

	if (tag_belongs(filling, item->tag))
		return ERR_MESSAGE;
	if ((codec->flags & CODEC_SKIP_UNKNOWN) != 0 || codec->version != KMIP_NEWEST)
		return ERR_OK;
	return ERR_FIELD;
}

static size_t element_size(const struct kmip_field *field)
{
	return field->child != NULL ? field->child->size : codec_element_size(field->type);
}

/* Makes room for the item at hand and all that follow with the same tag. */
static enum err repeated_start(const struct filling *filling, const struct kmip_field *field,
	struct codec_repeated *repeated)
{
	enum err err = ERR_OK;
	struct ttlv_reader reader = filling->reader;
	size_t count = 1;

	while (!ttlv_is_end(&reader)) {
		struct ttlv_item item;

		TRY(message_err(ttlv_next(&item, &reader)));
		count += item.tag == field->tag ? 1 : 0;
	}
	repeated->items = arena_array(filling->codec->arena, count, element_size(field));
	if (repeated->items == NULL)
		err = ERR_NOMEM;
out:
	return err;
}

static enum err repeated_take(const struct filling *filling, const struct kmip_field *field,
	const struct ttlv_item *item, struct codec_repeated *repeated)
{
	enum err err = ERR_OK;

	if (repeated->items == NULL)
		TRY(repeated_start(filling, field, repeated));
	uint8_t *element = (uint8_t *) repeated->items + repeated->count * element_size(field);
	if (field->child != NULL) {
		TRY(children_decode(filling->codec, element, field->child, item->value));
	} else {
		struct kmip_value value = codec_value_of(item);

		codec_element_store(field->type, element, &value);
	}
	repeated->count++;
out:
	return err;
}

static enum err child_take(const struct filling *filling, const struct kmip_field *field,
	const struct ttlv_item *item, void **member)
{
	void *child = arena_alloc(filling->codec->arena, field->child->size);

	if (child == NULL)
		return ERR_NOMEM;
	*member = child;
	return children_decode(filling->codec, child, field->child, item->value);
}

/* What a client is told of a value that its version does not have. Clients ask Query for functions
 * of any version, which is judged there. */
static enum err unknown_value(uint32_t tag)
{
	switch (tag) {
	case KMIP_TAG_KEY_FORMAT_TYPE:
		return ERR_KEY_FORMAT;
	case KMIP_TAG_KEY_COMPRESSION_TYPE:
		return ERR_KEY_COMPRESSION;
	case KMIP_TAG_QUERY_FUNCTION:
		return ERR_OK;
	default:
		return ERR_FIELD;
	}
}

static enum err value_judge(
	const struct codec *codec, const struct kmip_field *field, const struct ttlv_item *item)
{
	if (field->len_max != 0 && item->value.len > field->len_max)
		return ERR_FIELD;
	if (field->type != KMIP_TYPE_ENUMERATION || (codec->flags & CODEC_KNOWN_VALUES) == 0)
		return ERR_OK;
	return kmip_enum_is_known(field->set, ttlv_u32(item), codec->version)
		       ? ERR_OK
		       : unknown_value(field->tag);
}

static enum err field_take(
	const struct filling *filling, const struct kmip_field *field, const struct ttlv_item *item)
{
	void *member = filling->object + field->offset;
	enum err err = value_judge(filling->codec, field, item);

	if (err != ERR_OK)
		return err;
	if (field->is_repeated)
		return repeated_take(filling, field, item, member);
	if (field->child != NULL)
		return child_take(filling, field, item, member);
	struct kmip_value value = codec_value_of(item);
	codec_member_store(field->type, member, &value);
	return ERR_OK;
}

static enum err item_take(struct filling *filling, const struct ttlv_item *item)
{
	size_t index = field_find(filling, item);

	if (index == filling->table->count)
		return unknown_take(filling, item);
	/* Behind us: it comes for the second time, or too late. */
	if (index < filling->next)
		return ERR_MESSAGE;
	const struct kmip_field *field = &filling->table->fields[index];
	filling->next = field->is_repeated ? index : index + 1;
	filling->seen |= UINT64_C(1) << index;
	return field_take(filling, field, item);
}

static enum err required_check(const struct filling *filling)
{
	struct codec *codec = filling->codec;

	if ((codec->flags & CODEC_PARTIAL) != 0)
		return ERR_OK;
	for (size_t i = 0; i < filling->table->count; i++) {
		const struct kmip_field *field = &filling->table->fields[i];

		if (field->presence != KMIP_REQUIRED || !codec_field_exists(field, codec->version))
			continue;
		if ((filling->seen & UINT64_C(1) << i) != 0)
			continue;
		codec->bad_tag = field->tag;
		return ERR_MESSAGE;
	}
	return ERR_OK;
}

static enum err children_decode(
	struct codec *codec, void *out, const struct kmip_struct *table, struct slice children)
{
	enum err err = ERR_OK;
	struct filling filling = {
		.codec = codec, .table = table, .object = out, .reader = ttlv_reader_of(children)
	};

	ASSERT(table->count <= FIELDS_MAX);
	while (!ttlv_is_end(&filling.reader)) {
		struct ttlv_item item;

		TRY(message_err(ttlv_next(&item, &filling.reader)));
		err = item_take(&filling, &item);
		/* The innermost failing field is the one to name. */
		if (err != ERR_OK && codec->bad_tag == 0)
			codec->bad_tag = item.tag;
		TRY(err);
	}
	TRY(required_check(&filling));
out:
	return err;
}

enum err codec_decode(
	struct codec *codec, void *out, const struct kmip_struct *table, struct slice children)
{
	enum err err = ERR_OK;

	bytes_zero(out, table->size);
	codec->bad_tag = 0;
	if ((codec->flags & CODEC_SHALLOW) == 0)
		TRY(message_err(ttlv_check(children, 0)));
	TRY(children_decode(codec, out, table, children));
out:
	return err;
}
