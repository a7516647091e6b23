/* SPDX-License-Identifier: Apache-2.0 */
/* The instances section of the configuration in the forms that the layers below take. */
#ifndef NODE_INSTANCES_H
#define NODE_INSTANCES_H

#include "keystore/keystore.h"
#include "kmip/serve.h"
#include "node/config.h"
#include "replication/replication.h"

/* An array of config->instance_count entries that borrows from config; free with free(). */
MUST_USE enum err instances_for_keystore(
	struct keystore_instance_options **out, const struct config *config);
/* A reload: may the store take these root keys? */
MUST_USE enum err instances_judge(
	const struct keystore *keystore, const struct config *config, char why[CONFIG_WHY_MAX]);
/* Adds the instances that the store does not have yet, and sets the root keys of the others.
 * *changed: the peer must hear of it. */
MUST_USE enum err instances_apply(struct keystore *keystore, const struct config *config,
	bool *changed, char why[CONFIG_WHY_MAX]);
/* As instances_for_keystore, with the digests that HELLO compares (design D22): of the id, the
 * ring, and the root keys in either order, since nodes that can open the same keys may be paired.
 */
MUST_USE enum err instances_for_peer(
	struct replication_instance **out, const struct config *config);
/* After a reload that changed them. */
MUST_USE enum err instances_tell_peer(struct replication *replication, const struct config *config);
/* The algorithm policies that the server borrows. Zeroed: none yet. */
struct instances_policies {
	struct instance_policy *list; /* in the order of the file */
	size_t count;
};
/* Gives the server those of the configuration. *changed: they are not the ones that it had. */
MUST_USE enum err instances_set_policies(struct instances_policies *policies,
	struct kmip_server *server, const struct config *config, bool *changed);
/* After kmip_server_free. */
void instances_free_policies(struct instances_policies *policies);
struct keystore_settings instances_settings(const struct config *config);

#endif
