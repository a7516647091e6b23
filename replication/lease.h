/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Read leases (design D19), both sides of one node: what it granted to the peer, and what the peer
 * granted to it. Pure arithmetic on boot-time milliseconds that are given.
 */
#ifndef REPLICATION_LEASE_H
#define REPLICATION_LEASE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	LEASE_LENGTH_MS = 2000,
	/* Two clocks may each run 2 % wrong in opposite directions, and milliseconds are rounded.
	 */
	LEASE_GRANTED_MS = LEASE_LENGTH_MS * 104 / 100 + 10,
};

struct lease {
	uint64_t granted_until_ms; /* the peer may serve from its cache until then */
	uint64_t held_until_ms; /* this node may, 0: not at all */
	uint64_t void_before_ms; /* grants asked for earlier than this are worth nothing */
};

/* After a restart a node assumes that it granted the longest lease just before. */
void lease_init(struct lease *lease, uint64_t now_ms);
/* Granter: a grant leaves now. */
void lease_grant(struct lease *lease, uint64_t now_ms);
/* Granter: the peer has stopped serving and said so. */
void lease_give_back(struct lease *lease, uint64_t now_ms);
/* Granter: until when a change that the peer did not acknowledge may be contradicted by it. */
uint64_t lease_until(const struct lease *lease);
/* Holder: a grant for the request sent at asked_ms; true when it moved held_until_ms. */
bool lease_take(struct lease *lease, uint64_t asked_ms, uint32_t length_ms);
/* Holder: gives up what it holds, and what was asked for until now. */
void lease_drop(struct lease *lease, uint64_t now_ms);

#endif
