/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Activate (KMIP 1.4, section 4.19). A key that is Active already is a success by default (design
 * D6): the client, or its retry through the other node, has what it wanted.
 */
#include "kmip/object_attributes.h"
#include "kmip/operations.h"

static enum err activate_check(void *ctx, const struct object *object)
{
	const struct kmip_item *item = ctx;
	enum object_state state = object_attributes_state(object, item->now);

	if (!object_attributes_apply(object, KMIP_ATTRIBUTE_STATE))
		return ERR_ILLEGAL;
	if (state == OBJECT_STATE_PRE_ACTIVE)
		return ERR_OK;
	if (state == OBJECT_STATE_ACTIVE && !item->options->strict_activate)
		return ERR_OK;
	return ERR_STATE;
}

enum err op_activate_plan(struct kmip_item *item)
{
	const struct kmip_activate_request *request = item->request;
	struct object *object;
	enum err err;

	TRY(item_object(item, request->unique_identifier, &object));
	TRY(activate_check(item, object));
	if (object_attributes_state(object, item->now) == OBJECT_STATE_ACTIVE)
		return op_activate_finish(item);
	item->effect = KMIP_EFFECT_CHANGE;
	item->change.activate = true;
	item->change.dates[OBJECT_DATE_ACTIVATED] = item->now;
	item->check = activate_check;
out:
	return err;
}

enum err op_activate_finish(struct kmip_item *item)
{
	struct kmip_activate_response *response = item->response;

	return item_uid_text(item, &response->unique_identifier);
}
