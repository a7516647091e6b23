/* SPDX-License-Identifier: Apache-2.0 */
/* The node's own local port for monitoring (design D28): /metrics, /healthz, /readyz. */
#ifndef NODE_MONITOR_H
#define NODE_MONITOR_H

#include "node/config.h"

struct keeper;
struct monitor;

enum { MONITOR_TIMEOUT_MS = 10000 };

/* address NULL: no port, and *out is NULL. The keeper's store must be open. why: a sentence. */
MUST_USE enum err monitor_new(
	struct monitor **out, struct keeper *keeper, const char *address, char why[CONFIG_WHY_MAX]);
/* Before the keystore goes. NULL is fine. */
void monitor_free(struct monitor *monitor);

#endif
