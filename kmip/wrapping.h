/* SPDX-License-Identifier: Apache-2.0 */
/* Keys given out, and brought, under another key (KMIP 1.4, sections 2.1.5, 2.1.6, 4.11). */
#ifndef KMIP_WRAPPING_H
#define KMIP_WRAPPING_H

#include "kmip/item.h"

/*
 * Wraps the Key Value of a block in place, and Key Wrapping Data say how: encrypted, it becomes a
 * byte string; a MAC or signature is over what goes into the encryption, or comes out of it where
 * that is first, and stands beside it. ERR_FEATURE: TR-31; ERR_FIELD: not the keys that the method
 * has; ERR_ENCODING: No Encoding, and attributes or a transparent key; ERR_NOT_FOUND: no wrapping
 * key, or nothing says with which parameters; ERR_STATE, ERR_DENIED: it may not wrap; ERR_CRYPTO:
 * the mode does not take a key of that length.
 */
struct wrapping {
	const struct kmip_key_wrapping_specification *specification;
	const struct object *object; /* whose attributes are wrapped along */
	/* Filled: the key that encrypts, else the one that authenticates, and how much; its Usage
	 * Limits are not charged yet. */
	const struct object *key;
	size_t bytes;
};
MUST_USE enum err wrapping_apply(
	struct kmip_item *item, struct kmip_key_block *block, struct wrapping *wrapping);
/* Whether what is wrapped so can be read by its keys' owners alone. */
bool wrapping_hides(const struct kmip_key_wrapping_specification *specification);
/*
 * Opens a block that came wrapped, in place. ERR_CRYPTO: the key does not open it, MAC or signature
 * are not those of it, or what it gives is no Key Value; ERR_NOT_FOUND, ERR_STATE, ERR_DENIED: no
 * key for that, or it may not unwrap; ERR_FEATURE as above; ERR_FIELD.
 */
MUST_USE enum err wrapping_remove(struct kmip_item *item, struct kmip_key_block *block);

#endif
