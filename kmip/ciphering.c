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
	TAG_LEN_MIN = 12,
	CHACHA20_COUNTER_LEN = 4,
	CHACHA20_IV_LEN = 16
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

static enum err judge_padding(const struct using *use, bool *pads)
{
	const struct kmip_uint *method = &use->parameters.padding_method;
	uint32_t mode = use->parameters.block_cipher_mode.value;

	*pads = false;
	if (!method->has || method->value == KMIP_PADDING_METHOD_NONE)
		return ERR_OK;
	if (method->value != KMIP_PADDING_METHOD_PKCS5)
		return ERR_FEATURE;
	/* Only these two leave an open end. */
	*pads = mode == KMIP_BLOCK_CIPHER_MODE_CBC || mode == KMIP_BLOCK_CIPHER_MODE_ECB;
	return ERR_OK;
}

/* How long an IV to draw. */
static size_t iv_len_of(const struct using *use, const struct cipher_facts *facts)
{
	const struct kmip_int *said = &use->parameters.iv_length_bits;

	if (facts->has_any_iv_len && said->has && said->value >= BYTE_BITS)
		return (size_t) said->value / BYTE_BITS;
	if (use->algorithm == KMIP_CRYPTOGRAPHIC_ALGORITHM_CHACHA20)
		return CHACHA20_IV_LEN - CHACHA20_COUNTER_LEN;
	return facts->has_any_iv_len ? AEAD_IV_LEN : facts->iv_len;
}

static enum err draw_iv(
	struct kmip_item *item, struct ciphering *ciphering, const struct cipher_facts *facts)
{
	size_t len = iv_len_of(ciphering->use, facts);
	uint8_t *iv;

	if (facts->iv_len == 0 || facts->is_wrap)
		return ERR_OK;
	if (!ciphering->encrypt)
		return ERR_MESSAGE;
	/* Shorter ones, drawn, would repeat (SP 800-38D, 8.2.2). */
	if (facts->has_any_iv_len && len < AEAD_IV_LEN)
		return ERR_FIELD;
	iv = arena_alloc(item->arena, len);
	if (iv == NULL)
		return ERR_NOMEM;
	rand_bytes(iv, len);
	ciphering->iv = slice_of(iv, len);
	ciphering->drew_iv = true;
	return ERR_OK;
}

/* OpenSSL's ChaCha20 takes the counter in front of the nonce (RFC 8439), little-endian. */
static enum err chacha20_iv(
	struct kmip_item *item, const struct ciphering *ciphering, struct slice *iv)
{
	uint32_t counter = (uint32_t) ciphering->use->parameters.initial_counter_value.value;
	uint8_t *whole;

	if (iv->len >= CHACHA20_IV_LEN || iv->len == 0)
		return ERR_OK;
	whole = arena_alloc(item->arena, CHACHA20_IV_LEN);
	if (whole == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < CHACHA20_COUNTER_LEN; i++)
		whole[i] = (uint8_t) (counter >> (BYTE_BITS * i));
	bytes_copy(whole + CHACHA20_IV_LEN - iv->len, iv->data, iv->len);
	*iv = slice_of(whole, CHACHA20_IV_LEN);
	return ERR_OK;
}

static enum err judge_tag(const struct ciphering *ciphering, struct cipher_options *options)
{
	size_t len = ciphering_tag_len(&ciphering->use->parameters);

	options->tag_len = len;
	options->tag = ciphering->tag;
	if (len < TAG_LEN_MIN || len > CIPHER_TAG_LEN_MAX)
		return ERR_TAG_LENGTH;
	if (ciphering->encrypt)
		return ERR_OK;
	/* One that was cut short would be easier to guess than the client wants. */
	if (ciphering->use->parameters.tag_length_bytes.has && ciphering->tag.len != len)
		return ERR_CRYPTO;
	return ciphering->tag.len >= TAG_LEN_MIN ? ERR_OK : ERR_CRYPTO;
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
	return (KMIP_TO(object->type) & KMIP_TO_ASYMMETRIC) != 0;
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
		.aad = ciphering->aad,
		.total_len = ciphering->total_len };
	struct cipher_facts facts;
	enum err err;

	if (said->has && said->value != use->algorithm)
		TRY(ERR_FIELD);
	if (is_asymmetric(use->object))
		return begin_whole(item, run, ciphering);
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
	TRY(judge_padding(use, &options.pads));
	if (ciphering->iv.len == 0)
		TRY(draw_iv(item, ciphering, &facts));
	options.iv = ciphering->iv;
	if (use->algorithm == KMIP_CRYPTOGRAPHIC_ALGORITHM_CHACHA20)
		TRY(chacha20_iv(item, ciphering, &options.iv));
	if (facts.is_aead)
		TRY(judge_tag(ciphering, &options));
	run->seals = facts.is_aead && ciphering->encrypt;
	run->joins_tag = item->version < KMIP_1_4;
	TRY(cipher_new(&run->cipher, &options));
out:
	return err;
}
