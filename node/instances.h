/* SPDX-License-Identifier: Apache-2.0 */
/* The instances section of the configuration in the forms that the layers below take. */
#ifndef NODE_INSTANCES_H
#define NODE_INSTANCES_H

#include "keystore/keystore.h"
#include "node/config.h"
#include "replication/replication.h"

/* An array of config->instance_count entries that borrows from config; free with free(). */
MUST_USE enum err instances_for_keystore(struct keystore_instance_options **out,
	const struct config *config, char why[CONFIG_WHY_MAX]);
/* Adds the instances that the store does not have yet: a reload. */
MUST_USE enum err instances_add(
	struct keystore *keystore, const struct config *config, char why[CONFIG_WHY_MAX]);
/* As instances_for_keystore, with the digests that HELLO compares (design D22). */
MUST_USE enum err instances_for_peer(
	struct replication_instance **out, const struct config *config);
struct keystore_settings instances_settings(const struct config *config);

#endif
