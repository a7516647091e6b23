/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Register (KMIP 1.4, section 4.3): every kind of object, also wrapped, and from 1.2 on without its
 * value. What a wrapped key holds nobody can vouch for: it is kept as it came.
 */
#include "kmip/making.h"
#include "kmip/operations.h"
#include "kmip/registering.h"

static enum err judge_object(const struct kmip_register_request *request, enum kmip_version version)
{
	uint32_t type = request->object_type.value;

	if (!kmip_enum_is_known(KMIP_SET_OBJECT_TYPE, type, version))
		return ERR_FIELD;
	return kmip_object_type(&request->object) == type ? ERR_OK : ERR_FIELD;
}

enum err op_register_plan(struct kmip_item *item)
{
	const struct kmip_register_request *request = item->request;
	const struct kmip_template_attribute *given = request->template_attribute;
	struct attribute_edits edits = making_edits(item, request->object_type.value);
	struct slice digested = SLICE_EMPTY;
	enum err err;

	edits.registers = true;
	TRY(judge_object(request, item->version));
	TRY(registering_read(item, &request->object, &digested));
	TRY(making_attributes(item, &edits, given));
	if (request->object.template != NULL)
		TRY(making_template_names(&edits, request->object.template));
	TRY(registering_describe(item, &edits, &request->object));
	TRY(making_effect(item, &edits, digested));
out:
	return err;
}

enum err op_register_finish(struct kmip_item *item)
{
	struct kmip_register_response *response = item->response;

	item->placeholder = item->subject;
	return item_uid_text(item, &response->unique_identifier);
}
