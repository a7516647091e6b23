/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/record.h"
#include <string.h>
#include "base/crypt.h"

enum {
	CHECKSUM_LEN = 4,
	HEADER_LEN = 4,
	STORED_INSTANCE_LEN = INSTANCE_ID_LEN_MAX,
	STORED_NAME_LEN = CLIENT_NAME_LEN_MAX
};

/* Bits of an object's flags. */
enum {
	FLAG_MATERIAL = 1,
	FLAG_COMPROMISED = 2,
	FLAG_DEAD = 4,
	FLAG_UNCLAIMED = 8,
	FLAG_QUARANTINED = 16,
	FLAG_DISPUTED = 32,
	FLAG_ALL = 63
};

/* ---- what holds in every record, whoever wrote it ---- */

static bool all_zero(const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static bool is_instance_valid(const struct instance_id *id)
{
	struct instance_id parsed;

	if (all_zero(id->text, sizeof(id->text)))
		return true;
	return id->text[INSTANCE_ID_LEN_MAX] == '\0' &&
	       instance_id_parse(&parsed, slice_text(id->text)) == ERR_OK &&
	       instance_id_equal(&parsed, id);
}

static bool are_attributes_valid(const struct object *object)
{
	const struct object_attribute *at = object->attributes;

	if (object->attribute_count > OBJECT_ATTRIBUTES_MERGED_MAX)
		return false;
	for (size_t i = 0; i < object->attribute_count; i++) {
		int order = i == 0 ? -1 : slice_compare(at[i - 1].name, at[i].name);

		if (order > 0 || (order == 0 && stamp_compare(at[i - 1].added, at[i].added) >= 0))
			return false;
		if (at[i].name.len == 0 || at[i].name.len > OBJECT_NAME_LEN_MAX)
			return false;
		if (at[i].deleted && at[i].value.len > 0)
			return false;
	}
	return true;
}

static bool is_object_valid(const struct object *object)
{
	if (object->life > OBJECT_DEACTIVATED || !is_instance_valid(&object->instance))
		return false;
	/* An epoch says by its parity what it is; epoch 0 is unset and says nothing. */
	if (object->dead_epoch != 0 && object->dead != object_epoch_is_dead(object->dead_epoch))
		return false;
	if (!object->has_material &&
		!all_zero(object->envelope_hash, sizeof(object->envelope_hash)))
		return false;
	if (object->wrapped.ciphertext.len > OBJECT_CIPHERTEXT_LEN_MAX ||
		object->wrapped.sealed.len > OBJECT_CIPHERTEXT_LEN_MAX)
		return false;
	return are_attributes_valid(object);
}

static bool is_client_valid(const struct client *client)
{
	size_t len = strnlen(client->name, sizeof(client->name));

	return len <= CLIENT_NAME_LEN_MAX && is_instance_valid(&client->instance) &&
	       all_zero(client->name + len, sizeof(client->name) - len);
}

/* ---- encoding ---- */

static enum err put_stamp(struct buf *out, struct stamp stamp)
{
	enum err err;

	TRY(buf_append_be64(out, stamp.time));
	TRY(buf_append_be16(out, stamp.node));
out:
	return err;
}

static enum err put_wrapped(struct buf *out, const struct object *object)
{
	static const struct object_wrapped none;
	bool kept = object->has_material && !object->dead && object->wrapped.ciphertext.len > 0;
	const struct object_wrapped *wrapped = kept ? &object->wrapped : &none;
	enum err err;

	TRY(buf_append_bytes16(out, wrapped->ciphertext));
	TRY(buf_append_bytes16(out, wrapped->sealed));
	TRY(buf_append(out, slice_of(wrapped->nonce, sizeof(wrapped->nonce))));
	TRY(buf_append_be64(out, (uint64_t) wrapped->version_label));
	TRY(put_stamp(out, wrapped->written));
out:
	return err;
}

static enum err put_attribute(struct buf *out, const struct object_attribute *attribute)
{
	enum err err;

	TRY(buf_append_bytes16(out, attribute->name));
	TRY(put_stamp(out, attribute->added));
	TRY(buf_append_be32(out, attribute->index));
	TRY(buf_append_u8(out, attribute->deleted));
	TRY(put_stamp(out, attribute->written));
	TRY(buf_append_bytes16(out, attribute->value));
out:
	return err;
}

static uint8_t object_flags(const struct object *object)
{
	return (uint8_t) ((object->has_material ? FLAG_MATERIAL : 0) |
			  (object->compromised ? FLAG_COMPROMISED : 0) |
			  (object->dead ? FLAG_DEAD : 0) |
			  (object->unclaimed ? FLAG_UNCLAIMED : 0) |
			  (object->quarantined ? FLAG_QUARANTINED : 0) |
			  (object->disputed ? FLAG_DISPUTED : 0));
}

static enum err put_object_head(struct buf *out, const struct object *object)
{
	enum err err;

	TRY(buf_append(out, slice_of(object->uid.bytes, sizeof(object->uid.bytes))));
	TRY(buf_append(out, slice_of(object->key_id.bytes, sizeof(object->key_id.bytes))));
	TRY(put_stamp(out, object->moved));
	TRY(buf_append(out, slice_of(object->instance.text, STORED_INSTANCE_LEN)));
	TRY(buf_append_be32(out, object->type));
	TRY(buf_append_be32(out, object->format));
	TRY(buf_append_u8(out, object_flags(object)));
	TRY(buf_append_u8(out, (uint8_t) object->life));
	TRY(buf_append_be64(out, object->dead_epoch));
	TRY(buf_append(out, slice_of(object->envelope_hash, sizeof(object->envelope_hash))));
	for (size_t i = 0; i < OBJECT_DATE_COUNT; i++)
		TRY(buf_append_be64(out, (uint64_t) object->dates[i]));
	TRY(buf_append_be64(out, (uint64_t) object->last_change));
out:
	return err;
}

static enum err put_object(struct buf *out, const struct object *object)
{
	enum err err;

	TRY(is_object_valid(object) ? ERR_OK : ERR_INVALID);
	TRY(put_object_head(out, object));
	TRY(put_wrapped(out, object));
	TRY(buf_append_be16(out, (uint16_t) object->attribute_count));
	for (size_t i = 0; i < object->attribute_count; i++)
		TRY(put_attribute(out, &object->attributes[i]));
out:
	return err;
}

static enum err put_client(struct buf *out, const struct client *client)
{
	enum err err;

	TRY(is_client_valid(client) ? ERR_OK : ERR_INVALID);
	TRY(buf_append(
		out, slice_of(client->fingerprint.bytes, sizeof(client->fingerprint.bytes))));
	TRY(buf_append(out, slice_of(client->instance.text, STORED_INSTANCE_LEN)));
	TRY(buf_append(out, slice_of(client->name, STORED_NAME_LEN)));
	TRY(buf_append_be64(out, (uint64_t) client->added_at));
	TRY(buf_append_be64(out, (uint64_t) client->not_after));
	TRY(buf_append_u8(out, client->removed));
	TRY(put_stamp(out, client->written));
out:
	return err;
}

enum err record_encode(struct buf *out, const struct record *record)
{
	size_t start = buf_slice(out).len;
	enum err err;

	ASSERT(record->kind == RECORD_OBJECT || record->kind == RECORD_CLIENT);
	TRY(record->minor <= RECORD_MINOR && record->extension.len > 0 ? ERR_INVALID : ERR_OK);
	TRY(buf_append_u8(out, RECORD_MAJOR));
	TRY(buf_append_u8(out, record->minor));
	TRY(buf_append_be16(out, (uint16_t) record->kind));
	if (record->kind == RECORD_OBJECT)
		TRY(put_object(out, &record->object));
	else
		TRY(put_client(out, &record->client));
	TRY(buf_append_bytes32(out, record->extension));
	TRY(buf_append_be32(out, crypt_crc32c(slice_cut(buf_slice(out), start, SIZE_MAX))));
	if (buf_slice(out).len - start > RECORD_LEN_MAX)
		err = ERR_LIMIT;
out:
	return err;
}

/* ---- decoding ---- */

static struct stamp get_stamp(struct cursor *cursor)
{
	struct stamp stamp = { .time = cursor_be64(cursor) };

	stamp.node = cursor_be16(cursor);
	return stamp;
}

/* A flag byte with other bits than known would not be written back as it was. */
static uint8_t get_bits(struct cursor *cursor, uint8_t known)
{
	uint8_t bits = cursor_u8(cursor);

	if ((bits & ~known) != 0)
		cursor->bad = true;
	return bits;
}

static void get_fixed(struct cursor *cursor, void *out, size_t len)
{
	/* A short slice was marked bad. */
	(void) slice_copy_exact(out, len, cursor_bytes(cursor, len));
}

static void get_wrapped(struct cursor *cursor, struct object *object)
{
	struct object_wrapped *wrapped = &object->wrapped;
	bool kept, empty;

	wrapped->ciphertext = cursor_bytes16(cursor, OBJECT_CIPHERTEXT_LEN_MAX);
	wrapped->sealed = cursor_bytes16(cursor, OBJECT_CIPHERTEXT_LEN_MAX);
	get_fixed(cursor, wrapped->nonce, sizeof(wrapped->nonce));
	wrapped->version_label = (int64_t) cursor_be64(cursor);
	wrapped->written = get_stamp(cursor);
	kept = object->has_material && !object->dead && wrapped->ciphertext.len > 0;
	empty = wrapped->ciphertext.len == 0 && wrapped->sealed.len == 0 &&
		all_zero(wrapped->nonce, sizeof(wrapped->nonce)) && wrapped->version_label == 0 &&
		wrapped->written.time == 0 && wrapped->written.node == 0;
	if (!kept && !empty)
		cursor->bad = true;
}

static void get_attribute(struct cursor *cursor, struct object_attribute *attribute)
{
	attribute->name = cursor_bytes16(cursor, OBJECT_NAME_LEN_MAX);
	attribute->added = get_stamp(cursor);
	attribute->index = cursor_be32(cursor);
	attribute->deleted = get_bits(cursor, 1) != 0;
	attribute->written = get_stamp(cursor);
	attribute->value = cursor_bytes16(cursor, UINT16_MAX);
}

static void get_object_head(struct cursor *cursor, struct object *object)
{
	uint8_t flags, life;

	get_fixed(cursor, object->uid.bytes, sizeof(object->uid.bytes));
	get_fixed(cursor, object->key_id.bytes, sizeof(object->key_id.bytes));
	object->moved = get_stamp(cursor);
	get_fixed(cursor, object->instance.text, STORED_INSTANCE_LEN);
	object->type = cursor_be32(cursor);
	object->format = cursor_be32(cursor);
	flags = get_bits(cursor, FLAG_ALL);
	object->has_material = (flags & FLAG_MATERIAL) != 0;
	object->compromised = (flags & FLAG_COMPROMISED) != 0;
	object->dead = (flags & FLAG_DEAD) != 0;
	object->unclaimed = (flags & FLAG_UNCLAIMED) != 0;
	object->quarantined = (flags & FLAG_QUARANTINED) != 0;
	object->disputed = (flags & FLAG_DISPUTED) != 0;
	life = cursor_u8(cursor);
	object->life = life <= OBJECT_DEACTIVATED ? (enum object_life) life : OBJECT_PRE_ACTIVE;
	if (life > OBJECT_DEACTIVATED)
		cursor->bad = true;
	object->dead_epoch = cursor_be64(cursor);
	get_fixed(cursor, object->envelope_hash, sizeof(object->envelope_hash));
	for (size_t i = 0; i < OBJECT_DATE_COUNT; i++)
		object->dates[i] = (int64_t) cursor_be64(cursor);
	object->last_change = (int64_t) cursor_be64(cursor);
}

static enum err get_object(struct cursor *cursor, struct arena *arena, struct object *object)
{
	size_t count;

	get_object_head(cursor, object);
	get_wrapped(cursor, object);
	count = cursor_be16(cursor);
	if (arena == NULL || cursor->bad || count > OBJECT_ATTRIBUTES_MERGED_MAX)
		return ERR_CORRUPT;
	object->attributes = arena_array(arena, count, sizeof(*object->attributes));
	if (object->attributes == NULL)
		return ERR_NOMEM;
	object->attribute_count = count;
	for (size_t i = 0; i < count; i++)
		get_attribute(cursor, &object->attributes[i]);
	return !cursor->bad && is_object_valid(object) ? ERR_OK : ERR_CORRUPT;
}

static enum err get_client(struct cursor *cursor, struct client *client)
{
	get_fixed(cursor, client->fingerprint.bytes, sizeof(client->fingerprint.bytes));
	get_fixed(cursor, client->instance.text, STORED_INSTANCE_LEN);
	get_fixed(cursor, client->name, STORED_NAME_LEN);
	client->added_at = (int64_t) cursor_be64(cursor);
	client->not_after = (int64_t) cursor_be64(cursor);
	client->removed = get_bits(cursor, 1) != 0;
	client->written = get_stamp(cursor);
	return !cursor->bad && is_client_valid(client) ? ERR_OK : ERR_CORRUPT;
}

/* The checksum ends a record of any version, so that damage is not taken for another version. */
static enum err check_frame(struct cursor *out, struct slice bytes)
{
	size_t body_len;

	if (bytes.len < HEADER_LEN + CHECKSUM_LEN || bytes.len > RECORD_LEN_MAX)
		return ERR_CORRUPT;
	body_len = bytes.len - CHECKSUM_LEN;
	if (be32_get(bytes.data + body_len) != crypt_crc32c(slice_cut(bytes, 0, body_len)))
		return ERR_CORRUPT;
	*out = cursor_of(slice_cut(bytes, 0, body_len));
	return cursor_u8(out) == RECORD_MAJOR ? ERR_OK : ERR_VERSION;
}

/* Up to the kind; the cursor is then at the fields. */
static enum err get_head(struct cursor *cursor, struct record *out, struct slice bytes)
{
	unsigned kind;
	enum err err;

	*out = (struct record){ 0 };
	TRY(check_frame(cursor, bytes));
	out->minor = cursor_u8(cursor);
	kind = cursor_be16(cursor);
	TRY(kind != RECORD_OBJECT && kind != RECORD_CLIENT ? ERR_CORRUPT : ERR_OK);
	out->kind = (enum record_kind) kind;
out:
	return err;
}

enum err record_decode(struct record *out, struct arena *arena, struct slice bytes)
{
	struct cursor cursor;
	enum err err;

	TRY(get_head(&cursor, out, bytes));
	if (out->kind == RECORD_OBJECT)
		TRY(get_object(&cursor, arena, &out->object));
	else
		TRY(get_client(&cursor, &out->client));
	out->extension = cursor_bytes32(&cursor, RECORD_LEN_MAX);
	if (cursor_end(&cursor) != ERR_OK || (out->minor <= RECORD_MINOR && out->extension.len > 0))
		err = ERR_CORRUPT;
out:
	return err;
}

enum err record_glance(struct record *out, struct slice bytes)
{
	struct cursor cursor;
	enum err err;

	TRY(get_head(&cursor, out, bytes));
	if (out->kind == RECORD_CLIENT)
		return get_client(&cursor, &out->client);
	get_object_head(&cursor, &out->object);
	err = cursor.bad ? ERR_CORRUPT : ERR_OK;
out:
	return err;
}

enum err record_key(struct buf *out, const struct record *record)
{
	const struct uid *uid = &record->object.uid;
	const struct fingerprint *fingerprint = &record->client.fingerprint;
	enum err err;

	TRY(buf_append_u8(out, (uint8_t) record->kind));
	if (record->kind == RECORD_OBJECT)
		TRY(buf_append(out, slice_of(uid->bytes, sizeof(uid->bytes))));
	else
		TRY(buf_append(out, slice_of(fingerprint->bytes, sizeof(fingerprint->bytes))));
out:
	return err;
}
