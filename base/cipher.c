/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cipher.h"
#include <limits.h>
#include <stdlib.h>
#include "base/fetched.h"
#include "base/rand.h"
#include "base/secret.h"

struct cipher {
	EVP_CIPHER_CTX *context;
	const EVP_CIPHER *algorithm;
	struct cipher_facts facts;
	int mode;
	enum cipher_padding padding;
	bool encrypt, gathers;
	size_t open_len; /* what the last block has got */
	size_t tag_len;
	struct buf gathered; /* what comes before the end, where it gathers */
	struct buf aad; /* CCM wants the length of all before it */
};

static struct cipher_facts facts_of(const EVP_CIPHER *algorithm)
{
	int mode = EVP_CIPHER_get_mode(algorithm);
	bool is_aead = (EVP_CIPHER_get_flags(algorithm) & EVP_CIPH_FLAG_AEAD_CIPHER) != 0;

	return (struct cipher_facts){ .key_len = (size_t) EVP_CIPHER_get_key_length(algorithm),
		.iv_len = (size_t) EVP_CIPHER_get_iv_length(algorithm),
		.block_len = (size_t) EVP_CIPHER_get_block_size(algorithm),
		.is_aead = is_aead,
		.is_wrap = mode == EVP_CIPH_WRAP_MODE,
		.has_any_iv_len = is_aead };
}

enum err cipher_facts(struct cipher_facts *out, const char *algorithm)
{
	const EVP_CIPHER *fetched = fetched_cipher(algorithm);

	if (fetched == NULL)
		return ERR_FEATURE;
	*out = facts_of(fetched);
	return ERR_OK;
}

static enum err cipher_judge(const struct cipher *cipher, const struct cipher_options *options)
{
	const struct cipher_facts *facts = &cipher->facts;
	bool may_lack_iv = facts->is_wrap || facts->iv_len == 0;

	if (options->key.len != facts->key_len)
		return ERR_FIELD;
	if (facts->has_any_iv_len)
		return options->iv.len == 0 ? ERR_FIELD : ERR_OK;
	if (options->iv.len == 0 && may_lack_iv)
		return ERR_OK;
	return options->iv.len == facts->iv_len ? ERR_OK : ERR_FIELD;
}

/* IV length and, where the mode wants them before the key, tag and tag length. */
static enum err cipher_prepare_aead(struct cipher *cipher, const struct cipher_options *options)
{
	EVP_CIPHER_CTX *context = cipher->context;
	uint8_t tag[CIPHER_TAG_LEN_MAX];
	size_t tag_len = options->encrypt ? options->tag_len : options->tag.len;
	int good = 1;

	if (tag_len == 0 || tag_len > sizeof(tag) || options->iv.len > INT_MAX)
		return ERR_CRYPTO;
	cipher->tag_len = tag_len;
	good = EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_IVLEN, (int) options->iv.len, NULL);
	if (good == 1 && !options->encrypt) {
		bytes_copy(tag, options->tag.data, tag_len);
		good = EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, (int) tag_len, tag);
	} else if (good == 1 && cipher->mode == EVP_CIPH_CCM_MODE) {
		good = EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, (int) tag_len, NULL);
	}
	return good == 1 ? ERR_OK : ERR_CRYPTO;
}

static enum err cipher_feed_aad(struct cipher *cipher, struct slice aad)
{
	int len;

	if (aad.len > INT_MAX)
		return ERR_LIMIT;
	if (aad.len == 0 ||
		EVP_CipherUpdate(cipher->context, NULL, &len, aad.data, (int) aad.len) == 1)
		return ERR_OK;
	return ERR_CRYPTO;
}

static enum err cipher_begin(struct cipher *cipher, const struct cipher_options *options)
{
	int encrypt = options->encrypt ? 1 : 0;
	enum err err = ERR_OK;

	EVP_CIPHER_CTX_set_flags(cipher->context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (EVP_CipherInit_ex2(cipher->context, cipher->algorithm, NULL, NULL, encrypt, NULL) != 1)
		return ERR_CRYPTO;
	if (cipher->facts.is_aead)
		TRY(cipher_prepare_aead(cipher, options));
	if (EVP_CipherInit_ex2(cipher->context, NULL, options->key.data,
		    options->iv.len > 0 ? options->iv.data : NULL, encrypt, NULL) != 1)
		TRY(ERR_CRYPTO);
	EVP_CIPHER_CTX_set_padding(
		cipher->context, options->padding == CIPHER_PADDING_PKCS5 ? 1 : 0);
	if (cipher->mode == EVP_CIPH_CCM_MODE)
		TRY(buf_append(&cipher->aad, options->aad));
	else if (cipher->facts.is_aead)
		TRY(cipher_feed_aad(cipher, options->aad));
out:
	return err;
}

/* OpenSSL has one padding. */
static bool pads_itself(const struct cipher *cipher)
{
	return cipher->padding == CIPHER_PADDING_X9_23 ||
	       cipher->padding == CIPHER_PADDING_ISO_10126;
}

/* A second piece would begin again, under the same tweak or nonce; and what an AEAD opens is
 * nothing before its tag is judged (SP 800-38D, 7.2). */
static bool has_to_gather(const struct cipher *cipher)
{
	return cipher->facts.is_wrap || cipher->mode == EVP_CIPH_CCM_MODE ||
	       cipher->mode == EVP_CIPH_XTS_MODE ||
	       (!cipher->encrypt && (cipher->facts.is_aead || pads_itself(cipher)));
}

enum err cipher_new(struct cipher **out, const struct cipher_options *options)
{
	struct cipher *cipher = calloc(1, sizeof(*cipher));
	enum err err = cipher == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	buf_init(&cipher->gathered, CIPHER_GATHERED_MAX);
	buf_init(&cipher->aad, CIPHER_GATHERED_MAX);
	cipher->algorithm = fetched_cipher(options->algorithm);
	TRY(cipher->algorithm == NULL ? ERR_FEATURE : ERR_OK);
	cipher->facts = facts_of(cipher->algorithm);
	cipher->mode = EVP_CIPHER_get_mode(cipher->algorithm);
	cipher->encrypt = options->encrypt;
	cipher->padding = options->padding;
	cipher->gathers = has_to_gather(cipher);
	TRY(cipher_judge(cipher, options));
	cipher->context = EVP_CIPHER_CTX_new();
	TRY(cipher->context == NULL ? ERR_NOMEM : ERR_OK);
	TRY(cipher_begin(cipher, options));
	*out = cipher;
	cipher = NULL;
out:
	cipher_free(cipher);
	ERR_clear_error();
	return err;
}

static enum err cipher_feed(struct cipher *cipher, struct buf *out, struct slice piece)
{
	uint8_t *to;
	int len = 0;
	enum err err;

	if (piece.len > INT_MAX - 2 * EVP_MAX_BLOCK_LENGTH)
		return ERR_LIMIT;
	/* Key wrapping adds up to two blocks, the other modes less than one. */
	TRY(buf_reserve(out, piece.len + 2 * EVP_MAX_BLOCK_LENGTH, &to));
	if (EVP_CipherUpdate(cipher->context, to, &len, piece.data, (int) piece.len) != 1) {
		ERR_clear_error();
		err = ERR_CRYPTO;
		goto out;
	}
	buf_commit(out, (size_t) len);
out:
	return err;
}

enum err cipher_update(struct cipher *cipher, struct buf *out, struct slice piece)
{
	if (piece.len == 0)
		return ERR_OK;
	cipher->open_len = (cipher->open_len + piece.len) % cipher->facts.block_len;
	return cipher->gathers ? buf_append(&cipher->gathered, piece)
			       : cipher_feed(cipher, out, piece);
}

size_t cipher_held(const struct cipher *cipher)
{
	return buf_slice(&cipher->gathered).len;
}

/* The last byte counts the padding; the others are zero (ANSI X9.23) or anything (ISO 10126). */
static enum err write_padding(struct cipher *cipher, struct buf *out)
{
	uint8_t padding[EVP_MAX_BLOCK_LENGTH] = { 0 };
	size_t len = cipher->facts.block_len - cipher->open_len;

	if (cipher->padding == CIPHER_PADDING_ISO_10126)
		rand_bytes(padding, len);
	padding[len - 1] = (uint8_t) len;
	return cipher_feed(cipher, out, slice_of(padding, len));
}

static enum err judge_padding(const struct cipher *cipher, struct slice *padded)
{
	size_t len = padded->len == 0 ? 0 : padded->data[padded->len - 1];
	uint8_t others = 0;

	if (len == 0 || len > cipher->facts.block_len || len > padded->len)
		return ERR_CRYPTO;
	for (size_t i = 2; i <= len; i++)
		others |= padded->data[padded->len - i];
	if (cipher->padding == CIPHER_PADDING_X9_23 && others != 0)
		return ERR_CRYPTO;
	padded->len -= len;
	return ERR_OK;
}

static enum err finish_padded(struct cipher *cipher, struct buf *out, struct slice all)
{
	struct buf padded;
	struct slice plain;
	enum err err;

	if (cipher->encrypt)
		return write_padding(cipher, out);
	buf_init(&padded, CIPHER_GATHERED_MAX + 2 * EVP_MAX_BLOCK_LENGTH);
	TRY(all.len == 0 || cipher->open_len != 0 ? ERR_CRYPTO : ERR_OK);
	TRY(cipher_feed(cipher, &padded, all));
	plain = buf_slice(&padded);
	TRY(judge_padding(cipher, &plain));
	TRY(buf_append(out, plain));
out:
	buf_free(&padded);
	return err;
}

/* Length of all, associated data, and all: the tag is made or judged with that. */
static enum err finish_ccm(struct cipher *cipher, struct buf *out, struct slice all)
{
	static const uint8_t nothing[1];
	int len = 0;
	enum err err;

	if (EVP_CipherUpdate(cipher->context, NULL, &len, NULL, (int) all.len) != 1)
		TRY(ERR_CRYPTO);
	TRY(cipher_feed_aad(cipher, buf_slice(&cipher->aad)));
	TRY(cipher_feed(cipher, out, all.len > 0 ? all : slice_of(nothing, 0)));
out:
	ERR_clear_error();
	return err;
}

enum err cipher_finish(struct cipher *cipher, struct buf *out)
{
	struct slice all = buf_slice(&cipher->gathered);
	uint8_t *to;
	int len = 0;
	enum err err = ERR_OK;

	if (cipher->mode == EVP_CIPH_CCM_MODE)
		return finish_ccm(cipher, out, all);
	if (pads_itself(cipher))
		return finish_padded(cipher, out, all);
	/* There is no key of no bytes. */
	if (cipher->facts.is_wrap)
		return all.len == 0 ? ERR_CRYPTO : cipher_feed(cipher, out, all);
	if (all.len > 0)
		TRY(cipher_feed(cipher, out, all));
	TRY(buf_reserve(out, EVP_MAX_BLOCK_LENGTH, &to));
	if (EVP_CipherFinal_ex(cipher->context, to, &len) != 1) {
		ERR_clear_error();
		err = cipher->encrypt && !cipher->facts.is_aead ? ERR_FIELD : ERR_CRYPTO;
		goto out;
	}
	buf_commit(out, (size_t) len);
out:
	return err;
}

enum err cipher_tag(struct cipher *cipher, struct buf *out)
{
	uint8_t *to;
	enum err err;

	ASSERT(cipher->encrypt && cipher->facts.is_aead);
	TRY(buf_reserve(out, cipher->tag_len, &to));
	if (EVP_CIPHER_CTX_ctrl(
		    cipher->context, EVP_CTRL_AEAD_GET_TAG, (int) cipher->tag_len, to) != 1) {
		ERR_clear_error();
		err = ERR_CRYPTO;
		goto out;
	}
	buf_commit(out, cipher->tag_len);
out:
	return err;
}

void cipher_free(struct cipher *cipher)
{
	if (cipher == NULL)
		return;
	EVP_CIPHER_CTX_free(cipher->context);
	buf_free(&cipher->gathered);
	buf_free(&cipher->aad);
	free(cipher);
}
