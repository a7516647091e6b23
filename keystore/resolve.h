/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settles the intents of an instance that no living flow will settle: after a crash, and after a
 * creation whose outcome could not be found in time. A key that was created is adopted as
 * unclaimed; a deletion that was begun is finished.
 */
#ifndef KEYSTORE_RESOLVE_H
#define KEYSTORE_RESOLVE_H

#include "keystore/flow.h"

enum {
	RESOLVE_INTENTS_MAX = 64, /* in one run; the rest in the next */
	RESOLVE_HOPELESS_S = 600, /* a creation that is not listed by then did not happen */
};

MUST_USE enum err resolve_start(struct keystore_pending **out, struct instance *instance,
	void (*on_resolved)(void *ctx, enum err err), void *ctx);

#endif
