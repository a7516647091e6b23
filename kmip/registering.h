/* SPDX-License-Identifier: Apache-2.0 */
/* What Register and Import have in common: an object that a client brings. */
#ifndef KMIP_REGISTERING_H
#define KMIP_REGISTERING_H

#include "kmip/attribute_rules.h"
#include "kmip/item.h"

/*
 * Judges the object and makes it item->create's material; *digested: the bytes that its Digest is
 * over. ERR_FIELD, ERR_KEY_FORMAT, ERR_KEY_COMPRESSION; errors as stored_write.
 */
struct registering {
	const struct kmip_object *object;
	bool is_value_left_out; /* as its attributes say (3.46) */
};
MUST_USE enum err registering_read(
	struct kmip_item *item, const struct registering *registering, struct slice *digested);
/* After the client's attributes: what the object itself tells, which must not contradict them. */
MUST_USE enum err registering_describe(
	struct kmip_item *item, struct attribute_edits *edits, const struct kmip_object *object);
/* 3.46: do these attributes say that the value is left out? */
bool registering_leaves_value_out(const struct kmip_attribute *attributes, size_t count);

#endif
