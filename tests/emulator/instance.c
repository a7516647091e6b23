/* SPDX-License-Identifier: Apache-2.0 */
/* What belongs to the instance as a whole: its policies, its endpoints. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "tests/emulator/emulator.h"
#include "tests/emulator/handlers.h"
#include "tests/emulator/network.h"

#define POLICY_TYPE "application/vnd.ibm.kms.policy+json"
#define IP_TYPE "application/vnd.ibm.kms.allowed_ip_metadata+json"

static const struct {
	const char *name;
	bool has_attributes;
} policies[] = {
	{ "allowedNetwork", true },
	{ "allowedIP", true },
	{ "dualAuthDelete", false },
	{ "metrics", false },
	{ "keyCreateImportAccess", true },
	{ "rotation", true },
};

enum { POLICY_COUNT = sizeof(policies) / sizeof(policies[0]), ALLOWED_IP_MAX = 1000 };

static size_t policy_named(const char *name)
{
	size_t i = 0;

	while (i < POLICY_COUNT && (name == NULL || strcmp(policies[i].name, name) != 0))
		i++;
	return i;
}

const cJSON *instance_policy_enabled(const struct world *world, const char *type)
{
	const cJSON *policy = cJSON_GetObjectItemCaseSensitive(world->policies, type);
	const cJSON *data = cJSON_GetObjectItem(policy, "policy_data");
	const cJSON *attributes = cJSON_GetObjectItem(data, "attributes");

	if (!cJSON_IsTrue(cJSON_GetObjectItem(data, "enabled")))
		return NULL;
	return attributes != NULL ? attributes : data;
}

enum refusal instance_policy_check_list(struct request *request)
{
	const char *wanted = request_param(request, "policy");

	if (wanted != NULL && policy_named(wanted) == POLICY_COUNT)
		return request_bad_param(request, "policy", "a known policy type");
	return REFUSE_NOTHING;
}

/* The list of addresses is told under its old name as well. */
static cJSON *old_name_of(const cJSON *policy)
{
	cJSON *old = cJSON_Duplicate(policy, true);

	cJSON_ReplaceItemInObject(old, "policy_type", cJSON_CreateString("ipWhitelist"));
	return old;
}

enum refusal instance_policy_list(struct request *request)
{
	const char *wanted = request_param(request, "policy");
	cJSON *resources = cJSON_CreateArray();
	const cJSON *policy;

	cJSON_ArrayForEach(policy, request->world->policies)
	{
		if (wanted != NULL && strcmp(wanted, policy->string) != 0)
			continue;
		cJSON_AddItemToArray(resources, cJSON_Duplicate(policy, true));
		if (wanted == NULL && strcmp(policy->string, "allowedIP") == 0)
			cJSON_AddItemToArray(resources, old_name_of(policy));
	}
	return request_answer(request, 200, key_envelope(POLICY_TYPE, resources));
}

static enum refusal check_members(struct request *request, const cJSON *resource)
{
	static const char *const known[] = { "policy_type", "policy_data" };
	const cJSON *member;
	char why[160];

	cJSON_ArrayForEach(member, resource)
	{
		if (strcasecmp(member->string, known[0]) == 0 ||
			strcasecmp(member->string, known[1]) == 0)
			continue;
		snprintf(why, sizeof(why), "json: unknown field \"%.100s\"", member->string);
		return request_bad_body(request, why);
	}
	return REFUSE_NOTHING;
}

static enum refusal check_addresses(struct request *request, const cJSON *addresses)
{
	const cJSON *subnet;
	int count = cJSON_GetArraySize(addresses);
	bool good = cJSON_IsArray(addresses) && count >= 1 && count <= ALLOWED_IP_MAX;

	cJSON_ArrayForEach(subnet, addresses)
	{
		const char *text = cJSON_GetStringValue(subnet);
		good = good && text != NULL && network_subnet_is_valid(text);
	}
	if (good)
		return REFUSE_NOTHING;
	return request_bad_field(request, "allowed_ip", "1 to 1000 IPv4 subnets");
}

static enum refusal check_attributes(
	struct request *request, const char *type, const cJSON *attributes)
{
	const char *network = request_text(attributes, "allowed_network");
	const cJSON *months = cJSON_GetObjectItem(attributes, "interval_month");

	if (attributes == NULL)
		return REFUSE_NOTHING;
	if (strcmp(type, "allowedIP") == 0)
		return check_addresses(request, cJSON_GetObjectItem(attributes, "allowed_ip"));
	if (strcmp(type, "allowedNetwork") == 0 &&
		(network == NULL || (strcmp(network, "private-only") != 0 &&
					    strcmp(network, "public-and-private") != 0)))
		return request_bad_field(
			request, "allowed_network", "public-and-private or private-only");
	if (strcmp(type, "rotation") == 0 &&
		(!cJSON_IsNumber(months) || months->valueint < 1 || months->valueint > 12))
		return request_bad_field(
			request, "interval_month", "an integer between 1 and 12 (inclusive)");
	return REFUSE_NOTHING;
}

static enum refusal check_policy(struct request *request, const cJSON *resource)
{
	const char *wanted = request_param(request, "policy");
	const char *type = request_text(resource, "policy_type");
	const cJSON *data = cJSON_GetObjectItem(resource, "policy_data");
	const cJSON *enabled = cJSON_GetObjectItem(data, "enabled");
	const cJSON *attributes = cJSON_GetObjectItem(data, "attributes");
	size_t index = policy_named(type);

	if (index == POLICY_COUNT)
		return request_bad_field(request, "policy_type", "a known policy type");
	if (wanted != NULL && strcmp(wanted, type) != 0)
		return REFUSE_BODY_QUERY_PARAM_MISMATCH_ERR;
	if (!cJSON_IsBool(enabled))
		return request_bad_field(request, "enabled", "a boolean");
	bool may_have = policies[index].has_attributes && cJSON_IsTrue(enabled);
	if (attributes != NULL && !may_have)
		return request_bad_body(request, "json: unknown field \"attributes\"");
	enum refusal refusal = check_members(request, resource);
	return refusal == REFUSE_NOTHING ? check_attributes(request, type, attributes) : refusal;
}

enum refusal instance_policy_check(struct request *request)
{
	const cJSON *resource;
	enum refusal refusal = REFUSE_NOTHING;
	const char *wanted = request_param(request, "policy");

	if (wanted != NULL && policy_named(wanted) == POLICY_COUNT)
		return request_bad_param(request, "policy", "a known policy type");
	refusal = request_read_body(request);
	if (refusal == REFUSE_NOTHING)
		refusal = request_read_envelope(request);
	const cJSON *resources = cJSON_GetObjectItem(request->body, "resources");
	if (refusal == REFUSE_NOTHING && wanted != NULL && cJSON_GetArraySize(resources) != 1)
		refusal = REFUSE_NUM_COLLECTION_RESOURCE_ERR;
	cJSON_ArrayForEach(resource, resources)
	{
		if (refusal == REFUSE_NOTHING)
			refusal = check_policy(request, resource);
	}
	return refusal;
}

static cJSON *policy_resource(const struct request *request, const cJSON *given)
{
	const char *type = request_text(given, "policy_type");
	const cJSON *before = cJSON_GetObjectItemCaseSensitive(request->world->policies, type);
	const char *created = request_text(before, "creationDate");
	const char *created_by = request_text(before, "createdBy");
	char now[RFC3339_TEXT_LEN + 1];
	cJSON *policy = cJSON_CreateObject();

	text_rfc3339_from(now, world_now(request->world));
	cJSON_AddStringToObject(policy, "policy_type", type);
	cJSON_AddItemToObject(policy, "policy_data",
		cJSON_Duplicate(cJSON_GetObjectItem(given, "policy_data"), true));
	cJSON_AddStringToObject(policy, "creationDate", created != NULL ? created : now);
	cJSON_AddStringToObject(
		policy, "createdBy", created_by != NULL ? created_by : request->user->id);
	cJSON_AddStringToObject(policy, "updatedBy", request->user->id);
	cJSON_AddStringToObject(policy, "lastUpdated", now);
	return policy;
}

enum refusal instance_policy_put(struct request *request)
{
	const cJSON *resource;

	cJSON_ArrayForEach(resource, cJSON_GetObjectItem(request->body, "resources"))
		world_set_policy(request->world, request_text(resource, "policy_type"),
			policy_resource(request, resource));
	return request_answer_empty(request, 204);
}

enum refusal instance_allowed_ip_port(struct request *request)
{
	cJSON *resources = cJSON_CreateArray();

	if (instance_policy_enabled(request->world, "allowedIP") != NULL) {
		cJSON *port = cJSON_CreateObject();
		cJSON_AddNumberToObject(port, "private_endpoint_port", NETWORK_PRIVATE_PORT);
		cJSON_AddItemToArray(resources, port);
		return request_answer(request, 200, key_envelope(IP_TYPE, resources));
	}
	/* this one collection shows that it is empty */
	cJSON *envelope = key_envelope(IP_TYPE, resources);
	cJSON_AddItemToObject(envelope, "resources", cJSON_CreateArray());
	return request_answer(request, 200, envelope);
}

/* The broker's answer of Hyper Protect Crypto Services: the hosts that the command line gave, else
 * where we were called. */
enum refusal instance_endpoints(struct request *request)
{
	const char *host = request_header(request, "Host");
	const char *public_host = request->emulator->public_host;
	const char *private_host = request->emulator->private_host;
	cJSON *answer = cJSON_CreateObject();

	if (host == NULL)
		host = "127.0.0.1";
	if (strcasecmp(request->segments[2], request->world->instance) != 0) {
		cJSON_Delete(answer);
		request->status = 404;
		request->answer_text = "instance not found\n";
		return REFUSE_NOTHING;
	}
	cJSON_AddStringToObject(answer, "instance_id", request->world->instance);
	cJSON *kms = cJSON_AddObjectToObject(answer, "kms");
	cJSON_AddStringToObject(kms, "public", public_host != NULL ? public_host : host);
	cJSON_AddStringToObject(kms, "private", private_host != NULL ? private_host : host);
	return request_answer(request, 200, answer);
}

/* Which rules of an account its resources meet: none are set here. */
enum refusal instance_governance(struct request *request)
{
	const char *account = request_param(request, "account_id");
	const char *kind = request_param(request, "resource_kind");
	const char *asked = request_param(request, "config_request_id");
	char now[RFC3339_TEXT_LEN + 1];
	cJSON *answer = cJSON_CreateObject();

	text_rfc3339_from(now, world_now(request->world));
	cJSON_AddStringToObject(answer, "account_id", account != NULL ? account : WORLD_ACCOUNT);
	cJSON_AddStringToObject(answer, "service_name", "kms");
	cJSON_AddStringToObject(answer, "resource_kind", kind != NULL ? kind : "instance");
	cJSON_AddStringToObject(answer, "config_request_id", asked != NULL ? asked : "");
	cJSON_AddStringToObject(answer, "timestamp", now);
	cJSON_AddItemToObject(answer, "config_state", cJSON_CreateArray());
	return request_answer(request, 200, answer);
}
