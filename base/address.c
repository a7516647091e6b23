/* SPDX-License-Identifier: Apache-2.0 */
#include "base/address.h"
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"

/* Cuts the text at its last colon; brackets around an IPv6 address go. */
static enum err address_split(char host[ADDRESS_TEXT_MAX], char port[8], const char *text)
{
	struct slice whole = slice_text(text), host_part;
	const char *colon = strrchr(text, ':');
	uint64_t number;
	enum err err;

	TRY(colon == NULL || colon == text ? ERR_CONFIG : ERR_OK);
	host_part = slice_cut(whole, 0, (size_t) (colon - text));
	if (host_part.data[0] == '[') {
		TRY(host_part.data[host_part.len - 1] != ']' ? ERR_CONFIG : ERR_OK);
		host_part = slice_cut(host_part, 1, host_part.len - 2);
	} else if (memchr(host_part.data, ':', host_part.len) != NULL) {
		return ERR_CONFIG;
	}
	TRY(host_part.len == 0 ? ERR_CONFIG : ERR_OK);
	TRY(text_copy(host, ADDRESS_TEXT_MAX, host_part) != ERR_OK ? ERR_CONFIG : ERR_OK);
	TRY(text_u64(&number, slice_text(colon + 1), UINT16_MAX) != ERR_OK ? ERR_CONFIG : ERR_OK);
	(void) snprintf(port, 8, "%u", (unsigned) number & UINT16_MAX);
out:
	return err;
}

enum err address_resolve(struct address *out, const char *text)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	struct addrinfo *found = NULL;
	char host[ADDRESS_TEXT_MAX], port[8];
	enum err err;
	int result;

	TRY(address_split(host, port, text));
	result = getaddrinfo(host, port, &hints, &found);
	if (result == EAI_NONAME) {
		hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
		result = getaddrinfo(host, port, &hints, &found);
	}
	TRY(result != 0 ? ERR_NOT_FOUND : ERR_OK);
	ASSERT(found->ai_addrlen <= sizeof(out->storage));
	out->len = found->ai_addrlen;
	bytes_copy(&out->storage, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
out:
	return err;
}

/* ---- beside the loop ---- */

struct address_lookup {
	struct gaicb request; /* ar_name NULL: the text was numbers already */
	struct addrinfo hints;
	char host[ADDRESS_TEXT_MAX], port[8];
	char text[ADDRESS_TEXT_MAX];
};

static bool is_numeric(const char *host)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST };
	struct addrinfo *found = NULL;
	bool numeric = getaddrinfo(host, NULL, &hints, &found) == 0;

	if (numeric)
		freeaddrinfo(found);
	return numeric;
}

enum err address_lookup_start(struct address_lookup **out, const char *text)
{
	struct address_lookup *lookup = calloc(1, sizeof(*lookup));
	struct gaicb *requests[1];
	enum err err = lookup == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	TRY(address_split(lookup->host, lookup->port, text));
	TRY(text_copy(lookup->text, sizeof(lookup->text), slice_text(text)) != ERR_OK ? ERR_CONFIG
										      : ERR_OK);
	if (!is_numeric(lookup->host)) {
		lookup->hints = (struct addrinfo){ .ai_socktype = SOCK_STREAM,
			.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV };
		lookup->request = (struct gaicb){ .ar_name = lookup->host,
			.ar_service = lookup->port,
			.ar_request = &lookup->hints };
		requests[0] = &lookup->request;
		TRY(getaddrinfo_a(GAI_NOWAIT, requests, 1, NULL) != 0 ? ERR_SYS : ERR_OK);
	}
	*out = lookup;
	lookup = NULL;
out:
	free(lookup);
	return err;
}

enum err address_lookup_poll(struct address_lookup *lookup, char numbers[ADDRESS_TEXT_MAX])
{
	const struct addrinfo *found;
	char host[NI_MAXHOST];
	int result;

	if (lookup->request.ar_name == NULL)
		return text_copy(numbers, ADDRESS_TEXT_MAX, slice_text(lookup->text));
	result = gai_error(&lookup->request);
	if (result == EAI_INPROGRESS)
		return ERR_AGAIN;
	found = lookup->request.ar_result;
	if (result != 0 || getnameinfo(found->ai_addr, found->ai_addrlen, host, sizeof(host), NULL,
				   0, NI_NUMERICHOST) != 0)
		return ERR_NOT_FOUND;
	(void) snprintf(numbers, ADDRESS_TEXT_MAX,
		found->ai_family == AF_INET6 ? "[%.200s]:%s" : "%.200s:%s", host, lookup->port);
	return ERR_OK;
}

void address_lookup_free(struct address_lookup *lookup)
{
	if (lookup == NULL)
		return;
	/* The resolver writes into one that it has begun: that one is left to it. */
	if (lookup->request.ar_name != NULL && gai_error(&lookup->request) == EAI_INPROGRESS &&
		gai_cancel(&lookup->request) != EAI_CANCELED &&
		gai_error(&lookup->request) == EAI_INPROGRESS)
		return;
	if (lookup->request.ar_result != NULL)
		freeaddrinfo(lookup->request.ar_result);
	free(lookup);
}

void address_of_peer(char out[ADDRESS_TEXT_MAX], int fd)
{
	struct sockaddr_storage storage;
	socklen_t len = sizeof(storage);
	char host[NI_MAXHOST], port[NI_MAXSERV];

	if (getpeername(fd, (struct sockaddr *) &storage, &len) != 0 ||
		(storage.ss_family != AF_INET && storage.ss_family != AF_INET6) ||
		getnameinfo((struct sockaddr *) &storage, len, host, sizeof(host), port,
			sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
		(void) snprintf(out, ADDRESS_TEXT_MAX, "local");
		return;
	}
	(void) snprintf(out, ADDRESS_TEXT_MAX,
		storage.ss_family == AF_INET6 ? "[%.200s]:%.8s" : "%.200s:%.8s", host, port);
}
