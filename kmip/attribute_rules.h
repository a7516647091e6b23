/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may set, change and delete which attribute, when and how often: the columns of attributes.def
 * put to use, plus the rules of single attributes. Turns what a client asks for into edits of the
 * stored object. Pure: reads no store, so uniqueness of names is judged elsewhere (unique_name).
 */
#ifndef KMIP_ATTRIBUTE_RULES_H
#define KMIP_ATTRIBUTE_RULES_H

#include "kmip/algorithms.h"
#include "kmip/object_attributes.h"

enum {
	ATTRIBUTE_CUSTOM_NAME_LEN_MAX = OBJECT_NAME_LEN_MAX,
	/* Ours; the Tape Library profile asks for 30. */
	ATTRIBUTE_CUSTOM_INSTANCES_MAX = 255
};

/* The namespace for which the server makes up Application Data that is left out (3.36): a UUID,
 * another one each time. */
#define ATTRIBUTE_NAMESPACE "kmip-pair"

/* A value that the server made up, in stored form; the latest first. */
struct attribute_drawn {
	struct slice value;
	struct attribute_drawn *next;
};

/* Edits under construction. Embedded by the caller: set arena, version, now, object_type and,
 * unless it is being made, object. */
struct attribute_edits {
	struct arena *arena;
	enum kmip_version version;
	int64_t now;
	uint32_t object_type;
	const struct object *object; /* NULL while it is being made */
	bool registers; /* while it is being made: by Register, not by Create */

	struct object_edit *items;
	size_t count, cap;
	struct attribute_drawn *drawn; /* what of it the server made up (3.36) */
	/* Of an object being made: algorithm and length, which the operation completes and stores
	 * with attribute_rules_set. */
	struct algorithm_key key;
};

/*
 * Attributes given at Create or Register. ERR_FIELD: unknown, wrong value, not for this kind of
 * object, not the client's to set, dates that contradict each other, too long in all; ERR_INDEX: a
 * single-instance attribute twice, too many custom ones; ERR_NAMESPACE.
 */
MUST_USE enum err attribute_rules_make(
	struct attribute_edits *edits, const struct kmip_attribute *attributes, size_t count);
/* What a Template holds (2.2.6), for objects of any kind: ERR_FIELD: unknown, wrong value, not the
 * client's to set. */
MUST_USE enum err attribute_rules_template(
	struct attribute_edits *edits, const struct kmip_attribute *attributes, size_t count);
/* KMIP 1.4, 4.14. ERR_FIELD as above, or an index was sent; ERR_READ_ONLY; ERR_DENIED: not for this
 * kind of object; ERR_ILLEGAL: single and there already; ERR_STATE; ERR_INDEX; ERR_NAMESPACE. */
MUST_USE enum err attribute_rules_add(
	struct attribute_edits *edits, const struct kmip_attribute *attribute);
/* 4.15. ERR_FIELD also: not there at all; ERR_NOT_FOUND: no such instance. */
MUST_USE enum err attribute_rules_modify(
	struct attribute_edits *edits, const struct kmip_attribute *attribute);
/* 4.16. ERR_NOT_FOUND, ERR_READ_ONLY, ERR_STATE; in 1.0 ERR_FIELD when the index is left out of
 * several instances. *deleted is what the client is told. */
MUST_USE enum err attribute_rules_delete(struct attribute_edits *edits, struct slice name,
	const struct kmip_int *index, struct kmip_attribute *deleted);

/* True when an attribute of that name is among the edits; for algorithm and length, in the key. */
bool attribute_rules_has(const struct attribute_edits *edits, struct slice name);
/* The value that the edits give a single-instance attribute; false: none. */
bool attribute_rules_get(
	const struct attribute_edits *edits, enum kmip_attribute_id id, struct kmip_value *out);
/* Appends an edit that no client asked for: the server's own attributes. */
MUST_USE enum err attribute_rules_set(
	struct attribute_edits *edits, enum kmip_attribute_id id, const struct kmip_value *value);
/* The same for any attribute by its own name: custom ones have one row. */
MUST_USE enum err attribute_rules_keep(struct attribute_edits *edits,
	const struct kmip_attribute_row *row, struct slice name, const struct kmip_value *value);
MUST_USE enum err attribute_rules_append(
	struct attribute_edits *edits, const struct object_edit *edit);
/* The whole change: the edits, and activation and deactivation that their dates bring about. */
void attribute_rules_change(const struct attribute_edits *edits, struct object_change *change);

#endif
