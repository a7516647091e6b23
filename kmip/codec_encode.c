/* SPDX-License-Identifier: Apache-2.0 */
/* The walkers from structs to bytes, and from bytes to the bytes that a version may see. */
#include "kmip/codec.h"
#include "kmip/codec_value.h"
#include "kmip/ttlv_read.h"
#include "kmip/ttlv_write.h"

/* A required enumeration is sent as it is: without it the structure would be malformed. */
static bool value_exists(const struct kmip_field *field, enum kmip_version version, uint32_t number)
{
	if (field->type != KMIP_TYPE_ENUMERATION)
		return true;
	if (field->presence == KMIP_REQUIRED && !field->is_repeated)
		return true;
	return kmip_enum_is_known(field->set, number, version);
}

static bool element_is_visible(
	const struct kmip_field *field, enum kmip_version version, const void *element)
{
	const struct kmip_struct *table = field->child;

	for (size_t i = 0; i < table->count; i++)
		if (table->fields[i].is_visible != NULL &&
			!table->fields[i].is_visible(element, version))
			return false;
	return true;
}

static enum err children_encode(struct buf *out, enum kmip_version version,
	const struct kmip_field *field, const struct codec_repeated *repeated)
{
	enum err err = ERR_OK;
	const uint8_t *element = repeated->items;

	for (size_t i = 0; i < repeated->count; i++, element += field->child->size)
		if (element_is_visible(field, version, element))
			TRY(codec_encode_structure(
				out, version, field->tag, field->child, element));
out:
	return err;
}

static enum err elements_encode(struct buf *out, enum kmip_version version,
	const struct kmip_field *field, const struct codec_repeated *repeated)
{
	enum err err = ERR_OK;
	const uint8_t *element = repeated->items;

	for (size_t i = 0; i < repeated->count; i++) {
		struct kmip_value value = codec_element_load(field->type, element);

		element += codec_element_size(field->type);
		if (value_exists(field, version, value.u32))
			TRY(codec_value_write(out, field->tag, &value));
	}
out:
	return err;
}

static enum err structure_value_encode(struct buf *out, enum kmip_version version, uint32_t tag,
	const struct kmip_struct *table, struct slice children)
{
	enum err err;
	size_t start;

	TRY(ttlv_write_begin(out, tag, &start));
	TRY(codec_copy(out, version, table, children));
	ttlv_write_end(out, start);
out:
	return err;
}

static enum err single_encode(struct buf *out, enum kmip_version version,
	const struct kmip_field *field, const void *object, const void *member)
{
	struct kmip_value value = codec_member_load(field->type, member);

	if (value.type == KMIP_TYPE_ANY || !value_exists(field, version, value.u32))
		return ERR_OK;
	/* The structures of irregular fields are gated by the table that fits; those without a
	 * table (payloads above all) were encoded for this version. */
	if (value.type == KMIP_TYPE_STRUCTURE && field->choose != NULL)
		return structure_value_encode(
			out, version, field->tag, field->choose(object), value.children);
	return codec_value_write(out, field->tag, &value);
}

static enum err field_encode(struct buf *out, enum kmip_version version,
	const struct kmip_field *field, const void *object)
{
	const uint8_t *member = (const uint8_t *) object + field->offset;

	if (!codec_field_exists(field, version))
		return ERR_OK;
	if (field->is_repeated) {
		const struct codec_repeated *repeated = (const void *) member;

		return field->child != NULL ? children_encode(out, version, field, repeated)
					    : elements_encode(out, version, field, repeated);
	}
	if (field->child != NULL) {
		const void *child = *(const void *const *) (const void *) member;

		if (child == NULL)
			return ERR_OK;
		return codec_encode_structure(out, version, field->tag, field->child, child);
	}
	return single_encode(out, version, field, object, member);
}

enum err codec_encode(struct buf *out, enum kmip_version version, const struct kmip_struct *table,
	const void *object)
{
	enum err err = ERR_OK;

	for (size_t i = 0; i < table->count; i++)
		TRY(field_encode(out, version, &table->fields[i], object));
out:
	return err;
}

enum err codec_encode_structure(struct buf *out, enum kmip_version version, uint32_t tag,
	const struct kmip_struct *table, const void *object)
{
	enum err err;
	size_t start;

	TRY(ttlv_write_begin(out, tag, &start));
	TRY(codec_encode(out, version, table, object));
	ttlv_write_end(out, start);
out:
	return err;
}

static const struct kmip_field *field_find(
	const struct kmip_struct *table, const struct ttlv_item *item)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->fields[i].tag == item->tag &&
			(table->fields[i].type == item->type ||
				table->fields[i].type == KMIP_TYPE_ANY))
			return &table->fields[i];
	return NULL;
}

static enum err item_copy(struct buf *out, enum kmip_version version,
	const struct kmip_struct *table, const struct ttlv_item *item)
{
	const struct kmip_field *field = table != NULL ? field_find(table, item) : NULL;
	struct kmip_value value = codec_value_of(item);

	if (table != NULL && (field == NULL || !codec_field_exists(field, version)))
		return ERR_OK;
	if (field != NULL && !value_exists(field, version, value.u32))
		return ERR_OK;
	if (item->type == KMIP_TYPE_STRUCTURE)
		return structure_value_encode(
			out, version, item->tag, field != NULL ? field->child : NULL, item->value);
	return codec_value_write(out, item->tag, &value);
}

/* Recurses no deeper than ttlv_check, which all that comes here has passed, lets items be nested.
 */
enum err codec_copy(struct buf *out, enum kmip_version version, const struct kmip_struct *table,
	struct slice children)
{
	enum err err = ERR_OK;
	struct ttlv_reader reader = ttlv_reader_of(children);

	while (!ttlv_is_end(&reader)) {
		struct ttlv_item item;

		TRY(ttlv_next(&item, &reader));
		TRY(item_copy(out, version, table, &item));
	}
out:
	return err;
}
