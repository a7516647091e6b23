/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/circuit.h"

static const struct sm_state states[] = {
	[CIRCUIT_CLOSED] = { "closed", SM_TO(CIRCUIT_OPEN) },
	[CIRCUIT_OPEN] = { "open", SM_TO(CIRCUIT_PROBING) | SM_TO(CIRCUIT_CLOSED) },
	[CIRCUIT_PROBING] = { "probing", SM_TO(CIRCUIT_OPEN) | SM_TO(CIRCUIT_CLOSED) },
};

void circuit_init(struct circuit *circuit, const char *name)
{
	*circuit = (struct circuit){ .pause_ms = CIRCUIT_PAUSE_MS };
	sm_init(&circuit->sm, states, sizeof(states) / sizeof(states[0]), "circuit", name);
}

static void move(struct circuit *circuit, enum circuit_state to, uint64_t now_ms, const char *why)
{
	sm_move(&circuit->sm, (int) to, why);
	circuit->since_ms = now_ms;
}

bool circuit_admits(struct circuit *circuit, uint64_t now_ms)
{
	if (circuit->sm.state == CIRCUIT_CLOSED)
		return true;
	if (now_ms < circuit->next_ms) {
		circuit->refused++;
		return false;
	}
	if (circuit->sm.state == CIRCUIT_OPEN)
		move(circuit, CIRCUIT_PROBING, now_ms, "one call goes to see");
	circuit->next_ms = now_ms + CIRCUIT_PROBE_MS;
	return true;
}

void circuit_on_answer(struct circuit *circuit, uint64_t now_ms)
{
	circuit->failures = 0;
	circuit->pause_ms = CIRCUIT_PAUSE_MS;
	if (circuit->sm.state != CIRCUIT_CLOSED)
		move(circuit, CIRCUIT_CLOSED, now_ms, "the service answers");
}

void circuit_on_failure(struct circuit *circuit, uint64_t now_ms)
{
	circuit->failures++;
	if (circuit->sm.state == CIRCUIT_CLOSED && circuit->failures >= CIRCUIT_FAILURES) {
		move(circuit, CIRCUIT_OPEN, now_ms, "no answers");
		circuit->opened++;
		circuit->next_ms = now_ms + circuit->pause_ms;
	} else if (circuit->sm.state == CIRCUIT_PROBING) {
		circuit->pause_ms *= 2;
		if (circuit->pause_ms > CIRCUIT_PAUSE_MS_MAX)
			circuit->pause_ms = CIRCUIT_PAUSE_MS_MAX;
		move(circuit, CIRCUIT_OPEN, now_ms, "still no answer");
		circuit->next_ms = now_ms + circuit->pause_ms;
	}
}
