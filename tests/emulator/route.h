/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of what the emulator serves, and the order in which a request is judged. */
#ifndef EMULATOR_ROUTE_H
#define EMULATOR_ROUTE_H

#include "tests/emulator/request.h"

/* Finds the route, makes all checks, runs the handler; the answer is in the request afterwards. */
void route_dispatch(struct request *request);
/* {"POST /api/v2/keys": 17, ...}, routes never called left out; the caller owns it. */
cJSON *route_counters_json(const uint64_t *counters);

#endif
