/* SPDX-License-Identifier: Apache-2.0 */
/* The attributes that a certificate brings along (KMIP 1.4, sections 3.7 to 3.16). */
#ifndef KMIP_CERTIFICATES_H
#define KMIP_CERTIFICATES_H

#include "kmip/attribute_rules.h"

/* Sets type and length, and for X.509 names, serial number, algorithms and key length, and the
 * Cryptographic Usage Mask unless it was given; both the forms of 1.0 and those since 1.1 are
 * stored. ERR_FIELD: it is no certificate of that type, or another one than was said. */
MUST_USE enum err certificates_describe(
	struct attribute_edits *edits, const struct kmip_certificate *certificate);
/* The bits of Key Usage (enum x509_usage) for a Cryptographic Usage Mask (9.1.3.3.1). */
unsigned certificates_usage(int32_t mask);

#endif
