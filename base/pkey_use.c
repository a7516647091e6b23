/* SPDX-License-Identifier: Apache-2.0 */
/* Signing, verifying, encrypting, agreeing. */
#include <limits.h>
#include <stdlib.h>
#include "base/fetched.h"
#include "base/pkey_private.h"

static bool is_rsa(const struct pkey *key)
{
	return EVP_PKEY_is_a(key->key, "RSA") == 1;
}

static const EVP_MD *md_of(const char *hash)
{
	return hash == NULL ? NULL : fetched_hash(hash);
}

/* Padding and what belongs to it; curves and DSA have none. Where no salt length is said, a
 * signature gets as much as its hash is long, and is verified with whatever it has. */
static enum err set_padding(
	EVP_PKEY_CTX *context, const struct pkey *key, const struct pkey_use *use, int any_salt_len)
{
	static const int paddings[] = { [PKEY_PADDING_NONE] = RSA_NO_PADDING,
		[PKEY_PADDING_PKCS1] = RSA_PKCS1_PADDING,
		[PKEY_PADDING_PSS] = RSA_PKCS1_PSS_PADDING,
		[PKEY_PADDING_OAEP] = RSA_PKCS1_OAEP_PADDING };
	const EVP_MD *mask = md_of(use->mask_hash);
	enum err err = ERR_OK;

	if (!is_rsa(key))
		return ERR_OK;
	if (EVP_PKEY_CTX_set_rsa_padding(context, paddings[use->padding]) != 1)
		TRY(ERR_FIELD);
	if (mask != NULL && EVP_PKEY_CTX_set_rsa_mgf1_md(context, mask) != 1)
		TRY(ERR_FIELD);
	if (use->padding == PKEY_PADDING_PSS &&
		EVP_PKEY_CTX_set_rsa_pss_saltlen(
			context, use->salt_len < 0 ? any_salt_len : use->salt_len) != 1)
		TRY(ERR_FIELD);
out:
	return err;
}

/* ---- whole or in pieces ---- */

struct pkey_signing {
	EVP_MD_CTX *context;
};

enum err pkey_signing_new(struct pkey_signing **out, const struct pkey *key,
	const struct pkey_use *use, bool verifies)
{
	struct pkey_signing *signing = calloc(1, sizeof(*signing));
	EVP_PKEY_CTX *context = NULL; /* the signing's */
	enum err err = signing == NULL ? ERR_NOMEM : ERR_OK;
	int good;

	TRY(err);
	signing->context = EVP_MD_CTX_new();
	TRY(signing->context == NULL ? ERR_NOMEM : ERR_OK);
	good = verifies ? EVP_DigestVerifyInit_ex(
				  signing->context, &context, use->hash, NULL, NULL, key->key, NULL)
			: EVP_DigestSignInit_ex(signing->context, &context, use->hash, NULL, NULL,
				  key->key, NULL);
	TRY(good == 1 ? ERR_OK : ERR_FIELD);
	TRY(set_padding(
		context, key, use, verifies ? RSA_PSS_SALTLEN_AUTO : RSA_PSS_SALTLEN_DIGEST));
	*out = signing;
	signing = NULL;
out:
	pkey_signing_free(signing);
	return pkey_failed(err);
}

enum err pkey_signing_update(struct pkey_signing *signing, struct slice piece)
{
	/* Signing and verifying feed the same digest. */
	if (piece.len == 0 || EVP_DigestUpdate(signing->context, piece.data, piece.len) == 1)
		return ERR_OK;
	return pkey_failed(ERR_CRYPTO);
}

enum err pkey_signing_finish(struct pkey_signing *signing, struct buf *out)
{
	size_t len = 0;
	uint8_t *to;
	enum err err;

	if (EVP_DigestSignFinal(signing->context, NULL, &len) != 1)
		return pkey_failed(ERR_CRYPTO);
	TRY(buf_reserve(out, len, &to));
	if (EVP_DigestSignFinal(signing->context, to, &len) != 1)
		TRY(ERR_CRYPTO);
	buf_commit(out, len);
out:
	return pkey_failed(err);
}

enum err pkey_signing_verify(struct pkey_signing *signing, struct slice signature, bool *is_valid)
{
	*is_valid = EVP_DigestVerifyFinal(signing->context, signature.data, signature.len) == 1;
	return pkey_failed(ERR_OK);
}

void pkey_signing_free(struct pkey_signing *signing)
{
	if (signing == NULL)
		return;
	EVP_MD_CTX_free(signing->context);
	free(signing);
}

/* ---- a digest ---- */

static enum err digest_begin(EVP_PKEY_CTX **out, const struct pkey *key, const struct pkey_use *use,
	int (*init)(EVP_PKEY_CTX *context))
{
	const EVP_MD *md = md_of(use->hash);
	enum err err;

	*out = EVP_PKEY_CTX_new_from_pkey(NULL, key->key, NULL);
	TRY(*out == NULL ? ERR_NOMEM : ERR_OK);
	TRY(init(*out) == 1 ? ERR_OK : ERR_ILLEGAL);
	TRY(set_padding(*out, key, use,
		init == EVP_PKEY_verify_init ? RSA_PSS_SALTLEN_AUTO : RSA_PSS_SALTLEN_DIGEST));
	if (md != NULL && EVP_PKEY_CTX_set_signature_md(*out, md) != 1)
		TRY(ERR_FIELD);
out:
	return pkey_failed(err);
}

enum err pkey_sign_digest(
	struct buf *out, const struct pkey *key, const struct pkey_use *use, struct slice digest)
{
	EVP_PKEY_CTX *context = NULL;
	size_t len = 0;
	uint8_t *to;
	enum err err;

	TRY(digest_begin(&context, key, use, EVP_PKEY_sign_init));
	TRY(EVP_PKEY_sign(context, NULL, &len, digest.data, digest.len) == 1 ? ERR_OK : ERR_CRYPTO);
	TRY(buf_reserve(out, len, &to));
	TRY(EVP_PKEY_sign(context, to, &len, digest.data, digest.len) == 1 ? ERR_OK : ERR_CRYPTO);
	buf_commit(out, len);
out:
	EVP_PKEY_CTX_free(context);
	return pkey_failed(err);
}

enum err pkey_verify_digest(bool *is_valid, const struct pkey *key, const struct pkey_use *use,
	const struct pkey_signed_digest *what)
{
	EVP_PKEY_CTX *context = NULL;
	enum err err;

	TRY(digest_begin(&context, key, use, EVP_PKEY_verify_init));
	*is_valid = EVP_PKEY_verify(context, what->signature.data, what->signature.len,
			    what->digest.data, what->digest.len) == 1;
out:
	EVP_PKEY_CTX_free(context);
	return pkey_failed(err);
}

/* ---- encrypting ---- */

/* OpenSSL frees the label itself, so that it gets a copy. */
static enum err set_oaep(EVP_PKEY_CTX *context, const struct pkey_use *use)
{
	const EVP_MD *md = md_of(use->hash);
	uint8_t *label = NULL;
	enum err err = ERR_OK;

	if (use->padding != PKEY_PADDING_OAEP)
		goto out;
	if (md != NULL && EVP_PKEY_CTX_set_rsa_oaep_md(context, md) != 1)
		TRY(ERR_FIELD);
	if (use->mask_hash == NULL) {
		const EVP_MD *sha1 = md_of("SHA1");
		int good = sha1 == NULL ? 0 : EVP_PKEY_CTX_set_rsa_mgf1_md(context, sha1);

		TRY(good == 1 ? ERR_OK : ERR_FIELD);
	}
	if (use->label.len == 0 || use->label.len > INT_MAX)
		goto out;
	label = OPENSSL_memdup(use->label.data, use->label.len);
	TRY(label == NULL ? ERR_NOMEM : ERR_OK);
	if (EVP_PKEY_CTX_set0_rsa_oaep_label(context, label, (int) use->label.len) != 1)
		err = ERR_FIELD;
	else
		label = NULL;
out:
	OPENSSL_free(label);
	return err;
}

/* EVP_PKEY_encrypt and EVP_PKEY_decrypt have one shape. */
struct direction {
	int (*init)(EVP_PKEY_CTX *context);
	int (*run)(EVP_PKEY_CTX *context, unsigned char *out, size_t *out_len,
		const unsigned char *in, size_t in_len);
};

static enum err crypt_with(struct buf *out, const struct pkey *key, const struct pkey_use *use,
	struct slice in, const struct direction *direction)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key->key, NULL);
	size_t len = 0;
	uint8_t *to;
	enum err err = context == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	TRY(direction->init(context) == 1 ? ERR_OK : ERR_ILLEGAL);
	TRY(set_padding(context, key, use, RSA_PSS_SALTLEN_DIGEST));
	TRY(set_oaep(context, use));
	TRY(direction->run(context, NULL, &len, in.data, in.len) == 1 ? ERR_OK : ERR_CRYPTO);
	TRY(buf_reserve(out, len, &to));
	TRY(direction->run(context, to, &len, in.data, in.len) == 1 ? ERR_OK : ERR_CRYPTO);
	buf_commit(out, len);
out:
	EVP_PKEY_CTX_free(context);
	return pkey_failed(err);
}

enum err pkey_encrypt(
	struct buf *out, const struct pkey *key, const struct pkey_use *use, struct slice plain)
{
	static const struct direction encrypt = { EVP_PKEY_encrypt_init, EVP_PKEY_encrypt };

	return crypt_with(out, key, use, plain, &encrypt);
}

enum err pkey_decrypt(
	struct buf *out, const struct pkey *key, const struct pkey_use *use, struct slice sealed)
{
	static const struct direction decrypt = { EVP_PKEY_decrypt_init, EVP_PKEY_decrypt };

	return crypt_with(out, key, use, sealed, &decrypt);
}

enum err pkey_agree(struct buf *out, const struct pkey *private_key, const struct pkey *public_key)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, private_key->key, NULL);
	size_t len = 0;
	uint8_t *to;
	enum err err = context == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	TRY(EVP_PKEY_derive_init(context) == 1 ? ERR_OK : ERR_ILLEGAL);
	TRY(EVP_PKEY_derive_set_peer(context, public_key->key) == 1 ? ERR_OK : ERR_FIELD);
	TRY(EVP_PKEY_derive(context, NULL, &len) == 1 ? ERR_OK : ERR_CRYPTO);
	TRY(buf_reserve(out, len, &to));
	TRY(EVP_PKEY_derive(context, to, &len) == 1 ? ERR_OK : ERR_CRYPTO);
	buf_commit(out, len);
out:
	EVP_PKEY_CTX_free(context);
	return pkey_failed(err);
}
