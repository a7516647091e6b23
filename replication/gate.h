/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers that wait for the peer (design D18), in two steps: the core lets them go, the shell calls
 * them from the loop. Holds are embedded in the keystore's flows; nothing is allocated and nothing
 * is called back here.
 */
#ifndef REPLICATION_GATE_H
#define REPLICATION_GATE_H

#include "keystore/keystore.h"

struct gate_list {
	struct keystore_hold *first, *last;
};

/* How long answers have waited. */
struct gate_waits {
	uint64_t count; /* let go since start */
	uint64_t unacknowledged; /* of these, without the peer's acknowledgement */
	uint64_t last_ms, max_ms;
};

struct gate {
	struct gate_list held;
	struct gate_list released; /* in the order in which they were let go */
	uint64_t count; /* in held */
	struct gate_waits waits;
};

/* Holds from hold->since_ms until deadline_ms at the latest. */
void gate_hold(struct gate *gate, struct keystore_hold *hold, uint64_t deadline_ms);
/* Forgets a hold that was not yet taken. */
void gate_cancel(struct gate *gate, struct keystore_hold *hold);

/* What lets holds go, whichever comes first. */
struct gate_pass {
	uint64_t now_ms;
	bool acked; /* the peer has all that there was before the log, and the log up to: */
	uint64_t acked_seq;
	bool creates; /* all of class KEYSTORE_GATE_CREATE: the link is known to be down */
	bool changes; /* all others: the peer has stopped serving */
	/* Of KEYSTORE_GATE_CHARGE alone: */
	uint64_t leased_ms; /* when the latest lease that was taken on this link was asked for */
	bool alone; /* this node need not hear the peer: their deadline counts */
};
void gate_release(struct gate *gate, const struct gate_pass *pass);
/* Notes which charges the peer has: a lease asked for at behind_ms, or later, comes behind what the
 * peer had logged by then. */
void gate_note(struct gate *gate, const struct gate_pass *pass, uint64_t behind_ms);
/* The link ended, and with it what was noted. */
void gate_forget(struct gate *gate);
/* When the latest of these leases is to be asked for; 0: none. */
uint64_t gate_behind(const struct gate *gate);
/* The earliest deadline to come among those held; UINT64_MAX without any. */
uint64_t gate_deadline(const struct gate *gate, uint64_t now_ms);
/* The next one to call; NULL when there is none. */
struct keystore_hold *gate_take_released(struct gate *gate);

#endif
