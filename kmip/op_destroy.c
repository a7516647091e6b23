/* SPDX-License-Identifier: Apache-2.0 */
/* Destroy (KMIP 1.4, section 4.21): the material goes, the attributes stay. */
#include "kmip/object_attributes.h"
#include "kmip/operations.h"

static enum err destroy_check(void *ctx, const struct object *object)
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

enum err op_destroy_plan(struct kmip_item *item)
{
	const struct kmip_destroy_request *request = item->request;
	struct object *object;
	enum err err;

	TRY(item_object(item, request->unique_identifier, &object));
	TRY(destroy_check(item, object));
	item->effect = KMIP_EFFECT_DESTROY;
	item->change.destroy = true;
	item->change.dates[OBJECT_DATE_DESTROYED] = item->now;
	item->check = destroy_check;
out:
	return err;
}

enum err op_destroy_finish(struct kmip_item *item)
{
	struct kmip_destroy_response *response = item->response;

	return item_uid_text(item, &response->unique_identifier);
}
