/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private keys that come as PKCS #12 (KMIP 1.4, section 9.1.3.2.3), under the password of the
 * secret that their PKCS #12 Password Link names. The key is kept as PKCS #8. The certificates
 * become objects of their own, made before the key, each linked to the next by PKCS #12 Certificate
 * Link, as Get follows them; all of it is settled (settling.h) when the key is made. A client that
 * gives such a link itself has the certificates already: none are made.
 */
#ifndef KMIP_UNPACKING_H
#define KMIP_UNPACKING_H

#include "base/pkey_pkcs12.h"
#include "kmip/attribute_rules.h"
#include "kmip/item.h"

struct unpacking {
	struct kmip_object object; /* in: as it came; out: as it is to be registered */
	size_t count; /* of certificates that are made; 0 when it was no PKCS #12 */
	struct attribute_edits certificates[PKCS12_CERTIFICATES_MAX]; /* the key's own first */
	struct slice ders[PKCS12_CERTIFICATES_MAX];
	/* The key's effect, stated once the certificates are made. */
	struct keystore_create create;
	struct object_change change;
};

/*
 * Opens the object on another thread if it is a plain private key as PKCS #12: ERR_AGAIN, to be
 * handed on. The edits are the client's; a friendly name is added. ERR_FIELD: not exactly one
 * password link, or nothing that can be read; ERR_DENIED: a wrong password; errors as
 * packing_password.
 */
MUST_USE enum err unpacking_open(
	struct kmip_item *item, struct attribute_edits *edits, struct unpacking *unpacking);
/* The key's effect has been stated: states that of the first certificate before it, if any. */
MUST_USE enum err unpacking_first(struct kmip_item *item, struct unpacking *unpacking);
/* For finish, while item->steps <= count: the next certificate's, and at last the key's. Behind
 * that, settling_begin. */
MUST_USE enum err unpacking_next(struct kmip_item *item, const struct unpacking *unpacking);

#endif
