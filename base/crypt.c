/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crypt.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "base/fetched.h"
#include "base/secret.h"

/* Constant after the start. */
static struct {
	const EVP_MD *sha256;
	const EVP_CIPHER *gcm;
} algorithms;

enum err crypt_start(void)
{
	if (algorithms.sha256 == NULL)
		algorithms.sha256 = fetched_hash("SHA256");
	if (algorithms.gcm == NULL)
		algorithms.gcm = fetched_cipher("AES-256-GCM");
	return algorithms.sha256 != NULL && algorithms.gcm != NULL ? ERR_OK : ERR_CRYPTO;
}

enum err crypt_sha256(uint8_t out[CRYPT_SHA256_LEN], struct slice bytes)
{
	return crypt_sha256_parts(out, &bytes, 1);
}

enum err crypt_sha256_parts(uint8_t out[CRYPT_SHA256_LEN], const struct slice *parts, size_t count)
{
	EVP_MD_CTX *digest = NULL;
	enum err err;
	int good;

	TRY(crypt_start());
	digest = EVP_MD_CTX_new();
	TRY(digest == NULL ? ERR_NOMEM : ERR_OK);
	good = EVP_DigestInit_ex2(digest, algorithms.sha256, NULL);
	for (size_t i = 0; i < count && good == 1; i++)
		good = EVP_DigestUpdate(digest, parts[i].data, parts[i].len);
	if (good != 1 || EVP_DigestFinal_ex(digest, out, NULL) != 1)
		err = ERR_CRYPTO;
out:
	EVP_MD_CTX_free(digest);
	return err;
}

struct crypt_hash {
	EVP_MD_CTX *digest;
	bool begun;
};

enum err crypt_hash_new(struct crypt_hash **out)
{
	struct crypt_hash *hash = NULL;
	enum err err;

	TRY(crypt_start());
	hash = calloc(1, sizeof(*hash));
	TRY(hash == NULL ? ERR_NOMEM : ERR_OK);
	hash->digest = EVP_MD_CTX_new();
	TRY(hash->digest == NULL ? ERR_NOMEM : ERR_OK);
	*out = hash;
	hash = NULL;
out:
	crypt_hash_free(hash);
	return err;
}

void crypt_hash_free(struct crypt_hash *hash)
{
	if (hash == NULL)
		return;
	EVP_MD_CTX_free(hash->digest);
	free(hash);
}

enum err crypt_hash_add(struct crypt_hash *hash, struct slice bytes)
{
	if (!hash->begun && EVP_DigestInit_ex2(hash->digest, algorithms.sha256, NULL) != 1)
		return ERR_CRYPTO;
	hash->begun = true;
	return EVP_DigestUpdate(hash->digest, bytes.data, bytes.len) == 1 ? ERR_OK : ERR_CRYPTO;
}

enum err crypt_hash_end(struct crypt_hash *hash, uint8_t out[CRYPT_SHA256_LEN])
{
	enum err err;

	TRY(crypt_hash_add(hash, SLICE_EMPTY));
	hash->begun = false;
	err = EVP_DigestFinal_ex(hash->digest, out, NULL) == 1 ? ERR_OK : ERR_CRYPTO;
out:
	return err;
}

/* CRC-32C (reflected polynomial 0x82f63b78), four bits at a time. */
static const uint32_t crc32c_nibbles[16] = { 0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
	0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6,
	0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75 };

static uint32_t crc32c_by_table(uint32_t crc, struct slice bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		crc ^= bytes.data[i];
		crc = crc >> 4 ^ crc32c_nibbles[crc & 15];
		crc = crc >> 4 ^ crc32c_nibbles[crc & 15];
	}
	return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t crc32c_by_machine(
	uint32_t crc, struct slice bytes)
{
	uint64_t wide = crc, word;
	size_t i = 0;

	for (; i + sizeof(word) <= bytes.len; i += sizeof(word)) {
		memcpy(&word, bytes.data + i, sizeof(word));
		wide = __builtin_ia32_crc32di(wide, word);
	}
	crc = (uint32_t) wide;
	for (; i < bytes.len; i++)
		crc = __builtin_ia32_crc32qi(crc, bytes.data[i]);
	return crc;
}
#endif

uint32_t crypt_crc32c(struct slice bytes)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		return ~crc32c_by_machine(UINT32_MAX, bytes);
#endif
	return crypt_crc32c_by_table(bytes);
}

uint32_t crypt_crc32c_by_table(struct slice bytes)
{
	return ~crc32c_by_table(UINT32_MAX, bytes);
}

/* Checks the box, starts the cipher and feeds the associated data. */
static enum err box_begin(EVP_CIPHER_CTX **out, const struct crypt_box *box, int encrypt)
{
	int len;
	enum err err;

	ASSERT(box->key.len == CRYPT_GCM_KEY_LEN && box->nonce.len == CRYPT_GCM_NONCE_LEN);
	TRY(box->aad.len > INT_MAX ? ERR_LIMIT : ERR_OK);
	TRY(crypt_start());
	*out = EVP_CIPHER_CTX_new();
	TRY(*out == NULL ? ERR_NOMEM : ERR_OK);
	if (EVP_CipherInit_ex2(
		    *out, algorithms.gcm, box->key.data, box->nonce.data, encrypt, NULL) != 1)
		err = ERR_CRYPTO;
	else if (box->aad.len > 0 &&
		 EVP_CipherUpdate(*out, NULL, &len, box->aad.data, (int) box->aad.len) != 1)
		err = ERR_CRYPTO;
out:
	return err;
}

enum err crypt_seal(uint8_t *out, const struct crypt_box *box, struct slice plain)
{
	EVP_CIPHER_CTX *cipher = NULL;
	int len = 0;
	enum err err;

	TRY(plain.len > INT_MAX ? ERR_LIMIT : ERR_OK);
	TRY(box_begin(&cipher, box, 1));
	if (plain.len > 0 && EVP_CipherUpdate(cipher, out, &len, plain.data, (int) plain.len) != 1)
		err = ERR_CRYPTO;
	else if (EVP_CipherFinal_ex(cipher, out + plain.len, &len) != 1)
		err = ERR_CRYPTO;
	else if (EVP_CIPHER_CTX_ctrl(
			 cipher, EVP_CTRL_AEAD_GET_TAG, CRYPT_GCM_TAG_LEN, out + plain.len) != 1)
		err = ERR_CRYPTO;
out:
	EVP_CIPHER_CTX_free(cipher);
	return err;
}

enum err crypt_open(uint8_t *out, const struct crypt_box *box, struct slice sealed)
{
	EVP_CIPHER_CTX *cipher = NULL;
	uint8_t tag[CRYPT_GCM_TAG_LEN];
	size_t plain_len;
	int len = 0;
	enum err err;

	if (sealed.len < CRYPT_GCM_TAG_LEN)
		return ERR_CRYPTO;
	plain_len = sealed.len - CRYPT_GCM_TAG_LEN;
	/* A copy: OpenSSL wants to write where the tag lies. */
	bytes_copy(tag, sealed.data + plain_len, sizeof(tag));
	TRY(plain_len > INT_MAX ? ERR_LIMIT : ERR_OK);
	TRY(box_begin(&cipher, box, 0));
	if (EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, CRYPT_GCM_TAG_LEN, tag) != 1)
		err = ERR_CRYPTO;
	else if (plain_len > 0 &&
		 EVP_CipherUpdate(cipher, out, &len, sealed.data, (int) plain_len) != 1)
		err = ERR_CRYPTO;
	else if (EVP_CipherFinal_ex(cipher, tag, &len) != 1)
		err = ERR_CRYPTO;
out:
	EVP_CIPHER_CTX_free(cipher);
	if (err != ERR_OK)
		secret_wipe(out, plain_len);
	return err;
}
