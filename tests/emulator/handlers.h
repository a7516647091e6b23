/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations behind the route table, grouped by the file that holds them. A check reads and
 * judges query and body before the key is looked up; a handler does the work and answers. Both give
 * REFUSE_NOTHING or why not.
 */
#ifndef EMULATOR_HANDLERS_H
#define EMULATOR_HANDLERS_H

#include "tests/emulator/request.h"

typedef enum refusal handler(struct request *request);

/* iam.c */
handler iam_token;
/* create.c */
handler create_check, create_check_overrides, create_key;
/* read.c */
handler read_list_check, read_list, read_count, read_key, read_metadata, read_versions;
/* destroy.c */
handler destroy_key, destroy_restore, destroy_purge;
/* wrapping.c */
handler wrapping_check_wrap, wrapping_check_unwrap;
handler wrapping_wrap, wrapping_unwrap, wrapping_rewrap;
/* life.c */
handler life_check_rotate, life_rotate, life_disable, life_enable;
handler life_set_deletion, life_unset_deletion, life_sync;
/* ring.c */
handler ring_list, ring_create, ring_delete, ring_check_move, ring_move;
/* alias.c */
handler alias_check, alias_create, alias_delete;
/* policy.c */
handler policy_list, policy_check, policy_put;
/* instance.c */
handler instance_policy_list, instance_policy_check, instance_policy_put;
handler instance_allowed_ip_port, instance_endpoints, instance_governance;
/* registration.c */
handler registration_list, registration_service_only;

/* Used by more than one group. */
/* Sets a policy of the key, "rotation" or "dualAuthDelete"; the caller saves the key. */
void policy_set(struct request *request, struct key *key, const char *kind, const cJSON *setting);
/* Judges the policies in a resource. */
enum refusal policy_check_settings(struct request *request, const cJSON *resource);
bool alias_is_valid(const char *alias);
/* NULL or the attribute object of an enabled instance policy. */
const cJSON *instance_policy_enabled(const struct world *world, const char *type);

#endif
