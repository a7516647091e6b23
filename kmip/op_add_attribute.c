/* SPDX-License-Identifier: Apache-2.0 */
/* Add Attribute (KMIP 1.4, section 4.14). The answer holds the attribute as it was written. */
#include "kmip/changing.h"
#include "kmip/operations.h"

static enum err add_check(void *ctx, const struct object *object)
{
	struct kmip_item *item = ctx;
	const struct kmip_add_attribute_request *request = item->request;
	struct attribute_edits edits = changing_edits(item, object);

	return attribute_rules_add(&edits, request->attribute);
}

enum err op_add_attribute_plan(struct kmip_item *item)
{
	const struct kmip_add_attribute_request *request = item->request;
	struct attribute_edits edits;
	struct object *object;
	enum err err;

	TRY(item_object(item, request->unique_identifier, &object));
	edits = changing_edits(item, object);
	TRY(attribute_rules_add(&edits, request->attribute));
	TRY(changing_effect(item, &edits, add_check));
out:
	return err;
}

enum err op_add_attribute_finish(struct kmip_item *item)
{
	const struct kmip_add_attribute_request *request = item->request;
	struct kmip_add_attribute_response *response = item->response;
	enum err err;

	TRY(item_uid_text(item, &response->unique_identifier));
	TRY(changing_echo(
		item, request->attribute->name, (int32_t) item->added_index, &response->attribute));
out:
	return err;
}
