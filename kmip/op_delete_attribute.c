/* SPDX-License-Identifier: Apache-2.0 */
/* Delete Attribute (KMIP 1.4, section 4.16). The answer holds what was deleted. */
#include "kmip/changing.h"
#include "kmip/operations.h"

static enum err judge(struct attribute_edits *edits,
	const struct kmip_delete_attribute_request *request, struct kmip_attribute *deleted)
{
	return attribute_rules_delete(
		edits, request->attribute_name, &request->attribute_index, deleted);
}

static enum err delete_check(void *ctx, const struct object *object)
{
	struct kmip_item *item = ctx;
	struct attribute_edits edits = changing_edits(item, object);
	struct kmip_attribute deleted;

	return judge(&edits, item->request, &deleted);
}

/* The answer is filled here, while the deleted value is at hand. */
enum err op_delete_attribute_plan(struct kmip_item *item)
{
	const struct kmip_delete_attribute_request *request = item->request;
	struct kmip_delete_attribute_response *response = item->response;
	struct attribute_edits edits;
	struct object *object;
	enum err err;

	response->attribute = ARENA_NEW(item->arena, struct kmip_attribute);
	TRY(response->attribute == NULL ? ERR_NOMEM : ERR_OK);
	TRY(item_object(item, request->unique_identifier, &object));
	edits = changing_edits(item, object);
	TRY(judge(&edits, request, response->attribute));
	TRY(changing_effect(item, &edits, delete_check));
out:
	return err;
}

enum err op_delete_attribute_finish(struct kmip_item *item)
{
	struct kmip_delete_attribute_response *response = item->response;

	return item_uid_text(item, &response->unique_identifier);
}
