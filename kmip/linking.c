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

enum err linking_set(struct attribute_edits *edits, uint32_t link_type, const struct uid *uid)
{
	struct kmip_value value;
	enum err err;

	TRY(link_value(&value, edits->arena, link_type, uid));
	TRY(attribute_rules_set(edits, KMIP_ATTRIBUTE_LINK, &value));
out:
	return err;
}

static enum err linking_check(void *ctx, const struct object *object)
{
	(void) ctx;
	return object->dead ? ERR_STATE : ERR_OK;
}

enum err linking_effect(
	struct kmip_item *item, const struct uid *target, uint32_t link_type, const struct uid *uid)
{
	struct object_edit *edit = ARENA_NEW(item->arena, struct object_edit);
	struct kmip_value value;
	enum err err = edit == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	item_no_effect(item);
	edit->kind = OBJECT_EDIT_ADD;
	edit->name = slice_text(kmip_attribute_row(KMIP_ATTRIBUTE_LINK)->name);
	TRY(link_value(&value, item->arena, link_type, uid));
	TRY(kmip_value_encode(&edit->value, item->arena, &value));
	item->change.edits = edit;
	item->change.edit_count = 1;
	item->change.claim = true;
	item->durable = true;
	item->target = (struct kmip_placeholder){ .has = true, .uid = *target };
	item->check = linking_check;
	item->effect = KMIP_EFFECT_CHANGE;
out:
	return err;
}
