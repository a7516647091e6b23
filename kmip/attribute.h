/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attribute values: their check against attributes.def, their typed forms, and their stored form.
 * The key store keeps a value as its encoded Attribute Value item, canonical: two equal values have
 * equal bytes. Which client may change what is not decided here (attribute_rules).
 */
#ifndef KMIP_ATTRIBUTE_H
#define KMIP_ATTRIBUTE_H

#include "kmip/codec.h"

/*
 * The row of an attribute that a client sent, after checking that the version has it and that the
 * value has the right type and, for structures, the right fields. ERR_FIELD otherwise, and for an
 * enumeration value that the version does not have, also within a structure. codec gives arena,
 * version and flags (CODEC_PARTIAL for Locate).
 */
MUST_USE enum err kmip_attribute_check(const struct kmip_attribute_row **out, struct codec *codec,
	const struct kmip_attribute *attribute);
/* True when a client of that version may see the attribute: it has the attribute and, for an
 * enumeration, the value; for a structure those that it must have. Encoding does this by itself. */
bool kmip_attribute_is_visible(const struct kmip_attribute *attribute, enum kmip_version version);

/* Stored form: one item with tag Attribute Value, in the arena; NULL data is never returned with
 * ERR_OK. */
MUST_USE enum err kmip_value_encode(
	struct slice *out, struct arena *arena, const struct kmip_value *value);
/* Borrows from `stored`. ERR_CORRUPT when it is not what kmip_value_encode made. */
MUST_USE enum err kmip_value_decode(struct kmip_value *out, struct slice stored);

/* Values of the simple types. */
struct kmip_value kmip_value_integer(int32_t integer);
struct kmip_value kmip_value_enum(uint32_t number);
struct kmip_value kmip_value_interval(uint32_t seconds);
struct kmip_value kmip_value_long(int64_t number);
struct kmip_value kmip_value_date(int64_t seconds);
struct kmip_value kmip_value_boolean(bool truth);
struct kmip_value kmip_value_text(struct slice text);
struct kmip_value kmip_value_bytes(struct slice bytes);
/*
 * Structured values by their tables: kmip_value_write(&value, arena, &kmip_name_table, &name) and
 * kmip_value_read(&name, codec, &kmip_name_table, &value). All versions' fields are kept: the
 * encoder leaves out what a client's version does not have. ERR_FIELD when the value is no
 * structure, else as codec_decode. Stored values are read with a codec of KMIP_NEWEST.
 */
MUST_USE enum err kmip_value_write(struct kmip_value *out, struct arena *arena,
	const struct kmip_struct *table, const void *object);
MUST_USE enum err kmip_value_read(void *out, struct codec *codec, const struct kmip_struct *table,
	const struct kmip_value *value);
/* Whether two structures agree in every field that `part` has. */
bool kmip_value_covers(const struct kmip_value *whole, const struct kmip_value *part);

#endif
