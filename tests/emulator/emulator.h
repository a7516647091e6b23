/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the running emulator share. */
#ifndef EMULATOR_EMULATOR_H
#define EMULATOR_EMULATOR_H

#include <event2/event.h>

#include "tests/emulator/access.h"
#include "tests/emulator/fault.h"
#include "tests/emulator/world.h"

enum { EMULATOR_ROUTES_MAX = 64 };

/* Outages that tests switch on; not durable. */
struct emulator_mode {
	bool read_only; /* changes are refused with 503 */
	bool down; /* connections are closed at the first request */
	bool iam_down; /* no tokens: 503 */
	int rate_per_s; /* more calls than this in a second of real time: 429; 0: no limit */
	uint64_t rate_second; /* the second that is counted */
	int rate_used;
};

struct emulator {
	struct event_base *base;
	struct world *world;
	struct access access;
	struct faults faults;
	struct emulator_mode mode;
	uint64_t counters[EMULATOR_ROUTES_MAX]; /* by index of the route table */
};

#endif
