/* SPDX-License-Identifier: Apache-2.0 */
/* The TLS context of the KMIP listener from the configuration, for the workers and for kmipd
 * --check. */
#ifndef NODE_SERVER_TLS_H
#define NODE_SERVER_TLS_H

#include "base/tls_policy.h"
#include "node/config.h"

MUST_USE enum err server_tls_new(struct tls_context **out, const struct config *config,
	bool (*accept)(void *ctx, const struct tls_peer *peer), void *ctx,
	char why[CONFIG_WHY_MAX]);

#endif
