/* SPDX-License-Identifier: Apache-2.0 */
/* A caller's change, kept for as long as a flow needs it. */
#ifndef KEYSTORE_CHANGE_COPY_H
#define KEYSTORE_CHANGE_COPY_H

#include "keystore/object.h"

/* Deep copy into the arena. */
MUST_USE enum err change_copy(
	struct object_change *out, struct arena *arena, const struct object_change *change);

#endif
