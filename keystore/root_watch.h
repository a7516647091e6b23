/* SPDX-License-Identifier: Apache-2.0 */
/* Asks every root_poll_s whether the owner still lets the root key be used (design D13). */
#ifndef KEYSTORE_ROOT_WATCH_H
#define KEYSTORE_ROOT_WATCH_H

#include "keystore/instance.h"

struct root_watch;

enum {
	ROOT_WATCH_DEADLINE_MS = 10000,
	ROOT_WATCH_POKE_MS = 1000, /* between looks that somebody asks for */
};

/* Begins in a later turn. */
MUST_USE enum err root_watch_new(
	struct root_watch **out, struct instance *instance, enum keymanager_crk crk);
/* Asks at once: the root keys are others now. */
void root_watch_again(struct root_watch *watch);
/* Asks soon: there may be news. */
void root_watch_poke(struct root_watch *watch);
void root_watch_free(struct root_watch *watch);

#endif
