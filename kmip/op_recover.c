/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recover (KMIP 1.4, section 4.23): takes the Archive Date away. What is not archived is a success:
 * the client, or its retry through the other node, has what it wanted.
 */
#include "kmip/object_attributes.h"
#include "kmip/operations.h"

/* Somebody else was first: then the client asks again. */
static enum err recover_check(void *ctx, const struct object *object)
{
	(void) ctx;
	if (object->dead)
		return ERR_DESTROYED;
	return object_attributes_is_archived(object) ? ERR_OK : ERR_UNAVAILABLE;
}

enum err op_recover_plan(struct kmip_item *item)
{
	const struct kmip_recover_request *request = item->request;
	struct object_edit *edit = ARENA_NEW(item->arena, struct object_edit);
	struct object *object;
	enum err err = edit == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	TRY(item_metadata(item, request->unique_identifier, &object));
	if (object->dead)
		TRY(ERR_DESTROYED);
	if (!object_attributes_is_archived(object))
		return op_recover_finish(item);
	edit->kind = OBJECT_EDIT_DELETE;
	edit->name = slice_text(kmip_attribute_row(KMIP_ATTRIBUTE_ARCHIVE_DATE)->name);
	item->change.edits = edit;
	item->change.edit_count = 1;
	item->durable = true;
	item->archived_too = true;
	item->effect = KMIP_EFFECT_CHANGE;
	item->check = recover_check;
out:
	return err;
}

enum err op_recover_finish(struct kmip_item *item)
{
	struct kmip_recover_response *response = item->response;

	item->placeholder = item->subject;
	return item_uid_text(item, &response->unique_identifier);
}
