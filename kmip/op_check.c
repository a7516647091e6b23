/* SPDX-License-Identifier: Apache-2.0 */
/* Check (KMIP 1.4, section 4.10): usage mask and usage limits. Leases are not given out, so that
 * any lease time is as good as the object's. */
#include "kmip/object_attributes.h"
#include "kmip/operations.h"

static enum err judge_mask(const struct object *object, const struct kmip_int *asked)
{
	struct kmip_value mask = { .integer = 0 };

	if (!asked->has)
		return ERR_OK;
	if (!object_attributes_stored(object, KMIP_ATTRIBUTE_CRYPTOGRAPHIC_USAGE_MASK, &mask))
		mask.integer = 0;
	return (asked->value & ~mask.integer) == 0 ? ERR_OK : ERR_DENIED;
}

static enum err judge_limits(
	struct kmip_item *item, const struct object *object, const struct kmip_long *asked)
{
	struct codec codec = item_codec(item);
	struct kmip_usage_limits limits;
	struct kmip_value value;
	enum err err;

	if (!asked->has || !object_attributes_stored(object, KMIP_ATTRIBUTE_USAGE_LIMITS, &value))
		return ERR_OK;
	TRY(kmip_value_read(&limits, &codec, &kmip_usage_limits_table, &value));
	if (limits.count.has && limits.count.value < asked->value)
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
	TRY(judge_limits(item, object, &request->usage_limits_count));
	TRY(item_uid_text(item, &response->unique_identifier));
out:
	/* A use that was refused must not go on by way of the ID Placeholder. */
	if (err != ERR_OK)
		item->placeholder.has = false;
	return err;
}
