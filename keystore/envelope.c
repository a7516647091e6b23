/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/envelope.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/crypt.h"
#include "keystore/keymanager.h"

enum {
	ENVELOPE_CHECKSUM_LEN = 4,
	NONCE_HEX_LEN = 2 * ENVELOPE_NONCE_LEN,
};

static const struct slice magic = { (const uint8_t *) "KPE1", 4 };

/* Encoding. */

static struct slice instance_bytes(const struct instance_id *instance)
{
	return slice_of(instance->text, INSTANCE_ID_LEN_MAX);
}

static enum err append_stamp(struct buf *out, struct stamp stamp)
{
	enum err err;

	TRY(buf_append_be64(out, stamp.time));
	TRY(buf_append_be16(out, stamp.node));
out:
	return err;
}

static enum err append_attribute(struct buf *out, const struct object_attribute *attribute)
{
	enum err err;

	/* At Create there is nothing yet that could have been deleted. */
	TRY(attribute->deleted || attribute->name.len == 0 ? ERR_INVALID : ERR_OK);
	TRY(attribute->name.len > OBJECT_NAME_LEN_MAX ? ERR_INVALID : ERR_OK);
	TRY(buf_append_bytes16(out, attribute->name));
	TRY(append_stamp(out, attribute->added));
	TRY(buf_append_be32(out, attribute->index));
	TRY(buf_append_bytes16(out, attribute->value));
	TRY(append_stamp(out, attribute->written));
out:
	return err;
}

static enum err append_object(struct buf *out, const struct envelope *envelope)
{
	enum err err;

	TRY(envelope->attribute_count > OBJECT_ATTRIBUTES_MAX ? ERR_LIMIT : ERR_OK);
	TRY(buf_append_be32(out, envelope->type));
	TRY(buf_append_be32(out, envelope->format));
	TRY(buf_append(out, slice_of(envelope->old_uid.bytes, sizeof(envelope->old_uid.bytes))));
	TRY(buf_append_be64(out, (uint64_t) envelope->initial_date));
	TRY(buf_append_be16(out, (uint16_t) envelope->attribute_count));
	for (size_t i = 0; i < envelope->attribute_count; i++)
		TRY(append_attribute(out, &envelope->attributes[i]));
out:
	return err;
}

static enum err append_envelope(struct buf *out, const struct envelope *envelope)
{
	enum err err;

	TRY(buf_append(out, magic));
	TRY(buf_append_u8(out, ENVELOPE_VERSION));
	TRY(buf_append_u8(out, (uint8_t) envelope->kind));
	TRY(buf_append(out, instance_bytes(&envelope->instance)));
	TRY(buf_append(out, slice_of(envelope->nonce, ENVELOPE_NONCE_LEN)));
	TRY(buf_append_bytes16(out, envelope->ciphertext));
	TRY(buf_append_bytes16(out, envelope->sealed));
	if (envelope->kind == ENVELOPE_OBJECT)
		TRY(append_object(out, envelope));
	TRY(buf_append_be32(out, crypt_crc32c(buf_slice(out))));
out:
	return err;
}

enum err envelope_encode(struct buf *out, const struct envelope *envelope)
{
	struct buf whole;
	enum err err;

	ASSERT(envelope->kind == ENVELOPE_OBJECT || envelope->kind == ENVELOPE_LEDGER);
	buf_init(&whole, ENVELOPE_LEN_MAX);
	TRY(envelope->ciphertext.len == 0 ? ERR_INVALID : ERR_OK);
	TRY(append_envelope(&whole, envelope));
	TRY(buf_append(out, buf_slice(&whole)));
out:
	buf_free(&whole);
	return err;
}

/* Decoding. */

static struct stamp read_stamp(struct cursor *cursor)
{
	struct stamp stamp;

	stamp.time = cursor_be64(cursor);
	stamp.node = cursor_be16(cursor);
	return stamp;
}

static void read_attribute(struct cursor *cursor, struct object_attribute *attribute)
{
	attribute->name = cursor_bytes16(cursor, OBJECT_NAME_LEN_MAX);
	attribute->added = read_stamp(cursor);
	attribute->index = cursor_be32(cursor);
	attribute->value = cursor_bytes16(cursor, OBJECT_ATTRIBUTES_BYTES_MAX);
	attribute->written = read_stamp(cursor);
	if (attribute->name.len == 0)
		cursor->bad = true;
}

static enum err read_object(struct envelope *out, struct arena *arena, struct cursor *cursor)
{
	struct object_attribute *attributes;
	size_t count;

	out->type = cursor_be32(cursor);
	out->format = cursor_be32(cursor);
	(void) slice_copy_exact(
		out->old_uid.bytes, sizeof(out->old_uid.bytes), cursor_bytes(cursor, 16));
	out->initial_date = (int64_t) cursor_be64(cursor);
	count = cursor_be16(cursor);
	if (cursor->bad || count > OBJECT_ATTRIBUTES_MAX)
		return ERR_CORRUPT;
	attributes = arena_array(arena, count, sizeof(*attributes));
	if (attributes == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < count && !cursor->bad; i++)
		read_attribute(cursor, &attributes[i]);
	out->attributes = attributes;
	out->attribute_count = count;
	return ERR_OK;
}

static enum err read_instance(struct envelope *out, struct cursor *cursor)
{
	struct slice text = cursor_bytes(cursor, INSTANCE_ID_LEN_MAX);
	size_t len = text.len;

	while (len > 0 && text.data[len - 1] == 0)
		len--;
	return instance_id_parse(&out->instance, slice_cut(text, 0, len)) == ERR_OK ? ERR_OK
										    : ERR_CORRUPT;
}

/* Everything behind magic and version, without the checksum. */
static enum err read_body(struct envelope *out, struct arena *arena,
	const struct instance_id *instance, struct cursor *cursor)
{
	enum err err;
	uint8_t kind = cursor_u8(cursor);

	TRY(kind == ENVELOPE_OBJECT || kind == ENVELOPE_LEDGER ? ERR_OK : ERR_CORRUPT);
	out->kind = kind;
	TRY(read_instance(out, cursor));
	TRY(instance_id_equal(&out->instance, instance) ? ERR_OK : ERR_FOREIGN);
	(void) slice_copy_exact(
		out->nonce, ENVELOPE_NONCE_LEN, cursor_bytes(cursor, ENVELOPE_NONCE_LEN));
	out->ciphertext = cursor_bytes16(cursor, ENVELOPE_LEN_MAX);
	out->sealed = cursor_bytes16(cursor, ENVELOPE_LEN_MAX);
	if (out->kind == ENVELOPE_OBJECT)
		TRY(read_object(out, arena, cursor));
	TRY(cursor_end(cursor) == ERR_OK && out->ciphertext.len > 0 ? ERR_OK : ERR_CORRUPT);
out:
	return err;
}

enum err envelope_decode(struct envelope *out, struct arena *arena,
	const struct instance_id *instance, struct slice payload)
{
	struct cursor cursor = cursor_of(payload);
	struct cursor checksum;
	uint8_t version;

	*out = (struct envelope){ 0 };
	if (!slice_equal(cursor_bytes(&cursor, magic.len), magic))
		return ERR_FOREIGN;
	version = cursor_u8(&cursor);
	if (cursor.bad || payload.len > ENVELOPE_LEN_MAX)
		return ERR_CORRUPT;
	/* A newer layout is told by its version alone: nothing after it can be relied on. */
	if (version != ENVELOPE_VERSION)
		return ERR_VERSION;
	if (cursor.rest.len < ENVELOPE_CHECKSUM_LEN)
		return ERR_CORRUPT;
	cursor.rest.len -= ENVELOPE_CHECKSUM_LEN;
	payload.len -= ENVELOPE_CHECKSUM_LEN;
	checksum = cursor_of(slice_of(payload.data + payload.len, ENVELOPE_CHECKSUM_LEN));
	if (cursor_be32(&checksum) != crypt_crc32c(payload))
		return ERR_CORRUPT;
	return read_body(out, arena, instance, &cursor);
}

/* Names and AAD. */

static const char *kind_prefix(enum envelope_kind kind)
{
	return kind == ENVELOPE_LEDGER ? "kmipl-" : "kmip-";
}

void envelope_name(char out[ENVELOPE_NAME_LEN], enum envelope_kind kind,
	const struct instance_id *instance, const uint8_t nonce[ENVELOPE_NONCE_LEN])
{
	char hex[NONCE_HEX_LEN + 1];

	text_hex(hex, slice_of(nonce, ENVELOPE_NONCE_LEN));
	(void) snprintf(out, ENVELOPE_NAME_LEN, "%s%s-%s", kind_prefix(kind), instance->text, hex);
}

static bool name_matches(enum envelope_kind kind, uint8_t nonce[ENVELOPE_NONCE_LEN],
	const struct instance_id *instance, struct slice name)
{
	char expected[ENVELOPE_NAME_LEN];

	if (name.len < NONCE_HEX_LEN)
		return false;
	if (text_unhex(nonce, ENVELOPE_NONCE_LEN,
		    slice_cut(name, name.len - NONCE_HEX_LEN, NONCE_HEX_LEN)) != ERR_OK)
		return false;
	envelope_name(expected, kind, instance, nonce);
	return slice_equal_text(name, expected);
}

enum err envelope_parse_name(enum envelope_kind *kind, uint8_t nonce[ENVELOPE_NONCE_LEN],
	const struct instance_id *instance, const char *name)
{
	struct slice text = slice_text(name);

	for (*kind = ENVELOPE_OBJECT; *kind <= ENVELOPE_LEDGER; (*kind)++)
		if (name_matches(*kind, nonce, instance, text))
			return ERR_OK;
	return ERR_FOREIGN;
}

void envelope_aad(struct keymanager_aad *out, char hex[2 * ENVELOPE_NONCE_LEN + 1],
	const struct instance_id *instance, const uint8_t nonce[ENVELOPE_NONCE_LEN])
{
	text_hex(hex, slice_of(nonce, ENVELOPE_NONCE_LEN));
	*out = (struct keymanager_aad){
		.parts = { instance_id_slice(instance), slice_of(hex, NONCE_HEX_LEN) }, .count = 2
	};
}

/* The object of an opened envelope. */

static int attribute_order(const void *left, const void *right)
{
	const struct object_attribute *a = left, *b = right;
	int order = slice_compare(a->name, b->name);

	return order != 0 ? order : stamp_compare(a->added, b->added);
}

static enum err copy_slice(struct slice *out, struct arena *arena, struct slice from)
{
	*out = arena_copy(arena, from);
	return out->data == NULL ? ERR_NOMEM : ERR_OK;
}

static enum err copy_attributes(
	struct object *out, struct arena *arena, const struct envelope *envelope)
{
	size_t count = envelope->attribute_count;
	enum err err = ERR_OK;

	out->attributes = arena_array(arena, count, sizeof(*out->attributes));
	TRY(out->attributes == NULL ? ERR_NOMEM : ERR_OK);
	for (size_t i = 0; i < count; i++) {
		struct object_attribute *attribute = &out->attributes[i];

		*attribute = envelope->attributes[i];
		TRY(copy_slice(&attribute->name, arena, attribute->name));
		TRY(copy_slice(&attribute->value, arena, attribute->value));
	}
	if (count > 1)
		qsort(out->attributes, count, sizeof(*out->attributes), attribute_order);
	for (size_t i = 1; i < count; i++)
		TRY(attribute_order(&out->attributes[i - 1], &out->attributes[i]) == 0 ? ERR_CORRUPT
										       : ERR_OK);
	out->attribute_count = count;
out:
	return err;
}

enum err envelope_to_object(struct object *out, struct arena *arena,
	const struct envelope *envelope, const struct uid *key_id, struct slice payload)
{
	static const struct uid none;
	enum err err;

	*out = (struct object){ .uid = *key_id,
		.key_id = *key_id,
		.instance = envelope->instance,
		.type = envelope->type,
		.format = envelope->format,
		.has_material = true,
		.last_change = envelope->initial_date };
	TRY(envelope->kind == ENVELOPE_OBJECT ? ERR_OK : ERR_INVALID);
	if (!uid_equal(&envelope->old_uid, &none))
		out->uid = envelope->old_uid;
	out->dates[OBJECT_DATE_INITIAL] = envelope->initial_date;
	TRY(crypt_sha256(out->envelope_hash, payload));
	TRY(copy_slice(&out->wrapped.ciphertext, arena, envelope->ciphertext));
	TRY(copy_slice(&out->wrapped.sealed, arena, envelope->sealed));
	bytes_copy(out->wrapped.nonce, envelope->nonce, sizeof(out->wrapped.nonce));
	TRY(copy_attributes(out, arena, envelope));
out:
	return err;
}
