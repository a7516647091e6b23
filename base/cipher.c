/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cipher.h"
#include <limits.h>
#include <stdlib.h>
#include "base/fetched.h"
#include "base/secret.h"

struct cipher {
	EVP_CIPHER_CTX *context;
	const EVP_CIPHER *algorithm;
	struct cipher_facts facts;
	int mode;
	bool encrypt, is_fed;
	size_t tag_len;
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

static enum err cipher_feed_aad(struct cipher *cipher, const struct cipher_options *options)
{
	int len;

	if (options->aad.len > INT_MAX || options->total_len > INT_MAX)
		return ERR_LIMIT;
	if (cipher->mode == EVP_CIPH_CCM_MODE &&
		EVP_CipherUpdate(cipher->context, NULL, &len, NULL, (int) options->total_len) != 1)
		return ERR_CRYPTO;
	if (options->aad.len > 0 && EVP_CipherUpdate(cipher->context, NULL, &len, options->aad.data,
					    (int) options->aad.len) != 1)
		return ERR_CRYPTO;
	return ERR_OK;
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
	EVP_CIPHER_CTX_set_padding(cipher->context, options->pads ? 1 : 0);
	if (cipher->facts.is_aead)
		TRY(cipher_feed_aad(cipher, options));
out:
	return err;
}

enum err cipher_new(struct cipher **out, const struct cipher_options *options)
{
	struct cipher *cipher = calloc(1, sizeof(*cipher));
	enum err err = cipher == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	cipher->algorithm = fetched_cipher(options->algorithm);
	TRY(cipher->algorithm == NULL ? ERR_FEATURE : ERR_OK);
	cipher->facts = facts_of(cipher->algorithm);
	cipher->mode = EVP_CIPHER_get_mode(cipher->algorithm);
	cipher->encrypt = options->encrypt;
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

/* A second piece would begin again, under the same tweak or nonce. */
static bool takes_one_piece(const struct cipher *cipher)
{
	return cipher->facts.is_wrap || cipher->mode == EVP_CIPH_CCM_MODE ||
	       cipher->mode == EVP_CIPH_XTS_MODE;
}

enum err cipher_update(struct cipher *cipher, struct buf *out, struct slice piece)
{
	uint8_t *to;
	int len = 0;
	enum err err;

	if (piece.len == 0)
		return ERR_OK;
	if (cipher->is_fed && takes_one_piece(cipher))
		return ERR_FEATURE;
	if (piece.len > INT_MAX - 2 * EVP_MAX_BLOCK_LENGTH)
		return ERR_LIMIT;
	cipher->is_fed = true;
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

/* CCM makes or judges the tag with the only piece: without one, with nothing. */
static enum err finish_ccm(struct cipher *cipher)
{
	static const uint8_t nothing[1];
	uint8_t none[EVP_MAX_BLOCK_LENGTH];
	int len = 0;

	if (cipher->is_fed || EVP_CipherUpdate(cipher->context, none, &len, nothing, 0) == 1)
		return ERR_OK;
	ERR_clear_error();
	return ERR_CRYPTO;
}

enum err cipher_finish(struct cipher *cipher, struct buf *out)
{
	uint8_t *to;
	int len = 0;
	enum err err;

	if (cipher->mode == EVP_CIPH_CCM_MODE)
		return finish_ccm(cipher);
	if (cipher->facts.is_wrap)
		return ERR_OK;
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
	free(cipher);
}
