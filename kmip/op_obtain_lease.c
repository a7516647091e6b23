/* SPDX-License-Identifier: Apache-2.0 */
/* Obtain Lease (KMIP 1.4, section 4.17): how long a client may go on using the key without asking
 * again. A key that was compromised or destroyed is given no lease, nor is what has no
 * Lease Time (3.20). */
#include "kmip/object_attributes.h"
#include "kmip/operations.h"

static bool is_given_lease(enum object_state state)
{
	return state == OBJECT_STATE_PRE_ACTIVE || state == OBJECT_STATE_ACTIVE ||
	       state == OBJECT_STATE_DEACTIVATED;
}

enum err op_obtain_lease_plan(struct kmip_item *item)
{
	const struct kmip_obtain_lease_request *request = item->request;
	struct kmip_obtain_lease_response *response = item->response;
	struct object *object;
	enum err err;

	TRY(item_object(item, request->unique_identifier, &object));
	if (!object_attributes_apply(object, KMIP_ATTRIBUTE_LEASE_TIME))
		TRY(ERR_DENIED);
	if (!is_given_lease(object_attributes_state(object, item->now)))
		TRY(ERR_STATE);
	response->lease_time = KMIP_UINT(OBJECT_ATTRIBUTES_LEASE_S);
	response->last_change_date = KMIP_LONG(object->last_change);
	TRY(item_uid_text(item, &response->unique_identifier));
out:
	return err;
}
