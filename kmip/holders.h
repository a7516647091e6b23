/* SPDX-License-Identifier: Apache-2.0 */
/* Who holds an attribute: live objects of the instance that have it with exactly that value. */
#ifndef KMIP_HOLDERS_H
#define KMIP_HOLDERS_H

#include "kmip/item.h"

/* The attribute is one of terms.def; `value` is in stored form. What visit returns ends it unless
 * it is ERR_OK. ERR_AGAIN is to be handed on. */
MUST_USE enum err holders_find(struct kmip_item *item, struct slice name, struct slice value,
	enum err (*visit)(void *ctx, const struct object *object), void *ctx);

#endif
