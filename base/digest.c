/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"
#include <limits.h>
#include <stdlib.h>
#include "base/fetched.h"

struct digest {
	EVP_MD_CTX *hash; /* one of the two */
	EVP_MAC_CTX *mac;
};

static enum err digest_failed(enum err err)
{
	ERR_clear_error();
	return err;
}

enum err digest_new(struct digest **out, const char *hash)
{
	const EVP_MD *algorithm = fetched_hash(hash);
	struct digest *digest = NULL;
	enum err err = algorithm == NULL ? ERR_FEATURE : ERR_OK;

	TRY(err);
	digest = calloc(1, sizeof(*digest));
	TRY(digest == NULL ? ERR_NOMEM : ERR_OK);
	digest->hash = EVP_MD_CTX_new();
	TRY(digest->hash == NULL ? ERR_NOMEM : ERR_OK);
	if (EVP_DigestInit_ex2(digest->hash, algorithm, NULL) != 1)
		TRY(digest_failed(ERR_CRYPTO));
	*out = digest;
	digest = NULL;
out:
	digest_free(digest);
	return err;
}

/* Texts are parameters of OpenSSL that it does not write to. */
static OSSL_PARAM param_text(const char *name, const char *text)
{
	return OSSL_PARAM_construct_utf8_string(name, (char *) text, 0);
}

static OSSL_PARAM param_bytes(const char *name, struct slice bytes)
{
	return OSSL_PARAM_construct_octet_string(name, (void *) bytes.data, bytes.len);
}

static const char *mac_name(const struct digest_mac *options)
{
	if (options->hash != NULL)
		return "HMAC";
	if (options->cipher == NULL)
		return "POLY1305";
	return options->iv.len > 0 ? "GMAC" : "CMAC";
}

static enum err mac_begin(EVP_MAC_CTX *context, const struct digest_mac *options)
{
	OSSL_PARAM params[3];
	size_t count = 0;

	if (options->hash != NULL)
		params[count++] = param_text(OSSL_MAC_PARAM_DIGEST, options->hash);
	else if (options->cipher != NULL)
		params[count++] = param_text(OSSL_MAC_PARAM_CIPHER, options->cipher);
	if (options->iv.len > 0)
		params[count++] = param_bytes(OSSL_MAC_PARAM_IV, options->iv);
	params[count] = OSSL_PARAM_construct_end();
	if (EVP_MAC_CTX_set_params(context, params) != 1)
		return digest_failed(ERR_FEATURE);
	return EVP_MAC_init(context, options->key.data, options->key.len, NULL) == 1
		       ? ERR_OK
		       : digest_failed(ERR_FIELD);
}

enum err digest_new_mac(struct digest **out, const struct digest_mac *options)
{
	EVP_MAC *algorithm = fetched_mac(mac_name(options));
	struct digest *digest = NULL;
	enum err err = algorithm == NULL ? ERR_FEATURE : ERR_OK;

	TRY(err);
	digest = calloc(1, sizeof(*digest));
	TRY(digest == NULL ? ERR_NOMEM : ERR_OK);
	digest->mac = EVP_MAC_CTX_new(algorithm);
	TRY(digest->mac == NULL ? ERR_NOMEM : ERR_OK);
	TRY(mac_begin(digest->mac, options));
	*out = digest;
	digest = NULL;
out:
	digest_free(digest);
	return err;
}

enum err digest_update(struct digest *digest, struct slice piece)
{
	int good;

	if (piece.len == 0)
		return ERR_OK;
	good = digest->hash != NULL ? EVP_DigestUpdate(digest->hash, piece.data, piece.len)
				    : EVP_MAC_update(digest->mac, piece.data, piece.len);
	return good == 1 ? ERR_OK : digest_failed(ERR_CRYPTO);
}

enum err digest_finish(struct digest *digest, struct buf *out)
{
	unsigned hash_len = 0;
	size_t len = 0;
	uint8_t *to;
	enum err err;
	int good;

	TRY(buf_reserve(out, DIGEST_LEN_MAX, &to));
	if (digest->hash != NULL) {
		good = EVP_DigestFinal_ex(digest->hash, to, &hash_len);
		len = hash_len;
	} else {
		good = EVP_MAC_final(digest->mac, to, &len, DIGEST_LEN_MAX);
	}
	TRY(good == 1 ? ERR_OK : digest_failed(ERR_CRYPTO));
	buf_commit(out, len);
out:
	return err;
}

void digest_free(struct digest *digest)
{
	if (digest == NULL)
		return;
	EVP_MD_CTX_free(digest->hash);
	EVP_MAC_CTX_free(digest->mac);
	free(digest);
}

/* ---- derived keys ---- */

static enum err derive(struct buf *out, size_t len, const char *name, const OSSL_PARAM *params)
{
	EVP_KDF *algorithm = fetched_kdf(name);
	EVP_KDF_CTX *context = NULL;
	uint8_t *to;
	enum err err = algorithm == NULL ? ERR_FEATURE : ERR_OK;

	TRY(err);
	context = EVP_KDF_CTX_new(algorithm);
	TRY(context == NULL ? ERR_NOMEM : ERR_OK);
	TRY(buf_reserve(out, len, &to));
	if (EVP_KDF_derive(context, to, len, params) != 1)
		TRY(digest_failed(ERR_CRYPTO));
	buf_commit(out, len);
out:
	EVP_KDF_CTX_free(context);
	return err;
}

/* Each block of the hash's length takes all of them. */
static bool is_too_much(size_t len, const struct digest_pbkdf2 *options)
{
	const EVP_MD *hash = options->hash == NULL ? NULL : fetched_hash(options->hash);
	size_t block_len = hash == NULL ? DIGEST_LEN_MAX : (size_t) EVP_MD_get_size(hash);
	size_t blocks = (len + block_len - 1) / block_len;

	return blocks > 0 && options->iterations > DIGEST_ITERATIONS_MAX / blocks;
}

enum err digest_pbkdf2(struct buf *out, size_t len, const struct digest_pbkdf2 *options)
{
	unsigned iterations = options->iterations;
	int checks = 1; /* OpenSSL's for "no lower bounds": the client decides */
	OSSL_PARAM params[] = {
		param_text(OSSL_KDF_PARAM_DIGEST, options->hash),
		param_bytes(OSSL_KDF_PARAM_PASSWORD, options->secret),
		param_bytes(OSSL_KDF_PARAM_SALT, options->salt),
		OSSL_PARAM_construct_uint(OSSL_KDF_PARAM_ITER, &iterations),
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_PKCS5, &checks),
		OSSL_PARAM_construct_end(),
	};

	if (iterations == 0 || is_too_much(len, options) || options->salt.data == NULL)
		return ERR_FIELD;
	return derive(out, len, "PBKDF2", params);
}

/* Appends the code of the parts. */
static enum err mac_parts(struct buf *out, const struct digest_kbkdf *options,
	const struct slice *parts, size_t count)
{
	struct digest_mac mac = { .hash = options->hash, .key = options->secret };
	struct digest *digest = NULL;
	enum err err;

	TRY(digest_new_mac(&digest, &mac));
	for (size_t i = 0; i < count; i++)
		TRY(digest_update(digest, parts[i]));
	TRY(digest_finish(digest, out));
out:
	digest_free(digest);
	return err;
}

/* The next of the first pipeline: the code of the one before, which begins as the data. */
static enum err pipeline_step(struct buf *first, const struct digest_kbkdf *options)
{
	struct slice before = buf_slice(first);
	struct buf next;
	enum err err;

	buf_init(&next, DIGEST_LEN_MAX);
	if (before.len == 0)
		before = options->label_and_context;
	TRY(mac_parts(&next, options, &before, 1));
	buf_clear(first);
	TRY(buf_append(first, buf_slice(&next)));
out:
	buf_free(&next);
	return err;
}

/* SP 800-108, section 5.3, which OpenSSL does not have; with the counter of the other two. */
static enum err derive_pipeline(struct buf *out, size_t len, const struct digest_kbkdf *options)
{
	struct buf first, number, blocks;
	enum err err = ERR_OK;

	buf_init(&first, DIGEST_LEN_MAX);
	buf_init(&number, sizeof(uint32_t));
	buf_init(&blocks, len + DIGEST_LEN_MAX);
	for (uint32_t i = 1; buf_slice(&blocks).len < len; i++) {
		TRY(pipeline_step(&first, options));
		buf_clear(&number);
		TRY(buf_append_be32(&number, i));
		struct slice parts[] = { buf_slice(&first), buf_slice(&number),
			options->label_and_context };
		TRY(mac_parts(&blocks, options, parts, sizeof(parts) / sizeof(parts[0])));
	}
	TRY(buf_append(out, slice_cut(buf_slice(&blocks), 0, len)));
out:
	buf_free(&first);
	buf_free(&number);
	buf_free(&blocks);
	return err;
}

enum err digest_kbkdf(struct buf *out, size_t len, const struct digest_kbkdf *options)
{
	int no = 0;
	OSSL_PARAM params[9];
	size_t count = 0;

	if (slice_equal_text(slice_text(options->mode), "pipeline"))
		return derive_pipeline(out, len, options);
	params[count++] = param_text(OSSL_KDF_PARAM_MAC, "HMAC");
	params[count++] = param_text(OSSL_KDF_PARAM_DIGEST, options->hash);
	params[count++] = param_text(OSSL_KDF_PARAM_MODE, options->mode);
	params[count++] = param_bytes(OSSL_KDF_PARAM_KEY, options->secret);
	/* The derivation data is one text, label and context and what separates them. */
	params[count++] = param_bytes(OSSL_KDF_PARAM_SALT, options->label_and_context);
	params[count++] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_KBKDF_USE_L, &no);
	params[count++] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_KBKDF_USE_SEPARATOR, &no);
	if (options->iv.len > 0)
		params[count++] = param_bytes(OSSL_KDF_PARAM_SEED, options->iv);
	params[count] = OSSL_PARAM_construct_end();
	return derive(out, len, "KBKDF", params);
}
