/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last effect of an operation that makes several objects, or makes one and changes others: it
 * gives what was made its names and links, takes names away from what is replaced, and all of it
 * is one change of the store (keystore.h). Until then what was made is nobody's: unclaimed, and
 * found by no name. So a node that dies leaves all of the operation, or objects that are in
 * nobody's way.
 */
#ifndef KMIP_SETTLING_H
#define KMIP_SETTLING_H

#include "kmip/item.h"

/* What is made, and up to three others: a pair that is replaced, an object that is. */
enum { SETTLING_PARTS_MAX = KMIP_MADE_MAX + 3 };

struct settling {
	struct keystore_part
		parts[SETTLING_PARTS_MAX]; /* what is made, in that order, then others */
	size_t count;
	size_t withheld; /* those of what is made */
	const struct object *replaced; /* by settling_destroy */
};

/* The creation that is stated, one of several steps: what it is found by waits for
 * settling_begin. Of every object that the item makes, or of none. */
MUST_USE enum err settling_withhold(struct kmip_item *item);
/* States the effect; all objects are made. It is in the key manager before it is answered when it
 * gives names or links, unless item->durable is taken back. The rest may be added to it: */
void settling_begin(struct kmip_item *item);
/* The object gets that link. */
MUST_USE enum err settling_link(
	struct kmip_item *item, const struct uid *from, uint32_t link_type, const struct uid *to);
/* Its link of that type to `was` leads to `to` from now on, or is added when there was none. */
struct settling_move {
	uint32_t link_type;
	const struct uid *was, *to;
};
MUST_USE enum err settling_move_link(
	struct kmip_item *item, const struct object *from, const struct settling_move *move);
/* The object is found by none of its names any more. */
MUST_USE enum err settling_unname(struct kmip_item *item, const struct object *old);
/* The same, and it points to its replacement. */
MUST_USE enum err settling_replace(
	struct kmip_item *item, const struct object *old, const struct uid *replacement);
/* What the effect changes of that object, for more than links; NULL: ERR_LIMIT. */
struct object_change *settling_change(struct kmip_item *item, const struct uid *uid);
/* The effect is the destruction of `old`, which goes with the settling: what it had been found by
 * is given back should the key manager refuse to delete it. */
MUST_USE enum err settling_destroy(struct kmip_item *item, const struct object *old);

/* The engine's: what the store is to change, if the effect is a settling. */
void settling_fill(struct keystore_change *out, const struct kmip_item *item);

#endif
