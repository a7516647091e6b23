/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The specification as constants and look-ups. Every number and name comes from the tables in
 * spec/; nothing else in the project spells one. Names made here: KMIP_TAG_x, KMIP_TYPE_x, KMIP_x_y
 * for member y of enumeration x (type enum kmip_x), KMIP_USAGE_... style masks as
 * KMIP_<mask>_<bit>, and KMIP_ATTRIBUTE_x as index of an attribute's row.
 */
#ifndef KMIP_SPEC_H
#define KMIP_SPEC_H

#include "base/slice.h"

/* A version as one ordered number: major in the high byte, minor in the low one. */
#define KMIP_VERSION(major, minor) (((major) << 8) | (minor))
enum kmip_version {
	KMIP_1_0 = KMIP_VERSION(1, 0),
	KMIP_1_1 = KMIP_VERSION(1, 1),
	KMIP_1_2 = KMIP_VERSION(1, 2),
	KMIP_1_3 = KMIP_VERSION(1, 3),
	KMIP_1_4 = KMIP_VERSION(1, 4),
	KMIP_2_0 = KMIP_VERSION(2, 0),
	KMIP_2_1 = KMIP_VERSION(2, 1),
	KMIP_END = 0xFFFF, /* "until" of what was never removed */
	KMIP_OLDEST = KMIP_1_0, /* the range that is implemented */
	KMIP_NEWEST = KMIP_1_4
};

enum kmip_type {
#define TYPE(name, code, display, len) KMIP_TYPE_##name = code,
#include "kmip/spec/types.def"
#undef TYPE
	KMIP_TYPE_ANY = 0 /* in tables only, never on the wire */
};

enum kmip_tag {
#define TAG(value, name, display, type, secrecy, since, until) KMIP_TAG_##name = value,
#include "kmip/spec/tags.def"
#undef TAG
};

#define SET(set, type_name, display) \
	enum kmip_##type_name \
	{
#define MEMBER(set, name, display, value, since, until) KMIP_##set##_##name = value,
#define SET_END(set) \
	} \
	;
#include "kmip/spec/enums.def"
#undef SET
#undef MEMBER
#undef SET_END

#define MASK(mask, name, display, bit, since, until) KMIP_##mask##_##name = bit,
enum kmip_mask {
#include "kmip/spec/masks.def"
};
#undef MASK

/* The enumerations themselves, for tables. */
enum kmip_set {
	KMIP_SET_NONE,
#define SET(set, type_name, display) KMIP_SET_##set,
#define MEMBER(set, name, display, value, since, until)
#define SET_END(set)
#include "kmip/spec/enums.def"
#undef SET
#undef MEMBER
#undef SET_END
	KMIP_SET_COUNT,
	/* Fields whose enumeration has another name, or only vendor values. */
	KMIP_SET_MASK_GENERATOR_HASHING_ALGORITHM = KMIP_SET_HASHING_ALGORITHM,
	KMIP_SET_OPAQUE_DATA_TYPE = KMIP_SET_NONE
};

enum {
	KMIP_TAG_PREFIX_STANDARD = 0x42, /* first byte of a tag: KMIP 1.4, section 9.1.1.1 */
	KMIP_TAG_PREFIX_EXTENSION = 0x54
};
#define KMIP_VENDOR_VALUE 0x80000000u /* the enumeration values of vendors start here */

/* Display names as the specification writes them; NULL when unknown. */
const char *kmip_type_name(uint32_t type);
const char *kmip_tag_name(uint32_t tag);
const char *kmip_enum_name(enum kmip_set set, uint32_t value);
/* "1.4"; valid forever, "?" for a version that is not in the specification. */
const char *kmip_version_name(enum kmip_version version);
/* The enumeration whose values a field with this tag usually holds; KMIP_SET_NONE when there is
 * none. */
enum kmip_set kmip_tag_set(uint32_t tag);
/* True for tags whose values must not be printed; unknown tags are sensitive. */
bool kmip_tag_is_sensitive(uint32_t tag);
/* True when the value exists in that version; vendor values (0x80000000 up) always do. */
bool kmip_enum_is_known(enum kmip_set set, uint32_t value, enum kmip_version version);

/* Columns of attributes.def. */
enum kmip_set_by {
	KMIP_SET_BY_SERVER,
	KMIP_SET_BY_CLIENT,
	KMIP_SET_BY_BOTH,
	KMIP_SET_BY_CLIENT_ON_REGISTER /* or once later; by the server in any other case */
};
enum kmip_change {
	KMIP_CHANGE_NO,
	KMIP_CHANGE_YES,
	KMIP_CHANGE_IF_EMPTY, /* while a part of the value was left out */
	KMIP_CHANGE_PRE_ACTIVE, /* only in state Pre-Active */
	KMIP_CHANGE_PRE_ACTIVE_OR_ACTIVE,
	KMIP_CHANGE_BEFORE_REACHED, /* Pre-Active or Active, and the stored date is in the future */
	KMIP_CHANGE_BEFORE_ALLOCATED, /* until the first usage allocation */
	KMIP_CHANGE_VENDOR_CLIENT, /* only names "x-..." */
	KMIP_CHANGE_VENDOR_SERVER /* only names "y-..." */
};
enum kmip_instances { KMIP_ONE, KMIP_MANY, KMIP_MANY_FOR_PGP };
enum kmip_implicit { /* bits: the operations that set the attribute by themselves */
	KMIP_BY_NOTHING = 0,
	KMIP_BY_CREATE = 1 << 0,
	KMIP_BY_CREATE_PAIR = 1 << 1,
	KMIP_BY_REGISTER = 1 << 2,
	KMIP_BY_DERIVE = 1 << 3,
	KMIP_BY_CERTIFY = 1 << 4,
	KMIP_BY_RECERTIFY = 1 << 5,
	KMIP_BY_REKEY = 1 << 6,
	KMIP_BY_REKEY_PAIR = 1 << 7,
	KMIP_BY_ALL = 0xFF, /* all of those above */
	KMIP_BY_ACTIVATE = 1 << 8,
	KMIP_BY_REVOKE = 1 << 9,
	KMIP_BY_DESTROY = 1 << 10,
	KMIP_BY_ARCHIVE = 1 << 11,
	KMIP_BY_RECOVER = 1 << 12,
	KMIP_BY_ADD = 1 << 13,
	KMIP_BY_MODIFY = 1 << 14,
	KMIP_BY_DELETE = 1 << 15,
	KMIP_BY_USAGE = 1 << 16
};
/* Bit of an object type (enum kmip_object_type) in a set of object types; a client may name any
 * number. */
#define KMIP_TO(object_type) ((object_type) < 32 ? 1u << ((object_type) &31) : 0)
enum kmip_applies {
	KMIP_TO_CERTIFICATE = KMIP_TO(KMIP_OBJECT_TYPE_CERTIFICATE),
	KMIP_TO_SYMMETRIC_KEY = KMIP_TO(KMIP_OBJECT_TYPE_SYMMETRIC_KEY),
	KMIP_TO_PUBLIC_KEY = KMIP_TO(KMIP_OBJECT_TYPE_PUBLIC_KEY),
	KMIP_TO_PRIVATE_KEY = KMIP_TO(KMIP_OBJECT_TYPE_PRIVATE_KEY),
	KMIP_TO_SPLIT_KEY = KMIP_TO(KMIP_OBJECT_TYPE_SPLIT_KEY),
	KMIP_TO_TEMPLATE = KMIP_TO(KMIP_OBJECT_TYPE_TEMPLATE),
	KMIP_TO_SECRET_DATA = KMIP_TO(KMIP_OBJECT_TYPE_SECRET_DATA),
	KMIP_TO_OPAQUE_OBJECT = KMIP_TO(KMIP_OBJECT_TYPE_OPAQUE_OBJECT),
	KMIP_TO_PGP_KEY = KMIP_TO(KMIP_OBJECT_TYPE_PGP_KEY),
	KMIP_TO_ASYMMETRIC = KMIP_TO_PUBLIC_KEY | KMIP_TO_PRIVATE_KEY,
	KMIP_TO_KEYS =
		KMIP_TO_ASYMMETRIC | KMIP_TO_SYMMETRIC_KEY | KMIP_TO_SPLIT_KEY | KMIP_TO_PGP_KEY,
	KMIP_TO_CRYPTO = KMIP_TO_KEYS | KMIP_TO_CERTIFICATE | KMIP_TO_SECRET_DATA,
	KMIP_TO_ALL = KMIP_TO_CRYPTO | KMIP_TO_TEMPLATE | KMIP_TO_OPAQUE_OBJECT |
		      KMIP_TO(KMIP_OBJECT_TYPE_CERTIFICATE_REQUEST)
};

struct kmip_struct; /* kmip/codec.h */

/* One row of attributes.def. */
struct kmip_attribute_row {
	const char *name; /* on the wire in 1.x */
	uint32_t tag; /* on the wire in 2.x */
	enum kmip_type type; /* KMIP_TYPE_ANY for custom attributes */
	enum kmip_set set; /* of an enumeration */
	const struct kmip_struct *structure; /* of a structure */
	enum kmip_version since;
	enum kmip_version until; /* last version that has it */
	bool is_always_set; /* must have a value once the object exists, hence cannot be deleted */
	enum kmip_set_by set_by;
	enum kmip_change server_changes;
	enum kmip_change client_modifies;
	enum kmip_change client_deletes;
	enum kmip_instances instances;
	uint32_t implicit; /* bits of enum kmip_implicit */
	uint32_t applies_to; /* bits of enum kmip_applies */
};

/* Index of each attribute; the order is that of attributes.def. */
enum kmip_attribute_id {
#define ATTRIBUTE(tag, ...) KMIP_ATTRIBUTE_##tag,
#include "kmip/spec/attributes.def"
#undef ATTRIBUTE
	KMIP_ATTRIBUTE_COUNT
};

/* Never NULL for ids below KMIP_ATTRIBUTE_COUNT. */
const struct kmip_attribute_row *kmip_attribute_row(enum kmip_attribute_id id);
/* By exact name; a name "x-..." or "y-..." gives the row CUSTOM_ATTRIBUTE; NULL when unknown. */
const struct kmip_attribute_row *kmip_attribute_find(struct slice name);
/* "x-..." (made by clients) or "y-..." (made by servers) */
bool kmip_attribute_is_custom(struct slice name);
enum kmip_attribute_id kmip_attribute_id(const struct kmip_attribute_row *row);
/* True when that version has the attribute. */
bool kmip_attribute_exists(const struct kmip_attribute_row *row, enum kmip_version version);

#endif
