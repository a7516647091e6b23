/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a cache last heard of everything: when it was made, was in step with the peer, or polled a
 * key manager (design D20). One that has not for longer than tombstones are kept may hold keys that
 * were destroyed since, and nobody could tell it so: it is not used.
 */
#ifndef KEYSTORE_CONTACT_H
#define KEYSTORE_CONTACT_H

#include "keystore/keystore.h"

enum { CONTACT_AGE_MAX_S = 90 * 86400, CONTACT_SAVE_MS = 3600 * 1000 };

/* Seconds since then, by the wall clock; 0 when nothing tells. */
MUST_USE enum err contact_age(int64_t *age_s, struct cache *cache);
/* The keeper begins: a cache that nothing tells of counts from now. */
void contact_start(struct keystore *keystore);

#endif
