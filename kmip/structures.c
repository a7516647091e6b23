/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of all structures and payloads, and the list of operations that have payloads. */
#include "kmip/attribute.h"
#include "kmip/message.h"
#include "kmip/ttlv_read.h"

#include <stddef.h>

enum { TEXT_LEN_MAX = 4096 }; /* ours; the Tape Library profile asks for 255 characters */

static const struct kmip_struct *attribute_choose(const void *object)
{
	const struct kmip_attribute *attribute = object;
	const struct kmip_attribute_row *row = kmip_attribute_find(attribute->name);

	return row != NULL ? row->structure : NULL;
}

static bool attribute_is_visible(const void *object, enum kmip_version version)
{
	return kmip_attribute_is_visible(object, version);
}

#define FIELD(owner, tag_name, member, wire_type, need, first, last, ...) \
	{ .tag = KMIP_TAG_##tag_name, \
		.type = KMIP_TYPE_##wire_type, \
		.presence = KMIP_##need, \
		.since = first, \
		.until = last, \
		.offset = offsetof(struct kmip_##owner, member), \
		__VA_ARGS__ },

#define STRUCT(name) static const struct kmip_field name##_fields[] = {
#define STRUCT_END(name) \
	} \
	; \
	const struct kmip_struct kmip_##name##_table = { #name, sizeof(struct kmip_##name), \
		name##_fields, sizeof(name##_fields) / sizeof(name##_fields[0]) };
#define INTEGER(owner, tag, member, need, first, last) \
	FIELD(owner, tag, member, INTEGER, need, first, last, .len_max = 0)
#define LONG(owner, tag, member, need, first, last) \
	FIELD(owner, tag, member, LONG_INTEGER, need, first, last, .len_max = 0)
#define ENUM(owner, tag, member, need, first, last) \
	FIELD(owner, tag, member, ENUMERATION, need, first, last, .set = KMIP_SET_##tag)
#define OPEN_ENUM(owner, tag, member, need, first, last) \
	FIELD(owner, tag, member, ENUMERATION, need, first, last, .set = KMIP_SET_NONE)
#define BOOLEAN(owner, tag, member, need, first, last) \
	FIELD(owner, tag, member, BOOLEAN, need, first, last, .len_max = 0)
#define TEXT(owner, tag, member, need, first, last) \
	FIELD(owner, tag, member, TEXT_STRING, need, first, last, .len_max = TEXT_LEN_MAX)
#define BYTES(owner, tag, member, need, first, last) \
	FIELD(owner, tag, member, BYTE_STRING, need, first, last, .len_max = TTLV_BYTES_LEN_MAX)
#define BIG(owner, tag, member, need, first, last) \
	FIELD(owner, tag, member, BIG_INTEGER, need, first, last, .len_max = TTLV_BYTES_LEN_MAX)
#define DATE(owner, tag, member, need, first, last) \
	FIELD(owner, tag, member, DATE_TIME, need, first, last, .len_max = 0)
#define INTERVAL(owner, tag, member, need, first, last) \
	FIELD(owner, tag, member, INTERVAL, need, first, last, .len_max = 0)
#define ANY(owner, tag, member, need, first, last) \
	FIELD(owner, tag, member, ANY, need, first, last, .choose = owner##_choose, \
		.is_visible = owner##_is_visible)
#define RAW(owner, tag, member, need, first, last) \
	FIELD(owner, tag, member, STRUCTURE, need, first, last, .child = NULL)
#define CHILD(owner, tag, member, need, first, last, structure) \
	FIELD(owner, tag, member, STRUCTURE, need, first, last, .child = &kmip_##structure##_table)
#define ENUMS(owner, tag, member, need, first, last) \
	FIELD(owner, tag, member, ENUMERATION, need, first, last, .is_repeated = true, \
		.set = KMIP_SET_##tag)
#define TEXTS(owner, tag, member, need, first, last) \
	FIELD(owner, tag, member, TEXT_STRING, need, first, last, .is_repeated = true, \
		.len_max = TEXT_LEN_MAX)
#define BLOBS(owner, tag, member, need, first, last) \
	FIELD(owner, tag, member, BYTE_STRING, need, first, last, .is_repeated = true, \
		.len_max = TTLV_BYTES_LEN_MAX)
#define CHILDREN(owner, tag, member, need, first, last, structure) \
	FIELD(owner, tag, member, STRUCTURE, need, first, last, .is_repeated = true, \
		.child = &kmip_##structure##_table)
#define OBJECT_FIELD(owner, tag, member, first, last) \
	CHILD(owner, tag, object.member, OPTIONAL, first, last, member)
#define OBJECT(owner) \
	OBJECT_FIELD(owner, CERTIFICATE, certificate, KMIP_1_0, KMIP_END) \
	OBJECT_FIELD(owner, SYMMETRIC_KEY, symmetric_key, KMIP_1_0, KMIP_END) \
	OBJECT_FIELD(owner, PUBLIC_KEY, public_key, KMIP_1_0, KMIP_END) \
	OBJECT_FIELD(owner, PRIVATE_KEY, private_key, KMIP_1_0, KMIP_END) \
	OBJECT_FIELD(owner, SPLIT_KEY, split_key, KMIP_1_0, KMIP_END) \
	OBJECT_FIELD(owner, TEMPLATE, template, KMIP_1_0, KMIP_1_4) \
	OBJECT_FIELD(owner, SECRET_DATA, secret_data, KMIP_1_0, KMIP_END) \
	OBJECT_FIELD(owner, OPAQUE_OBJECT, opaque_object, KMIP_1_0, KMIP_END) \
	OBJECT_FIELD(owner, PGP_KEY, pgp_key, KMIP_1_2, KMIP_END)
#define OPERATION(code, name)
#include "kmip/spec/structures.def"
#include "kmip/spec/payloads.def"
#include "kmip/spec/undef.h"

#define STRUCT(...)
#define STRUCT_END(...)
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
#define OPERATION(code, name) \
	{ KMIP_OPERATION_##code, &kmip_##name##_request_table, &kmip_##name##_response_table },
static const struct kmip_operation_row operations[] = {
#include "kmip/spec/payloads.def"
};
#include "kmip/spec/undef.h"

const struct kmip_operation_row *kmip_operation_find(uint32_t operation, enum kmip_version version)
{
	if (!kmip_enum_is_known(KMIP_SET_OPERATION, operation, version))
		return NULL;
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		if (operations[i].operation == operation)
			return &operations[i];
	return NULL;
}

const char *kmip_operation_name(uint32_t operation)
{
	const char *name = kmip_enum_name(KMIP_SET_OPERATION, operation);

	return name != NULL ? name : "unknown";
}

uint32_t kmip_object_type(const struct kmip_object *object)
{
	const struct {
		const void *member;
		uint32_t type;
	} rows[] = {
		{ object->certificate, KMIP_OBJECT_TYPE_CERTIFICATE },
		{ object->symmetric_key, KMIP_OBJECT_TYPE_SYMMETRIC_KEY },
		{ object->public_key, KMIP_OBJECT_TYPE_PUBLIC_KEY },
		{ object->private_key, KMIP_OBJECT_TYPE_PRIVATE_KEY },
		{ object->split_key, KMIP_OBJECT_TYPE_SPLIT_KEY },
		{ object->template, KMIP_OBJECT_TYPE_TEMPLATE },
		{ object->secret_data, KMIP_OBJECT_TYPE_SECRET_DATA },
		{ object->opaque_object, KMIP_OBJECT_TYPE_OPAQUE_OBJECT },
		{ object->pgp_key, KMIP_OBJECT_TYPE_PGP_KEY },
	};
	uint32_t type = 0;
	size_t count = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].member != NULL) {
			type = rows[i].type;
			count++;
		}
	return count == 1 ? type : 0;
}

struct kmip_key_block *kmip_object_key_block(const struct kmip_object *object)
{
	switch (kmip_object_type(object)) {
	case KMIP_OBJECT_TYPE_SYMMETRIC_KEY:
		return object->symmetric_key->key_block;
	case KMIP_OBJECT_TYPE_PUBLIC_KEY:
		return object->public_key->key_block;
	case KMIP_OBJECT_TYPE_PRIVATE_KEY:
		return object->private_key->key_block;
	case KMIP_OBJECT_TYPE_SPLIT_KEY:
		return object->split_key->key_block;
	case KMIP_OBJECT_TYPE_SECRET_DATA:
		return object->secret_data->key_block;
	case KMIP_OBJECT_TYPE_PGP_KEY:
		return object->pgp_key->key_block;
	default:
		return NULL;
	}
}
