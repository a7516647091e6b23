/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Register (KMIP 1.4, section 4.3): symmetric keys, plain, in Raw or Transparent Symmetric Key
 * form. Wrapped keys and keys without value are refused: we could not vouch for what they hold.
 */
#include "kmip/making.h"
#include "kmip/operations.h"

enum { DIGESTED_LEN_MAX = OBJECT_MATERIAL_LEN_MAX + 64 };

static enum err judge_object(const struct kmip_register_request *request)
{
	uint32_t type = request->object_type.value;

	if (!kmip_enum_is_known(KMIP_SET_OBJECT_TYPE, type, KMIP_NEWEST))
		return ERR_FIELD;
	if (kmip_object_type(&request->object) != type)
		return ERR_FIELD;
	return type == KMIP_OBJECT_TYPE_SYMMETRIC_KEY ? ERR_OK : ERR_FEATURE;
}

/* The key's bytes, and the bytes that its Digest is over (3.17). */
static enum err read_raw(
	struct kmip_item *item, const struct kmip_key_value *value, struct slice *digested)
{
	item->create.material = value->material;
	*digested = value->material;
	return value->material.data == NULL ? ERR_FIELD : ERR_OK;
}

static enum err read_transparent(
	struct kmip_item *item, const struct kmip_key_value *value, struct slice *digested)
{
	enum err err = ERR_OK;
	struct buf buf;

	buf_init(&buf, DIGESTED_LEN_MAX);
	if (value->transparent == NULL || value->transparent->key.data == NULL)
		TRY(ERR_FIELD);
	item->create.material = value->transparent->key;
	TRY(codec_encode_structure(&buf, KMIP_NEWEST, KMIP_TAG_KEY_MATERIAL,
		&kmip_transparent_key_table, value->transparent));
	*digested = arena_copy(item->arena, buf_slice(&buf));
	if (digested->data == NULL)
		err = ERR_NOMEM;
out:
	buf_free(&buf);
	return err;
}

static enum err read_material(
	struct kmip_item *item, const struct kmip_key_block *block, struct slice *digested)
{
	if (block->wrapping_data != NULL || block->wrapped_value.data != NULL ||
		block->value == NULL)
		return ERR_FEATURE;
	if (block->compression.has)
		return ERR_KEY_COMPRESSION;
	if (block->value->material.len > OBJECT_MATERIAL_LEN_MAX)
		return ERR_FIELD;
	if (block->value->transparent != NULL &&
		block->value->transparent->key.len > OBJECT_MATERIAL_LEN_MAX)
		return ERR_FIELD;
	item->create.format = block->format.value;
	if (block->format.value == KMIP_KEY_FORMAT_TYPE_RAW)
		return read_raw(item, block->value, digested);
	if (block->format.value == KMIP_KEY_FORMAT_TYPE_TRANSPARENT_SYMMETRIC_KEY)
		return read_transparent(item, block->value, digested);
	return ERR_KEY_FORMAT;
}

/* Algorithm and length may stand in the Key Block, among the attributes, or in both, equal. */
static enum err join_key(struct algorithm_key *key, const struct kmip_key_block *block)
{
	if (block->cryptographic_algorithm.has) {
		if (key->algorithm != 0 && key->algorithm != block->cryptographic_algorithm.value)
			return ERR_FIELD;
		key->algorithm = block->cryptographic_algorithm.value;
	}
	if (block->cryptographic_length_bits.has) {
		if (key->length_bits != 0 &&
			key->length_bits != block->cryptographic_length_bits.value)
			return ERR_FIELD;
		key->length_bits = block->cryptographic_length_bits.value;
	}
	return key->algorithm != 0 && key->length_bits >= 0 ? ERR_OK : ERR_FIELD;
}

enum err op_register_plan(struct kmip_item *item)
{
	const struct kmip_register_request *request = item->request;
	struct attribute_edits edits = making_edits(item, request->object_type.value);
	const struct kmip_key_block *block;
	struct slice digested = SLICE_EMPTY;
	enum err err;

	edits.registers = true;
	TRY(judge_object(request));
	block = kmip_object_key_block(&request->object);
	item->create.type = request->object_type.value;
	TRY(read_material(item, block, &digested));
	TRY(making_attributes(&edits, request->template_attribute));
	/* Attributes within the Key Value are the object's too (2.1.4). */
	TRY(attribute_rules_make(
		&edits, block->value->attributes.items, block->value->attributes.count));
	TRY(join_key(&edits.key, block));
	if (!kmip_enum_is_known(
		    KMIP_SET_CRYPTOGRAPHIC_ALGORITHM, edits.key.algorithm, item->version))
		TRY(ERR_FIELD);
	TRY(algorithm_judge_key(&edits.key, item->create.material.len));
	TRY(making_effect(item, &edits, digested));
out:
	return err;
}

enum err op_register_finish(struct kmip_item *item)
{
	struct kmip_register_response *response = item->response;

	item->placeholder = item->subject;
	return item_uid_text(item, &response->unique_identifier);
}
