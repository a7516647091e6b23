/* SPDX-License-Identifier: Apache-2.0 */
/* Socket addresses as people write them: "192.0.2.1:5696", "[2001:db8::1]:5696", "host:5696". */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include "base/err.h"
#include <stddef.h>
#include <sys/socket.h>

enum { ADDRESS_TEXT_MAX = 280 };

struct address {
	struct sockaddr_storage storage;
	socklen_t len;
};

/*
 * The first address of the text. A name (not a number) is looked up and blocks for as long as the
 * resolver takes. ERR_CONFIG: not of these forms; ERR_NOT_FOUND: the name has no address.
 */
MUST_USE enum err address_resolve(struct address *out, const char *text);
/*
 * The same without blocking: a name is looked up beside the loop. Poll says ERR_AGAIN until it is
 * done, then ERR_OK with the address as numbers, or ERR_NOT_FOUND.
 */
struct address_lookup;
MUST_USE enum err address_lookup_start(struct address_lookup **out, const char *text);
MUST_USE enum err address_lookup_poll(
	struct address_lookup *lookup, char numbers[ADDRESS_TEXT_MAX]);
/* NULL is fine. */
void address_lookup_free(struct address_lookup *lookup);
/* "192.0.2.1:40312" of the far end, "local" for a UNIX socket. */
void address_of_peer(char out[ADDRESS_TEXT_MAX], int fd);

#endif
