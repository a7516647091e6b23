/* SPDX-License-Identifier: Apache-2.0 */
/* Check (KMIP 1.4, section 4.10): usage mask, usage limits, and a lease no longer than Obtain Lease
 * gives. */
#include "kmip/object_attributes.h"
#include "kmip/operations.h"
#include "kmip/usage_limits.h"

static enum err judge_mask(const struct object *object, const struct kmip_int *asked)
{
	struct kmip_value mask = { .integer = 0 };

	if (!asked->has)
		return ERR_OK;
	if (!object_attributes_stored(object, KMIP_ATTRIBUTE_CRYPTOGRAPHIC_USAGE_MASK, &mask))
		mask.integer = 0;
	return (asked->value & ~mask.integer) == 0 ? ERR_OK : ERR_DENIED;
}

static enum err judge_limits(const struct object *object, const struct kmip_long *asked)
{
	struct kmip_usage_limits limits;
	bool has;
	enum err err;

	TRY(usage_limits_read(&limits, object, &has));
	if (asked->has && has && limits.count.value < asked->value)
		err = ERR_DENIED;
out:
	return err;
}

enum err op_check_plan(struct kmip_item *item)
{
	const struct kmip_check_request *request = item->request;
	struct kmip_check_response *response = item->response;
	struct object *object;
	enum err err;

	TRY(item_object(item, request->unique_identifier, &object));
	if (object->dead)
		TRY(ERR_ILLEGAL);
	TRY(judge_mask(object, &request->cryptographic_usage_mask));
	TRY(judge_limits(object, &request->usage_limits_count));
	TRY(request->lease_time.value > OBJECT_ATTRIBUTES_LEASE_S ? ERR_DENIED : ERR_OK);
	TRY(item_uid_text(item, &response->unique_identifier));
out:
	/* A use that was refused must not go on by way of the ID Placeholder. */
	if (err != ERR_OK)
		item->placeholder.has = false;
	return err;
}
