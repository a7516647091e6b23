/* SPDX-License-Identifier: Apache-2.0 */
/* Destroy (KMIP 1.4, section 4.21): the material goes, the attributes stay. */
#include "kmip/changing.h"
#include "kmip/operations.h"

enum err op_destroy_plan(struct kmip_item *item)
{
	const struct kmip_destroy_request *request = item->request;
	struct object *object;
	enum err err;

	TRY(item_object(item, request->unique_identifier, &object));
	TRY(changing_may_destroy(item, object));
	item->effect = KMIP_EFFECT_DESTROY;
	item->change.destroy = true;
	item->change.dates[OBJECT_DATE_DESTROYED] = item->now;
	item->check = changing_may_destroy;
out:
	return err;
}

enum err op_destroy_finish(struct kmip_item *item)
{
	struct kmip_destroy_response *response = item->response;

	return item_uid_text(item, &response->unique_identifier);
}
