/* SPDX-License-Identifier: Apache-2.0 */
/* Create (KMIP 1.4, section 4.1): symmetric keys. */
#include "kmip/making.h"
#include "kmip/operations.h"

enum err op_create_plan(struct kmip_item *item)
{
	const struct kmip_create_request *request = item->request;
	struct attribute_edits edits = making_edits(item, request->object_type.value);
	enum err err = ERR_OK;

	/* The Cryptographic Usage Mask may be missing: published clients leave it out. */
	if (request->object_type.value != KMIP_OBJECT_TYPE_SYMMETRIC_KEY)
		TRY(ERR_FIELD);
	TRY(making_attributes(item, &edits, request->template_attribute));
	TRY(making_symmetric_key(item, &edits.key));
	TRY(making_generator_of(item, &edits));
	TRY(making_effect(item, &edits, item->create.material));
out:
	return err;
}

enum err op_create_finish(struct kmip_item *item)
{
	struct kmip_create_response *response = item->response;

	item->placeholder = item->subject;
	response->object_type = KMIP_UINT(item->create.type);
	return item_uid_text(item, &response->unique_identifier);
}
