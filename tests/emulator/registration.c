/* SPDX-License-Identifier: Apache-2.0 */
/* Registrations are made by IBM's own services: for us they are there to be read, and to keep a key
 * from being deleted. Tests make them by the control endpoint. */
#include <stdlib.h>
#include <string.h>

#include "tests/emulator/collection.h"
#include "tests/emulator/handlers.h"
#include "tests/emulator/list.h"

static const struct collection registrations = { "application/vnd.ibm.kms.registration+json", 200,
	5000 };

enum refusal registration_check(struct request *request)
{
	const char *prevents = request_param(request, "preventKeyDeletion");

	bool value = false;

	if (prevents != NULL && !list_parse_bool(&value, prevents))
		return request_bad_param(request, "preventKeyDeletion", "a boolean");
	return collection_check(request, &registrations);
}

/* The question may end in %, which stands for anything; it came encoded twice. */
static bool crn_matches(const char *asked, const char *crn)
{
	size_t len = strlen(asked);

	if (len > 0 && (asked[len - 1] == '%' || asked[len - 1] == '*'))
		return strncmp(asked, crn, len - 1) == 0;
	return strcmp(asked, crn) == 0;
}

static bool is_asked_for(const struct request *request, const cJSON *registration)
{
	const char *crn = request_param(request, "urlEncodedResourceCRNQuery");
	const char *prevents = request_param(request, "preventKeyDeletion");
	bool has = cJSON_IsTrue(cJSON_GetObjectItem(registration, "preventKeyDeletion"));

	if (prevents != NULL && request_param_is_true(request, "preventKeyDeletion") != has)
		return false;
	if (crn == NULL)
		return true;
	char *decoded = evhttp_uridecode(crn, 0, NULL);
	bool found =
		decoded != NULL && crn_matches(decoded, request_text(registration, "resourceCrn"));
	free(decoded);
	return found;
}

static void add_of_key(const struct request *request, cJSON *out, const struct key *key)
{
	const cJSON *registration;

	cJSON_ArrayForEach(registration, key->registrations)
	{
		if (is_asked_for(request, registration))
			cJSON_AddItemToArray(out, cJSON_Duplicate(registration, true));
	}
}

enum refusal registration_list(struct request *request)
{
	cJSON *all = cJSON_CreateArray();

	add_of_key(request, all, request->key);
	return collection_answer(request, &registrations, all);
}

enum refusal registration_list_all(struct request *request)
{
	cJSON *all = cJSON_CreateArray();
	struct key **keys = world_keys(request->world);

	for (size_t i = 0; i < request->world->key_count; i++)
		add_of_key(request, all, keys[i]);
	free(keys);
	return collection_answer(request, &registrations, all);
}

enum refusal registration_service_only(struct request *request)
{
	(void) request;
	return REFUSE_SERVICE_ONLY_ERR;
}

enum refusal registration_guard_delete(struct request *request)
{
	const cJSON *registration;

	cJSON_ArrayForEach(registration, request->key->registrations)
	{
		if (cJSON_IsTrue(cJSON_GetObjectItem(registration, "preventKeyDeletion")))
			return REFUSE_PREV_KEY_DEL_ERR;
	}
	if (cJSON_GetArraySize(request->key->registrations) == 0 ||
		request_param_is_true(request, "force"))
		return REFUSE_NOTHING;
	request->target_type = "query_param";
	request->target_name = "force";
	return REFUSE_PROTECTED_RESOURCE_ERR;
}

bool registration_make(struct world *world, const cJSON *wanted)
{
	const char *id = request_text(wanted, "key");
	const char *crn = request_text(wanted, "resource_crn");
	const char *description = request_text(wanted, "description");
	struct key *key = id != NULL ? world_key(world, id) : NULL;
	char now[RFC3339_TEXT_LEN + 1];

	if (key == NULL || crn == NULL)
		return false;
	text_rfc3339_from(now, world_now(world));
	cJSON *made = cJSON_CreateObject();
	cJSON_AddStringToObject(made, "keyId", key->id);
	cJSON_AddStringToObject(made, "resourceCrn", crn);
	cJSON_AddStringToObject(made, "createdBy", "iam-ServiceId-registering-service");
	cJSON_AddStringToObject(made, "creationDate", now);
	cJSON_AddStringToObject(made, "updatedBy", "iam-ServiceId-registering-service");
	cJSON_AddStringToObject(made, "lastUpdated", now);
	cJSON_AddStringToObject(made, "description", description != NULL ? description : "");
	cJSON_AddStringToObject(made, "registrationMetadata", "");
	cJSON_AddBoolToObject(made, "preventKeyDeletion",
		cJSON_IsTrue(cJSON_GetObjectItem(wanted, "prevent_key_deletion")));
	cJSON *version = cJSON_AddObjectToObject(made, "keyVersion");
	cJSON_AddStringToObject(version, "id", key_newest(key)->id);
	text_rfc3339_from(now, key_newest(key)->created);
	cJSON_AddStringToObject(version, "creationDate", now);
	if (key->registrations == NULL)
		key->registrations = cJSON_CreateArray();
	cJSON_AddItemToArray(key->registrations, made);
	world_save_key(world, key);
	return true;
}
