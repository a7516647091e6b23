/* SPDX-License-Identifier: Apache-2.0 */
/* Public and private keys between KMIP's Key Blocks, in all their forms, and base/pkey.h. */
#ifndef KMIP_ASYMMETRIC_H
#define KMIP_ASYMMETRIC_H

#include "base/pkey.h"
#include "kmip/item.h"

/* The key in a Key Block of that object type; ERR_INVALID: it is none; ERR_KEY_FORMAT: that form is
 * not one of an asymmetric key. */
MUST_USE enum err asymmetric_open(
	struct pkey **out, uint32_t object_type, const struct kmip_key_block *block);
/*
 * Fills format and Key Value of the block in that form (a Key Format Type; 0: the usual one of the
 * kind of key), bytes in the item's arena. ERR_KEY_FORMAT: this key has no such form.
 */
struct asymmetric_form {
	uint32_t object_type, format;
};
MUST_USE enum err asymmetric_write(struct kmip_item *item, struct kmip_key_block *block,
	const struct pkey *key, const struct asymmetric_form *form);

/* Writes the point as a Key Compression Type says; 0: uncompressed. ERR_KEY_COMPRESSION: no public
 * key of a curve, or of one over another kind of field. */
MUST_USE enum err asymmetric_compress(struct pkey *key, uint32_t object_type, uint32_t compression);

/* The Recommended Curve's name for base/pkey.h and back; NULL and 0: not served. */
const char *asymmetric_curve_name(uint32_t recommended_curve);
uint32_t asymmetric_curve_of(const char *group_name);
/* Cryptographic Algorithm of a key, as a client that gave none is told. */
uint32_t asymmetric_algorithm(const struct pkey *key);
/* The same in the words of a version: EC came with 1.2, before it was ECDSA whatever it was for. */
uint32_t asymmetric_algorithm_in(uint32_t algorithm, enum kmip_version version);
/* Whether a Cryptographic Algorithm that a client names is that of such a key: curves have several.
 */
bool asymmetric_is_kind(uint32_t named, uint32_t real);
/* Whether it is one of pairs. */
bool asymmetric_is_algorithm(uint32_t named);
/* Whether a public or private key may come in that form: also such as are kept and not read. */
bool asymmetric_is_form_of(uint32_t object_type, uint32_t format);
/* A Big Integer's bytes (9.1.1.4: two's complement, whole eights) of an unsigned number. */
MUST_USE enum err asymmetric_big(struct kmip_item *item, struct slice *out, struct slice number);

#endif
