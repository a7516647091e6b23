/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/emulator/transport.h"

#include <stdlib.h>
#include <string.h>

#include "base/openssl.h"
#include "base/secret.h"
#include <openssl/rsa.h>

enum { RSA_BITS = 2048, GCM_IV_LEN = 12, GCM_TAG_LEN = 16, CBC_IV_LEN = 16, NONCE_ROOM = 256 };

static char *text_of_bio(BIO *bio)
{
	char *text = NULL;
	long len = BIO_get_mem_data(bio, &text);

	return len > 0 ? strndup(text, (size_t) len) : NULL;
}

enum err transport_new(char **private_pem, char **public_pem)
{
	enum err err = ERR_OK;
	EVP_PKEY *key = EVP_RSA_gen(RSA_BITS);
	BIO *private_bio = BIO_new(BIO_s_secmem());
	BIO *public_bio = BIO_new(BIO_s_mem());

	if (key == NULL || private_bio == NULL || public_bio == NULL ||
		PEM_write_bio_PrivateKey(private_bio, key, NULL, NULL, 0, NULL, NULL) != 1 ||
		PEM_write_bio_PUBKEY(public_bio, key) != 1)
		TRY(ERR_CRYPTO);
	*private_pem = text_of_bio(private_bio);
	*public_pem = text_of_bio(public_bio);
	if (*private_pem == NULL || *public_pem == NULL)
		err = ERR_NOMEM;
out:
	BIO_free(private_bio);
	BIO_free(public_bio);
	EVP_PKEY_free(key);
	return err;
}

enum err transport_open(
	struct buf *out, const char *private_pem, enum transport_kind kind, struct slice sealed)
{
	enum err err = ERR_OK;
	const EVP_MD *hash = kind == TRANSPORT_SHA1 ? EVP_sha1() : EVP_sha256();
	BIO *bio = BIO_new_mem_buf(private_pem, -1);
	EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
	EVP_PKEY_CTX *ctx = key != NULL ? EVP_PKEY_CTX_new(key, NULL) : NULL;
	uint8_t *room = NULL;
	size_t len = RSA_BITS / 8;

	if (ctx == NULL || EVP_PKEY_decrypt_init(ctx) != 1 ||
		EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) != 1 ||
		EVP_PKEY_CTX_set_rsa_oaep_md(ctx, hash) != 1)
		TRY(ERR_CRYPTO);
	TRY(buf_reserve(out, len, &room));
	if (EVP_PKEY_decrypt(ctx, room, &len, sealed.data, sealed.len) != 1)
		TRY(ERR_CRYPTO);
	buf_commit(out, len);
out:
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
	BIO_free(bio);
	return err;
}

static const EVP_CIPHER *cipher_of(size_t key_len, enum transport_kind kind)
{
	bool gcm = kind == TRANSPORT_SHA256;

	switch (key_len) {
	case 16:
		return gcm ? EVP_aes_128_gcm() : EVP_aes_128_cbc();
	case 24:
		return gcm ? EVP_aes_192_gcm() : EVP_aes_192_cbc();
	case 32:
		return gcm ? EVP_aes_256_gcm() : EVP_aes_256_cbc();
	default:
		return NULL;
	}
}

/* The tag, where there is one, ends the sealed bytes. */
static bool decrypt(EVP_CIPHER_CTX *ctx, uint8_t out[NONCE_ROOM], int *out_len, struct slice sealed,
	enum transport_kind kind)
{
	size_t body = kind == TRANSPORT_SHA256 ? sealed.len - GCM_TAG_LEN : sealed.len;
	int last = 0;

	if (kind == TRANSPORT_SHA256 && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, GCM_TAG_LEN,
						(void *) (uintptr_t) (sealed.data + body)) != 1)
		return false;
	if (EVP_DecryptUpdate(ctx, out, out_len, sealed.data, (int) body) != 1 ||
		EVP_DecryptFinal_ex(ctx, out + *out_len, &last) != 1)
		return false;
	*out_len += last;
	return true;
}

enum err transport_check_nonce(
	const struct transport_proof *proof, enum transport_kind kind, struct slice nonce)
{
	enum err err = ERR_CRYPTO;
	uint8_t opened[NONCE_ROOM];
	int len = 0;
	const EVP_CIPHER *cipher = cipher_of(proof->key.len, kind);
	size_t iv_len = kind == TRANSPORT_SHA256 ? GCM_IV_LEN : CBC_IV_LEN;
	size_t sealed_min = kind == TRANSPORT_SHA256 ? GCM_TAG_LEN : CBC_IV_LEN;

	if (proof->iv.len != iv_len)
		return ERR_INVALID;
	if (cipher == NULL || proof->sealed.len < sealed_min || proof->sealed.len > NONCE_ROOM / 2)
		return ERR_CRYPTO;
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	if (ctx != NULL &&
		EVP_DecryptInit_ex(ctx, cipher, NULL, proof->key.data, proof->iv.data) == 1 &&
		decrypt(ctx, opened, &len, proof->sealed, kind) &&
		secret_equal(slice_of(opened, (size_t) len), nonce))
		err = ERR_OK;
	EVP_CIPHER_CTX_free(ctx);
	return err;
}
