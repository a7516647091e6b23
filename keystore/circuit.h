/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether clients' calls to a key manager are worth trying: after several that ended without an
 * answer they are refused at once, and one at a time is let through to see. Polls are not asked:
 * they always go, and any answer closes the circuit. Pure: time comes in, in milliseconds of the
 * loop.
 *
 *   closed ── failures in a row ──> open ── pause over, a call comes ──> probing
 *     ^                              ^ └──────────── any answer ──┐         │
 *     └──────────────────────────────┼────────────────────────────┴─────────┤
 *                                    └── no answer: a longer pause ─────────┘
 */
#ifndef KEYSTORE_CIRCUIT_H
#define KEYSTORE_CIRCUIT_H

#include "base/sm.h"

enum circuit_state { CIRCUIT_CLOSED, CIRCUIT_OPEN, CIRCUIT_PROBING };

enum {
	CIRCUIT_FAILURES = 5,
	CIRCUIT_PAUSE_MS = 500,
	CIRCUIT_PAUSE_MS_MAX = 4000,
	CIRCUIT_PROBE_MS = 3000, /* a probe that has not ended by then counts no more */
};

/* Embeddable. */
struct circuit {
	struct sm sm;
	uint32_t failures; /* in a row */
	uint64_t pause_ms;
	uint64_t next_ms; /* when a probe may begin */
	uint64_t since_ms; /* of the state */
	uint64_t opened, refused; /* times that it opened; calls that were not let through */
};

/* The name is borrowed. */
void circuit_init(struct circuit *circuit, const char *name);
/* May a client's call begin? True for the probe, too. */
bool circuit_admits(struct circuit *circuit, uint64_t now_ms);
/* The service answered, whatever it said but 5xx. */
void circuit_on_answer(struct circuit *circuit, uint64_t now_ms);
/* A call ended without such an answer. */
void circuit_on_failure(struct circuit *circuit, uint64_t now_ms);

#endif
