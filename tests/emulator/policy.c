/* SPDX-License-Identifier: Apache-2.0 */
/* Policies of one key: rotation and dual-authorisation delete. */
#include <stdio.h>
#include <string.h>

#include "tests/emulator/handlers.h"

#define POLICY_TYPE "application/vnd.ibm.kms.policy+json"

static const char *const kinds[] = { "rotation", "dualAuthDelete" };

enum { KIND_COUNT = 2, ROTATION_MONTHS_MAX = 12 };

enum refusal policy_check_list(struct request *request)
{
	const char *wanted = request_param(request, "policy");

	if (wanted != NULL && strcmp(wanted, kinds[0]) != 0 && strcmp(wanted, kinds[1]) != 0)
		return request_bad_param(request, "policy", "rotation or dualAuthDelete");
	return REFUSE_NOTHING;
}

enum refusal policy_list(struct request *request)
{
	const char *wanted = request_param(request, "policy");
	cJSON *resources = cJSON_CreateArray();

	for (size_t i = 0; i < KIND_COUNT; i++) {
		const cJSON *policy = cJSON_GetObjectItem(request->key->policies, kinds[i]);
		if (policy != NULL && (wanted == NULL || strcmp(wanted, kinds[i]) == 0))
			cJSON_AddItemToArray(resources, cJSON_Duplicate(policy, true));
	}
	return request_answer(request, 200, key_envelope(POLICY_TYPE, resources));
}

enum refusal policy_check_settings(struct request *request, const cJSON *resource)
{
	const cJSON *rotation = cJSON_GetObjectItem(resource, "rotation");
	const cJSON *dual = cJSON_GetObjectItem(resource, "dualAuthDelete");
	const cJSON *months = cJSON_GetObjectItem(rotation, "interval_month");

	if (dual != NULL && !cJSON_IsBool(cJSON_GetObjectItem(dual, "enabled")))
		return request_bad_field(request, "enabled", "a boolean");
	if (months != NULL && (!cJSON_IsNumber(months) || months->valueint < 1 ||
				      months->valueint > ROTATION_MONTHS_MAX))
		return request_bad_field(
			request, "interval_month", "an integer between 1 and 12 (inclusive)");
	return REFUSE_NOTHING;
}

static enum refusal check_one(struct request *request, const cJSON *resource)
{
	const char *wanted = request_param(request, "policy");

	if (cJSON_GetObjectItem(resource, "rotation") == NULL &&
		cJSON_GetObjectItem(resource, "dualAuthDelete") == NULL)
		return request_bad_body(request, "a policy must be rotation or dualAuthDelete");
	if (wanted != NULL && cJSON_GetObjectItem(resource, wanted) == NULL)
		return REFUSE_BODY_QUERY_PARAM_MISMATCH_ERR;
	return policy_check_settings(request, resource);
}

enum refusal policy_check(struct request *request)
{
	enum refusal refusal = policy_check_list(request);
	const cJSON *resource;

	if (refusal == REFUSE_NOTHING)
		refusal = request_read_body(request);

	if (refusal == REFUSE_NOTHING)
		refusal = request_read_envelope(request);
	if (refusal == REFUSE_NOTHING && request->resource == NULL)
		refusal = request_bad_body(request, "no policy");
	cJSON_ArrayForEach(resource, cJSON_GetObjectItem(request->body, "resources"))
	{
		if (refusal == REFUSE_NOTHING)
			refusal = check_one(request, resource);
	}
	return refusal;
}

/* A rotation that is switched without an interval keeps the one that it had. */
static cJSON *setting_of(const struct key *key, const char *kind, const cJSON *given)
{
	const cJSON *before = cJSON_GetObjectItem(key->policies, kind);
	const cJSON *months =
		cJSON_GetObjectItem(cJSON_GetObjectItem(before, kind), "interval_month");
	cJSON *setting = cJSON_Duplicate(given, true);

	if (strcmp(kind, "rotation") != 0)
		return setting;
	if (cJSON_GetObjectItem(setting, "enabled") == NULL)
		cJSON_AddBoolToObject(setting, "enabled", true);
	if (cJSON_GetObjectItem(setting, "interval_month") == NULL && months != NULL)
		cJSON_AddNumberToObject(setting, "interval_month", months->valuedouble);
	return setting;
}

void policy_set(struct request *request, struct key *key, const char *kind, const cJSON *setting)
{
	char date[RFC3339_TEXT_LEN + 1];
	char crn[512];
	char id[UUID_TEXT_LEN + 1];
	cJSON *policy = cJSON_CreateObject();

	text_uuid(id);
	text_rfc3339_from(date, world_now(request->world));
	snprintf(crn, sizeof(crn), "%s%s", request->world->crn_prefix, key->id);
	cJSON_AddStringToObject(policy, "id", id);
	cJSON_AddStringToObject(policy, "crn", crn);
	cJSON_AddItemToObject(policy, kind, setting_of(key, kind, setting));
	cJSON_AddStringToObject(policy, "createdBy", request->user->id);
	cJSON_AddStringToObject(policy, "creationDate", date);
	cJSON_AddStringToObject(policy, "updatedBy", request->user->id);
	cJSON_AddStringToObject(policy, "lastUpdateDate", date);
	if (key->policies == NULL)
		key->policies = cJSON_CreateObject();
	cJSON_DeleteItemFromObject(key->policies, kind);
	cJSON_AddItemToObject(key->policies, kind, policy);
	if (strcmp(kind, "dualAuthDelete") == 0)
		key->dual_auth |= cJSON_IsTrue(cJSON_GetObjectItem(setting, "enabled"));
}

static bool rotation_lacks_interval(const struct key *key, const cJSON *resource)
{
	const cJSON *rotation = cJSON_GetObjectItem(resource, "rotation");

	return rotation != NULL && cJSON_GetObjectItem(rotation, "interval_month") == NULL &&
	       cJSON_GetObjectItem(key->policies, "rotation") == NULL;
}

enum refusal policy_put(struct request *request)
{
	struct key *key = request->key;
	const cJSON *resources = cJSON_GetObjectItem(request->body, "resources");
	const cJSON *resource;

	cJSON_ArrayForEach(resource, resources)
	{
		const cJSON *dual = cJSON_GetObjectItem(resource, "dualAuthDelete");
		bool off = dual != NULL && !cJSON_IsTrue(cJSON_GetObjectItem(dual, "enabled"));
		if (cJSON_GetObjectItem(resource, "rotation") != NULL && key->extractable)
			return request_refuse(request, REFUSE_KEY_ROOT_REQ_ERR,
				"Requested action can only be completed with a root key: Rotation "
				"policy cannot be set on a standard key");
		if (rotation_lacks_interval(key, resource))
			return request_bad_field(request, "interval_month",
				"an integer between 1 and 12 (inclusive)");
		if (off && key->dual_auth)
			return request_bad_field(
				request, "dualAuthDelete", "left on once it is on");
	}
	cJSON_ArrayForEach(resource, resources)
	{
		for (size_t i = 0; i < KIND_COUNT; i++) {
			const cJSON *setting = cJSON_GetObjectItem(resource, kinds[i]);
			if (setting != NULL)
				policy_set(request, key, kinds[i], setting);
		}
	}
	key->updated = world_now(request->world);
	world_save_key(request->world, key);
	return policy_list(request);
}
