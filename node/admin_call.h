/* SPDX-License-Identifier: Apache-2.0 */
/* One question at the operator's socket, as the commands see it. A command answers exactly once, at
 * once or later. */
#ifndef NODE_ADMIN_CALL_H
#define NODE_ADMIN_CALL_H

#include <cjson/cJSON.h>

#include "keystore/keystore.h"
#include "node/keeper.h"

struct admin_connection;

struct admin_call {
	struct keeper *keeper;
	struct admin_connection *connection; /* NULL once the operator has gone */
	uint64_t id;
	const cJSON *question; /* valid until the command's function returns */
	struct keystore_pending *pending; /* of a command that answers later */
	struct client client; /* what such a command works on */
	struct admin_call *next, *previous;
};

/* Ends the call: {"ok":true} and the members of `answer` (owned; NULL: none). */
void admin_answer(struct admin_call *call, cJSON *answer);
/* Ends the call: {"ok":false,"error":"..."}. */
void admin_refuse(struct admin_call *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Text member of the question; NULL when it is not there or no text. */
const char *admin_text(const struct admin_call *call, const char *name);
/* NULL: none of that name; then the call was refused. */
const struct instance_id *admin_find_instance(struct admin_call *call, const char *name);

/* Members of an answer. then_ms is boot time; 0 becomes null. */
void admin_add_number(cJSON *object, const char *name, uint64_t value);
void admin_add_ms_ago(cJSON *object, const char *name, uint64_t now_ms, uint64_t then_ms);

/* Runs the command that the question names (admin_commands.c). */
void admin_run(struct admin_call *call);

/* The commands on keys (admin_keys.c). */
void admin_key_list(struct admin_call *call);
void admin_key_show(struct admin_call *call);
void admin_key_forget(struct admin_call *call);
/* Migration to another root key (admin_migrate.c). */
void admin_migrate(struct admin_call *call);
void admin_migration_status(struct admin_call *call);
void admin_migration_stop(struct admin_call *call);
void admin_old_keys(struct admin_call *call);
/* How the migration of the i-th instance stands. */
cJSON *admin_migration_json(struct keystore *keystore, size_t i);
/* The commands on client registrations (admin_clients.c). */
void admin_client_add(struct admin_call *call);
void admin_client_list(struct admin_call *call);
void admin_client_remove(struct admin_call *call);
/* Wrapping keys anew (admin_rewrap.c). */
void admin_rewrap(struct admin_call *call);
void admin_rewrap_status(struct admin_call *call);
void admin_rewrap_stop(struct admin_call *call);
/* The pair, and whether this node serves (admin_peer.c). */
void admin_add_peer(cJSON *answer, const struct keeper_status *status);
void admin_peer_cut(struct admin_call *call);
void admin_peer_heal(struct admin_call *call);
void admin_peer_fence(struct admin_call *call);
void admin_drain(struct admin_call *call);
void admin_undrain(struct admin_call *call);
#ifdef PAIR_KILL_POINTS
/* The commands of test builds (admin_kill.c). */
void admin_kill_list(struct admin_call *call);
void admin_kill_arm(struct admin_call *call);
void admin_kill_compact(struct admin_call *call);
#endif

#endif
