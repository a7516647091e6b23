/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/codec_value.h"

#include "kmip/ttlv_write.h"

/* How values of one wire type are handled. */
struct form {
	void (*read)(struct kmip_value *value, const struct ttlv_item *item);
	enum err (*write)(struct buf *out, uint32_t tag, const struct kmip_value *value);
	void (*store)(void *member, const struct kmip_value *value);
	/* False when the member is absent. */
	bool (*load)(struct kmip_value *value, const void *member);
};

static void read_integer(struct kmip_value *value, const struct ttlv_item *item)
{
	value->integer = ttlv_integer(item);
}

static void read_u32(struct kmip_value *value, const struct ttlv_item *item)
{
	value->u32 = ttlv_u32(item);
}

static void read_i64(struct kmip_value *value, const struct ttlv_item *item)
{
	value->i64 = ttlv_long(item);
}

static void read_boolean(struct kmip_value *value, const struct ttlv_item *item)
{
	value->boolean = ttlv_boolean(item);
}

static void read_bytes(struct kmip_value *value, const struct ttlv_item *item)
{
	value->bytes = item->value;
}

static enum err write_integer(struct buf *out, uint32_t tag, const struct kmip_value *value)
{
	return ttlv_write_integer(out, tag, value->integer);
}

static enum err write_u32(struct buf *out, uint32_t tag, const struct kmip_value *value)
{
	return ttlv_write_u32(out, tag, value->type, value->u32);
}

static enum err write_i64(struct buf *out, uint32_t tag, const struct kmip_value *value)
{
	return ttlv_write_i64(out, tag, value->type, value->i64);
}

static enum err write_boolean(struct buf *out, uint32_t tag, const struct kmip_value *value)
{
	return ttlv_write_boolean(out, tag, value->boolean);
}

static enum err write_bytes(struct buf *out, uint32_t tag, const struct kmip_value *value)
{
	return ttlv_write_bytes(out, tag, value->type, value->bytes);
}

static void store_int(void *member, const struct kmip_value *value)
{
	*(struct kmip_int *) member = KMIP_INT(value->integer);
}

static void store_uint(void *member, const struct kmip_value *value)
{
	*(struct kmip_uint *) member = KMIP_UINT(value->u32);
}

static void store_long(void *member, const struct kmip_value *value)
{
	*(struct kmip_long *) member = KMIP_LONG(value->i64);
}

static void store_bool(void *member, const struct kmip_value *value)
{
	*(struct kmip_bool *) member = KMIP_BOOL(value->boolean);
}

static void store_slice(void *member, const struct kmip_value *value)
{
	*(struct slice *) member = value->bytes;
}

static void store_value(void *member, const struct kmip_value *value)
{
	*(struct kmip_value *) member = *value;
}

static bool load_int(struct kmip_value *value, const void *member)
{
	const struct kmip_int *number = member;

	value->integer = number->value;
	return number->has;
}

static bool load_uint(struct kmip_value *value, const void *member)
{
	const struct kmip_uint *number = member;

	value->u32 = number->value;
	return number->has;
}

static bool load_long(struct kmip_value *value, const void *member)
{
	const struct kmip_long *number = member;

	value->i64 = number->value;
	return number->has;
}

static bool load_bool(struct kmip_value *value, const void *member)
{
	const struct kmip_bool *truth = member;

	value->boolean = truth->value;
	return truth->has;
}

static bool load_slice(struct kmip_value *value, const void *member)
{
	const struct slice *bytes = member;

	value->bytes = *bytes;
	return bytes->data != NULL;
}

static bool load_value(struct kmip_value *value, const void *member)
{
	*value = *(const struct kmip_value *) member;
	return value->type != KMIP_TYPE_ANY;
}

static const struct form forms[] = {
	[KMIP_TYPE_ANY] = { NULL, NULL, store_value, load_value },
	[KMIP_TYPE_STRUCTURE] = { read_bytes, write_bytes, store_slice, load_slice },
	[KMIP_TYPE_INTEGER] = { read_integer, write_integer, store_int, load_int },
	[KMIP_TYPE_LONG_INTEGER] = { read_i64, write_i64, store_long, load_long },
	[KMIP_TYPE_BIG_INTEGER] = { read_bytes, write_bytes, store_slice, load_slice },
	[KMIP_TYPE_ENUMERATION] = { read_u32, write_u32, store_uint, load_uint },
	[KMIP_TYPE_BOOLEAN] = { read_boolean, write_boolean, store_bool, load_bool },
	[KMIP_TYPE_TEXT_STRING] = { read_bytes, write_bytes, store_slice, load_slice },
	[KMIP_TYPE_BYTE_STRING] = { read_bytes, write_bytes, store_slice, load_slice },
	[KMIP_TYPE_DATE_TIME] = { read_i64, write_i64, store_long, load_long },
	[KMIP_TYPE_INTERVAL] = { read_u32, write_u32, store_uint, load_uint },
	[KMIP_TYPE_DATE_TIME_EXTENDED] = { read_i64, write_i64, store_long, load_long },
};

bool codec_field_exists(const struct kmip_field *field, enum kmip_version version)
{
	return field->since <= version && version <= field->until;
}

struct kmip_value codec_value_of(const struct ttlv_item *item)
{
	struct kmip_value value = { .type = item->type };

	forms[item->type].read(&value, item);
	return value;
}

enum err codec_value_write(struct buf *out, uint32_t tag, const struct kmip_value *value)
{
	ASSERT(value->type != KMIP_TYPE_ANY);
	return forms[value->type].write(out, tag, value);
}

void codec_member_store(enum kmip_type type, void *member, const struct kmip_value *value)
{
	forms[type].store(member, value);
}

struct kmip_value codec_member_load(enum kmip_type type, const void *member)
{
	struct kmip_value value = { .type = type };

	if (!forms[type].load(&value, member))
		value.type = KMIP_TYPE_ANY;
	return value;
}

size_t codec_element_size(enum kmip_type type)
{
	return type == KMIP_TYPE_ENUMERATION ? sizeof(uint32_t) : sizeof(struct slice);
}

void codec_element_store(enum kmip_type type, void *element, const struct kmip_value *value)
{
	if (type == KMIP_TYPE_ENUMERATION)
		*(uint32_t *) element = value->u32;
	else
		*(struct slice *) element = value->bytes;
}

struct kmip_value codec_element_load(enum kmip_type type, const void *element)
{
	struct kmip_value value = { .type = type };

	if (type == KMIP_TYPE_ENUMERATION)
		value.u32 = *(const uint32_t *) element;
	else
		value.bytes = *(const struct slice *) element;
	return value;
}
