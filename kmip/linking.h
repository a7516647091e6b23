/* SPDX-License-Identifier: Apache-2.0 */
/* Links between objects (KMIP 1.4, section 3.35) that operations set. */
#ifndef KMIP_LINKING_H
#define KMIP_LINKING_H

#include "kmip/attribute_rules.h"
#include "kmip/item.h"

/* Among the attributes of an object that is being made. */
MUST_USE enum err linking_set(
	struct attribute_edits *edits, uint32_t link_type, const struct uid *uid);
/* A further effect of the item: the target gets that link, and is nobody's orphan any more. It is
 * in the key manager before the item is answered, so that both caches can be lost. */
MUST_USE enum err linking_effect(struct kmip_item *item, const struct uid *target,
	uint32_t link_type, const struct uid *uid);
/* The item's effect, stated by the above, gives the target that link as well. */
MUST_USE enum err linking_further(
	struct kmip_item *item, uint32_t link_type, const struct uid *uid);
/* The object that the first link of that type leads to; false: there is none, or it leads to what
 * is no identifier of ours. */
bool linking_find(
	struct uid *out, struct kmip_item *item, const struct object *object, uint32_t link_type);
/* How many links of that type the object has. */
size_t linking_count(struct kmip_item *item, const struct object *object, uint32_t link_type);
/* The visible index of the object's link of that type to `uid`; false: there is none. */
bool linking_index(uint32_t *out, struct kmip_item *item, const struct object *object,
	uint32_t link_type, const struct uid *uid);
/* As linking_effect: the target's link at that index leads to `uid` from now on; NULL: it goes. */
struct linking {
	uint32_t type, index;
};
MUST_USE enum err linking_move(struct kmip_item *item, const struct uid *target,
	const struct linking *link, const struct uid *uid);

#endif
