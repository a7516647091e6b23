/* SPDX-License-Identifier: Apache-2.0 */
/* State machines of long-lived things: a table of states and allowed moves; each move is checked
 * and logged once. */
#ifndef BASE_SM_H
#define BASE_SM_H

#include <stdbool.h>
#include <stdint.h>

enum { SM_STATES_MAX = 32 };

struct sm_state {
	const char *name;
	uint32_t next; /* bit set of the states that may follow: SM_TO(STATE_A) | SM_TO(STATE_B) */
};
#define SM_TO(state) (1u << (state))

/* Embeddable. */
struct sm {
	const struct sm_state *states;
	int state;
	int count;
	const char *kind; /* "session", "link" */
	const char *name; /* which one; borrowed as long as the machine lives */
	bool quiet; /* log moves at debug, for things that come and go by the thousand */
};

void sm_init(struct sm *sm, const struct sm_state *states, int count, const char *kind,
	const char *name);
/* Asserts that the move is allowed; why: a few words for the log line. */
void sm_move(struct sm *sm, int to, const char *why);
const char *sm_state_name(const struct sm *sm);

#endif
