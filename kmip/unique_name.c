/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/unique_name.h"

/* Holders of one name that are looked at: one live, the others destroyed, whose names are free. */
enum { HOLDERS_MAX = 256 };

struct holders {
	struct uid *uids;
	size_t count;
};

static enum err holders_add(void *ctx, const struct uid *uid)
{
	struct holders *holders = ctx;

	if (holders->count == HOLDERS_MAX)
		return ERR_LIMIT;
	holders->uids[holders->count++] = *uid;
	return ERR_OK;
}

static enum err name_check(struct kmip_item *item, const struct object_edit *edit)
{
	struct holders holders = { .uids = arena_array(
					   item->arena, HOLDERS_MAX, sizeof(struct uid)) };
	enum err err = holders.uids == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	err = keystore_find(item->view, edit->name, edit->value, holders_add, &holders);
	if (err != ERR_OK && err != ERR_LIMIT)
		return err;
	for (size_t i = 0; i < holders.count; i++) {
		struct object *object;

		err = item_read(item, &holders.uids[i], &object);
		if (err == ERR_NOT_FOUND || err == ERR_DESTROYED)
			continue;
		TRY(err);
		if (!object->dead)
			TRY(ERR_EXISTS);
	}
	err = ERR_OK;
out:
	return err;
}

enum err unique_name_check(struct kmip_item *item, const struct attribute_edits *edits)
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
		TRY(name_check(item, edit));
	}
out:
	return err;
}
