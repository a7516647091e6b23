/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Get (KMIP 1.4, section 4.11). Served in every state that still has material: State tells clients
 * what they may do with it. The Key Value holds the material and no attributes; it is left out
 * where it was when the object was registered.
 */
#include "kmip/giving.h"
#include "kmip/operations.h"

enum err op_get_plan(struct kmip_item *item)
{
	const struct kmip_get_request *request = item->request;
	struct kmip_get_response *response = item->response;
	struct giving giving = GIVING(request);
	struct object *object;
	enum err err;

	TRY(item_object(item, request->unique_identifier, &object));
	TRY(giving_fill(item, &response->object, object, &giving));
	response->object_type = KMIP_UINT(object->type);
	TRY(item_uid_text(item, &response->unique_identifier));
	TRY(giving_end(item, object));
out:
	return err;
}

enum err op_get_finish(struct kmip_item *item)
{
	return giving_finish(item);
}
