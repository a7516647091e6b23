/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/unique_name.h"
#include "kmip/holders.h"

static enum err is_held(void *ctx, const struct object *object)
{
	struct uid *leaving = ctx;

	return leaving != NULL && uid_equal(&object->uid, leaving) ? ERR_OK : ERR_EXISTS;
}

static enum err name_check(
	struct kmip_item *item, const struct object_edit *edit, struct uid *leaving)
{
	const struct claim claim = { item->identity->instance, edit->name, edit->value };
	enum err err;

	TRY(holders_find(item, edit->name, edit->value, is_held, leaving));
	/* A worker's plan takes nothing: the keeper judges again. */
	if (item->claims != NULL)
		TRY(claims_take(item->claims, item, &claim));
out:
	return err;
}

enum err unique_name_check(struct kmip_item *item, const struct attribute_edits *edits)
{
	return unique_name_check_but(item, edits, NULL);
}

enum err unique_name_check_but(
	struct kmip_item *item, const struct attribute_edits *edits, const struct uid *leaving)
{
	struct uid but = leaving == NULL ? (struct uid){ 0 } : *leaving;
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
		TRY(name_check(item, edit, leaving == NULL ? NULL : &but));
	}
out:
	return err;
}
