/* SPDX-License-Identifier: Apache-2.0 */
/* What Re-key and its kin hand on from the object that is replaced to the one that replaces it
 * (KMIP 1.4, tables of sections 4.4, 4.5 and 4.8). */
#ifndef KMIP_REPLACING_H
#define KMIP_REPLACING_H

#include "kmip/attribute_rules.h"
#include "kmip/item.h"

struct replacing {
	const struct object *old;
	const struct kmip_template_attribute *given; /* NULL: nothing new is said */
	const struct kmip_template_attribute *common; /* for both keys of a pair; likewise */
	struct kmip_uint offset; /* seconds */
};

/*
 * The attributes of the replacement: the old one's, names included, then what is given; dates as
 * Offset or the given ones say. ERR_MESSAGE: Offset and dates; ERR_ILLEGAL: an Offset, and dates
 * that cannot be shifted; ERR_FIELD: dates out of order, or another algorithm or length for what is
 * no symmetric key; else as making_attributes.
 */
MUST_USE enum err replacing_attributes(
	struct kmip_item *item, struct attribute_edits *edits, const struct replacing *replacing);

#endif
