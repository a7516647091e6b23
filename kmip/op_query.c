/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Query (KMIP 1.4, section 4.25). Says what is there and nothing more. There are no vendor
 * extensions and no validations, and attestation is never asked for: the functions for these are
 * answered with nothing.
 */
#include "kmip/attribute_rules.h"
#include "kmip/making.h"
#include "kmip/operations.h"
#include "kmip/policing.h"
#include "kmip/ttlv_write.h"

enum { SERVER_INFORMATION_LEN_MAX = 1024 };

static bool is_asked(const struct kmip_query_request *request, enum kmip_query_function function)
{
	for (size_t i = 0; i < request->functions.count; i++) {
		if (request->functions.items[i] == (uint32_t) function)
			return true;
	}
	return false;
}

/* Only where there is an authority to do it. */
static bool is_to_be_had(const struct kmip_item *item, const struct operation *operation)
{
	bool certifies = operation->code == KMIP_OPERATION_CERTIFY ||
			 operation->code == KMIP_OPERATION_RE_CERTIFY;

	if (certifies && kmip_authorities_find(
				 item->options->authorities, &item->identity->instance) == NULL)
		return false;
	return operation->since <= item->version;
}

static enum err answer_operations(struct kmip_item *item, struct kmip_query_response *response)
{
	size_t count = 0;

	while (operation_at(count) != NULL)
		count++;
	response->operations.items = arena_array(item->arena, count, sizeof(uint32_t));
	if (response->operations.items == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < count; i++) {
		if (is_to_be_had(item, operation_at(i)))
			response->operations.items[response->operations.count++] =
				operation_at(i)->code;
	}
	return ERR_OK;
}

static enum err answer_objects(struct kmip_item *item, struct kmip_query_response *response)
{
	static const uint32_t types[] = {
		KMIP_OBJECT_TYPE_CERTIFICATE,
		KMIP_OBJECT_TYPE_SYMMETRIC_KEY,
		KMIP_OBJECT_TYPE_PUBLIC_KEY,
		KMIP_OBJECT_TYPE_PRIVATE_KEY,
		KMIP_OBJECT_TYPE_SPLIT_KEY,
		KMIP_OBJECT_TYPE_TEMPLATE,
		KMIP_OBJECT_TYPE_SECRET_DATA,
		KMIP_OBJECT_TYPE_OPAQUE_OBJECT,
		KMIP_OBJECT_TYPE_PGP_KEY,
	};
	enum { TYPES = sizeof(types) / sizeof(types[0]) };

	response->object_types.items = arena_array(item->arena, TYPES, sizeof(uint32_t));
	if (response->object_types.items == NULL)
		return ERR_NOMEM;
	bytes_copy(response->object_types.items, types, sizeof(types));
	response->object_types.count = TYPES;
	return ERR_OK;
}

/* The content of Server Information is free in 1.x; it names the node, for people who debug. */
static enum err answer_server(struct kmip_item *item, struct kmip_query_response *response)
{
	enum err err;
	struct buf buf;

	buf_init(&buf, SERVER_INFORMATION_LEN_MAX);
	response->vendor = slice_text(item->options->vendor);
	TRY(ttlv_write_bytes(&buf, KMIP_TAG_SERVER_NAME, KMIP_TYPE_TEXT_STRING,
		slice_text(item->options->node_name)));
	response->server_information = arena_copy(item->arena, buf_slice(&buf));
	if (response->server_information.data == NULL)
		err = ERR_NOMEM;
out:
	buf_free(&buf);
	return err;
}

static enum err answer_rngs(struct kmip_item *item, struct kmip_query_response *response)
{
	response->rngs.items = ARENA_NEW(item->arena, struct kmip_rng_parameters);
	if (response->rngs.items == NULL)
		return ERR_NOMEM;
	response->rngs.items[0] = making_generator();
	response->rngs.count = 1;
	return ERR_OK;
}

/* The mandatory cases of the others make keys that a policy may forbid: 3DES, RSA of 1024 bits. */
static bool needs_algorithms(uint32_t profile)
{
	switch (profile) {
	case KMIP_PROFILE_NAME_OPAQUE_MANAGED_OBJECT_STORE_SERVER_KMIP_V1_0:
	case KMIP_PROFILE_NAME_OPAQUE_MANAGED_OBJECT_STORE_SERVER_KMIP_V1_1:
	case KMIP_PROFILE_NAME_OPAQUE_MANAGED_OBJECT_STORE_SERVER_KMIP_V1_3:
	case KMIP_PROFILE_NAME_OPAQUE_MANAGED_OBJECT_STORE_SERVER_KMIP_V1_4:
	case KMIP_PROFILE_NAME_RNG_CRYPTOGRAPHIC_SERVER_KMIP_V1_3:
	case KMIP_PROFILE_NAME_RNG_CRYPTOGRAPHIC_SERVER_KMIP_V1_4:
		return false;
	default:
		return true;
	}
}

/* What the version has no name for is not claimed to it, nor what the policy may stop. */
static enum err answer_profiles(struct kmip_item *item, struct kmip_query_response *response)
{
	static const uint32_t profiles[] = {
#define PROFILE(name) KMIP_PROFILE_NAME_##name,
#include "kmip/profiles.def"
#undef PROFILE
	};
	enum { PROFILES = sizeof(profiles) / sizeof(profiles[0]) };
	struct kmip_profile_information *claimed =
		arena_array(item->arena, PROFILES, sizeof(*claimed));

	if (claimed == NULL)
		return ERR_NOMEM;
	response->profiles.items = claimed;
	for (size_t i = 0; i < PROFILES; i++) {
		if (needs_algorithms(profiles[i]) && !policing_is_open(item))
			continue;
		if (kmip_enum_is_known(KMIP_SET_PROFILE_NAME, profiles[i], item->version))
			claimed[response->profiles.count++].name = KMIP_UINT(profiles[i]);
	}
	return ERR_OK;
}

static enum err answer_capabilities(struct kmip_item *item, struct kmip_query_response *response)
{
	struct kmip_capability_information *capability =
		ARENA_NEW(item->arena, struct kmip_capability_information);

	if (capability == NULL)
		return ERR_NOMEM;
	capability->streaming = KMIP_BOOL(true);
	capability->asynchronous = KMIP_BOOL(true);
	capability->attestation = KMIP_BOOL(false);
	capability->batch_undo = KMIP_BOOL(true);
	capability->batch_continue = KMIP_BOOL(true);
	capability->unwrap_mode = KMIP_UINT(KMIP_UNWRAP_MODE_NOT_PROCESSED);
	capability->destroy_action = KMIP_UINT(KMIP_DESTROY_ACTION_KEY_MATERIAL_DELETED);
	capability->shredding_algorithm = KMIP_UINT(KMIP_SHREDDING_ALGORITHM_UNSUPPORTED);
	capability->rng_mode = KMIP_UINT(KMIP_RNG_MODE_SHARED_INSTANTIATION);
	response->capabilities.items = capability;
	response->capabilities.count = 1;
	return ERR_OK;
}

/* A client makes its key and certificate itself; the operator installs the certificate (design
 * D24). */
static enum err answer_registration(struct kmip_item *item, struct kmip_query_response *response)
{
	response->client_registration_methods.items = ARENA_NEW(item->arena, uint32_t);
	if (response->client_registration_methods.items == NULL)
		return ERR_NOMEM;
	response->client_registration_methods.items[0] =
		KMIP_CLIENT_REGISTRATION_METHOD_CLIENT_GENERATED;
	response->client_registration_methods.count = 1;
	return ERR_OK;
}

/* Those in which the server makes data; clients bring any others that they like. */
static enum err answer_namespaces(struct kmip_item *item, struct kmip_query_response *response)
{
	struct slice *namespace = ARENA_NEW(item->arena, struct slice);

	if (namespace == NULL)
		return ERR_NOMEM;
	*namespace = SLICE_LITERAL(ATTRIBUTE_NAMESPACE);
	response->application_namespaces.items = namespace;
	response->application_namespaces.count = 1;
	return ERR_OK;
}

static const struct {
	enum kmip_query_function function;
	enum err (*answer)(struct kmip_item *item, struct kmip_query_response *response);
} answers[] = {
	{ KMIP_QUERY_FUNCTION_OPERATIONS, answer_operations },
	{ KMIP_QUERY_FUNCTION_OBJECTS, answer_objects },
	{ KMIP_QUERY_FUNCTION_SERVER_INFORMATION, answer_server },
	{ KMIP_QUERY_FUNCTION_APPLICATION_NAMESPACES, answer_namespaces },
	{ KMIP_QUERY_FUNCTION_RNGS, answer_rngs },
	{ KMIP_QUERY_FUNCTION_PROFILES, answer_profiles },
	{ KMIP_QUERY_FUNCTION_CAPABILITIES, answer_capabilities },
	{ KMIP_QUERY_FUNCTION_CLIENT_REGISTRATION_METHODS, answer_registration },
};

enum err op_query_plan(struct kmip_item *item)
{
	const struct kmip_query_request *request = item->request;
	enum err err = ERR_OK;

	for (size_t i = 0; i < request->functions.count; i++) {
		/* Clients that speak an old version ask for newer functions, too: they get nothing.
		 */
		if (!kmip_enum_is_known(
			    KMIP_SET_QUERY_FUNCTION, request->functions.items[i], KMIP_NEWEST))
			TRY(ERR_FIELD);
	}
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		if (is_asked(request, answers[i].function))
			TRY(answers[i].answer(item, item->response));
	}
out:
	return err;
}
