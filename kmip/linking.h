/* SPDX-License-Identifier: Apache-2.0 */
/* Links between objects (KMIP 1.4, section 3.35) that operations set. */
#ifndef KMIP_LINKING_H
#define KMIP_LINKING_H

#include "kmip/attribute_rules.h"
#include "kmip/item.h"

/* The edit that adds such a link. */
MUST_USE enum err linking_edit(
	struct object_edit *out, struct arena *arena, uint32_t link_type, const struct uid *uid);
/* Among the attributes of an object that is being made. */
MUST_USE enum err linking_set(
	struct attribute_edits *edits, uint32_t link_type, const struct uid *uid);
/* The item's effect, stated already, gives its object that link as well. */
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

#endif
