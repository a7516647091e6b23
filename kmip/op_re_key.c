/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Re-key (KMIP 1.4, section 4.4): a new symmetric key in place of an old one. The new key is made
 * first, so that nothing is lost between the two steps; then it takes over the old one's names.
 */
#include "kmip/linking.h"
#include "kmip/making.h"
#include "kmip/object_attributes.h"
#include "kmip/operations.h"
#include "kmip/replacing.h"
#include "kmip/settling.h"

enum err op_re_key_plan(struct kmip_item *item)
{
	const struct kmip_re_key_request *request = item->request;
	struct kmip_re_key_response *response = item->response;
	struct replacing replacing = { .given = request->template_attribute,
		.offset = request->offset };
	struct attribute_edits edits;
	struct kmip_value present;
	struct object *old;
	enum err err;

	TRY(item_object(item, request->unique_identifier, &old));
	if (old->dead || old->type != KMIP_OBJECT_TYPE_SYMMETRIC_KEY)
		TRY(ERR_DENIED);
	if (object_attributes_stored(old, KMIP_ATTRIBUTE_KEY_VALUE_PRESENT, &present) &&
		!present.boolean)
		TRY(ERR_KEY_ABSENT);
	replacing.old = old;
	edits = making_edits(item, old->type);
	TRY(replacing_attributes(item, &edits, &replacing));
	TRY(making_symmetric_key(item, &edits.key));
	TRY(making_generator_of(item, &edits));
	TRY(linking_set(&edits, KMIP_LINK_TYPE_REPLACED_OBJECT_LINK, &old->uid));
	TRY(making_further_effect(item, &edits, item->create.material));
	TRY(settling_withhold(item));
	TRY(making_tell(&edits, &response->template_attribute));
	item->plan_result = old;
out:
	return err;
}

enum err op_re_key_finish(struct kmip_item *item)
{
	struct kmip_re_key_response *response = item->response;

	if (item->steps == 1) {
		settling_begin(item);
		return settling_replace(item, item->plan_result, &item->made[0]);
	}
	item->subject.uid = item->made[0];
	item->placeholder = item->subject;
	return item_uid_text(item, &response->unique_identifier);
}
