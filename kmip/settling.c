/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/settling.h"
#include "kmip/changing.h"
#include "kmip/importing.h"
#include "kmip/linking.h"

static struct settling *settling_of(struct kmip_item *item)
{
	if (item->settling == NULL)
		item->settling = ARENA_NEW(item->arena, struct settling);
	return item->settling;
}

/* Names are unique (3.2), and so is what a second Import finds an object by. */
static bool is_found_by(struct slice name)
{
	return slice_equal_text(name, kmip_attribute_row(KMIP_ATTRIBUTE_NAME)->name) ||
	       slice_equal_text(name, IMPORTING_IDENTIFIER);
}

/* ---- what is made ---- */

/* The part of the object that is being made. */
static enum err add_part(struct object_change **out, struct kmip_item *item, size_t edits)
{
	struct settling *settling = settling_of(item);
	struct keystore_part *part;

	if (settling == NULL)
		return ERR_NOMEM;
	ASSERT(settling->count == settling->withheld && settling->count < KMIP_MADE_MAX);
	part = &settling->parts[settling->count];
	part->change = (struct object_change){ .claim = true, .now = item->change.now };
	part->change.edits = arena_array(item->arena, edits, sizeof(struct object_edit));
	if (part->change.edits == NULL)
		return ERR_NOMEM;
	settling->withheld = ++settling->count;
	*out = &part->change;
	return ERR_OK;
}

enum err settling_withhold(struct kmip_item *item)
{
	struct object_change *change = &item->change, *later;
	struct object_edit *now_edits =
		arena_array(item->arena, change->edit_count, sizeof(*now_edits));
	struct object_edit *later_edits;
	size_t now_count = 0;
	enum err err = now_edits == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	TRY(add_part(&later, item, change->edit_count));
	later_edits = (struct object_edit *) later->edits;
	for (size_t i = 0; i < change->edit_count; i++) {
		if (is_found_by(change->edits[i].name))
			later_edits[later->edit_count++] = change->edits[i];
		else
			now_edits[now_count++] = change->edits[i];
	}
	change->edits = now_edits;
	change->edit_count = now_count;
	item->create.unclaimed = true;
out:
	return err;
}

/* ---- the effect ---- */

void settling_begin(struct kmip_item *item)
{
	struct settling *settling = item->settling;

	ASSERT(settling != NULL && settling->withheld == item->made_count);
	item_no_effect(item);
	for (size_t i = 0; i < settling->count; i++) {
		settling->parts[i].uid = item->made[i];
		item->durable |= settling->parts[i].change.edit_count > 0;
	}
	item->target = (struct kmip_placeholder){ .has = true, .uid = item->made[0] };
	/* Of the objects themselves operations judge in plan. */
	item->check = changing_is_alive;
	item->settles = true;
	item->effect = KMIP_EFFECT_CHANGE;
}

struct object_change *settling_change(struct kmip_item *item, const struct uid *uid)
{
	struct settling *settling = item->settling;
	struct keystore_part *part;

	for (size_t i = 0; i < settling->count; i++)
		if (uid_equal(&settling->parts[i].uid, uid))
			return &settling->parts[i].change;
	if (settling->count == SETTLING_PARTS_MAX)
		return NULL;
	part = &settling->parts[settling->count++];
	part->uid = *uid;
	part->change = (struct object_change){ .now = item->now };
	return &part->change;
}

static enum err add_edit(
	struct kmip_item *item, const struct uid *uid, const struct object_edit *edit)
{
	struct object_change *change = settling_change(item, uid);
	struct object_edit *edits;

	if (change == NULL)
		return ERR_LIMIT;
	edits = arena_array(item->arena, change->edit_count + 1, sizeof(*edits));
	if (edits == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < change->edit_count; i++)
		edits[i] = change->edits[i];
	edits[change->edit_count++] = *edit;
	change->edits = edits;
	item->durable = true;
	return ERR_OK;
}

enum err settling_link(
	struct kmip_item *item, const struct uid *from, uint32_t link_type, const struct uid *to)
{
	struct object_edit edit;
	enum err err;

	TRY(linking_edit(&edit, item->arena, link_type, to));
	TRY(add_edit(item, from, &edit));
out:
	return err;
}

enum err settling_move_link(
	struct kmip_item *item, const struct object *from, const struct settling_move *move)
{
	struct object_edit edit;
	uint32_t index;
	enum err err;

	TRY(linking_edit(&edit, item->arena, move->link_type, move->to));
	if (linking_index(&index, item, from, move->link_type, move->was)) {
		edit.kind = OBJECT_EDIT_MODIFY;
		edit.index = index;
	}
	TRY(add_edit(item, &from->uid, &edit));
out:
	return err;
}

/* ---- what is replaced ---- */

/* From the highest index down: what is deleted must not move what is deleted next. */
enum err settling_unname(struct kmip_item *item, const struct object *old)
{
	enum err err = ERR_OK;

	for (size_t i = old->attribute_count; i-- > 0;) {
		const struct object_attribute *stored = &old->attributes[i];
		struct object_edit edit = { .kind = OBJECT_EDIT_DELETE, .name = stored->name };

		if (stored->deleted || !is_found_by(stored->name))
			continue;
		edit.index = object_attribute_index(old, stored);
		TRY(add_edit(item, &old->uid, &edit));
	}
out:
	return err;
}

enum err settling_replace(
	struct kmip_item *item, const struct object *old, const struct uid *replacement)
{
	enum err err;

	TRY(settling_unname(item, old));
	TRY(settling_link(item, &old->uid, KMIP_LINK_TYPE_REPLACEMENT_OBJECT_LINK, replacement));
out:
	return err;
}

/* ---- what is destroyed with it ---- */

static enum err destroy_check(void *ctx, const struct object *object)
{
	const struct kmip_item *item = ctx;

	if (!uid_equal(&object->uid, &item->settling->replaced->uid))
		return changing_is_alive(ctx, object);
	return object_attributes_is_archived(object) ? ERR_ARCHIVED
						     : changing_may_destroy(ctx, object);
}

/* ERR_STATE: it has lost nothing, or is gone. */
static enum err give_back_check(void *ctx, const struct object *object)
{
	for (size_t i = 0; i < object->attribute_count; i++)
		if (!object->attributes[i].deleted && is_found_by(object->attributes[i].name))
			return ERR_STATE;
	return changing_is_alive(ctx, object);
}

static enum err give_back(struct kmip_item *item)
{
	const struct object *old = item->settling->replaced;
	struct object_edit *edits = arena_array(item->arena, old->attribute_count, sizeof(*edits));

	if (edits == NULL)
		return ERR_NOMEM;
	item_no_effect(item);
	item->change.edits = edits;
	for (size_t i = 0; i < old->attribute_count; i++) {
		const struct object_attribute *stored = &old->attributes[i];

		if (!stored->deleted && is_found_by(stored->name))
			edits[item->change.edit_count++] =
				(struct object_edit){ .kind = OBJECT_EDIT_ADD,
					.name = stored->name,
					.value = stored->value };
	}
	item->target = (struct kmip_placeholder){ .has = true, .uid = old->uid };
	item->check = give_back_check;
	item->archived_too = true;
	item->durable = true;
	item->effect = KMIP_EFFECT_CHANGE;
	return ERR_OK;
}

enum err settling_destroy(struct kmip_item *item, const struct object *old)
{
	enum err err;

	TRY(settling_unname(item, old));
	item->settling->replaced = old;
	item->target = (struct kmip_placeholder){ .has = true, .uid = old->uid };
	item->change.destroy = true;
	item->change.dates[OBJECT_DATE_DESTROYED] = item->now;
	item->check = destroy_check;
	item->take_back = give_back;
	item->effect = KMIP_EFFECT_DESTROY;
out:
	return err;
}

/* ---- the store's ---- */

/* What is destroyed comes beside the parts; else the first of them is what is changed. */
void settling_fill(struct keystore_change *out, const struct kmip_item *item)
{
	bool is_first = item->effect == KMIP_EFFECT_CHANGE;

	if (!item->settles)
		return;
	out->with = item->settling->parts + is_first;
	out->with_count = item->settling->count - is_first;
	if (is_first)
		out->change = &item->settling->parts[0].change;
}
