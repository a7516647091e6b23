/* SPDX-License-Identifier: Apache-2.0 */
/* What operations that change an object have in common. */
#ifndef KMIP_CHANGING_H
#define KMIP_CHANGING_H

#include "kmip/attribute_rules.h"
#include "kmip/item.h"

/* The rules' context for a change of that object. */
struct attribute_edits changing_edits(const struct kmip_item *item, const struct object *object);
/* States the effect: the edits, judged again by `check` inside the transaction. ERR_ILLEGAL: they
 * take a Name that another object has. */
MUST_USE enum err changing_effect(struct kmip_item *item, const struct attribute_edits *edits,
	enum err (*check)(void *ctx, const struct object *object));
/* The attribute as it was written, for the answer: in the arena; index 0 is left out. */
MUST_USE enum err changing_echo(
	struct kmip_item *item, struct slice name, int32_t index, struct kmip_attribute **out);
/* Whether the object has not been destroyed; a check. ERR_STATE. */
MUST_USE enum err changing_is_alive(void *ctx, const struct object *object);
/* Whether the object's state lets it be destroyed (3.22, 4.21); a check, whose ctx is the item.
 * ERR_STATE. */
MUST_USE enum err changing_may_destroy(void *ctx, const struct object *object);

#endif
