/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Archive (KMIP 1.4, section 4.22). Here nothing moves: the object stays where it is, and is not
 * used or given out until Recover. That it is archived is its Archive Date, a register like any
 * attribute, since Archive and Recover alternate and the later one holds (design D6); it is in the
 * key manager before it is answered, as everything that takes a key away (design D10).
 */
#include "kmip/object_attributes.h"
#include "kmip/operations.h"

static enum err archive_check(void *ctx, const struct object *object)
{
	(void) ctx;
	if (object->dead)
		return ERR_DESTROYED;
	return object_attributes_is_archived(object) ? ERR_ARCHIVED : ERR_OK;
}

enum err op_archive_plan(struct kmip_item *item)
{
	const struct kmip_archive_request *request = item->request;
	struct object_edit *edit = ARENA_NEW(item->arena, struct object_edit);
	struct kmip_value date = kmip_value_date(item->now);
	struct object *object;
	enum err err = edit == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	TRY(item_object(item, request->unique_identifier, &object));
	TRY(archive_check(item, object));
	edit->kind = OBJECT_EDIT_SET;
	edit->name = slice_text(kmip_attribute_row(KMIP_ATTRIBUTE_ARCHIVE_DATE)->name);
	TRY(kmip_value_encode(&edit->value, item->arena, &date));
	item->change.edits = edit;
	item->change.edit_count = 1;
	item->durable = true;
	item->effect = KMIP_EFFECT_CHANGE;
	item->check = archive_check;
out:
	return err;
}

enum err op_archive_finish(struct kmip_item *item)
{
	struct kmip_archive_response *response = item->response;

	return item_uid_text(item, &response->unique_identifier);
}
