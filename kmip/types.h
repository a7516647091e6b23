/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The C structs of everything that travels in a KMIP message, made from the rows of
 * spec/structures.def and spec/payloads.def: a row TEXT(name, NAME_VALUE, value, ...) is the member
 * `struct slice value` of `struct kmip_name`. Look there for what a struct holds.
 *
 * Absence: a slice whose data is NULL; `has` false; a NULL pointer; count 0. After decoding, a
 * present but empty slice has a non-NULL data pointer. Slices borrow from the decoded bytes, the
 * rest lives in the arena.
 */
#ifndef KMIP_TYPES_H
#define KMIP_TYPES_H

#include "kmip/spec.h"

struct kmip_int { /* Integer */
	bool has;
	int32_t value;
};
struct kmip_uint { /* Enumeration, Interval */
	bool has;
	uint32_t value;
};
struct kmip_long { /* Long Integer, Date-Time */
	bool has;
	int64_t value;
};
struct kmip_bool {
	bool has;
	bool value;
};
/* For initializers: .object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SYMMETRIC_KEY) */
#define KMIP_INT(number) ((struct kmip_int){ true, (number) })
#define KMIP_UINT(number) ((struct kmip_uint){ true, (uint32_t) (number) })
#define KMIP_LONG(number) ((struct kmip_long){ true, (number) })
#define KMIP_BOOL(truth) ((struct kmip_bool){ true, (truth) })

struct kmip_uints {
	uint32_t *items;
	size_t count;
};
struct kmip_slices {
	struct slice *items;
	size_t count;
};

/* A value of any type; see kmip/attribute.h. */
struct kmip_value {
	enum kmip_type type; /* KMIP_TYPE_ANY: absent */
	union {
		int32_t integer;
		uint32_t u32; /* Enumeration, Interval */
		int64_t i64; /* Long Integer, Date-Time, Date-Time Extended */
		bool boolean;
		struct slice bytes; /* Text String, Byte String, Big Integer */
		struct slice children; /* Structure: its encoded children */
	};
};

/* One managed object: exactly one member is not NULL (kmip_object_type says which). */
struct kmip_object {
	struct kmip_certificate *certificate;
	struct kmip_symmetric_key *symmetric_key;
	struct kmip_public_key *public_key;
	struct kmip_private_key *private_key;
	struct kmip_split_key *split_key;
	struct kmip_template *template;
	struct kmip_secret_data *secret_data;
	struct kmip_opaque_object *opaque_object;
	struct kmip_pgp_key *pgp_key;
};

#define STRUCT(name) struct kmip_##name {
#define STRUCT_END(name) \
	} \
	;
#define INTEGER(owner, tag, member, ...) struct kmip_int member;
#define LONG(owner, tag, member, ...) struct kmip_long member;
#define ENUM(owner, tag, member, ...) struct kmip_uint member;
#define OPEN_ENUM(owner, tag, member, ...) struct kmip_uint member;
#define BOOLEAN(owner, tag, member, ...) struct kmip_bool member;
#define TEXT(owner, tag, member, ...) struct slice member;
#define BYTES(owner, tag, member, ...) struct slice member;
#define BIG(owner, tag, member, ...) struct slice member;
#define DATE(owner, tag, member, ...) struct kmip_long member;
#define INTERVAL(owner, tag, member, ...) struct kmip_uint member;
#define ANY(owner, tag, member, ...) struct kmip_value member;
#define RAW(owner, tag, member, ...) struct slice member;
#define CHILD(owner, tag, member, presence, since, until, child) struct kmip_##child *member;
#define ENUMS(owner, tag, member, ...) struct kmip_uints member;
#define TEXTS(owner, tag, member, ...) struct kmip_slices member;
#define BLOBS(owner, tag, member, ...) struct kmip_slices member;
#define CHILDREN(owner, tag, member, presence, since, until, child) \
	struct { \
		struct kmip_##child *items; \
		size_t count; \
	} member;
#define OBJECT(owner) struct kmip_object object;
#define OPERATION(code, name)
#include "kmip/spec/structures.def"
#include "kmip/spec/payloads.def"
#include "kmip/spec/undef.h"

/* The type of the single object that is there; 0 when there is none or more than one. */
uint32_t kmip_object_type(const struct kmip_object *object);
/* Its key block; NULL for certificates, templates and opaque objects. */
struct kmip_key_block *kmip_object_key_block(const struct kmip_object *object);

#endif
