/* SPDX-License-Identifier: Apache-2.0 */
/* What a fetch leaves in the view of the request that asked for it. */
#ifndef KEYSTORE_VIEW_H
#define KEYSTORE_VIEW_H

#include "keystore/keystore_private.h"

enum { VIEW_PROVED_MAX = 1024 }; /* more than a message's items can ask for */

struct keystore *view_keystore(const struct keystore_view *view);
const struct instance_id *view_instance(const struct keystore_view *view);
/* The key manager has just vouched for the key; material may be empty. Copies it. */
MUST_USE enum err view_remember(
	struct keystore_view *view, const struct uid *uid, struct slice material);

#endif
