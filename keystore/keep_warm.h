/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps keys of an instance unwrapped ahead of their use (design D13), so that an outage finds
 * them: those that clients asked for last, or all. In passes over the cache (walk.h) each such key
 * is unwrapped anew before half of outage-grace is over, by the connections of background work, and
 * a key that is not unwrapped yet takes no place of one that is.
 */
#ifndef KEYSTORE_KEEP_WARM_H
#define KEYSTORE_KEEP_WARM_H

#include "keystore/instance.h"

struct keep_warm;

enum {
	KEEP_WARM_AT_ONCE = 2, /* of the connections that background work has */
	KEEP_WARM_PARTS = 8, /* passes in one outage-grace, */
	KEEP_WARM_PASS_MS_MIN = 250, /* within these bounds */
	KEEP_WARM_PASS_MS_MAX = 60000, /* a key that is new is met by then */
	KEEP_WARM_SHARE =
		100, /* looking alone takes no more than one part in so many of the time */
	KEEP_WARM_WAIT_MS = 1000, /* between looks whether the key manager may be asked at all */
};

MUST_USE enum err keep_warm_new(struct keep_warm **out, struct instance *instance);
void keep_warm_free(struct keep_warm *warm);
/* The settings may be others now. */
void keep_warm_reload(struct keep_warm *warm);

#endif
