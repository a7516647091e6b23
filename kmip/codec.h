/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decodes and encodes every structure by its table of fields. There is one table kmip_x_table for
 * each struct kmip_x of types.h, made from the same rows. No structure is decoded or encoded by
 * hand.
 */
#ifndef KMIP_CODEC_H
#define KMIP_CODEC_H

#include "base/arena.h"
#include "base/buf.h"
#include "kmip/types.h"

enum kmip_presence { KMIP_OPTIONAL, KMIP_REQUIRED };

struct kmip_field {
	uint32_t tag;
	enum kmip_type type;
	enum kmip_presence presence; /* of a repeated field, KMIP_REQUIRED means at least one */
	bool is_repeated;
	enum kmip_version since;
	enum kmip_version until;
	size_t offset;
	size_t len_max; /* of a text, byte string or big integer */
	enum kmip_set set; /* of an enumeration */
	const struct kmip_struct *child; /* NULL for a structure that stays encoded (a slice) */
	/* Irregular spots only, for the encoder: the table of an ANY value's structure (NULL when
	 * there is none), and whether `object`, the struct that this field is in, may be shown to
	 * that version when it is an element of a repeated field. */
	const struct kmip_struct *(*choose)(const void *object);
	bool (*is_visible)(const void *object, enum kmip_version version);
};

/* Two fields may share a tag when their wire types differ. */
struct kmip_struct {
	const char *name;
	size_t size;
	const struct kmip_field *fields;
	size_t count;
};

#define STRUCT(name) extern const struct kmip_struct kmip_##name##_table;
#define STRUCT_END(name)
#define INTEGER(...)
#define LONG(...)
#define ENUM(...)
#define OPEN_ENUM(...)
#define BOOLEAN(...)
#define TEXT(...)
#define BYTES(...)
#define BIG(...)
#define DATE(...)
#define INTERVAL(...)
#define ANY(...)
#define RAW(...)
#define CHILD(...)
#define ENUMS(...)
#define TEXTS(...)
#define BLOBS(...)
#define CHILDREN(...)
#define OBJECT(...)
#define OPERATION(...)
#include "kmip/spec/structures.def"
#include "kmip/spec/payloads.def"
#include "kmip/spec/undef.h"

enum {
	/* Unknown fields are skipped whatever the version: for clients reading a response. */
	CODEC_SKIP_UNKNOWN = 1 << 0,
	/* Required fields may be missing: for Locate, which matches parts of structures. */
	CODEC_PARTIAL = 1 << 1,
	/* No look into structures that stay encoded: for message.c, which wants the operation and
	 * the id of an item whose payload is broken. */
	CODEC_SHALLOW = 1 << 2,
	/* Enumeration values that the version does not have are refused: for what a client sends.
	 * What is stored, and what another server answers, may be of any version. */
	CODEC_KNOWN_VALUES = 1 << 3
};

struct codec {
	struct arena *arena; /* for decoding */
	enum kmip_version version;
	unsigned flags;
	uint32_t bad_tag; /* out: the field that the last decoding failed at, 0 unknown */
};

/*
 * Fills *out (table->size bytes, zeroed here) from encoded children. The bytes must outlive *out.
 * Checks them first (ttlv_check). On failure *out keeps the fields before the failing one.
 *
 * ERR_MESSAGE: malformed TTLV, too deep or too many items, a required field is missing, a single
 * field comes twice, fields are out of order, a field has the wrong wire type. ERR_FIELD: a field
 * that the structure does not have in this version, when the version is KMIP_NEWEST (in others it
 * is skipped), or a value longer than its row allows. ERR_NOMEM. Enumeration values that the
 * version does not have are decoded as numbers; with CODEC_KNOWN_VALUES they are ERR_FIELD,
 * ERR_KEY_FORMAT or ERR_KEY_COMPRESSION, except functions of Query.
 */
MUST_USE enum err codec_decode(
	struct codec *codec, void *out, const struct kmip_struct *table, struct slice children);
/*
 * Appends the encoded children of `object`. Fields that the version does not have, and
 * optional or repeated enumeration values that it does not have, are left out; of repeated fields
 * also elements whose is_visible says no. Absent fields are left out whether required or not.
 */
MUST_USE enum err codec_encode(struct buf *out, enum kmip_version version,
	const struct kmip_struct *table, const void *object);
/* The same within a structure with that tag. */
MUST_USE enum err codec_encode_structure(struct buf *out, enum kmip_version version, uint32_t tag,
	const struct kmip_struct *table, const void *object);
/* Appends encoded items once more in canonical form (zero padding), without what the version does
 * not have according to `table`; a NULL table copies all. */
MUST_USE enum err codec_copy(struct buf *out, enum kmip_version version,
	const struct kmip_struct *table, struct slice children);

#endif
