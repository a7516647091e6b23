/* SPDX-License-Identifier: Apache-2.0 */
/* Query and Discover Versions (KMIP 1.4, sections 4.25, 4.26; vSphere X4, Q3, Q16). */
#include "kmip/operations.h"
#include "served.h"

static const struct kmip_query_response *query(
	struct served *served, const uint32_t *functions, size_t count)
{
	uint32_t copy[16];

	for (size_t i = 0; i < count; i++)
		copy[i] = functions[i];
	return PAYLOAD(served, ONE(served, QUERY, query, .functions = { copy, count }), query);
}

static size_t served_in(enum kmip_version version)
{
	size_t count = 0;

	for (size_t i = 0; operation_at(i) != NULL; i++)
		count += operation_at(i)->since <= version ? 1 : 0;
	return count;
}

/* Certify and Re-certify need an authority. */
enum { CERTIFYING = 2 };

/* Exactly what was asked for; vCenter asks for the server alone. */
Test(op_query, functions)
{
	struct served served = { 0 };
	uint32_t server = KMIP_QUERY_FUNCTION_SERVER_INFORMATION;
	uint32_t all[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
	struct kmip_authority authority = { 0 };

	served_start(&served, false);
	authority.instance = served.identity.instance;
	const struct kmip_query_response *response = query(&served, &server, 1);
	cr_assert(slice_equal_text(response->vendor, "test vendor"));
	cr_assert_eq(response->operations.count, 0);
	served.version = KMIP_1_4;
	response = query(&served, all, 12);
	cr_assert_eq(response->operations.count, served_in(KMIP_1_4) - CERTIFYING);
	served.authorities = (struct kmip_authorities){ &authority, 1 };
	response = query(&served, all, 12);
	cr_assert_eq(response->operations.count, served_in(KMIP_1_4));
	cr_assert_eq(response->object_types.count, 9);
	cr_assert_eq(response->rngs.count, 1);
	cr_assert_eq(response->capabilities.count, 1);
	cr_assert(response->capabilities.items[0].batch_continue.value);
	cr_assert_gt(response->profiles.count, 0);
	cr_assert_eq(response->client_registration_methods.count, 1);
	cr_assert_eq(response->client_registration_methods.items[0],
		KMIP_CLIENT_REGISTRATION_METHOD_CLIENT_GENERATED);
	cr_assert_eq(response->extensions.count + response->validations.count +
			     response->attestation_types.count,
		0);
	cr_assert_eq(response->application_namespaces.count, 1);
	served_stop(&served);
}

static size_t claimed_in(struct served *served, enum kmip_version version)
{
	uint32_t profiles = KMIP_QUERY_FUNCTION_PROFILES;
	const struct kmip_query_response *response;
	uint32_t before = 0;

	served->version = version;
	response = query(served, &profiles, 1);
	cr_assert_eq(response->operations.count, 0);
	for (size_t i = 0; i < response->profiles.count; i++) {
		uint32_t name = response->profiles.items[i].name.value;

		cr_assert(kmip_enum_is_known(KMIP_SET_PROFILE_NAME, name, version));
		cr_assert_gt(name, before, "in order, and once");
		before = name;
	}
	return response->profiles.count;
}

/* A version is told of the profiles that it has names for. */
Test(op_query, profiles)
{
	struct served served = { 0 };

	served_start(&served, false);
	cr_assert_gt(claimed_in(&served, KMIP_1_3), 0);
	cr_assert_gt(claimed_in(&served, KMIP_1_4), claimed_in(&served, KMIP_1_3));
	served_stop(&served);
}

/* One function asked for in 1.1, also one that the encoder would leave out. */
#define QUERY_1_1(function) \
	"42007801 00000070 42007701 00000038 42006901 00000020" \
	"42006A02 00000004 0000000100000000 42006B02 00000004 0000000100000000" \
	"42000D02 00000004 0000000100000000 42000F01 00000028" \
	"42005C05 00000004 0000001800000000 42007901 00000010" \
	"42007405 00000004" function "00000000"

/* Clients ask for what their version does not have, and get nothing; what no version has is an
 * error. */
Test(op_query, unknown_function)
{
	struct served served = { 0 };
	const struct kmip_query_response *response;

	served_start(&served, false);
	cr_assert_eq(served_send_worker(&served, hex(served.arena, QUERY_1_1("0000000A"))), ERR_OK);
	response = PAYLOAD(&served, &served_response(&served)->items[0], query);
	cr_assert_eq(response->profiles.count, 0);
	cr_assert_eq(served_send_worker(&served, hex(served.arena, QUERY_1_1("0000007F"))), ERR_OK);
	assert_reason(&served_response(&served)->items[0], INVALID_FIELD);
	served_stop(&served);
}

/* 1.0 knows neither Discover Versions nor the newer functions. */
Test(op_query, oldest_version)
{
	struct served served = { 0 };
	uint32_t all[] = { 1, 2, 3, 4 };

	served_start(&served, false);
	served.version = KMIP_1_0;
	const struct kmip_query_response *response = query(&served, all, 4);
	cr_assert_eq(response->operations.count, served_in(KMIP_1_0) - CERTIFYING);
	cr_assert_lt(served_in(KMIP_1_0), served_in(KMIP_1_4));
	cr_assert_eq(response->rngs.count, 0);
	served_stop(&served);
}

/* A list of versions is answered with what both have, in our order; perhaps nothing. */
Test(op_query, discover_versions)
{
	struct served served = { 0 };
	struct kmip_protocol_version versions[] = { kmip_protocol_version(KMIP_1_0),
		kmip_protocol_version(KMIP_2_1), kmip_protocol_version(KMIP_1_2) };

	served_start(&served, false);
	const struct kmip_discover_versions_response *response = PAYLOAD(&served,
		ONE(&served, DISCOVER_VERSIONS, discover_versions, .versions = { versions, 3 }),
		discover_versions);
	cr_assert_eq(response->versions.count, 2);
	cr_assert_eq(kmip_version_of(&response->versions.items[0]), KMIP_1_2);
	response = PAYLOAD(&served,
		ONE(&served, DISCOVER_VERSIONS, discover_versions, .versions = { &versions[1], 1 }),
		discover_versions);
	cr_assert_eq(response->versions.count, 0);
	served_stop(&served);
}
