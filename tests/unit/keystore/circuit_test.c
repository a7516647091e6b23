/* SPDX-License-Identifier: Apache-2.0 */
/* Shows when calls are refused, when one goes to see, and what closes the circuit: tells it of
 * answers and failures at chosen times. */
#include <criterion/criterion.h>

#include "keystore/circuit.h"

static struct circuit circuit;

/* Opened at 1000. */
static void open_it(void)
{
	circuit_init(&circuit, "test");
	for (int i = 0; i < CIRCUIT_FAILURES; i++) {
		cr_assert(circuit_admits(&circuit, 1000));
		circuit_on_failure(&circuit, 1000);
	}
	cr_assert_eq(circuit.sm.state, CIRCUIT_OPEN);
}

Test(circuit, opens_only_when_failures_are_in_a_row)
{
	circuit_init(&circuit, "test");
	for (int i = 0; i < 10 * CIRCUIT_FAILURES; i++) {
		if (i % (CIRCUIT_FAILURES - 1) == 0)
			circuit_on_answer(&circuit, 1000);
		circuit_on_failure(&circuit, 1000);
		cr_assert_eq(circuit.sm.state, CIRCUIT_CLOSED);
	}
	circuit_on_failure(&circuit, 1000);
	circuit_on_failure(&circuit, 1000);
	circuit_on_failure(&circuit, 1000);
	cr_assert_eq(circuit.sm.state, CIRCUIT_OPEN);
}

Test(circuit, lets_one_call_go_to_see)
{
	open_it();
	cr_assert_not(circuit_admits(&circuit, 1000 + CIRCUIT_PAUSE_MS - 1));
	cr_assert(circuit_admits(&circuit, 1000 + CIRCUIT_PAUSE_MS));
	cr_assert_eq(circuit.sm.state, CIRCUIT_PROBING);
	cr_assert_not(circuit_admits(&circuit, 1001 + CIRCUIT_PAUSE_MS), "a second one waits");
	cr_assert_eq(circuit.opened, 1);
	cr_assert_eq(circuit.refused, 2);
	circuit_on_answer(&circuit, 2000);
	cr_assert_eq(circuit.sm.state, CIRCUIT_CLOSED);
	cr_assert(circuit_admits(&circuit, 2000));
}

Test(circuit, looks_less_often_but_never_stops_looking)
{
	uint64_t now_ms = 1000;
	uint64_t pause_ms = CIRCUIT_PAUSE_MS;

	open_it();
	for (int i = 0; i < 20; i++) {
		now_ms += pause_ms;
		cr_assert_not(circuit_admits(&circuit, now_ms - 1));
		cr_assert(circuit_admits(&circuit, now_ms));
		circuit_on_failure(&circuit, now_ms);
		pause_ms =
			pause_ms * 2 < CIRCUIT_PAUSE_MS_MAX ? pause_ms * 2 : CIRCUIT_PAUSE_MS_MAX;
	}
}

Test(circuit, a_poll_that_is_answered_closes_it)
{
	open_it();
	circuit_on_answer(&circuit, 1001);
	cr_assert_eq(circuit.sm.state, CIRCUIT_CLOSED);
	/* and its history is forgotten */
	circuit_on_failure(&circuit, 1002);
	cr_assert(circuit_admits(&circuit, 1002));
}

Test(circuit, a_probe_that_never_ends_is_replaced)
{
	uint64_t probe_ms = 1000 + CIRCUIT_PAUSE_MS;

	open_it();
	cr_assert(circuit_admits(&circuit, probe_ms));
	cr_assert_not(circuit_admits(&circuit, probe_ms + CIRCUIT_PROBE_MS - 1));
	cr_assert(circuit_admits(&circuit, probe_ms + CIRCUIT_PROBE_MS));
}

Test(circuit, failures_of_calls_that_began_before_do_not_prolong_it)
{
	open_it();
	for (int i = 0; i < 100; i++)
		circuit_on_failure(&circuit, 1000 + CIRCUIT_PAUSE_MS - 1);
	cr_assert(circuit_admits(&circuit, 1000 + CIRCUIT_PAUSE_MS));
}
