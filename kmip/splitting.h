/* SPDX-License-Identifier: Apache-2.0 */
/* What Create Split Key and Join Split Key have in common (KMIP 1.4, sections 2.2.5, 4.38, 4.39).
 */
#ifndef KMIP_SPLITTING_H
#define KMIP_SPLITTING_H

#include "base/sharing.h"
#include "kmip/attribute_rules.h"
#include "kmip/item.h"

/* Ours, the server's: what the parts of one splitting have in common, and how many bytes were
 * split, which a number of a prime field does not tell. Parts that a client registers have neither.
 */
#define SPLITTING_NAME "y-Split Key"
#define SPLITTING_LENGTH "y-Split Key Bytes"

/* The numbers of a Split Key as base/sharing.h takes them. ERR_FIELD: no such method, a number that
 * is none, or the prime is missing. */
MUST_USE enum err splitting_method(struct sharing *out, const struct kmip_split_key *form);
/* The server's own attribute. */
MUST_USE enum err splitting_note(
	struct attribute_edits *edits, const char *name, const struct kmip_value *value);
/* What was noted; false, empty and 0: nothing. */
bool splitting_noted_name(const struct object *object, struct slice *out);
size_t splitting_noted_length(const struct object *object);
/*
 * What is made out of a secret is no less secret: Sensitive and not Extractable are handed on, and
 * Cryptographic Algorithm, Length and Usage Mask where nothing else is said. ERR_FIELD: the client
 * says that it is less secret.
 */
MUST_USE enum err splitting_hand_on(struct attribute_edits *edits, const struct object *from);

#endif
