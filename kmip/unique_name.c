/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/unique_name.h"
#include "kmip/holders.h"

static enum err is_held(void *ctx, const struct object *object)
{
	const struct uid *but = ctx;

	return uid_equal(&object->uid, but) ? ERR_OK : ERR_EXISTS;
}

/* A zero `but` is nobody. */
static enum err name_check(struct kmip_item *item, const struct object_edit *edit, struct uid but)
{
	const struct claim claim = { item->identity->instance, edit->name, edit->value };
	enum err err;

	TRY(holders_find(item, edit->name, edit->value, is_held, &but));
	/* A worker's plan takes nothing: the keeper judges again. */
	if (item->claims != NULL)
		TRY(claims_take(item->claims, item, &claim));
out:
	return err;
}

/* Whether the edit gives an instance the Name that it has. */
static bool is_its_own(const struct attribute_edits *edits, const struct object_edit *edit)
{
	const struct object_attribute *held;

	if (edits->object == NULL || edit->kind != OBJECT_EDIT_MODIFY)
		return false;
	held = object_attribute_find(edits->object, edit->name, edit->index);
	return held != NULL && slice_equal(held->value, edit->value);
}

enum err unique_name_check(struct kmip_item *item, const struct attribute_edits *edits)
{
	return unique_name_check_but(item, edits, NULL);
}

enum err unique_name_check_but(
	struct kmip_item *item, const struct attribute_edits *edits, const struct uid *leaving)
{
	const char *name = kmip_attribute_row(KMIP_ATTRIBUTE_NAME)->name;
	enum err err = ERR_OK;

	for (size_t i = 0; i < edits->count; i++) {
		const struct object_edit *edit = &edits->items[i];

		if (edit->kind == OBJECT_EDIT_DELETE || !slice_equal_text(edit->name, name))
			continue;
		for (size_t j = 0; j < i; j++) {
			if (slice_equal(edit->name, edits->items[j].name) &&
				slice_equal(edit->value, edits->items[j].value))
				TRY(ERR_EXISTS);
		}
		if (is_its_own(edits, edit))
			TRY(name_check(item, edit, edits->object->uid));
		else
			TRY(name_check(item, edit, leaving == NULL ? (struct uid){ 0 } : *leaving));
	}
out:
	return err;
}
