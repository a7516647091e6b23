/* SPDX-License-Identifier: Apache-2.0 */
/* kmipctl instance migrate: starts it or one of its steps, follows it, tells how it ended. Private
 * to kmipctl. */
#ifndef NODE_KMIPCTL_MIGRATE_H
#define NODE_KMIPCTL_MIGRATE_H

#include "node/kmipctl_ask.h"

int run_instance_migrate(const struct arguments *arguments, const char *instance);
int run_instance_migration(const struct arguments *arguments, const char *instance);

#endif
