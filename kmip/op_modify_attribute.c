/* SPDX-License-Identifier: Apache-2.0 */
/* Modify Attribute (KMIP 1.4, section 4.15). The answer holds the attribute as it was written. */
#include "kmip/changing.h"
#include "kmip/operations.h"

static enum err modify_check(void *ctx, const struct object *object)
{
	struct kmip_item *item = ctx;
	const struct kmip_modify_attribute_request *request = item->request;
	struct attribute_edits edits = changing_edits(item, object);

	return attribute_rules_modify(&edits, request->attribute);
}

enum err op_modify_attribute_plan(struct kmip_item *item)
{
	const struct kmip_modify_attribute_request *request = item->request;
	struct attribute_edits edits;
	struct object *object;
	enum err err;

	TRY(item_object(item, request->unique_identifier, &object));
	edits = changing_edits(item, object);
	TRY(attribute_rules_modify(&edits, request->attribute));
	TRY(changing_effect(item, &edits, modify_check));
out:
	return err;
}

enum err op_modify_attribute_finish(struct kmip_item *item)
{
	const struct kmip_modify_attribute_request *request = item->request;
	struct kmip_modify_attribute_response *response = item->response;
	enum err err;

	TRY(item_uid_text(item, &response->unique_identifier));
	TRY(changing_echo(item, request->attribute->name, request->attribute->index.value,
		&response->attribute));
out:
	return err;
}
