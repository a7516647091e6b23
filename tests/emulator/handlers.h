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
handler iam_token, iam_metadata_token, iam_metadata_iam_token;
/* create.c */
handler create_check, create_check_overrides, create_key;
/* read.c */
handler read_list_check, read_list, read_count, read_key, read_metadata;
handler read_versions_check, read_versions;
/* destroy.c */
handler destroy_key, destroy_restore, destroy_purge;
/* wrapping.c */
handler wrapping_check_wrap, wrapping_check_unwrap;
handler wrapping_wrap, wrapping_unwrap, wrapping_rewrap;
/* life.c */
handler life_check_rotate, life_rotate, life_disable, life_enable;
handler life_set_deletion, life_unset_deletion, life_sync;
/* ring.c */
handler ring_check_list, ring_list, ring_create, ring_delete, ring_check_move, ring_move;
/* alias.c */
handler alias_check, alias_create, alias_delete;
/* policy.c */
handler policy_check_list, policy_list, policy_check, policy_put;
/* instance.c */
handler instance_policy_check_list, instance_policy_list, instance_policy_check,
	instance_policy_put;
handler instance_allowed_ip_port, instance_endpoints, instance_governance;
/* registration.c */
handler registration_check, registration_list, registration_list_all;
handler registration_service_only, registration_guard_delete;
/* import_token.c */
handler import_token_check, import_token_post, import_token_get;
/* kmip.c */
handler kmip_check_adapters, kmip_check_certificates, kmip_check_objects, kmip_check_body;
handler kmip_list_adapters, kmip_get_adapter, kmip_create_adapter, kmip_delete_adapter;
handler kmip_list_certificates, kmip_get_certificate, kmip_create_certificate;
handler kmip_delete_certificate, kmip_list_objects, kmip_no_object;

/* Used by more than one group. */
/* Sets a policy of the key, "rotation" or "dualAuthDelete"; the caller saves the key. */
void policy_set(struct request *request, struct key *key, const char *kind, const cJSON *setting);
/* Judges the policies in a resource. */
enum refusal policy_check_settings(struct request *request, const cJSON *resource);
bool alias_is_valid(const char *alias);
/* A new version of a root key; NULL sealed material makes it fresh. Does not save. */
enum err life_add_version(struct world *world, struct key *key, const char *material);
/* What the rotation policy of the key has made due. */
void life_rotate_when_due(struct world *world, struct key *key);
/* Whether a key comes encrypted for the import token, and its opening: request->material. */
bool import_token_is_used(const cJSON *given);
enum refusal import_token_open(struct request *request, const cJSON *given);
/* From a test's wish; false when it names no key. */
bool registration_make(struct world *world, const cJSON *wanted);
/* NULL or the attribute object of an enabled instance policy. */
const cJSON *instance_policy_enabled(const struct world *world, const char *type);

#endif
