/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operator's socket (design D27): one JSON question, one JSON answer, as whole messages
 * (base/chan.h). File permissions are the access control. The commands are a table in
 * admin_commands.c; the forms are in README.md.
 */
#ifndef NODE_ADMIN_H
#define NODE_ADMIN_H

#include "base/loop.h"
#include "node/config.h"

struct admin;
struct keeper;

enum { ADMIN_ASK = 1, ADMIN_ANSWER = 2 };
enum { ADMIN_BODY_MAX = 4194304, ADMIN_CONNECTIONS_MAX = 64 };

/* Takes the socket path at once, so that a second node with the same one is told; answers after
 * admin_start. */
MUST_USE enum err admin_new(struct admin **out, struct keeper *keeper, struct loop *loop,
	const char *path, char why[CONFIG_WHY_MAX]);
void admin_start(struct admin *admin);
/* Removes the socket file. */
void admin_free(struct admin *admin);

#endif
