/* SPDX-License-Identifier: Apache-2.0 */
/* What Register and Import have in common: an object that a client brings. */
#ifndef KMIP_REGISTERING_H
#define KMIP_REGISTERING_H

#include "kmip/attribute_rules.h"
#include "kmip/item.h"

/*
 * Judges the object and makes it item->create's material; *digested: the bytes that its Digest is
 * over. The edits have what the client says beside it. ERR_FIELD, ERR_KEY_FORMAT,
 * ERR_KEY_COMPRESSION; errors as stored_write.
 */
MUST_USE enum err registering_read(struct kmip_item *item, const struct attribute_edits *edits,
	const struct kmip_object *object, struct slice *digested);
/* After the client's attributes: what the object itself tells, which must not contradict them. */
MUST_USE enum err registering_describe(
	struct kmip_item *item, struct attribute_edits *edits, const struct kmip_object *object);

#endif
