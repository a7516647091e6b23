/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/registering.h"
#include "kmip/asymmetric.h"
#include "kmip/certificates.h"
#include "kmip/policing.h"
#include "kmip/stored.h"

enum { DIGESTED_LEN_MAX = OBJECT_MATERIAL_LEN_MAX + 64 };

/* ---- Key Blocks ---- */

/* The forms in which each kind of object may come, plain (2.1.3). */
static bool is_form_of(uint32_t type, uint32_t format)
{
	switch (type) {
	case KMIP_OBJECT_TYPE_SYMMETRIC_KEY:
		return format == KMIP_KEY_FORMAT_TYPE_RAW ||
		       format == KMIP_KEY_FORMAT_TYPE_TRANSPARENT_SYMMETRIC_KEY;
	case KMIP_OBJECT_TYPE_PUBLIC_KEY:
	case KMIP_OBJECT_TYPE_PRIVATE_KEY:
		return asymmetric_is_form_of(type, format);
	default:
		return true;
	}
}

/* The bytes that the Digest is over (3.17): the Key Material as registered. */
static enum err digest_key_value(
	struct kmip_item *item, const struct kmip_key_value *value, struct slice *digested)
{
	enum err err = ERR_OK;
	struct buf buf;

	if (value->material.data != NULL) {
		*digested = value->material;
		return value->material.len > 0 ? ERR_OK : ERR_FIELD;
	}
	buf_init(&buf, DIGESTED_LEN_MAX);
	if (value->transparent == NULL)
		TRY(ERR_FIELD);
	err = codec_encode_structure(&buf, KMIP_NEWEST, KMIP_TAG_KEY_MATERIAL,
		&kmip_transparent_key_table, value->transparent);
	TRY(err == ERR_LIMIT ? ERR_FIELD : err);
	*digested = arena_copy(item->arena, buf_slice(&buf));
	TRY(digested->data == NULL ? ERR_NOMEM : ERR_OK);
out:
	buf_free(&buf);
	return err;
}

static bool has_no_value(const struct kmip_key_block *block)
{
	return block->value == NULL && block->wrapping_data == NULL &&
	       block->wrapped_value.data == NULL;
}

/* 2.1.3, 3.45: from 1.2 on the value of these may be elsewhere. */
static bool may_have_no_value(const struct kmip_item *item, uint32_t type)
{
	const struct kmip_attribute_row *row = kmip_attribute_row(KMIP_ATTRIBUTE_KEY_VALUE_PRESENT);

	return kmip_attribute_exists(row, item->version) && (row->applies_to & KMIP_TO(type)) != 0;
}

static enum err read_block(struct kmip_item *item, const struct kmip_key_block *block,
	uint32_t type, struct slice *digested)
{
	/* 9.1.3.2.2: only points of curves are compressed. */
	if (block->compression.has && type != KMIP_OBJECT_TYPE_PUBLIC_KEY)
		return ERR_KEY_COMPRESSION;
	if (block->wrapping_data != NULL) {
		/* 2.1.5: one of the two at least. */
		if (block->wrapping_data->encryption_key == NULL &&
			block->wrapping_data->mac_key == NULL)
			return ERR_FIELD;
		*digested = block->wrapped_value;
		if (block->value != NULL)
			return digest_key_value(item, block->value, digested);
		return block->wrapped_value.len > 0 ? ERR_OK : ERR_FIELD;
	}
	if (!is_form_of(type, block->format.value))
		return ERR_KEY_FORMAT;
	if (block->value != NULL)
		return digest_key_value(item, block->value, digested);
	return has_no_value(block) && may_have_no_value(item, type) ? ERR_OK : ERR_FIELD;
}

/* 2.1.3: what is to be seen in the Key Value need not be said, and is said to who gets the key. */
static enum err complete_block(
	struct kmip_item *item, const struct attribute_edits *edits, struct kmip_key_block *block)
{
	struct algorithm_key said = edits->key;
	struct pkey *key = NULL;
	enum err err;

	if (block->cryptographic_algorithm.has && block->cryptographic_length_bits.has)
		return ERR_OK;
	if (block->wrapping_data != NULL || block->value == NULL ||
		block->value->attributes.count > 0)
		return ERR_OK;
	err = asymmetric_open(&key, edits->object_type, block);
	if (err != ERR_OK)
		return err == ERR_NOMEM ? err : ERR_OK;
	if (said.algorithm == 0)
		said.algorithm = asymmetric_algorithm_in(asymmetric_algorithm(key), item->version);
	if (said.length_bits == 0)
		said.length_bits = (int32_t) pkey_bits(key);
	if (!block->cryptographic_algorithm.has && said.algorithm != 0)
		block->cryptographic_algorithm = KMIP_UINT(said.algorithm);
	if (!block->cryptographic_length_bits.has)
		block->cryptographic_length_bits = KMIP_INT(said.length_bits);
	pkey_free(key);
	return ERR_OK;
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
	return key->length_bits >= 0 ? ERR_OK : ERR_FIELD;
}

/* 2.1.3: what can be seen from the key need not be said; what is said is to be true of it. What
 * cannot be read here is kept as it came. */
static enum err judge_pkey(
	struct algorithm_key *key, uint32_t type, const struct kmip_key_block *block)
{
	struct pkey *pkey = NULL;
	int32_t bits;
	enum err err = ERR_OK;

	if ((KMIP_TO(type) & KMIP_TO_ASYMMETRIC) == 0 || block->wrapping_data != NULL ||
		asymmetric_open(&pkey, type, block) != ERR_OK)
		return ERR_OK;
	bits = (int32_t) pkey_bits(pkey);
	if (key->algorithm == 0)
		key->algorithm = asymmetric_algorithm(pkey);
	if (key->length_bits == 0)
		key->length_bits = bits;
	if (key->length_bits != bits ||
		!asymmetric_is_kind(key->algorithm, asymmetric_algorithm(pkey)))
		err = ERR_FIELD;
	pkey_free(pkey);
	return err;
}

static enum err judge_key(
	struct kmip_item *item, struct attribute_edits *edits, const struct kmip_key_block *block)
{
	bool is_plain = (item->create.format & STORED_AS_OBJECT) == 0;
	enum err err = ERR_OK;

	if ((KMIP_TO(edits->object_type) & KMIP_TO_KEYS) == 0)
		return ERR_OK;
	TRY(join_key(&edits->key, block));
	if (edits->object_type == KMIP_OBJECT_TYPE_SYMMETRIC_KEY &&
		asymmetric_is_algorithm(edits->key.algorithm))
		TRY(ERR_FIELD);
	TRY(judge_pkey(&edits->key, edits->object_type, block));
	/* What a part is a part of need not be known. */
	if (edits->object_type == KMIP_OBJECT_TYPE_SPLIT_KEY && edits->key.algorithm == 0)
		return ERR_OK;
	if (!kmip_enum_is_known(
		    KMIP_SET_CRYPTOGRAPHIC_ALGORITHM, edits->key.algorithm, item->version))
		TRY(ERR_FIELD);
	if (is_plain)
		TRY(algorithm_judge_key(&edits->key, item->create.material.len));
	TRY(policing_block(item, edits->object_type, edits->key.algorithm, block));
out:
	return err;
}

/* ---- the others ---- */

static struct slice value_of(const struct kmip_object *object)
{
	if (object->certificate != NULL)
		return object->certificate->value;
	if (object->opaque_object != NULL)
		return object->opaque_object->value;
	return SLICE_EMPTY;
}

enum err registering_read(struct kmip_item *item, const struct attribute_edits *edits,
	const struct kmip_object *object, struct slice *digested)
{
	struct kmip_key_block *block = kmip_object_key_block(object);
	enum err err;

	if (block == NULL) {
		*digested = value_of(object);
		if (digested->len == 0 && object->template == NULL)
			return ERR_FIELD;
	} else {
		TRY(read_block(item, block, kmip_object_type(object), digested));
		TRY(complete_block(item, edits, block));
	}
	TRY(stored_write(item, object));
out:
	return err;
}

/* 3.45: the server says so. */
static enum err say_value_is_absent(struct attribute_edits *edits)
{
	struct kmip_value no = kmip_value_boolean(false);
	struct kmip_value said;

	if (attribute_rules_get(edits, KMIP_ATTRIBUTE_KEY_VALUE_PRESENT, &said))
		return ERR_OK;
	return attribute_rules_set(edits, KMIP_ATTRIBUTE_KEY_VALUE_PRESENT, &no);
}

enum err registering_describe(
	struct kmip_item *item, struct attribute_edits *edits, const struct kmip_object *object)
{
	const struct kmip_key_block *block = kmip_object_key_block(object);
	enum err err = ERR_OK;

	if (object->certificate != NULL)
		TRY(certificates_describe(edits, object->certificate));
	if (block == NULL)
		return ERR_OK;
	/* Attributes within the Key Value are the object's too (2.1.4). */
	if (block->value != NULL)
		TRY(attribute_rules_make(
			edits, block->value->attributes.items, block->value->attributes.count));
	if (has_no_value(block))
		TRY(say_value_is_absent(edits));
	TRY(judge_key(item, edits, block));
out:
	return err;
}
