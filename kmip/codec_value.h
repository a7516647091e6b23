/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between wire types, in one table: between an item, a struct kmip_value, and a member
 * of a decoded struct. Only for codec and attribute. */
#ifndef KMIP_CODEC_VALUE_H
#define KMIP_CODEC_VALUE_H

#include "base/buf.h"
#include "kmip/ttlv_read.h"
#include "kmip/codec.h"

/* What every repeated member looks like. */
struct codec_repeated {
	void *items;
	size_t count;
};
bool codec_field_exists(const struct kmip_field *field, enum kmip_version version);

/* Borrows from the item. */
struct kmip_value codec_value_of(const struct ttlv_item *item);
/* A structure's children are written as they are. */
MUST_USE enum err codec_value_write(struct buf *out, uint32_t tag, const struct kmip_value *value);
/* The member of a field with that type (KMIP_TYPE_ANY: a struct kmip_value). */
void codec_member_store(enum kmip_type type, void *member, const struct kmip_value *value);
/* The type of the result is KMIP_TYPE_ANY when the member is absent. */
struct kmip_value codec_member_load(enum kmip_type type, const void *member);
/* Elements of repeated fields: enumerations, texts and byte strings. */
size_t codec_element_size(enum kmip_type type);
void codec_element_store(enum kmip_type type, void *element, const struct kmip_value *value);
struct kmip_value codec_element_load(enum kmip_type type, const void *element);

#endif
