/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the running emulator share. */
#ifndef EMULATOR_EMULATOR_H
#define EMULATOR_EMULATOR_H

#include <event2/event.h>

#include "tests/emulator/access.h"
#include "tests/emulator/fault.h"
#include "tests/emulator/world.h"

enum { EMULATOR_ROUTES_MAX = 96 };

/* Calls within the present second of real time. */
struct emulator_rate {
	uint64_t second;
	int64_t used;
};

struct emulator {
	struct event_base *base;
	struct world *world;
	struct access access;
	struct faults faults;
	struct emulator_rate rate;
	int64_t token_life_s; /* that the command line gave, like the next */
	const char *public_host, *private_host; /* NULL: not given */
	uint64_t counters[EMULATOR_ROUTES_MAX]; /* by index of the route table */
};

#endif
