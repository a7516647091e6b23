/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/changing.h"
#include "kmip/unique_name.h"

struct attribute_edits changing_edits(const struct kmip_item *item, const struct object *object)
{
	return (struct attribute_edits){ .arena = item->arena,
		.version = item->version,
		.now = item->now,
		.object_type = object->type,
		.object = object };
}

enum err changing_effect(struct kmip_item *item, const struct attribute_edits *edits,
	enum err (*check)(void *ctx, const struct object *object))
{
	enum err err = unique_name_check(item, edits);

	TRY(err == ERR_EXISTS ? ERR_ILLEGAL : err);
	attribute_rules_change(edits, &item->change);
	item->effect = KMIP_EFFECT_CHANGE;
	item->check = check;
out:
	return err;
}

enum err changing_echo(
	struct kmip_item *item, struct slice name, int32_t index, struct kmip_attribute **out)
{
	/* The rules put the asked-for edit behind what it brings along. */
	const struct object_edit *edit = &item->change.edits[item->change.edit_count - 1];
	struct kmip_attribute *attribute = ARENA_NEW(item->arena, struct kmip_attribute);
	enum err err = attribute == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	attribute->name = name;
	if (index > 0)
		attribute->index = KMIP_INT(index);
	TRY(kmip_value_decode(&attribute->value, edit->value));
	*out = attribute;
out:
	return err;
}

enum err changing_is_alive(void *ctx, const struct object *object)
{
	(void) ctx;
	return object->dead ? ERR_STATE : ERR_OK;
}

enum err changing_may_destroy(void *ctx, const struct object *object)
{
	const struct kmip_item *item = ctx;

	switch (object_attributes_state(object, item->now)) {
	case OBJECT_STATE_PRE_ACTIVE:
	case OBJECT_STATE_DEACTIVATED:
	case OBJECT_STATE_COMPROMISED:
		return ERR_OK;
	default:
		return ERR_STATE;
	}
}
