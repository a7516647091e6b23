/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/envelope.h"

#include "base/crypt.h"
#include "keystore/keymanager.h"

#include <stdio.h>

enum { ATTRIBUTE_LEN_MIN = 2 + 8 + 2 + 4 + 4 + 8 + 2 };

static const struct slice magic = SLICE_LITERAL("KPE1");
static const char object_prefix[] = "kmip-";
static const char ledger_prefix[] = "kmipl-";

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
	TRY(buf_append_bytes16(out, attribute->name));
	TRY(append_stamp(out, attribute->added));
	TRY(buf_append_be32(out, attribute->index));
	TRY(buf_append_bytes32(out, attribute->value));
	TRY(append_stamp(out, attribute->written));
out:
	return err;
}

static enum err append_object(struct buf *out, const struct envelope *envelope)
{
	enum err err;
	if (envelope->attribute_count > OBJECT_ATTRIBUTES_MAX)
		return ERR_LIMIT;
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

enum err envelope_encode(struct buf *out, const struct envelope *envelope)
{
	enum err err;
	struct buf bytes;
	buf_init(&bytes, ENVELOPE_LEN_MAX);
	TRY(buf_append(&bytes, magic));
	TRY(buf_append_u8(&bytes, ENVELOPE_VERSION));
	TRY(buf_append_u8(&bytes, (uint8_t) envelope->kind));
	TRY(buf_append(&bytes, slice_of(envelope->instance.text, INSTANCE_ID_LEN_MAX)));
	TRY(buf_append(&bytes, slice_of(envelope->nonce, sizeof(envelope->nonce))));
	TRY(buf_append_bytes32(&bytes, envelope->ciphertext));
	TRY(buf_append_bytes32(&bytes, envelope->sealed));
	if (envelope->kind == ENVELOPE_OBJECT)
		TRY(append_object(&bytes, envelope));
	TRY(buf_append(out, buf_slice(&bytes)));
out:
	buf_free(&bytes);
	return err;
}

static struct stamp read_stamp(struct cursor *in)
{
	struct stamp stamp = { .time = cursor_be64(in) };
	stamp.node = cursor_be16(in);
	return stamp;
}

static void read_attribute(struct object_attribute *out, struct cursor *in)
{
	*out = (struct object_attribute){ 0 };
	out->name = cursor_bytes16(in, OBJECT_NAME_LEN_MAX);
	out->added = read_stamp(in);
	out->index = cursor_be32(in);
	out->value = cursor_bytes32(in, ENVELOPE_LEN_MAX);
	out->written = read_stamp(in);
}

static enum err read_object(struct envelope *out, struct arena *arena, struct cursor *in)
{
	out->type = cursor_be32(in);
	out->format = cursor_be32(in);
	struct slice old = cursor_bytes(in, sizeof(out->old_uid.bytes));
	if (!slice_copy_exact(out->old_uid.bytes, sizeof(out->old_uid.bytes), old))
		return ERR_CORRUPT;
	out->initial_date = (int64_t) cursor_be64(in);
	size_t count = cursor_be16(in);
	/* Checked before memory is taken, so that a few bytes cannot claim much of it. */
	if (count > OBJECT_ATTRIBUTES_MAX || count > in->rest.len / ATTRIBUTE_LEN_MIN)
		return ERR_CORRUPT;
	if (count == 0)
		return ERR_OK;
	struct object_attribute *attributes = arena_array(arena, count, sizeof(*attributes));
	if (attributes == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < count; i++)
		read_attribute(&attributes[i], in);
	out->attributes = attributes;
	out->attribute_count = count;
	return ERR_OK;
}

static enum err read_instance(
	struct envelope *out, const struct instance_id *instance, struct cursor *in)
{
	struct slice id = cursor_bytes(in, INSTANCE_ID_LEN_MAX);
	if (in->bad)
		return ERR_CORRUPT;
	if (!slice_equal(id, slice_of(instance->text, INSTANCE_ID_LEN_MAX)))
		return ERR_FOREIGN;
	out->instance = *instance;
	return ERR_OK;
}

enum err envelope_decode(struct envelope *out, struct arena *arena,
	const struct instance_id *instance, struct slice payload)
{
	enum err err;
	struct cursor in = cursor_of(payload);
	*out = (struct envelope){ 0 };
	if (!slice_equal(cursor_bytes(&in, magic.len), magic))
		return ERR_FOREIGN;
	if (payload.len > ENVELOPE_LEN_MAX)
		return ERR_CORRUPT;
	if (cursor_u8(&in) != ENVELOPE_VERSION)
		return in.bad ? ERR_CORRUPT : ERR_VERSION;
	uint8_t kind = cursor_u8(&in);
	TRY(read_instance(out, instance, &in));
	if (kind != ENVELOPE_OBJECT && kind != ENVELOPE_LEDGER)
		return ERR_CORRUPT;
	out->kind = (enum envelope_kind) kind;
	struct slice nonce = cursor_bytes(&in, sizeof(out->nonce));
	if (!slice_copy_exact(out->nonce, sizeof(out->nonce), nonce))
		return ERR_CORRUPT;
	out->ciphertext = cursor_bytes32(&in, ENVELOPE_LEN_MAX);
	out->sealed = cursor_bytes32(&in, ENVELOPE_LEN_MAX);
	if (kind == ENVELOPE_OBJECT)
		TRY(read_object(out, arena, &in));
	if (cursor_end(&in) != ERR_OK || out->ciphertext.len == 0)
		err = ERR_CORRUPT;
out:
	return err;
}

void envelope_name(char out[ENVELOPE_NAME_LEN], enum envelope_kind kind,
	const struct instance_id *instance, const uint8_t nonce[ENVELOPE_NONCE_LEN])
{
	char hex[2 * ENVELOPE_NONCE_LEN + 1];
	text_hex(hex, slice_of(nonce, ENVELOPE_NONCE_LEN));
	int len = snprintf(out, ENVELOPE_NAME_LEN, "%s%s-%s",
		kind == ENVELOPE_LEDGER ? ledger_prefix : object_prefix, instance->text, hex);
	ASSERT(len > 0 && len < ENVELOPE_NAME_LEN);
}

enum err envelope_parse_name(enum envelope_kind *kind, uint8_t nonce[ENVELOPE_NONCE_LEN],
	const struct instance_id *instance, const char *name)
{
	static const enum envelope_kind kinds[] = { ENVELOPE_OBJECT, ENVELOPE_LEDGER };
	struct slice text = slice_text(name);
	uint8_t parsed[ENVELOPE_NONCE_LEN];
	char expected[ENVELOPE_NAME_LEN];
	if (text.len < 2 * sizeof(parsed))
		return ERR_FOREIGN;
	struct slice hex = slice_cut(text, text.len - 2 * sizeof(parsed), 2 * sizeof(parsed));
	if (text_unhex(parsed, sizeof(parsed), hex) != ERR_OK)
		return ERR_FOREIGN;
	/* A name is ours exactly if we would have written it. */
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		envelope_name(expected, kinds[i], instance, parsed);
		if (!slice_equal_text(text, expected))
			continue;
		*kind = kinds[i];
		bytes_copy(nonce, parsed, sizeof(parsed));
		return ERR_OK;
	}
	return ERR_FOREIGN;
}

void envelope_aad(struct keymanager_aad *out, char hex[2 * ENVELOPE_NONCE_LEN + 1],
	const struct instance_id *instance, const uint8_t nonce[ENVELOPE_NONCE_LEN])
{
	text_hex(hex, slice_of(nonce, ENVELOPE_NONCE_LEN));
	out->parts[0] = instance_id_slice(instance);
	out->parts[1] = slice_of(hex, 2 * ENVELOPE_NONCE_LEN);
	out->count = 2;
}

static enum err copy_slice(struct slice *out, struct arena *arena, struct slice from)
{
	*out = arena_copy(arena, from);
	return out->data == NULL ? ERR_NOMEM : ERR_OK;
}

static bool comes_before(const struct object_attribute *a, const struct object_attribute *b)
{
	int order = slice_compare(a->name, b->name);
	return order < 0 || (order == 0 && stamp_compare(a->added, b->added) < 0);
}

/* Inserts into the order that struct object keeps; the few attributes of a Create. */
static enum err insert_attribute(
	struct object *out, struct arena *arena, const struct object_attribute *from)
{
	enum err err;
	struct object_attribute copy = *from;
	TRY(copy_slice(&copy.name, arena, from->name));
	TRY(copy_slice(&copy.value, arena, from->value));
	size_t at = out->attribute_count;
	for (; at > 0 && comes_before(&copy, &out->attributes[at - 1]); at--)
		out->attributes[at] = out->attributes[at - 1];
	out->attributes[at] = copy;
	out->attribute_count++;
out:
	return err;
}

static enum err copy_attributes(
	struct object *out, struct arena *arena, const struct envelope *envelope)
{
	enum err err = ERR_OK;
	size_t count = envelope->attribute_count;
	if (count == 0)
		return ERR_OK;
	out->attributes = arena_array(arena, count, sizeof(*out->attributes));
	if (out->attributes == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < count; i++)
		TRY(insert_attribute(out, arena, &envelope->attributes[i]));
out:
	return err;
}

enum err envelope_to_object(struct object *out, struct arena *arena,
	const struct envelope *envelope, const struct uid *key_id, struct slice payload)
{
	enum err err;
	static const struct uid none = { { 0 } };
	ASSERT(envelope->kind == ENVELOPE_OBJECT);
	*out = (struct object){
		.uid = uid_equal(&envelope->old_uid, &none) ? *key_id : envelope->old_uid,
		.key_id = *key_id,
		.instance = envelope->instance,
		.type = envelope->type,
		.format = envelope->format,
		.has_material = true,
		.life = OBJECT_PRE_ACTIVE,
		.last_change = envelope->initial_date,
		/* Whose intent made it is not in the envelope; a merge with a record that knows
		 * clears it. */
		.unclaimed = true,
	};
	out->dates[OBJECT_DATE_INITIAL] = envelope->initial_date;
	bytes_copy(out->wrapped.nonce, envelope->nonce, sizeof(out->wrapped.nonce));
	TRY(crypt_sha256(out->envelope_hash, payload));
	TRY(copy_slice(&out->wrapped.ciphertext, arena, envelope->ciphertext));
	TRY(copy_slice(&out->wrapped.sealed, arena, envelope->sealed));
	TRY(copy_attributes(out, arena, envelope));
out:
	return err;
}
