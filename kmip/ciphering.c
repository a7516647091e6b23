/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/ciphering.h"
#include <stdlib.h>
#include "base/rand.h"
#include "kmip/crypto_names.h"
#include "kmip/policing.h"
#include "kmip/signing.h"

enum {
	BYTE_BITS = 8,
	AEAD_IV_LEN = 12,
	AEAD_IV_LEN_MAX = 128, /* OpenSSL's */
	TAG_LEN_MIN = 12,
	TAG_LEN_SHORT = 4, /* also twice: for those who know how often it may be guessed */
	COUNTER_LEN_MAX = 8,
	CHACHA20_COUNTER_LEN = 4
};

bool ciphering_is_aead(const struct using *use)
{
	uint32_t mode = use->parameters.block_cipher_mode.value;

	return mode == KMIP_BLOCK_CIPHER_MODE_GCM || mode == KMIP_BLOCK_CIPHER_MODE_CCM ||
	       use->algorithm == KMIP_CRYPTOGRAPHIC_ALGORITHM_CHACHA20POLY1305;
}

size_t ciphering_tag_len(const struct kmip_cryptographic_parameters *parameters)
{
	const struct kmip_int *said = &parameters->tag_length_bytes;

	if (!said->has)
		return CIPHER_TAG_LEN_MAX;
	return said->value < 0 ? 0 : (size_t) said->value;
}

static enum err judge_padding(
	struct kmip_item *item, const struct using *use, enum cipher_padding *padding)
{
	uint32_t mode = use->parameters.block_cipher_mode.value;

	*padding = CIPHER_PADDING_NONE;
	switch (use->parameters.padding_method.value) {
	case 0:
	case KMIP_PADDING_METHOD_NONE:
		return ERR_OK;
	case KMIP_PADDING_METHOD_PKCS5:
		*padding = CIPHER_PADDING_PKCS5;
		break;
	case KMIP_PADDING_METHOD_ANSI_X9_23:
		*padding = CIPHER_PADDING_X9_23;
		break;
	case KMIP_PADDING_METHOD_ISO_10126:
		*padding = CIPHER_PADDING_ISO_10126;
		break;
	default:
		item->complaint = slice_text(
			"Paddings of a cipher are None, PKCS5, ANSI X9.23 and ISO 10126");
		return ERR_FEATURE;
	}
	/* Only these two leave an open end. */
	if (mode != KMIP_BLOCK_CIPHER_MODE_CBC && mode != KMIP_BLOCK_CIPHER_MODE_ECB)
		*padding = CIPHER_PADDING_NONE;
	return ERR_OK;
}

/* ---- IV, counter, nonce ---- */

static bool is_counter_mode(const struct using *use)
{
	return use->parameters.block_cipher_mode.value == KMIP_BLOCK_CIPHER_MODE_CTR;
}

static bool is_chacha20(const struct using *use)
{
	return use->algorithm == KMIP_CRYPTOGRAPHIC_ALGORITHM_CHACHA20;
}

/* 3.6: IV Length counts bits. */
static bool says_other_iv_len(const struct using *use, size_t len)
{
	const struct kmip_int *said = &use->parameters.iv_length_bits;

	return said->has && (said->value <= 0 || said->value != (int32_t) (BYTE_BITS * len));
}

/* How long an IV to draw. */
static size_t iv_len_of(const struct using *use, const struct cipher_facts *facts)
{
	const struct kmip_int *said = &use->parameters.iv_length_bits;
	bool may_choose = facts->has_any_iv_len || is_counter_mode(use) || is_chacha20(use);

	if (may_choose && said->has && said->value >= BYTE_BITS)
		return (size_t) said->value / BYTE_BITS;
	if (is_chacha20(use))
		return facts->iv_len - CHACHA20_COUNTER_LEN;
	return facts->has_any_iv_len ? AEAD_IV_LEN : facts->iv_len;
}

static enum err draw_iv(
	struct kmip_item *item, struct ciphering *ciphering, const struct cipher_facts *facts)
{
	const struct kmip_bool *random = &ciphering->use->parameters.random_iv;
	size_t len = iv_len_of(ciphering->use, facts);
	uint8_t *iv;

	if (facts->iv_len == 0 || facts->is_wrap)
		return ERR_OK;
	/* 4.29: a client that says no to a random one has to give one. */
	if (!ciphering->encrypt || (random->has && !random->value))
		return ERR_MESSAGE;
	/* Shorter ones, drawn, would repeat (SP 800-38D, 8.2.2). */
	if (facts->has_any_iv_len && (len < AEAD_IV_LEN || len > AEAD_IV_LEN_MAX))
		return ERR_FIELD;
	if (len > AEAD_IV_LEN_MAX || says_other_iv_len(ciphering->use, len))
		return ERR_FIELD;
	iv = arena_alloc(item->arena, len);
	if (iv == NULL)
		return ERR_NOMEM;
	rand_bytes(iv, len);
	ciphering->iv = slice_of(iv, len);
	ciphering->drew_iv = true;
	return ERR_OK;
}

static void write_counter(uint8_t *to, size_t len, uint32_t value, bool is_big_endian)
{
	for (size_t i = 0; i < len && i < sizeof(value); i++)
		to[is_big_endian ? len - 1 - i : i] = (uint8_t) (value >> (BYTE_BITS * i));
}

/* An IV that leaves room for the counter: in front of it in CTR (RFC 3686, where it begins with 1),
 * behind it for ChaCha20 (RFC 8439), little-endian, where nonces of 8 bytes are older. */
static enum err join_counter(
	struct kmip_item *item, const struct using *use, size_t whole_len, struct slice *iv)
{
	const struct kmip_cryptographic_parameters *said = &use->parameters;
	bool is_ctr = is_counter_mode(use);
	uint32_t first = said->initial_counter_value.has
				 ? (uint32_t) said->initial_counter_value.value
				 : (is_ctr ? 1 : 0);
	size_t len = whole_len > iv->len ? whole_len - iv->len : 0;
	uint8_t *whole;

	if (len == 0 || iv->len == 0)
		return ERR_OK;
	if (is_ctr ? len > COUNTER_LEN_MAX : len != COUNTER_LEN_MAX && len != CHACHA20_COUNTER_LEN)
		return ERR_FIELD;
	if (said->counter_length.has && said->counter_length.value != (int32_t) (BYTE_BITS * len))
		return ERR_FIELD;
	whole = arena_alloc(item->arena, whole_len);
	if (whole == NULL)
		return ERR_NOMEM;
	write_counter(whole + (is_ctr ? iv->len : 0), len, first, is_ctr);
	bytes_copy(whole + (is_ctr ? 0 : len), iv->data, iv->len);
	*iv = slice_of(whole, whole_len);
	return ERR_OK;
}

static enum err find_iv(struct kmip_item *item, struct ciphering *ciphering,
	const struct cipher_facts *facts, struct slice *iv)
{
	const struct using *use = ciphering->use;
	enum err err = ERR_OK;

	if (ciphering->iv.len == 0)
		TRY(draw_iv(item, ciphering, facts));
	else if (says_other_iv_len(use, ciphering->iv.len))
		TRY(ERR_FIELD);
	*iv = ciphering->iv;
	if (is_counter_mode(use) || is_chacha20(use))
		TRY(join_counter(item, use, facts->iv_len, iv));
out:
	return err;
}

/* ---- what an AEAD has more ---- */

/* SP 800-38C, 5.4, and SP 800-38D, 5.2.1.2. */
static bool is_tag_len(const struct using *use, size_t len)
{
	bool is_long = len >= TAG_LEN_MIN && len <= CIPHER_TAG_LEN_MAX;

	switch (use->parameters.block_cipher_mode.value) {
	case KMIP_BLOCK_CIPHER_MODE_CCM:
		return len >= TAG_LEN_SHORT && len <= CIPHER_TAG_LEN_MAX && len % 2 == 0;
	case KMIP_BLOCK_CIPHER_MODE_GCM:
		return is_long || len == TAG_LEN_SHORT || len == 2 * TAG_LEN_SHORT;
	default:
		return is_long;
	}
}

static enum err judge_tag(const struct ciphering *ciphering, struct cipher_options *options)
{
	size_t len = ciphering_tag_len(&ciphering->use->parameters);

	options->tag_len = len;
	options->tag = ciphering->tag;
	if (!is_tag_len(ciphering->use, len))
		return ERR_TAG_LENGTH;
	if (ciphering->encrypt)
		return ERR_OK;
	/* One that was cut short would be easier to guess than the client wants. */
	if (ciphering->use->parameters.tag_length_bytes.has && ciphering->tag.len != len)
		return ERR_CRYPTO;
	return ciphering->tag.len == len || ciphering->tag.len >= TAG_LEN_MIN ? ERR_OK : ERR_CRYPTO;
}

/* Associated data and tag mean nothing to what does not authenticate: it would be taken for
 * authentic. */
static enum err judge_extras(
	const struct ciphering *ciphering, struct cipher_options *options, bool is_aead)
{
	if (is_aead)
		return judge_tag(ciphering, options);
	return ciphering->aad.len > 0 || ciphering->tag.len > 0 ? ERR_FIELD : ERR_OK;
}

static enum err begin_whole(
	struct kmip_item *item, struct run *run, const struct ciphering *ciphering)
{
	struct run_whole *whole = calloc(1, sizeof(*whole));
	enum err err = whole == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	run->whole = whole;
	buf_init(&whole->in, RUN_WHOLE_LEN_MAX);
	whole->encrypts = ciphering->encrypt;
	TRY(signing_encryption(&whole->use, ciphering->use));
	if (whole->use.label.len > 0)
		TRY(secret_new(&whole->label, whole->use.label));
	TRY(signing_key(&whole->key, ciphering->use));
	if (ciphering->encrypt) {
		TRY(policing_pkey(item, ciphering->use->algorithm, whole->key));
		TRY(policing_encryption(item, &whole->use));
	}
out:
	return err;
}

/* Nobody keeps count of what of a pad was used before: who wants it used once sets Usage Limits. */
static enum err begin_pad(struct run *run, const struct using *use)
{
	struct run_pad *pad = calloc(1, sizeof(*pad));
	enum err err = pad == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	run->pad = pad;
	TRY(use->material.len == 0 ? ERR_KEY_ABSENT : ERR_OK);
	TRY(secret_new(&pad->bytes, use->material));
out:
	return err;
}

static bool is_asymmetric(const struct object *object)
{
	return (KMIP_TO(object->type) & (KMIP_TO_ASYMMETRIC | KMIP_TO_CERTIFICATE)) != 0;
}

/* What is protected already can be opened. */
static enum err judge_policy(struct kmip_item *item, const struct using *use)
{
	struct algorithm_key key = { .algorithm = use->algorithm };
	enum err err;

	TRY(algorithm_judge_key(&key, use->material.len));
	TRY(policing_key(item, &key));
out:
	return err;
}

enum err ciphering_begin(struct kmip_item *item, struct run *run, struct ciphering *ciphering)
{
	const struct using *use = ciphering->use;
	const struct kmip_uint *said = &use->parameters.cryptographic_algorithm;
	struct crypto_cipher wanted = { .algorithm = use->algorithm,
		.mode = use->parameters.block_cipher_mode.value,
		.key_len = use->material.len };
	char name[CIPHER_NAME_LEN_MAX];
	struct cipher_options options = { .algorithm = name,
		.encrypt = ciphering->encrypt,
		.key = use->material,
		.aad = ciphering->aad };
	struct cipher_facts facts;
	enum err err;

	if (said->has && said->value != use->algorithm)
		TRY(ERR_FIELD);
	if (is_asymmetric(use->object))
		return begin_whole(item, run, ciphering);
	TRY(using_judge_symmetric(use));
	if (use->algorithm == KMIP_CRYPTOGRAPHIC_ALGORITHM_ONE_TIME_PAD && ciphering->encrypt)
		TRY(judge_policy(item, use));
	if (use->algorithm == KMIP_CRYPTOGRAPHIC_ALGORITHM_ONE_TIME_PAD)
		return begin_pad(run, use);
	/* It authenticates, and has a name for that. */
	TRY(wanted.mode == KMIP_BLOCK_CIPHER_MODE_CMAC ? ERR_FEATURE : ERR_OK);
	TRY(crypto_cipher_name(name, &wanted));
	if (ciphering->encrypt)
		TRY(judge_policy(item, use));
	TRY(cipher_facts(&facts, name));
	TRY(judge_padding(item, use, &options.padding));
	TRY(find_iv(item, ciphering, &facts, &options.iv));
	TRY(judge_extras(ciphering, &options, facts.is_aead));
	run->seals = facts.is_aead && ciphering->encrypt;
	run->joins_tag = item->version < KMIP_1_4;
	TRY(cipher_new(&run->cipher, &options));
out:
	return err;
}
