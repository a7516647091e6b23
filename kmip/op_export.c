/* SPDX-License-Identifier: Apache-2.0 */
/* Export (KMIP 1.4, section 4.42): what Get gives, and all attributes; of a destroyed object these
 * alone. */
#include "kmip/giving.h"
#include "kmip/object_attributes.h"
#include "kmip/operations.h"

static enum err collect_attributes(struct kmip_item *item, const struct object *object)
{
	struct kmip_export_response *response = item->response;
	struct object_attributes list = {
		.object = object, .arena = item->arena, .version = item->version, .now = item->now
	};
	enum err err;

	TRY(object_attributes_collect_all(&list));
	response->attributes.items = list.items;
	response->attributes.count = list.count;
out:
	return err;
}

enum err op_export_plan(struct kmip_item *item)
{
	const struct kmip_export_request *request = item->request;
	struct kmip_export_response *response = item->response;
	struct giving giving = GIVING(request);
	struct object *object;
	enum err err;

	TRY(item_object(item, request->unique_identifier, &object));
	if (!object->dead)
		TRY(giving_fill(item, &response->object, object, &giving));
	TRY(collect_attributes(item, object));
	response->object_type = KMIP_UINT(object->type);
	item->placeholder = item->subject;
	TRY(item_uid_text(item, &response->unique_identifier));
	if (!object->dead)
		TRY(giving_end(item, object));
out:
	return err;
}

enum err op_export_finish(struct kmip_item *item)
{
	return giving_finish(item);
}
