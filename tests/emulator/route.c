/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/emulator/route.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "tests/emulator/emulator.h"
#include "tests/emulator/handlers.h"
#include "tests/emulator/network.h"

/* TOKEN: any valid token; GUARDED: instance and role, too. */
enum route_access { OPEN, TOKEN, GUARDED };
enum route_key { NO_KEY, ANY_KEY, ROOT_KEY };

struct route {
	const char *method;
	const char *pattern;
	enum route_access access;
	enum access_action action;
	enum route_key key;
	unsigned states; /* in which the key may be */
	const char *phrase; /* of a refusal */
	handler *check; /* may be NULL */
	handler *handle;
};

#define K "/api/v2/keys"
#define A "/api/v2/kmip_adapters"
#define USABLE KEY_IN(KEY_ACTIVE)
#define READABLE (KEY_IN(KEY_ACTIVE) | KEY_IN(KEY_DEACTIVATED))
#define LIVE \
	(KEY_IN(KEY_PREACTIVE) | KEY_IN(KEY_ACTIVE) | KEY_IN(KEY_SUSPENDED) | \
		KEY_IN(KEY_DEACTIVATED))
#define KEYS(method, pattern, action, key, states, phrase, check, handle) \
	{ \
		method, K pattern, GUARDED, ACTION_##action, key, states, phrase, check, handle \
	}
#define PLAIN(method, pattern, action, phrase, check, handle) \
	{ \
		method, pattern, GUARDED, ACTION_##action, NO_KEY, KEY_IN_ANY, phrase, check, \
			handle \
	}
#define FREE(method, pattern, access, handle) \
	{ \
		method, pattern, access, ACTION_LIST, NO_KEY, KEY_IN_ANY, "", NULL, handle \
	}

/* clang-format off */
static const struct route routes[] = {
	FREE("POST", "/identity/token", OPEN, iam_token),
	FREE("POST", "/oidc/token", OPEN, iam_token),
	FREE("PUT", "/instance_identity/v1/token", OPEN, iam_metadata_token),
	FREE("POST", "/instance_identity/v1/iam_token", TOKEN, iam_metadata_iam_token),
	FREE("PUT", "/identity/v1/token", OPEN, iam_metadata_token),
	FREE("POST", "/identity/v1/iam_tokens", TOKEN, iam_metadata_iam_token),
	FREE("GET", "/crypto_v2/instances/{id}", TOKEN, instance_endpoints),
	FREE("GET", "/governance/v1/configs", TOKEN, instance_governance),

	PLAIN("HEAD", K, LIST, "Keys could not be retrieved", read_list_check, read_count),
	PLAIN("GET", K, LIST, "Keys could not be retrieved", read_list_check, read_list),
	PLAIN("POST", K, CREATE, "Key could not be created", create_check, create_key),
	PLAIN("POST", "/api/v2/keys_with_policy_overrides", INSTANCE_POLICIES, "Key could not be created", create_check_overrides, create_key),
	PLAIN("GET", K "/registrations", REGISTRATIONS, "Registrations could not be retrieved", registration_check, registration_list_all),
	KEYS("GET", "/{k}", READ, ANY_KEY, KEY_IN_ANY, "Key could not be retrieved", NULL, read_key),
	KEYS("GET", "/{k}/metadata", METADATA, ANY_KEY, KEY_IN_ANY, "Key could not be retrieved", NULL, read_metadata),
	KEYS("GET", "/{k}/versions", VERSIONS, ANY_KEY, KEY_IN_ANY, "KeyVersion(s) could not be retrieved", read_versions_check, read_versions),
	KEYS("PATCH", "/{k}", PATCH, ANY_KEY, LIVE, "Key could not be updated", ring_check_move, ring_move),
	KEYS("DELETE", "/{k}", DELETE, ANY_KEY, LIVE, "Key could not be deleted", NULL, destroy_key),
	KEYS("DELETE", "/{k}/purge", PURGE, ANY_KEY, KEY_IN_ANY, "Key could not be purged", NULL, destroy_purge),
	KEYS("POST", "/{k}/restore", RESTORE, ANY_KEY, KEY_IN_ANY, "Key could not be restored", NULL, destroy_restore),

	KEYS("POST", "/{k}/actions/wrap", WRAP, ROOT_KEY, USABLE, "Wrap with key could not be performed", wrapping_check_wrap, wrapping_wrap),
	KEYS("POST", "/{k}/actions/unwrap", WRAP, ROOT_KEY, READABLE, "Unwrap with key could not be performed", wrapping_check_unwrap, wrapping_unwrap),
	KEYS("POST", "/{k}/actions/rewrap", WRAP, ROOT_KEY, READABLE, "Rewrap with key could not be performed", wrapping_check_unwrap, wrapping_rewrap),
	KEYS("POST", "/{k}/actions/rotate", ROTATE, ROOT_KEY, READABLE, "Key could not be rotated", life_check_rotate, life_rotate),
	KEYS("POST", "/{k}/actions/disable", DISABLE, ROOT_KEY, USABLE, "Key could not be disabled", NULL, life_disable),
	KEYS("POST", "/{k}/actions/enable", DISABLE, ROOT_KEY, KEY_IN(KEY_SUSPENDED), "Key could not be enabled", NULL, life_enable),
	KEYS("POST", "/{k}/actions/setKeyForDeletion", SET_DELETION, ANY_KEY, LIVE, "Action could not be performed on key", NULL, life_set_deletion),
	KEYS("POST", "/{k}/actions/unsetKeyForDeletion", SET_DELETION, ANY_KEY, LIVE, "Action could not be performed on key", NULL, life_unset_deletion),
	KEYS("POST", "/{k}/actions/sync", SYNC, ROOT_KEY, KEY_IN_ANY, "Could not initiate sync requests to associated resources", NULL, life_sync),

	KEYS("POST", "/{k}/aliases/{alias}", ALIAS, ANY_KEY, LIVE, "Alias could not be created", alias_check, alias_create),
	KEYS("DELETE", "/{k}/aliases/{alias}", ALIAS, ANY_KEY, KEY_IN_ANY, "Alias could not be deleted", NULL, alias_delete),
	KEYS("GET", "/{k}/policies", POLICIES, ANY_KEY, KEY_IN_ANY, "Policies could not be retrieved", policy_check_list, policy_list),
	KEYS("PUT", "/{k}/policies", POLICIES, ANY_KEY, LIVE, "Policy could not be created", policy_check, policy_put),
	KEYS("GET", "/{k}/registrations", REGISTRATIONS, ANY_KEY, KEY_IN_ANY, "Registrations could not be retrieved", registration_check, registration_list),
	KEYS("POST", "/{k}/registrations", REGISTRATIONS, ANY_KEY, KEY_IN_ANY, "Registration could not be deactivated", NULL, registration_service_only),
	KEYS("POST", "/{k}/registrations/{crn}", REGISTRATIONS, ANY_KEY, KEY_IN_ANY, "Registration could not be created", NULL, registration_service_only),
	KEYS("PATCH", "/{k}/registrations/{crn}", REGISTRATIONS, ANY_KEY, KEY_IN_ANY, "Registration could not be updated", NULL, registration_service_only),
	KEYS("PUT", "/{k}/registrations/{crn}", REGISTRATIONS, ANY_KEY, KEY_IN_ANY, "Registration could not be replaced", NULL, registration_service_only),
	KEYS("DELETE", "/{k}/registrations/{crn}", REGISTRATIONS, ANY_KEY, KEY_IN_ANY, "Registration could not be deleted", NULL, registration_service_only),
	KEYS("GET", "/{k}/migrationIntent", REGISTRATIONS, ANY_KEY, KEY_IN_ANY, "Migration intent could not be retrieved", NULL, registration_service_only),
	KEYS("POST", "/{k}/migrationIntent", REGISTRATIONS, ANY_KEY, KEY_IN_ANY, "Migration intent could not be created", NULL, registration_service_only),
	KEYS("DELETE", "/{k}/migrationIntent", REGISTRATIONS, ANY_KEY, KEY_IN_ANY, "Migration intent could not be deleted", NULL, registration_service_only),
	PLAIN("POST", "/api/v2/event_ack", REGISTRATIONS, "Event could not be acknowledged", NULL, registration_service_only),

	PLAIN("GET", "/api/v2/key_rings", RINGS_LIST, "Key rings could not be retrieved", ring_check_list, ring_list),
	PLAIN("POST", "/api/v2/key_rings/{ring}", RINGS_CHANGE, "Key ring could not be created", NULL, ring_create),
	PLAIN("DELETE", "/api/v2/key_rings/{ring}", RINGS_CHANGE, "Key ring could not be deleted", NULL, ring_delete),
	PLAIN("GET", "/api/v2/instance/policies", INSTANCE_POLICIES, "Instance policy could not be retrieved", instance_policy_check_list, instance_policy_list),
	PLAIN("PUT", "/api/v2/instance/policies", INSTANCE_POLICIES, "Instance policy could not be created", instance_policy_check, instance_policy_put),
	PLAIN("GET", "/api/v2/instance/allowed_ip_port", LIST, "Allowed IP port could not be retrieved", NULL, instance_allowed_ip_port),

	PLAIN("POST", "/api/v2/import_token", IMPORT_TOKEN, "Import Token could not be created", import_token_check, import_token_post),
	PLAIN("GET", "/api/v2/import_token", IMPORT_TOKEN, "Import Token could not be retrieved", NULL, import_token_get),
	PLAIN("GET", A, KMIP, "KMIP adapters could not be retrieved", kmip_check_adapters, kmip_list_adapters),
	PLAIN("POST", A, KMIP, "KMIP adapter could not be created", kmip_check_body, kmip_create_adapter),
	PLAIN("GET", A "/{a}", KMIP, "KMIP adapter could not be retrieved", NULL, kmip_get_adapter),
	PLAIN("DELETE", A "/{a}", KMIP, "KMIP adapter could not be deleted", NULL, kmip_delete_adapter),
	PLAIN("GET", A "/{a}/certificates", KMIP, "KMIP client certificates could not be retrieved", kmip_check_certificates, kmip_list_certificates),
	PLAIN("POST", A "/{a}/certificates", KMIP, "KMIP client certificate could not be created", kmip_check_body, kmip_create_certificate),
	PLAIN("GET", A "/{a}/certificates/{c}", KMIP, "KMIP client certificate could not be retrieved", NULL, kmip_get_certificate),
	PLAIN("DELETE", A "/{a}/certificates/{c}", KMIP, "KMIP client certificate could not be deleted", NULL, kmip_delete_certificate),
	PLAIN("GET", A "/{a}/kmip_objects", KMIP, "KMIP objects could not be retrieved", kmip_check_objects, kmip_list_objects),
	PLAIN("GET", A "/{a}/kmip_objects/{o}", KMIP, "KMIP object could not be retrieved", NULL, kmip_no_object),
	PLAIN("DELETE", A "/{a}/kmip_objects/{o}", KMIP, "KMIP object could not be deleted", NULL, kmip_no_object),
};
/* clang-format on */

enum { ROUTE_COUNT = sizeof(routes) / sizeof(routes[0]) };
_Static_assert(ROUTE_COUNT <= (int) EMULATOR_ROUTES_MAX, "the counters have a place per route");

/* "/a/{x}/c" against the segments: "{" opens a segment that matches anything. */
static bool route_matches_path(const char *pattern, const struct request *request)
{
	size_t i = 0;

	while (*pattern == '/') {
		pattern++;
		size_t len = strcspn(pattern, "/");
		if (i == request->segment_count || request->segments[i] == NULL)
			return false;
		const char *segment = request->segments[i++];
		bool same = strlen(segment) == len && strncmp(segment, pattern, len) == 0;
		if (*pattern != '{' && !same)
			return false;
		pattern += len;
	}
	return i == request->segment_count && i > 0;
}

/* The old form POST /keys/{k}?action=wrap is the new one with two more segments. */
static void route_modernise(struct request *request)
{
	const char *action = request_param(request, "action");

	if (action == NULL || request->segment_count != 4 || strcmp(request->method, "POST") != 0)
		return;
	if (strcmp(request->segments[2], "keys") != 0)
		return;
	if (strcmp(action, "restore") != 0)
		request->segments[request->segment_count++] = strdup("actions");
	request->segments[request->segment_count++] = strdup(action);
}

/* NULL with the answer made when nothing matches. */
static const struct route *route_find(struct request *request)
{
	bool path_known = false;

	route_modernise(request);
	if (request->world->service == WORLD_HPCS && request->segment_count > 2 &&
		strcmp(request->segments[2], "kmip_adapters") == 0)
		request->segment_count = 0; /* the older service has none */
	for (size_t i = 0; i < ROUTE_COUNT; i++) {
		if (!route_matches_path(routes[i].pattern, request))
			continue;
		path_known = true;
		if (strcmp(routes[i].method, request->method) != 0)
			continue;
		request->emulator->counters[i]++;
		return &routes[i];
	}
	request->status = path_known ? 405 : 404;
	request->answer_text = path_known ? "method not allowed\n" : "404 page not found\n";
	return NULL;
}

static enum refusal route_authenticate(struct request *request)
{
	static const char scheme[] = "Bearer ";
	const char *header = request_header(request, "Authorization");

	if (header == NULL || strncasecmp(header, scheme, sizeof(scheme) - 1) != 0)
		return REFUSE_UNAUTHORIZED;
	struct access_look look = { .now = world_now(request->world), .use = TOKEN_ACCESS };
	request->user = access_by_token(
		&request->emulator->access, slice_text(header + sizeof(scheme) - 1), &look);
	if (look.expired && request->world->knobs.expired_is_400)
		return REFUSE_TOKEN_EXPIRED;
	return request->user != NULL ? REFUSE_NOTHING : REFUSE_UNAUTHORIZED;
}

/* Whole seconds are enough: tests ask whether a client slows down, not how exactly. */
static bool route_is_throttled(struct emulator_rate *rate, int64_t per_s)
{
	uint64_t second = clock_boot_ms() / 1000;

	if (per_s == 0)
		return false;
	if (second != rate->second)
		rate->used = 0;
	rate->second = second;
	return ++rate->used > per_s;
}

static enum refusal route_authorize(struct request *request)
{
	const char *instance = request_header(request, "Bluemix-Instance");
	const struct route *route = request->route;
	const struct knobs *knobs = &request->world->knobs;
	enum refusal refusal = route_authenticate(request);

	if (knobs->uninitialised)
		return REFUSE_UNINITIALISED;
	if (refusal != REFUSE_NOTHING)
		return refusal;
	if (instance == NULL || !text_is_uuid(slice_text(instance)))
		return REFUSE_HEADER;
	if (strcasecmp(instance, request->world->instance) != 0)
		return REFUSE_UNAUTHORIZED;
	if (knobs->refusing || !access_allows(request->user, route->action))
		return REFUSE_UNAUTHORIZED;
	if (!network_host_is_ours(request) || !network_allows(request))
		return REFUSE_UNAUTHORIZED;
	if (route_is_throttled(&request->emulator->rate, knobs->rate_per_s))
		return REFUSE_THROTTLED;
	bool changes = strcmp(route->method, "GET") != 0 && strcmp(route->method, "HEAD") != 0 &&
		       route->action != ACTION_WRAP;
	if (knobs->read_only && changes)
		return REFUSE_READ_ONLY;
	return REFUSE_NOTHING;
}

static enum refusal route_find_key(struct request *request)
{
	const char *ring = request_header(request, "X-Kms-Key-Ring");
	struct world *world = request->world;
	struct key *key = world_key(world, request->segments[3]);
	struct key_context context = world_context(world);

	if (key != NULL && key_is_purged(key, &context)) {
		world_drop_key(world, key);
		key = NULL;
	}
	if (key == NULL || (ring != NULL && !key_is_in_ring(key, ring, &context)))
		return REFUSE_KEY_NOT_FOUND_ERR;
	request->key = key;
	life_rotate_when_due(world, key);
	if (request->route->key == ROOT_KEY && key->extractable)
		return REFUSE_KEY_ROOT_REQ_ERR;
	int64_t state = key_state_at(key, &context);
	if (request->route->states & KEY_IN(state))
		return REFUSE_NOTHING;
	return state == KEY_DESTROYED ? REFUSE_KEY_DELETED_ERR
				      : REFUSE_KEY_ACTION_INVALID_STATE_ERR;
}

static enum refusal route_run(struct request *request)
{
	const struct route *route = request->route;
	enum refusal refusal = REFUSE_NOTHING;

	request->phrase = route->phrase;
	if (route->access == TOKEN)
		refusal = route_authenticate(request);
	if (route->access == GUARDED)
		refusal = route_authorize(request);
	if (refusal == REFUSE_NOTHING && route->check != NULL)
		refusal = route->check(request);
	if (refusal == REFUSE_NOTHING && route->key != NO_KEY)
		refusal = route_find_key(request);
	if (refusal == REFUSE_NOTHING)
		refusal = route->handle(request);
	return refusal;
}

void route_dispatch(struct request *request)
{
	request->route = route_find(request);
	if (request->route == NULL)
		return;
	enum refusal refusal = route_run(request);
	if (refusal == REFUSE_NOTHING)
		return;
	request->status = refusal_status(refusal);
	request->answer_text = refusal_plain_text(refusal);
	if (request->answer_text != NULL)
		return;
	struct refusal_detail detail = { .phrase = request->phrase,
		.message = request->detail[0] != '\0' ? request->detail : NULL,
		.target_type = request->target_type,
		.target_name = request->target_name };
	request->answer = refusal_body(refusal, &detail);
}

cJSON *route_counters_json(const uint64_t *counters)
{
	char name[128];
	cJSON *out = cJSON_CreateObject();

	for (size_t i = 0; i < ROUTE_COUNT; i++) {
		if (counters[i] == 0)
			continue;
		snprintf(name, sizeof(name), "%s %s", routes[i].method, routes[i].pattern);
		cJSON_AddNumberToObject(out, name, (double) counters[i]);
	}
	return out;
}
