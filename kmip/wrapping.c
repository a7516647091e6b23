/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/wrapping.h"
#include "kmip/ciphering.h"
#include "kmip/ttlv_read.h"

enum { PLAIN_LEN_MAX = 2 * OBJECT_MATERIAL_LEN_MAX, WRAPPED_SLACK = 64 };

static enum err collect_attributes(
	struct kmip_item *item, struct kmip_key_value *value, const struct wrapping *wrapping)
{
	const struct kmip_key_wrapping_specification *given = wrapping->specification;
	struct object_attributes list = { .object = wrapping->object,
		.arena = item->arena,
		.version = item->version,
		.now = item->now };
	enum err err = ERR_OK;

	for (size_t i = 0; i < given->attribute_names.count; i++) {
		struct slice name = given->attribute_names.items[i];
		const struct kmip_attribute_row *row = kmip_attribute_find(name);

		if (row != NULL)
			TRY(object_attributes_collect(&list, row, name));
	}
	value->attributes.items = list.items;
	value->attributes.count = list.count;
out:
	return err;
}

/* What is encrypted: the key's bytes, or its encoded Key Value. */
static enum err encode_plain(struct kmip_item *item, struct buf *out, struct kmip_key_value *value,
	const struct wrapping *wrapping)
{
	const struct kmip_key_wrapping_specification *given = wrapping->specification;
	enum err err;

	if (given->encoding_option.value == KMIP_ENCODING_OPTION_NO_ENCODING) {
		if (given->attribute_names.count > 0 || value->material.data == NULL)
			return ERR_ENCODING;
		return buf_append(out, value->material);
	}
	TRY(collect_attributes(item, value, wrapping));
	TRY(codec_encode_structure(
		out, item->version, KMIP_TAG_KEY_VALUE, &kmip_key_value_table, value));
out:
	return err;
}

static enum err encrypt(
	struct kmip_item *item, struct buf *out, struct ciphering *ciphering, struct slice plain)
{
	struct run run = { 0 };
	bool is_valid;
	enum err err;

	ciphering->encrypt = true;
	TRY(ciphering_begin(item, &run, ciphering));
	run.joins_tag = true; /* Key Wrapping Data have no place for it */
	TRY(run_update(&run, plain, out));
	TRY(run_finish(&run, out, NULL, &is_valid));
out:
	run_clear(&run);
	return err;
}

/* 2.1.6: what a key wraps with is among its Cryptographic Parameters. */
static enum err judge_parameters(struct kmip_item *item, const struct object *object,
	const struct kmip_cryptographic_parameters *asked)
{
	const char *name = kmip_attribute_row(KMIP_ATTRIBUTE_CRYPTOGRAPHIC_PARAMETERS)->name;
	struct kmip_value wanted, value;
	enum err err;

	TRY(kmip_value_write(&wanted, item->arena, &kmip_cryptographic_parameters_table, asked));
	for (size_t i = 0; i < object->attribute_count; i++) {
		const struct object_attribute *one = &object->attributes[i];

		if (one->deleted || !slice_equal_text(one->name, name))
			continue;
		TRY(kmip_value_decode(&value, one->value));
		if (kmip_value_covers(&value, &wanted))
			return ERR_OK;
	}
	err = ERR_NOT_FOUND;
out:
	return err;
}

static enum err find_key(struct using *out, struct kmip_item *item,
	const struct kmip_key_information *information, bool wraps)
{
	struct using_ask ask = { .uid = information->unique_identifier,
		.mask = wraps ? KMIP_CRYPTOGRAPHIC_USAGE_MASK_WRAP_KEY
			      : KMIP_CRYPTOGRAPHIC_USAGE_MASK_UNWRAP_KEY,
		.is_key = true, /* 11.12 */
		.protects = wraps,
		.parameters = information->cryptographic_parameters };
	struct kmip_placeholder subject = item->subject;
	enum err err = using_begin(out, item, &ask);

	item->subject = subject;
	TRY(err);
	if (wraps && ask.parameters != NULL)
		TRY(judge_parameters(item, out->object, ask.parameters));
	if (!out->parameters.block_cipher_mode.has && !out->parameters.padding_method.has)
		TRY(ERR_NOT_FOUND);
	/* Each key would be covered by the same bytes. */
	if (wraps && out->algorithm == KMIP_CRYPTOGRAPHIC_ALGORITHM_ONE_TIME_PAD)
		err = ERR_FEATURE;
out:
	return err;
}

static enum err describe(struct kmip_item *item, struct kmip_key_block *block,
	const struct wrapping *wrapping, const struct ciphering *ciphering)
{
	struct kmip_key_wrapping_data *data = ARENA_NEW(item->arena, struct kmip_key_wrapping_data);
	struct kmip_key_information *information =
		ARENA_NEW(item->arena, struct kmip_key_information);

	if (data == NULL || information == NULL)
		return ERR_NOMEM;
	*information = *wrapping->specification->encryption_key;
	data->wrapping_method = wrapping->specification->wrapping_method;
	data->encryption_key = information;
	data->encoding_option = wrapping->specification->encoding_option;
	if (ciphering->drew_iv)
		data->iv_counter_nonce = ciphering->iv;
	block->wrapping_data = data;
	return ERR_OK;
}

enum err wrapping_apply(
	struct kmip_item *item, struct kmip_key_block *block, struct wrapping *wrapping)
{
	const struct kmip_key_wrapping_specification *given = wrapping->specification;
	struct ciphering ciphering = { 0 };
	struct using use;
	struct buf plain, wrapped;
	enum err err = ERR_OK;

	buf_init(&plain, PLAIN_LEN_MAX);
	buf_init(&wrapped, PLAIN_LEN_MAX + WRAPPED_SLACK);
	if (given->wrapping_method.value != KMIP_WRAPPING_METHOD_ENCRYPT || given->mac_key != NULL)
		TRY(ERR_FEATURE);
	TRY(given->encryption_key == NULL ? ERR_FIELD : ERR_OK);
	TRY(block->value == NULL ? ERR_KEY_ABSENT : ERR_OK);
	TRY(block->wrapping_data != NULL ? ERR_ILLEGAL : ERR_OK); /* once is enough (4.11) */
	TRY(find_key(&use, item, given->encryption_key, true));
	ciphering.use = &use;
	TRY(encode_plain(item, &plain, block->value, wrapping));
	TRY(encrypt(item, &wrapped, &ciphering, buf_slice(&plain)));
	TRY(describe(item, block, wrapping, &ciphering));
	block->wrapped_value = arena_copy(item->arena, buf_slice(&wrapped));
	TRY(block->wrapped_value.data == NULL ? ERR_NOMEM : ERR_OK);
	block->value = NULL;
	wrapping->key = use.object;
	wrapping->bytes = buf_slice(&plain).len;
out:
	buf_free(&plain);
	buf_free(&wrapped);
	return err;
}

/* ---- the way back ---- */

/* The tag of an AEAD stands behind what it seals. */
static enum err decrypt(
	struct kmip_item *item, struct buf *out, struct ciphering *ciphering, struct slice wrapped)
{
	size_t tag_len = ciphering_is_aead(ciphering->use)
				 ? ciphering_tag_len(&ciphering->use->parameters)
				 : 0;
	struct run run = { 0 };
	bool is_valid = true;
	enum err err;

	TRY(wrapped.len <= tag_len ? ERR_CRYPTO : ERR_OK);
	ciphering->tag = slice_cut(wrapped, wrapped.len - tag_len, tag_len);
	wrapped = slice_cut(wrapped, 0, wrapped.len - tag_len);
	TRY(ciphering_begin(item, &run, ciphering));
	TRY(run_update(&run, wrapped, out));
	TRY(run_finish(&run, out, NULL, &is_valid));
	TRY(is_valid ? ERR_OK : ERR_CRYPTO);
out:
	run_clear(&run);
	return err;
}

/* Bytes that the right key gave are a Key Value; others are none. */
static enum err decode_plain(struct kmip_item *item, struct kmip_key_block *block,
	struct slice plain, uint32_t encoding_option)
{
	struct kmip_key_value *value = ARENA_NEW(item->arena, struct kmip_key_value);
	struct codec codec = item_codec(item);
	struct ttlv_item outer;

	if (value == NULL)
		return ERR_NOMEM;
	if (encoding_option == KMIP_ENCODING_OPTION_NO_ENCODING) {
		value->material = plain;
	} else if (ttlv_single(&outer, plain) != ERR_OK || outer.tag != KMIP_TAG_KEY_VALUE ||
		   outer.type != KMIP_TYPE_STRUCTURE || ttlv_check(outer.value, 1) != ERR_OK ||
		   codec_decode(&codec, value, &kmip_key_value_table, outer.value) != ERR_OK) {
		return ERR_CRYPTO;
	}
	block->value = value;
	block->wrapped_value = SLICE_EMPTY;
	block->wrapping_data = NULL;
	return ERR_OK;
}

enum err wrapping_remove(struct kmip_item *item, struct kmip_key_block *block)
{
	const struct kmip_key_wrapping_data *data = block->wrapping_data;
	struct ciphering ciphering = { .iv = data->iv_counter_nonce };
	struct slice copy;
	struct using use;
	struct buf plain;
	enum err err = ERR_OK;

	buf_init(&plain, PLAIN_LEN_MAX);
	if (data->wrapping_method.value != KMIP_WRAPPING_METHOD_ENCRYPT || data->mac_key != NULL)
		TRY(ERR_FEATURE);
	TRY(data->encryption_key == NULL ? ERR_FIELD : ERR_OK);
	TRY(find_key(&use, item, data->encryption_key, false));
	ciphering.use = &use;
	err = decrypt(item, &plain, &ciphering, block->wrapped_value);
	TRY(err == ERR_LIMIT ? ERR_FIELD : err);
	copy = arena_copy(item->arena, buf_slice(&plain));
	TRY(copy.data == NULL ? ERR_NOMEM : ERR_OK);
	TRY(decode_plain(item, block, copy, data->encoding_option.value));
out:
	buf_free(&plain);
	return err;
}
