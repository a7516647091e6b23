/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which root keys an instance may use (design D8): the one that wraps, and another one that keys
 * may be wrapped with. Which ones have wrapped keys so far is a fact of the cache,
 * "wrapped-by-<instance>": their ids, one after the other.
 */
#ifndef KEYSTORE_ROOTS_H
#define KEYSTORE_ROOTS_H

#include "keystore/instance.h"

enum { ROOTS_WRAPPED_BY_MAX = 8 };

/* A root key was asked for, and shown: notes what it is, and says so once when keys are wrapped
 * with one that the configuration does not name. */
void roots_note(struct instance *instance, enum keymanager_crk crk);
/* Everything is wrapped with the root key of the configuration: the others may be taken out of it.
 */
MUST_USE enum err roots_forget_others(struct cache_write *write, const struct instance *instance);

#endif
