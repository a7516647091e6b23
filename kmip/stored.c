/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/stored.h"
#include "kmip/object_attributes.h"

/* ---- writing ---- */

static bool is_plain(const struct kmip_object *object)
{
	const struct kmip_key_block *block;

	if (object->symmetric_key == NULL)
		return false;
	block = object->symmetric_key->key_block;
	if (block->wrapping_data != NULL || block->value == NULL)
		return false;
	return block->format.value == KMIP_KEY_FORMAT_TYPE_RAW ||
	       block->format.value == KMIP_KEY_FORMAT_TYPE_TRANSPARENT_SYMMETRIC_KEY;
}

static enum err write_plain(struct kmip_item *item, const struct kmip_key_block *block)
{
	const struct kmip_key_value *value = block->value;
	bool is_raw = block->format.value == KMIP_KEY_FORMAT_TYPE_RAW;

	item->create.format = block->format.value;
	if (!is_raw && value->transparent == NULL)
		return ERR_FIELD;
	item->create.material = is_raw ? value->material : value->transparent->key;
	return item->create.material.data == NULL ? ERR_FIELD : ERR_OK;
}

static enum err write_object(struct kmip_item *item, const struct kmip_object *object)
{
	const struct kmip_key_block *block = kmip_object_key_block(object);
	struct kmip_stored_object stored = { .object = *object };
	enum err err;
	struct buf buf;

	buf_init(&buf, OBJECT_MATERIAL_LEN_MAX);
	item->create.format = STORED_AS_OBJECT | (block == NULL ? 0 : block->format.value);
	err = codec_encode(&buf, KMIP_NEWEST, &kmip_stored_object_table, &stored);
	TRY(err == ERR_LIMIT ? ERR_FIELD : err);
	item->create.material = arena_copy(item->arena, buf_slice(&buf));
	TRY(item->create.material.data == NULL ? ERR_NOMEM : ERR_OK);
out:
	buf_free(&buf);
	return err;
}

enum err stored_write(struct kmip_item *item, const struct kmip_object *object)
{
	enum err err;

	item->create.type = kmip_object_type(object);
	TRY(is_plain(object) ? write_plain(item, object->symmetric_key->key_block)
			     : write_object(item, object));
	if (item->create.material.len == 0 || item->create.material.len > OBJECT_MATERIAL_LEN_MAX)
		err = ERR_FIELD;
out:
	return err;
}

/* ---- reading ---- */

static enum err read_plain(struct kmip_item *item, const struct object *object,
	struct slice material, struct kmip_object *out)
{
	struct plain {
		struct kmip_symmetric_key key;
		struct kmip_key_block block;
		struct kmip_key_value value;
		struct kmip_transparent_key transparent;
	} *plain = ARENA_NEW(item->arena, struct plain);
	struct kmip_value value;

	if (plain == NULL)
		return ERR_NOMEM;
	plain->key.key_block = &plain->block;
	plain->block.value = &plain->value;
	plain->block.format = KMIP_UINT(object->format);
	plain->value.material = material;
	if (object->format == KMIP_KEY_FORMAT_TYPE_TRANSPARENT_SYMMETRIC_KEY) {
		plain->transparent.key = material;
		plain->value = (struct kmip_key_value){ .transparent = &plain->transparent };
	}
	if (object_attributes_stored(object, KMIP_ATTRIBUTE_CRYPTOGRAPHIC_ALGORITHM, &value))
		plain->block.cryptographic_algorithm = KMIP_UINT(value.u32);
	if (object_attributes_stored(object, KMIP_ATTRIBUTE_CRYPTOGRAPHIC_LENGTH, &value))
		plain->block.cryptographic_length_bits = KMIP_INT(value.integer);
	out->symmetric_key = &plain->key;
	return ERR_OK;
}

static enum err read_object(
	struct kmip_item *item, uint32_t type, struct slice material, struct kmip_object *out)
{
	struct codec codec = { .arena = item->arena, .version = KMIP_NEWEST };
	struct kmip_stored_object stored;
	const struct kmip_key_block *block;

	if (codec_decode(&codec, &stored, &kmip_stored_object_table, material) != ERR_OK ||
		kmip_object_type(&stored.object) != type)
		return ERR_CORRUPT;
	*out = stored.object;
	block = kmip_object_key_block(out);
	/* They are the object's by now; but a MAC or signature is over them, too. */
	if (block != NULL && block->value != NULL && block->wrapping_data == NULL)
		block->value->attributes.count = 0;
	return ERR_OK;
}

enum err stored_read(struct kmip_item *item, const struct object *object, struct kmip_object *out)
{
	struct slice material;
	enum err err;

	*out = (struct kmip_object){ 0 };
	TRY(item_material(item, object, &material));
	err = (object->format & STORED_AS_OBJECT) == 0
		      ? read_plain(item, object, material, out)
		      : read_object(item, object->type, material, out);
out:
	return err;
}
