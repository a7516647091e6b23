/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds cached keys that a whole listing of the key ring did not show. That proves nothing yet:
 * they are read by id then (design D12).
 */
#ifndef KEYSTORE_ABSENT_H
#define KEYSTORE_ABSENT_H

#include "keystore/instance.h"

struct absent;

enum { ABSENT_PART = 500 }; /* cached keys looked at in one turn */

/* Keys made after `older_than` (seconds) may be newer than the listing and are left alone. */
MUST_USE enum err absent_new(struct absent **out, struct instance *instance, int64_t older_than);
void absent_free(struct absent *absent);
/* A key of the listing. absent may be NULL. */
void absent_see(struct absent *absent, const struct uid *key_id);
/* The next part of the cache: live keys that were not seen are added. ERR_LIMIT never comes: a ring
 * too large to remember has no absent keys. */
MUST_USE enum err absent_look(struct absent *absent, void (*add)(void *ctx, const struct uid *uid),
	void *ctx, bool *more);

#endif
