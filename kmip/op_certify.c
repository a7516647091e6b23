/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certify (KMIP 1.4, section 4.7), in the order of time: the certificate is issued on another
 * thread by the instance's authority -> it is made, linked to the public key -> it gets its
 * names, and the public key its link. A request may come without a public key that is held here;
 * then there are no links.
 */
#include "kmip/certifying.h"
#include "kmip/linking.h"
#include "kmip/making.h"
#include "kmip/operations.h"
#include "kmip/settling.h"

/* The key that is named, or, without a request, the ID Placeholder's. */
static enum err find_key(struct kmip_item *item, struct object **out)
{
	const struct kmip_certify_request *request = item->request;
	enum err err;

	*out = NULL;
	if (request->unique_identifier.data == NULL && request->request.data != NULL)
		return ERR_OK;
	TRY(item_object(item, request->unique_identifier, out));
	if ((*out)->dead || (*out)->type != KMIP_OBJECT_TYPE_PUBLIC_KEY)
		TRY(ERR_DENIED);
out:
	return err;
}

static enum err make(
	struct kmip_item *item, struct attribute_edits *edits, const struct object *key)
{
	struct slice digested;
	enum err err;

	TRY(certifying_end(item, edits, &digested));
	if (key != NULL)
		TRY(linking_set(edits, KMIP_LINK_TYPE_PUBLIC_KEY_LINK, &key->uid));
	TRY(making_effect(item, edits, digested));
	if (key != NULL)
		TRY(settling_withhold(item));
out:
	return err;
}

enum err op_certify_plan(struct kmip_item *item)
{
	const struct kmip_certify_request *request = item->request;
	struct kmip_certify_response *response = item->response;
	struct attribute_edits edits = making_edits(item, KMIP_OBJECT_TYPE_CERTIFICATE);
	struct certifying certifying = {
		.request_type = request->request_type, .request = request->request, .edits = &edits
	};
	const struct kmip_authority *authority;
	struct object *key;
	enum err err;

	TRY(certifying_authority(&authority, item));
	TRY(find_key(item, &key));
	TRY(making_joint_attributes(item, &edits, request->template_attribute, NULL));
	certifying.key = key;
	TRY(item->plan_memory == NULL ? certifying_begin(item, &certifying)
				      : make(item, &edits, key));
	TRY(making_tell(&edits, &response->template_attribute));
	item->plan_result = key;
out:
	return err;
}

enum err op_certify_finish(struct kmip_item *item)
{
	struct kmip_certify_response *response = item->response;
	const struct object *key = item->plan_result;

	if (item->steps == 1 && key != NULL) {
		settling_begin(item);
		return settling_link(
			item, &key->uid, KMIP_LINK_TYPE_CERTIFICATE_LINK, &item->made[0]);
	}
	item->subject = (struct kmip_placeholder){ .has = true, .uid = item->made[0] };
	item->placeholder = item->subject;
	return item_uid_text(item, &response->unique_identifier);
}
