/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a managed object becomes the material that the store keeps. A plain symmetric key is its
 * bytes, in the record's Key Format Type: that is what nearly every object is, and what a warm Get
 * copies. Anything else (key pairs, certificates, secret data, opaque objects, split keys,
 * templates, PGP keys, wrapped keys, keys without value) is the encoded object as it was registered
 * or made, and the record's format is marked.
 */
#ifndef KMIP_STORED_H
#define KMIP_STORED_H

#include "kmip/item.h"

/* In the record's format beside the Key Format Type (zero for what has no Key Block); no number of
 * the specification. */
enum { STORED_AS_OBJECT = 0x40000000 };

/*
 * Type, format and material of item->create. ERR_FIELD: longer than one standard key holds
 * (OBJECT_MATERIAL_LEN_MAX), or empty.
 */
MUST_USE enum err stored_write(struct kmip_item *item, const struct kmip_object *object);
/* The object as it is kept, without the attributes that its Key Value came with: they are the
 * object's. Errors as item_material, which it calls; ERR_CORRUPT. */
MUST_USE enum err stored_read(
	struct kmip_item *item, const struct object *object, struct kmip_object *out);

#endif
