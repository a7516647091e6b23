/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Register (KMIP 1.4, section 4.3): every kind of object, also wrapped, and from 1.2 on without its
 * value. What a wrapped key holds nobody can vouch for: it is kept as it came. A private key that
 * comes as PKCS #12 is opened, and what is registered is key and certificates (unpacking.h).
 */
#include "kmip/making.h"
#include "kmip/operations.h"
#include "kmip/registering.h"
#include "kmip/settling.h"
#include "kmip/unpacking.h"

enum err op_register_plan(struct kmip_item *item)
{
	const struct kmip_register_request *request = item->request;
	struct kmip_register_response *response = item->response;
	const struct kmip_template_attribute *given = request->template_attribute;
	struct attribute_edits edits = making_edits(item, request->object_type.value);
	struct unpacking *unpacking = ARENA_NEW(item->arena, struct unpacking);
	struct slice digested = SLICE_EMPTY;
	enum err err = unpacking == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	edits.registers = true;
	unpacking->object = request->object;
	TRY(kmip_object_type(&request->object) == 0 ? ERR_MESSAGE : ERR_OK);
	if (kmip_object_type(&request->object) != request->object_type.value)
		TRY(ERR_FIELD);
	TRY(making_attributes(item, &edits, given));
	TRY(unpacking_open(item, &edits, unpacking));
	TRY(registering_read(item, &edits, &unpacking->object, &digested));
	if (request->object.template != NULL)
		TRY(making_template(&edits, request->object.template));
	TRY(registering_describe(item, &edits, &unpacking->object));
	TRY(making_effect(item, &edits, digested));
	TRY(making_tell(&edits, &response->template_attribute));
	TRY(unpacking_first(item, unpacking));
	item->plan_result = unpacking;
out:
	return err;
}

enum err op_register_finish(struct kmip_item *item)
{
	struct kmip_register_response *response = item->response;
	const struct unpacking *unpacking = item->plan_result;

	if (item->steps <= unpacking->count)
		return unpacking_next(item, unpacking);
	if (item->steps == item->made_count && item->settling != NULL) {
		settling_begin(item);
		return ERR_OK;
	}
	item->placeholder = item->subject;
	return item_uid_text(item, &response->unique_identifier);
}
