/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Re-certify (KMIP 1.4, section 4.8), in the order of time: a certificate for the old one's key is
 * issued on another thread -> it is made, with its links -> it takes over the old one's names, and
 * the public key points to it instead of the old one. Should one of them fail, the new certificate
 * does not stay.
 */
#include "kmip/certifying.h"
#include "kmip/linking.h"
#include "kmip/making.h"
#include "kmip/operations.h"
#include "kmip/replacing.h"
#include "kmip/settling.h"

/* What plan leaves to finish, in the arena. */
struct renewal {
	struct object *old, *key; /* key: NULL when none is held here */
};

static enum err find_key(struct kmip_item *item, struct renewal *renewal)
{
	struct uid uid;
	enum err err;

	if (!linking_find(&uid, item, renewal->old, KMIP_LINK_TYPE_PUBLIC_KEY_LINK))
		return ERR_OK;
	err = item_read(item, &uid, &renewal->key);
	if (err == ERR_NOT_FOUND || err == ERR_DESTROYED)
		return ERR_OK;
	TRY(err);
	if (renewal->key->dead || renewal->key->type != KMIP_OBJECT_TYPE_PUBLIC_KEY) {
		renewal->key = NULL;
		return ERR_OK;
	}
	TRY(object_attributes_is_archived(renewal->key) ? ERR_ARCHIVED : ERR_OK);
out:
	return err;
}

static enum err find_old(struct kmip_item *item, struct renewal *renewal)
{
	const struct kmip_re_certify_request *request = item->request;
	enum err err;

	TRY(item_object(item, request->unique_identifier, &renewal->old));
	if (renewal->old->dead || renewal->old->type != KMIP_OBJECT_TYPE_CERTIFICATE)
		TRY(ERR_DENIED);
	if (renewal->old->compromised)
		TRY(ERR_STATE);
	TRY(find_key(item, renewal));
out:
	return err;
}

static enum err make(
	struct kmip_item *item, struct attribute_edits *edits, const struct renewal *renewal)
{
	struct slice digested;
	enum err err;

	TRY(certifying_end(item, edits, &digested));
	TRY(linking_set(edits, KMIP_LINK_TYPE_REPLACED_OBJECT_LINK, &renewal->old->uid));
	if (renewal->key != NULL)
		TRY(linking_set(edits, KMIP_LINK_TYPE_PUBLIC_KEY_LINK, &renewal->key->uid));
	TRY(making_further_effect(item, edits, digested));
	TRY(settling_withhold(item));
out:
	return err;
}

enum err op_re_certify_plan(struct kmip_item *item)
{
	const struct kmip_re_certify_request *request = item->request;
	struct kmip_re_certify_response *response = item->response;
	struct renewal *renewal = ARENA_NEW(item->arena, struct renewal);
	struct attribute_edits edits = making_edits(item, KMIP_OBJECT_TYPE_CERTIFICATE);
	struct replacing replacing = { .given = request->template_attribute,
		.offset = request->offset };
	struct certifying certifying = {
		.request_type = request->request_type, .request = request->request, .edits = &edits
	};
	const struct kmip_authority *authority;
	enum err err = renewal == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	TRY(certifying_authority(&authority, item));
	TRY(find_old(item, renewal));
	replacing.old = certifying.old = renewal->old;
	certifying.key = renewal->key;
	TRY(replacing_attributes(item, &edits, &replacing));
	TRY(item->plan_memory == NULL ? certifying_begin(item, &certifying)
				      : make(item, &edits, renewal));
	TRY(making_tell(&edits, &response->template_attribute));
	item->plan_result = renewal;
out:
	return err;
}

static enum err settle(struct kmip_item *item, const struct renewal *renewal)
{
	struct settling_move move = { KMIP_LINK_TYPE_CERTIFICATE_LINK, &renewal->old->uid,
		&item->made[0] };
	enum err err = ERR_OK;

	settling_begin(item);
	if (renewal->key != NULL)
		TRY(settling_move_link(item, renewal->key, &move));
	TRY(settling_replace(item, renewal->old, &item->made[0]));
out:
	return err;
}

enum err op_re_certify_finish(struct kmip_item *item)
{
	struct kmip_re_certify_response *response = item->response;

	if (item->steps == 1)
		return settle(item, item->plan_result);
	item->subject = (struct kmip_placeholder){ .has = true, .uid = item->made[0] };
	item->placeholder = item->subject;
	return item_uid_text(item, &response->unique_identifier);
}
