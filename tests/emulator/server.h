/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP(S) front: one port, one loop; faults happen here, around the route table. */
#ifndef EMULATOR_SERVER_H
#define EMULATOR_SERVER_H

#include "tests/emulator/emulator.h"

struct server;

struct server_options {
	const char *host;
	uint16_t port; /* 0: any */
	const char *cert_file; /* NULL: plain HTTP */
	const char *key_file;
};

/* Borrows the emulator until server_free. Why it failed is in the log. */
MUST_USE enum err server_new(
	struct server **out, struct emulator *emulator, const struct server_options *options);
/* Cuts all connections and frees what waits on them. */
void server_free(struct server *server);
uint16_t server_port(const struct server *server);

#endif
