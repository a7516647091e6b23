/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/linking.h"

static enum err link_value(
	struct kmip_value *out, struct arena *arena, uint32_t link_type, const struct uid *uid)
{
	struct kmip_link link = { .type = KMIP_UINT(link_type) };
	char *text = arena_alloc(arena, UUID_TEXT_LEN + 1);

	if (text == NULL)
		return ERR_NOMEM;
	uid_text(text, uid);
	link.identifier = slice_of(text, UUID_TEXT_LEN);
	return kmip_value_write(out, arena, &kmip_link_table, &link);
}

enum err linking_edit(
	struct object_edit *out, struct arena *arena, uint32_t link_type, const struct uid *uid)
{
	struct kmip_value value;
	enum err err;

	*out = (struct object_edit){ .kind = OBJECT_EDIT_ADD,
		.name = slice_text(kmip_attribute_row(KMIP_ATTRIBUTE_LINK)->name) };
	TRY(link_value(&value, arena, link_type, uid));
	TRY(kmip_value_encode(&out->value, arena, &value));
out:
	return err;
}

enum err linking_set(struct attribute_edits *edits, uint32_t link_type, const struct uid *uid)
{
	struct object_edit edit;
	enum err err;

	TRY(linking_edit(&edit, edits->arena, link_type, uid));
	TRY(attribute_rules_append(edits, &edit));
out:
	return err;
}

enum err linking_further(struct kmip_item *item, uint32_t link_type, const struct uid *uid)
{
	size_t count = item->change.edit_count;
	struct object_edit *edits = arena_array(item->arena, count + 1, sizeof(*edits));
	enum err err = edits == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	for (size_t i = 0; i < count; i++)
		edits[i] = item->change.edits[i];
	TRY(linking_edit(&edits[count], item->arena, link_type, uid));
	item->change.edits = edits;
	item->change.edit_count = count + 1;
out:
	return err;
}

/* ---- reading ---- */

static bool read_link(
	struct kmip_link *out, struct kmip_item *item, const struct object_attribute *stored)
{
	struct slice name = slice_text(kmip_attribute_row(KMIP_ATTRIBUTE_LINK)->name);
	struct codec codec = { .arena = item->arena, .version = KMIP_NEWEST };
	struct kmip_value value;

	return !stored->deleted && slice_equal(stored->name, name) &&
	       kmip_value_decode(&value, stored->value) == ERR_OK &&
	       kmip_value_read(out, &codec, &kmip_link_table, &value) == ERR_OK;
}

bool linking_find(
	struct uid *out, struct kmip_item *item, const struct object *object, uint32_t link_type)
{
	struct kmip_link link;

	for (size_t i = 0; i < object->attribute_count; i++) {
		if (read_link(&link, item, &object->attributes[i]) && link.type.value == link_type)
			return uid_parse(out, link.identifier) == ERR_OK;
	}
	return false;
}

size_t linking_count(struct kmip_item *item, const struct object *object, uint32_t link_type)
{
	struct kmip_link link;
	size_t count = 0;

	for (size_t i = 0; i < object->attribute_count; i++) {
		if (read_link(&link, item, &object->attributes[i]) && link.type.value == link_type)
			count++;
	}
	return count;
}

bool linking_index(uint32_t *out, struct kmip_item *item, const struct object *object,
	uint32_t link_type, const struct uid *uid)
{
	struct kmip_link link;
	struct uid to;

	for (size_t i = 0; i < object->attribute_count; i++) {
		const struct object_attribute *stored = &object->attributes[i];

		if (!read_link(&link, item, stored) || link.type.value != link_type ||
			uid_parse(&to, link.identifier) != ERR_OK || !uid_equal(&to, uid))
			continue;
		*out = object_attribute_index(object, stored);
		return true;
	}
	return false;
}
