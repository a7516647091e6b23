/* SPDX-License-Identifier: Apache-2.0 */
/* Discover Versions (KMIP 1.4, section 4.26). */
#include "kmip/operations.h"

/* Best first: the order in which we want to be asked. */
static const enum kmip_version served[] = { KMIP_1_4, KMIP_1_3, KMIP_1_2, KMIP_1_1, KMIP_1_0 };
enum { SERVED_COUNT = sizeof(served) / sizeof(served[0]) };

_Static_assert(KMIP_NEWEST == KMIP_1_4 && KMIP_OLDEST == KMIP_1_0, "the versions served");

/* An empty list asks for all. */
static bool is_asked(
	const struct kmip_discover_versions_request *request, enum kmip_version version)
{
	for (size_t i = 0; i < request->versions.count; i++) {
		if (kmip_version_of(&request->versions.items[i]) == version)
			return true;
	}
	return request->versions.count == 0;
}

enum err op_discover_versions_plan(struct kmip_item *item)
{
	const struct kmip_discover_versions_request *request = item->request;
	struct kmip_discover_versions_response *response = item->response;
	struct kmip_protocol_version *versions =
		arena_array(item->arena, SERVED_COUNT, sizeof(struct kmip_protocol_version));

	if (versions == NULL)
		return ERR_NOMEM;
	response->versions.items = versions;
	for (size_t i = 0; i < SERVED_COUNT; i++) {
		if (is_asked(request, served[i]))
			versions[response->versions.count++] = kmip_protocol_version(served[i]);
	}
	return ERR_OK;
}
