/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/wrapping.h"
#include "kmip/ciphering.h"
#include "kmip/maccing.h"
#include "kmip/signing.h"
#include "kmip/ttlv_read.h"

enum { PLAIN_LEN_MAX = 2 * OBJECT_MATERIAL_LEN_MAX, WRAPPED_SLACK = 64 };

/* What a Wrapping Method does (9.1.3.2.4). */
struct method {
	bool encrypts, codes; /* codes: makes a MAC or a signature */
	bool codes_sealed; /* over what was encrypted */
};

static enum err find_method(struct method *out, struct kmip_item *item, uint32_t method)
{
	*out = (struct method){ .encrypts = method != KMIP_WRAPPING_METHOD_MAC_SIGN,
		.codes = method != KMIP_WRAPPING_METHOD_ENCRYPT,
		.codes_sealed = method == KMIP_WRAPPING_METHOD_ENCRYPT_THEN_MAC_SIGN };
	switch (method) {
	case KMIP_WRAPPING_METHOD_ENCRYPT:
	case KMIP_WRAPPING_METHOD_MAC_SIGN:
	case KMIP_WRAPPING_METHOD_ENCRYPT_THEN_MAC_SIGN:
	case KMIP_WRAPPING_METHOD_MAC_SIGN_THEN_ENCRYPT:
		return ERR_OK;
	default:
		item->complaint = slice_text("Keys are wrapped with Encrypt, MAC/sign, or both");
		return ERR_FEATURE;
	}
}

/* 2.1.5: one key for each of what it does. */
static enum err judge_keys(const struct method *method,
	const struct kmip_key_information *encryption, const struct kmip_key_information *mac)
{
	return method->encrypts == (encryption != NULL) && method->codes == (mac != NULL)
		       ? ERR_OK
		       : ERR_FIELD;
}

bool wrapping_hides(const struct kmip_key_wrapping_specification *specification)
{
	return specification->wrapping_method.value != KMIP_WRAPPING_METHOD_MAC_SIGN;
}

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

/* What is wrapped: the key's bytes, or its encoded Key Value. */
static enum err encode_plain(struct kmip_item *item, struct buf *out,
	const struct kmip_key_value *value, uint32_t encoding_option)
{
	if (encoding_option != KMIP_ENCODING_OPTION_NO_ENCODING)
		return codec_encode_structure(
			out, item->version, KMIP_TAG_KEY_VALUE, &kmip_key_value_table, value);
	if (value->material.data == NULL || value->attributes.count > 0)
		return ERR_ENCODING;
	return buf_append(out, value->material);
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

static enum err begin_using(struct using *out, struct kmip_item *item, const struct using_ask *ask)
{
	struct kmip_placeholder subject = item->subject;
	enum err err = using_begin(out, item, ask);

	item->subject = subject;
	TRY(err);
	if (ask->protects && ask->parameters != NULL)
		err = judge_parameters(item, out->object, ask->parameters);
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
	enum err err;

	TRY(begin_using(out, item, &ask));
	if (!out->parameters.block_cipher_mode.has && !out->parameters.padding_method.has)
		TRY(ERR_NOT_FOUND);
	/* Each key would be covered by the same bytes. */
	if (wraps && out->algorithm == KMIP_CRYPTOGRAPHIC_ALGORITHM_ONE_TIME_PAD)
		err = ERR_FEATURE;
out:
	return err;
}

/* ---- MAC or signature ---- */

static bool is_asymmetric(const struct object *object)
{
	return (KMIP_TO(object->type) & KMIP_TO_ASYMMETRIC) != 0;
}

/* The private key that signed, named in Key Wrapping Data, verifies as well; so does the public
 * one. */
static int32_t code_mask(const struct object *object, bool makes)
{
	if (!is_asymmetric(object))
		return makes ? KMIP_CRYPTOGRAPHIC_USAGE_MASK_MAC_GENERATE
			     : KMIP_CRYPTOGRAPHIC_USAGE_MASK_MAC_VERIFY;
	return makes || object->type == KMIP_OBJECT_TYPE_PRIVATE_KEY
		       ? KMIP_CRYPTOGRAPHIC_USAGE_MASK_SIGN
		       : KMIP_CRYPTOGRAPHIC_USAGE_MASK_VERIFY;
}

static enum err find_code_key(struct using *out, struct kmip_item *item,
	const struct kmip_key_information *information, bool makes)
{
	struct using_ask ask = { .uid = information->unique_identifier,
		.is_key = true, /* 11.12 */
		.protects = makes,
		.parameters = information->cryptographic_parameters };
	struct kmip_placeholder subject = item->subject;
	struct object *object;
	enum err err = item_object(item, ask.uid, &object);

	item->subject = subject;
	TRY(err);
	ask.mask = code_mask(object, makes);
	TRY(begin_using(out, item, &ask));
out:
	return err;
}

static enum err begin_code(
	struct kmip_item *item, struct run *run, const struct using *use, bool makes)
{
	if (!is_asymmetric(use->object))
		return maccing_begin(item, run, use, makes);
	return makes ? signing_begin(item, run, use) : signing_begin_verifying(run, use);
}

static enum err make_code(
	struct kmip_item *item, struct buf *out, const struct using *use, struct slice over)
{
	struct run run = { 0 };
	bool is_valid;
	enum err err;

	TRY(begin_code(item, &run, use, true));
	TRY(run_update(&run, over, out));
	TRY(run_finish(&run, out, NULL, &is_valid));
out:
	run_clear(&run);
	return err;
}

static enum err judge_code(
	struct kmip_item *item, const struct kmip_key_wrapping_data *data, struct slice over)
{
	struct run run = { 0 };
	struct using use;
	struct buf out;
	bool is_valid = false;
	enum err err;

	buf_init(&out, PKEY_LEN_MAX);
	TRY(data->mac_signature.len == 0 ? ERR_FIELD : ERR_OK);
	TRY(find_code_key(&use, item, data->mac_key, false));
	TRY(secret_new(&run.expected, data->mac_signature));
	TRY(begin_code(item, &run, &use, false));
	TRY(run_update(&run, over, &out));
	TRY(run_finish(&run, &out, NULL, &is_valid));
	TRY(is_valid ? ERR_OK : ERR_CRYPTO);
out:
	run_clear(&run);
	buf_free(&out);
	return err;
}

/* ---- wrapping ---- */

static enum err copy_information(struct kmip_item *item, struct kmip_key_information **out,
	const struct kmip_key_information *given)
{
	if (given == NULL)
		return ERR_OK;
	*out = ARENA_NEW(item->arena, struct kmip_key_information);
	if (*out == NULL)
		return ERR_NOMEM;
	**out = *given;
	return ERR_OK;
}

/* 2.1.3: of a wrapped key they are not to be seen otherwise. */
static void describe_key(struct kmip_key_block *block, const struct object *object)
{
	struct kmip_value value;

	if ((KMIP_TO(object->type) & KMIP_TO_KEYS) == 0)
		return;
	if (!block->cryptographic_algorithm.has &&
		object_attributes_stored(object, KMIP_ATTRIBUTE_CRYPTOGRAPHIC_ALGORITHM, &value))
		block->cryptographic_algorithm = KMIP_UINT(value.u32);
	if (!block->cryptographic_length_bits.has &&
		object_attributes_stored(object, KMIP_ATTRIBUTE_CRYPTOGRAPHIC_LENGTH, &value))
		block->cryptographic_length_bits = KMIP_INT(value.integer);
}

/* What is told beside the value. */
static enum err describe(struct kmip_item *item, struct kmip_key_wrapping_data **out,
	const struct kmip_key_wrapping_specification *given)
{
	struct kmip_key_wrapping_data *data = ARENA_NEW(item->arena, struct kmip_key_wrapping_data);
	enum err err = data == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	data->wrapping_method = given->wrapping_method;
	data->encoding_option = given->encoding_option;
	TRY(copy_information(item, &data->encryption_key, given->encryption_key));
	TRY(copy_information(item, &data->mac_key, given->mac_key));
	*out = data;
out:
	return err;
}

static enum err keep(struct kmip_item *item, struct slice *out, const struct buf *from)
{
	*out = arena_copy(item->arena, buf_slice(from));
	return out->data == NULL ? ERR_NOMEM : ERR_OK;
}

static enum err seal(struct kmip_item *item, struct kmip_key_block *block, struct slice plain,
	const struct using *use)
{
	struct ciphering ciphering = { .use = use };
	struct buf wrapped;
	enum err err;

	buf_init(&wrapped, PLAIN_LEN_MAX + WRAPPED_SLACK);
	TRY(encrypt(item, &wrapped, &ciphering, plain));
	TRY(keep(item, &block->wrapped_value, &wrapped));
	if (ciphering.drew_iv)
		block->wrapping_data->iv_counter_nonce = ciphering.iv;
	block->value = NULL;
out:
	buf_free(&wrapped);
	return err;
}

static enum err authenticate(struct kmip_item *item, struct kmip_key_block *block,
	struct slice over, const struct using *use)
{
	struct buf code;
	enum err err;

	buf_init(&code, PKEY_LEN_MAX);
	TRY(make_code(item, &code, use, over));
	TRY(keep(item, &block->wrapping_data->mac_signature, &code));
out:
	buf_free(&code);
	return err;
}

/* Keys are judged before anything is done with one. */
static enum err find_keys(struct using *encryption, struct using *mac, struct kmip_item *item,
	const struct kmip_key_wrapping_specification *given)
{
	enum err err = ERR_OK;

	if (given->encryption_key != NULL)
		TRY(find_key(encryption, item, given->encryption_key, true));
	if (given->mac_key != NULL)
		TRY(find_code_key(mac, item, given->mac_key, true));
out:
	return err;
}

enum err wrapping_apply(
	struct kmip_item *item, struct kmip_key_block *block, struct wrapping *wrapping)
{
	const struct kmip_key_wrapping_specification *given = wrapping->specification;
	struct using encryption = { 0 }, mac = { 0 };
	struct method method;
	struct buf plain;
	enum err err;

	buf_init(&plain, PLAIN_LEN_MAX);
	TRY(find_method(&method, item, given->wrapping_method.value));
	TRY(judge_keys(&method, given->encryption_key, given->mac_key));
	if (given->encoding_option.value == KMIP_ENCODING_OPTION_NO_ENCODING &&
		given->attribute_names.count > 0)
		TRY(ERR_ENCODING);
	TRY(block->wrapping_data != NULL ? ERR_ILLEGAL : ERR_OK); /* once is enough (4.11) */
	TRY(block->value == NULL ? ERR_KEY_ABSENT : ERR_OK);
	TRY(find_keys(&encryption, &mac, item, given));
	TRY(collect_attributes(item, block->value, wrapping));
	TRY(encode_plain(item, &plain, block->value, given->encoding_option.value));
	TRY(describe(item, &block->wrapping_data, given));
	describe_key(block, wrapping->object);
	if (method.codes && !method.codes_sealed)
		TRY(authenticate(item, block, buf_slice(&plain), &mac));
	if (method.encrypts)
		TRY(seal(item, block, buf_slice(&plain), &encryption));
	if (method.codes_sealed)
		TRY(authenticate(item, block, block->wrapped_value, &mac));
	wrapping->key = method.encrypts ? encryption.object : mac.object;
	wrapping->bytes = buf_slice(&plain).len;
out:
	buf_free(&plain);
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

static enum err open_sealed(struct kmip_item *item, struct kmip_key_block *block)
{
	const struct kmip_key_wrapping_data *data = block->wrapping_data;
	struct ciphering ciphering = { .iv = data->iv_counter_nonce };
	struct slice copy;
	struct using use;
	struct buf plain;
	enum err err;

	buf_init(&plain, PLAIN_LEN_MAX);
	TRY(find_key(&use, item, data->encryption_key, false));
	ciphering.use = &use;
	err = decrypt(item, &plain, &ciphering, block->wrapped_value);
	TRY(err == ERR_LIMIT ? ERR_FIELD : err);
	TRY(keep(item, &copy, &plain));
	if (data->wrapping_method.value == KMIP_WRAPPING_METHOD_MAC_SIGN_THEN_ENCRYPT)
		TRY(judge_code(item, data, copy));
	TRY(decode_plain(item, block, copy, data->encoding_option.value));
out:
	buf_free(&plain);
	return err;
}

/* What was not encrypted is there to be read; only who wrote it is in question. */
static enum err open_plain(struct kmip_item *item, struct kmip_key_block *block)
{
	const struct kmip_key_wrapping_data *data = block->wrapping_data;
	struct buf plain;
	enum err err;

	buf_init(&plain, PLAIN_LEN_MAX);
	TRY(block->value == NULL ? ERR_FIELD : ERR_OK);
	err = encode_plain(item, &plain, block->value, data->encoding_option.value);
	TRY(err == ERR_LIMIT ? ERR_FIELD : err);
	TRY(judge_code(item, data, buf_slice(&plain)));
	block->wrapping_data = NULL;
out:
	buf_free(&plain);
	return err;
}

enum err wrapping_remove(struct kmip_item *item, struct kmip_key_block *block)
{
	const struct kmip_key_wrapping_data *data = block->wrapping_data;
	struct method method;
	enum err err;

	TRY(find_method(&method, item, data->wrapping_method.value));
	TRY(judge_keys(&method, data->encryption_key, data->mac_key));
	if (!method.encrypts)
		return open_plain(item, block);
	if (method.codes_sealed)
		TRY(judge_code(item, data, block->wrapped_value));
	TRY(open_sealed(item, block));
out:
	return err;
}
