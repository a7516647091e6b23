/* SPDX-License-Identifier: Apache-2.0 */
/* What the keeper's store has done since its start, counted where it happens. For metrics. */
#ifndef KEYSTORE_METER_H
#define KEYSTORE_METER_H

#include "base/histogram.h"

struct keystore;

/* Looks for an unwrapped key in the table, by any process; the owner puts it where it likes. */
enum keystore_lookup {
	KEYSTORE_LOOKUP_HIT,
	KEYSTORE_LOOKUP_ABSENT,
	KEYSTORE_LOOKUP_STALE, /* past plaintext-ttl */
	KEYSTORE_LOOKUP_UNVOUCHED, /* neither lease nor poll (design D19) */
	KEYSTORE_LOOKUPS
};
struct keystore_lookups {
	_Atomic uint64_t counts[KEYSTORE_LOOKUPS];
};

struct keystore_meter {
	uint64_t fetches; /* keys read through for a client, each once for all who wait for it */
	uint64_t fetches_shared; /* callers who joined one of those */
	uint64_t fetches_background; /* by a listing or a poll */
	uint64_t commits;
	uint64_t committed; /* jobs in them: group commit (design D4) */
	struct histogram commit_took;
	struct histogram gate_took; /* from commit to the peer's acknowledgement, or to giving up */
};
const struct keystore_meter *keystore_meter(const struct keystore *keystore);

#endif
