/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/wrapping.h"
#include "kmip/ciphering.h"

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
	ciphering->total_len = plain.len;
	TRY(ciphering_begin(item, &run, ciphering));
	run.joins_tag = true; /* Key Wrapping Data have no place for it */
	TRY(run_update(&run, plain, out));
	TRY(run_finish(&run, out, NULL, &is_valid));
out:
	run_clear(&run);
	return err;
}

static enum err find_key(
	struct using *out, struct kmip_item *item, const struct kmip_key_information *information)
{
	struct using_ask ask = { .uid = information->unique_identifier,
		.mask = KMIP_CRYPTOGRAPHIC_USAGE_MASK_WRAP_KEY,
		.protects = true,
		.parameters = information->cryptographic_parameters };
	struct kmip_placeholder subject = item->subject;
	enum err err = using_begin(out, item, &ask);

	item->subject = subject;
	TRY(err);
	if (!out->parameters.block_cipher_mode.has && !out->parameters.padding_method.has)
		err = ERR_NOT_FOUND;
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
	struct kmip_item *item, struct kmip_key_block *block, const struct wrapping *wrapping)
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
	TRY(find_key(&use, item, given->encryption_key));
	ciphering.use = &use;
	TRY(encode_plain(item, &plain, block->value, wrapping));
	TRY(encrypt(item, &wrapped, &ciphering, buf_slice(&plain)));
	TRY(describe(item, block, wrapping, &ciphering));
	block->wrapped_value = arena_copy(item->arena, buf_slice(&wrapped));
	TRY(block->wrapped_value.data == NULL ? ERR_NOMEM : ERR_OK);
	block->value = NULL;
out:
	buf_free(&plain);
	buf_free(&wrapped);
	return err;
}
