/* SPDX-License-Identifier: Apache-2.0 */
/* The Name attribute is unique within an instance (KMIP 1.4, section 3.2), also among requests
 * under way (claims). Two requests that take the same name at the same moment on two nodes can
 * still both succeed. */
#ifndef KMIP_UNIQUE_NAME_H
#define KMIP_UNIQUE_NAME_H

#include "kmip/attribute_rules.h"
#include "kmip/item.h"

/* ERR_EXISTS: an edit gives a Name that a live object holds already, or another request is about to
 * give; it holds its own too, but for the instance that is modified, and two edits must differ.
 * ERR_AGAIN is to be handed on. */
MUST_USE enum err unique_name_check(struct kmip_item *item, const struct attribute_edits *edits);
/* The same, but that one object (NULL: none) will give up its names. */
MUST_USE enum err unique_name_check_but(
	struct kmip_item *item, const struct attribute_edits *edits, const struct uid *leaving);

#endif
