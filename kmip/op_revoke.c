/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Revoke (KMIP 1.4, section 4.20; states: 3.22). Where the specification is silent: a Pre-Active
 * key revoked without a compromise becomes Deactivated, so that clients which create, revoke and
 * destroy get through; what is Deactivated or Compromised already cannot become it again.
 */
#include "kmip/attribute_rules.h"
#include "kmip/operations.h"

static bool is_compromise(const struct kmip_revoke_request *request)
{
	uint32_t code = request->revocation_reason->code.value;

	return code == KMIP_REVOCATION_REASON_CODE_KEY_COMPROMISE ||
	       code == KMIP_REVOCATION_REASON_CODE_CA_COMPROMISE;
}

static enum err revoke_check(void *ctx, const struct object *object)
{
	const struct kmip_item *item = ctx;

	if (!object_attributes_apply(object, KMIP_ATTRIBUTE_REVOCATION_REASON))
		return ERR_ILLEGAL;
	switch (object_attributes_state(object, item->now)) {
	case OBJECT_STATE_PRE_ACTIVE:
	case OBJECT_STATE_ACTIVE:
		return ERR_OK;
	case OBJECT_STATE_DEACTIVATED:
	case OBJECT_STATE_DESTROYED:
		return is_compromise(item->request) ? ERR_OK : ERR_STATE;
	default:
		return ERR_STATE;
	}
}

static enum err judge_request(const struct kmip_item *item)
{
	const struct kmip_revoke_request *request = item->request;

	if (request->compromise_occurrence_date.has && !is_compromise(request))
		return ERR_FIELD;
	return ERR_OK;
}

static void state_dates(struct kmip_item *item, const struct object *object)
{
	const struct kmip_revoke_request *request = item->request;
	struct object_change *change = &item->change;

	if (!is_compromise(request)) {
		change->deactivate = true;
		change->dates[OBJECT_DATE_DEACTIVATED] = item->now;
		return;
	}
	change->compromise = true;
	change->dates[OBJECT_DATE_COMPROMISED] = item->now;
	change->dates[OBJECT_DATE_COMPROMISE_OCCURRED] =
		request->compromise_occurrence_date.has ? request->compromise_occurrence_date.value
							: object->dates[OBJECT_DATE_INITIAL];
}

enum err op_revoke_plan(struct kmip_item *item)
{
	const struct kmip_revoke_request *request = item->request;
	struct attribute_edits edits = {
		.arena = item->arena, .version = item->version, .now = item->now
	};
	struct kmip_value reason;
	struct object *object;
	enum err err;

	TRY(judge_request(item));
	TRY(item_object(item, request->unique_identifier, &object));
	TRY(revoke_check(item, object));
	TRY(kmip_value_write(
		&reason, item->arena, &kmip_revocation_reason_table, request->revocation_reason));
	TRY(attribute_rules_set(&edits, KMIP_ATTRIBUTE_REVOCATION_REASON, &reason));
	attribute_rules_change(&edits, &item->change);
	state_dates(item, object);
	item->effect = KMIP_EFFECT_CHANGE;
	item->check = revoke_check;
out:
	return err;
}

enum err op_revoke_finish(struct kmip_item *item)
{
	struct kmip_revoke_response *response = item->response;

	return item_uid_text(item, &response->unique_identifier);
}
