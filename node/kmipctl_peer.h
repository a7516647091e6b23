/* SPDX-License-Identifier: Apache-2.0 */
/* kmipctl's words for the pair, and for taking a node out of service. Private to kmipctl. */
#ifndef NODE_KMIPCTL_PEER_H
#define NODE_KMIPCTL_PEER_H

#include "node/kmipctl_ask.h"

int peer_run_cut(const struct arguments *arguments, const char *argument);
int peer_run_heal(const struct arguments *arguments, const char *argument);
int peer_run_fence(const struct arguments *arguments, const char *argument);
/* Returns when the node is drained, with progress. */
int peer_run_drain(const struct arguments *arguments, const char *argument);
int peer_run_undrain(const struct arguments *arguments, const char *argument);

#endif
