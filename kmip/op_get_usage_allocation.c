/* SPDX-License-Identifier: Apache-2.0 */
/* Get Usage Allocation (KMIP 1.4, section 4.18): takes an amount off the Usage Limits for a client
 * that uses the key itself, to protect something: what does not do that has nothing to allocate. */
#include "kmip/operations.h"
#include "kmip/using.h"

enum err op_get_usage_allocation_plan(struct kmip_item *item)
{
	const struct kmip_get_usage_allocation_request *request = item->request;
	struct kmip_get_usage_allocation_response *response = item->response;
	struct object *object;
	struct kmip_value value;
	enum err err;

	TRY(request->count.value <= 0 ? ERR_FIELD : ERR_OK);
	TRY(item_object(item, request->unique_identifier, &object));
	if (!using_may_protect(item, object))
		TRY(ERR_ILLEGAL);
	if (!object_attributes_stored(object, KMIP_ATTRIBUTE_USAGE_LIMITS, &value))
		TRY(ERR_ILLEGAL);
	TRY(using_charge_units(item, object, request->count.value));
	TRY(item_uid_text(item, &response->unique_identifier));
out:
	return err;
}
