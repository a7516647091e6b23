/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a request came from and which host it asked for: instance-based host names of Dedicated and
 * HPCS, private endpoints, and the two policies that look at them.
 */
#ifndef EMULATOR_NETWORK_H
#define EMULATOR_NETWORK_H

#include "tests/emulator/request.h"

enum { NETWORK_PRIVATE_PORT = 15008 };

/* False when the host names another instance than ours: "<instance>.api.<region>...". */
bool network_host_is_ours(const struct request *request);
/* Whether the policies allowedNetwork and allowedIP let this request in. */
bool network_allows(const struct request *request);
/* "10.0.0.0/8" or "10.1.2.3". */
bool network_subnet_is_valid(const char *text);
bool network_subnet_holds(const char *subnet, const char *address);

#endif
