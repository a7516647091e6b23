/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/unique_name.h"
#include "kmip/holders.h"

static enum err is_held(void *ctx, const struct object *object)
{
	struct uid *leaving = ctx;

	return leaving != NULL && uid_equal(&object->uid, leaving) ? ERR_OK : ERR_EXISTS;
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
		TRY(holders_find(
			item, edit->name, edit->value, is_held, leaving == NULL ? NULL : &but));
	}
out:
	return err;
}
