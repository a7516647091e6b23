/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/emulator/network.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "tests/emulator/handlers.h"

enum { SUBNET_TEXT_MAX = 32 };

bool network_host_is_ours(const struct request *request)
{
	static const char marker[] = ".api.";
	const char *host = request_header(request, "Host");

	if (host == NULL || strlen(host) < UUID_TEXT_LEN ||
		!text_is_uuid(slice_of(host, UUID_TEXT_LEN)) ||
		strncasecmp(host + UUID_TEXT_LEN, marker, sizeof(marker) - 1) != 0)
		return true;
	return strncasecmp(host, request->world->instance, UUID_TEXT_LEN) == 0;
}

static bool host_is_private(const struct request *request)
{
	const char *host = request_header(request, "Host");

	return host != NULL &&
	       (strncasecmp(host, "private.", 8) == 0 || strcasestr(host, ".private.") != NULL);
}

static bool subnet_parse(uint32_t *address, uint32_t *mask, const char *text)
{
	char copy[SUBNET_TEXT_MAX];
	struct in_addr parsed;
	uint64_t bits = 32;

	if (text_copy(copy, sizeof(copy), slice_text(text)) != ERR_OK)
		return false;
	char *slash = strchr(copy, '/');
	if (slash != NULL) {
		*slash++ = '\0';
		if (text_u64(&bits, slice_text(slash), 32) != ERR_OK)
			return false;
	}
	if (inet_pton(AF_INET, copy, &parsed) != 1)
		return false;
	*mask = bits == 0 ? 0 : UINT32_MAX << (32 - bits);
	*address = ntohl(parsed.s_addr) & *mask;
	return true;
}

bool network_subnet_is_valid(const char *text)
{
	uint32_t address = 0;
	uint32_t mask = 0;

	return subnet_parse(&address, &mask, text);
}

bool network_subnet_holds(const char *subnet, const char *address)
{
	uint32_t net = 0;
	uint32_t mask = 0;
	uint32_t host = 0;
	uint32_t host_mask = 0;

	return subnet_parse(&net, &mask, subnet) && subnet_parse(&host, &host_mask, address) &&
	       (host & mask) == net;
}

static bool address_is_allowed(const struct request *request, const cJSON *subnets)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(request->http);
	const cJSON *subnet;
	char *address = NULL;
	ev_uint16_t port = 0;

	if (connection != NULL)
		evhttp_connection_get_peer(connection, &address, &port);
	cJSON_ArrayForEach(subnet, subnets)
	{
		if (address != NULL && network_subnet_holds(cJSON_GetStringValue(subnet), address))
			return true;
	}
	return false;
}

bool network_allows(const struct request *request)
{
	const cJSON *network = instance_policy_enabled(request->world, "allowedNetwork");
	const cJSON *addresses = instance_policy_enabled(request->world, "allowedIP");
	const char *allowed = request_text(network, "allowed_network");

	if (allowed != NULL && strcmp(allowed, "private-only") == 0 && !host_is_private(request))
		return false;
	return addresses == NULL ||
	       address_is_allowed(request, cJSON_GetObjectItem(addresses, "allowed_ip"));
}
