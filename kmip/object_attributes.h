/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attributes of an object as a client sees them: those that are stored, and those computed from
 * its identity, life cycle and dates (State, Initial Date, ...), which are stored nowhere. Reads
 * only; who may change what is in attribute_rules.
 */
#ifndef KMIP_OBJECT_ATTRIBUTES_H
#define KMIP_OBJECT_ATTRIBUTES_H

#include "keystore/object.h"
#include "kmip/attribute.h"

/* Lease Time of every key, which Obtain Lease gives (4.17). A client that keeps to it asks again
 * within the hour, as vSphere's hosts do when they start. */
enum { OBJECT_ATTRIBUTES_LEASE_S = 3600 };

/* Embedded by the caller; set object, arena, version and now, leave the rest zero. */
struct object_attributes {
	const struct object *object;
	struct arena *arena;
	enum kmip_version version; /* attributes that it does not have are passed over */
	int64_t now;

	struct kmip_attribute *items; /* collected; names and values live in arena or object */
	size_t count, cap;
};

/* Appends every instance of one attribute; `name` tells custom ones apart, and is otherwise not
 * looked at. */
MUST_USE enum err object_attributes_collect(
	struct object_attributes *list, const struct kmip_attribute_row *row, struct slice name);
/* Appends all, in the order of attributes.def, custom ones last. */
MUST_USE enum err object_attributes_collect_all(struct object_attributes *list);

/* The schedule that the object's own attributes give. */
struct object_schedule object_attributes_schedule(const struct object *object);
enum object_state object_attributes_state(const struct object *object, int64_t now);
/* The stored value of a single-instance attribute; false when there is none. */
bool object_attributes_stored(
	const struct object *object, enum kmip_attribute_id id, struct kmip_value *out);
/* What the client sees in the single-instance attribute; false when it has no value. */
bool object_attributes_value(
	const struct object_attributes *list, enum kmip_attribute_id id, struct kmip_value *out);
/* Whether objects of its type have the attribute. */
bool object_attributes_apply(const struct object *object, enum kmip_attribute_id id);
/* Not yet given out by Get or Export (3.34; giving.h). */
bool object_attributes_is_fresh(const struct object *object);
/* Its Archive Date says so (3.32); what is destroyed is not in the archive any more. */
bool object_attributes_is_archived(const struct object *object);

#endif
