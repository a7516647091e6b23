/* SPDX-License-Identifier: Apache-2.0 */
/* The list of edits under construction: what is put into it and what is in it, without any rule. */
#include "kmip/attribute_rules.h"

enum err attribute_rules_append(struct attribute_edits *edits, const struct object_edit *edit)
{
	enum { FIRST_CAP = 16 };

	if (edits->count == edits->cap) {
		size_t cap = edits->cap == 0 ? FIRST_CAP : 2 * edits->cap;
		struct object_edit *items =
			arena_array(edits->arena, cap, sizeof(struct object_edit));

		if (items == NULL)
			return ERR_NOMEM;
		if (edits->count > 0)
			bytes_copy(items, edits->items, edits->count * sizeof(*items));
		edits->items = items;
		edits->cap = cap;
	}
	edits->items[edits->count++] = *edit;
	return ERR_OK;
}

enum err attribute_rules_keep(struct attribute_edits *edits, const struct kmip_attribute_row *row,
	struct slice name, const struct kmip_value *value)
{
	struct object_edit edit = {
		.kind = row->instances == KMIP_ONE ? OBJECT_EDIT_SET : OBJECT_EDIT_ADD, .name = name
	};
	enum err err;

	TRY(kmip_value_encode(&edit.value, edits->arena, value));
	TRY(attribute_rules_append(edits, &edit));
out:
	return err;
}

enum err attribute_rules_set(
	struct attribute_edits *edits, enum kmip_attribute_id id, const struct kmip_value *value)
{
	const struct kmip_attribute_row *row = kmip_attribute_row(id);

	return attribute_rules_keep(edits, row, slice_text(row->name), value);
}

bool attribute_rules_get(
	const struct attribute_edits *edits, enum kmip_attribute_id id, struct kmip_value *out)
{
	struct slice name = slice_text(kmip_attribute_row(id)->name);

	for (size_t i = 0; i < edits->count; i++) {
		if (slice_equal(edits->items[i].name, name))
			return kmip_value_decode(out, edits->items[i].value) == ERR_OK;
	}
	return false;
}

bool attribute_rules_has(const struct attribute_edits *edits, struct slice name)
{
	if (slice_equal_text(
		    name, kmip_attribute_row(KMIP_ATTRIBUTE_CRYPTOGRAPHIC_ALGORITHM)->name))
		return edits->key.algorithm != 0;
	if (slice_equal_text(name, kmip_attribute_row(KMIP_ATTRIBUTE_CRYPTOGRAPHIC_LENGTH)->name))
		return edits->key.length_bits != 0;
	for (size_t i = 0; i < edits->count; i++) {
		if (slice_equal(edits->items[i].name, name))
			return true;
	}
	return false;
}
