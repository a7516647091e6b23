/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Get (KMIP 1.4, section 4.11). Served in every state that still has material: State tells clients
 * what they may do with it. The Key Value holds the material and no attributes.
 */
#include "kmip/object_attributes.h"
#include "kmip/operations.h"

/* What is asked for beyond the plain key. */
static enum err judge_request(const struct kmip_get_request *request)
{
	if (request->wrapping != NULL)
		return ERR_FEATURE;
	if (request->key_compression.has)
		return ERR_KEY_COMPRESSION;
	/* Nothing is registered wrapped, so that "as registered" is plain as well. */
	if (request->key_wrap_type.has &&
		request->key_wrap_type.value != KMIP_KEY_WRAP_TYPE_NOT_WRAPPED &&
		request->key_wrap_type.value != KMIP_KEY_WRAP_TYPE_AS_REGISTERED)
		return ERR_FEATURE;
	return ERR_OK;
}

/* 3.48, 3.50: a sensitive key leaves only wrapped, one that is not extractable never. */
static enum err judge_object(const struct object *object)
{
	struct kmip_value value;

	if (object->dead || !object->has_material)
		return ERR_ILLEGAL;
	if (object_attributes_stored(object, KMIP_ATTRIBUTE_SENSITIVE, &value) && value.boolean)
		return ERR_SENSITIVE;
	if (object_attributes_stored(object, KMIP_ATTRIBUTE_EXTRACTABLE, &value) && !value.boolean)
		return ERR_NOT_EXTRACTABLE;
	return ERR_OK;
}

struct key_parts {
	struct kmip_symmetric_key key;
	struct kmip_key_block block;
	struct kmip_key_value value;
	struct kmip_transparent_key transparent;
};

static void fill_block(struct kmip_key_block *block, const struct object *object)
{
	struct kmip_value value;

	if (object_attributes_stored(object, KMIP_ATTRIBUTE_CRYPTOGRAPHIC_ALGORITHM, &value))
		block->cryptographic_algorithm = KMIP_UINT(value.u32);
	if (object_attributes_stored(object, KMIP_ATTRIBUTE_CRYPTOGRAPHIC_LENGTH, &value))
		block->cryptographic_length_bits = KMIP_INT(value.integer);
}

static enum err fill_key(struct kmip_item *item, const struct object *object, uint32_t format)
{
	struct kmip_get_response *response = item->response;
	struct key_parts *parts = ARENA_NEW(item->arena, struct key_parts);
	struct slice material;
	enum err err = parts == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	TRY(item_material(item, object, &material));
	parts->block.format = KMIP_UINT(format);
	if (format == KMIP_KEY_FORMAT_TYPE_RAW) {
		parts->value.material = material;
	} else {
		parts->transparent.key = material;
		parts->value.transparent = &parts->transparent;
	}
	fill_block(&parts->block, object);
	parts->block.value = &parts->value;
	parts->key.key_block = &parts->block;
	response->object.symmetric_key = &parts->key;
out:
	return err;
}

enum err op_get_plan(struct kmip_item *item)
{
	const struct kmip_get_request *request = item->request;
	struct kmip_get_response *response = item->response;
	struct object *object;
	uint32_t format;
	enum err err;

	TRY(judge_request(request));
	TRY(item_object(item, request->unique_identifier, &object));
	TRY(judge_object(object));
	if (object->type != KMIP_OBJECT_TYPE_SYMMETRIC_KEY)
		TRY(ERR_FEATURE);
	format = request->key_format.has ? request->key_format.value : object->format;
	if (format != KMIP_KEY_FORMAT_TYPE_RAW &&
		format != KMIP_KEY_FORMAT_TYPE_TRANSPARENT_SYMMETRIC_KEY)
		TRY(ERR_KEY_FORMAT);
	TRY(fill_key(item, object, format));
	response->object_type = KMIP_UINT(object->type);
	TRY(item_uid_text(item, &response->unique_identifier));
out:
	return err;
}
