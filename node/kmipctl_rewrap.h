/* SPDX-License-Identifier: Apache-2.0 */
/* kmipctl rewrap: begins, follows, shows and stops what wraps keys anew. Private to kmipctl. */
#ifndef NODE_KMIPCTL_REWRAP_H
#define NODE_KMIPCTL_REWRAP_H

#include "node/kmipctl_ask.h"

/* As the commands' run functions: the exit status. */
int run_rewrap(const struct arguments *arguments, const char *argument);
int run_rewrap_status(const struct arguments *arguments, const char *argument);
int run_rewrap_stop(const struct arguments *arguments, const char *argument);

#endif
