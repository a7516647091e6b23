/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Until when a node may serve from its cache (design D19), in memory that the keeper writes and
 * workers read: one word for the peer's lease, and one for each instance by what its key manager
 * told. The lease speaks for every instance but those that the peer does not have alike. All zero:
 * nobody vouches. Neither speaks for an instance while it is withheld: its key manager told what
 * could not be stored. An instance is named by its id, filled with zeros to INSTANCE_ID_LEN_MAX.
 * Boot-time milliseconds.
 */
#ifndef KEYSTORE_VOUCHES_H
#define KEYSTORE_VOUCHES_H

#include <stdatomic.h>
#include "keystore/ids.h"

enum { VOUCHES_MAX = 256, VOUCH_NAME_WORDS = INSTANCE_ID_LEN_MAX / sizeof(uint64_t) };
_Static_assert(INSTANCE_ID_LEN_MAX % sizeof(uint64_t) == 0, "an instance is copied by words");

/* The name is written once, before the count grows to tell of it. */
struct vouch {
	_Atomic uint64_t name[VOUCH_NAME_WORDS];
	_Atomic uint64_t until_ms;
	_Atomic uint64_t unleased; /* 1: the lease does not speak for it */
	_Atomic uint64_t withheld; /* 1: nobody does */
};

struct vouches {
	_Atomic uint64_t lease_until_ms;
	_Atomic uint64_t count;
	struct vouch of[VOUCHES_MAX];
};

/* The keeper's. Instances beyond VOUCHES_MAX have the lease only. */
void vouches_set_lease(struct vouches *vouches, uint64_t until_ms);
void vouches_set(struct vouches *vouches, const char *instance, uint64_t until_ms);
/* ERR_LIMIT beyond VOUCHES_MAX. */
MUST_USE enum err vouches_set_leased(struct vouches *vouches, const char *instance, bool leased);
MUST_USE enum err vouches_set_withheld(
	struct vouches *vouches, const char *instance, bool withheld);
/* Both roles'. */
uint64_t vouches_lease(const struct vouches *vouches);
/* The lease, as far as it speaks for the instance. */
uint64_t vouches_lease_of(const struct vouches *vouches, const char *instance);
/* The later of the lease and what the instance's key manager told; 0 while it is withheld. */
uint64_t vouches_until(const struct vouches *vouches, const char *instance);

#endif
