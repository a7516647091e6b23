/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoint /_control/ by which tests arm faults, switch outages, move the clock and look
 * inside.
 */
#ifndef EMULATOR_CONTROL_H
#define EMULATOR_CONTROL_H

#include "tests/emulator/request.h"

bool control_is_for(const struct request *request);
/* Makes the answer; 403 for callers that are not on the loopback. */
void control_dispatch(struct request *request);

#endif
