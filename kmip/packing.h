/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys as PKCS #12 (KMIP 1.4, section 9.1.3.2.3): with the certificates that they are
 * linked to, under the password of the secret that they are linked to. */
#ifndef KMIP_PACKING_H
#define KMIP_PACKING_H

#include "kmip/item.h"

/*
 * Writes the object's key, which the block holds plain, into it as PKCS #12. ERR_KEY_FORMAT: it is
 * no private key; ERR_FIELD: not exactly one PKCS #12 Password Link, or no password that can be
 * used; ERR_DENIED, ERR_STATE: what it leads to is no password, or not Active. Certificates are
 * those that PKCS #12 Certificate Links lead to, one from the other, as far as they are there.
 */
MUST_USE enum err packing_write(
	struct kmip_item *item, const struct object *object, struct kmip_key_block *block);
/* The password that a PKCS #12 Password Link leads to; ERR_DENIED, ERR_STATE as above;
 * ERR_ARCHIVED. ERR_AGAIN is to be handed on. */
MUST_USE enum err packing_password(
	struct kmip_item *item, const struct uid *uid, struct slice *out);

#endif
