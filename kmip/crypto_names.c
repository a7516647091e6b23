/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/crypto_names.h"
#include <stdio.h>

enum { BYTE_BITS = 8, DES_EDE_KEY_LEN = 16 };

struct row {
	uint32_t number;
	const char *name;
};
#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const char *row_name(const struct row *rows, size_t count, uint32_t number)
{
	for (size_t i = 0; i < count; i++) {
		if (rows[i].number == number)
			return rows[i].name;
	}
	return NULL;
}

const char *crypto_hash_name(uint32_t hashing_algorithm)
{
	static const struct row rows[] = {
		{ KMIP_HASHING_ALGORITHM_MD5, "MD5" },
		{ KMIP_HASHING_ALGORITHM_SHA_1, "SHA1" },
		{ KMIP_HASHING_ALGORITHM_SHA_224, "SHA224" },
		{ KMIP_HASHING_ALGORITHM_SHA_256, "SHA256" },
		{ KMIP_HASHING_ALGORITHM_SHA_384, "SHA384" },
		{ KMIP_HASHING_ALGORITHM_SHA_512, "SHA512" },
		{ KMIP_HASHING_ALGORITHM_RIPEMD_160, "RIPEMD160" },
		{ KMIP_HASHING_ALGORITHM_SHA_512_224, "SHA512-224" },
		{ KMIP_HASHING_ALGORITHM_SHA_512_256, "SHA512-256" },
		{ KMIP_HASHING_ALGORITHM_SHA_3_224, "SHA3-224" },
		{ KMIP_HASHING_ALGORITHM_SHA_3_256, "SHA3-256" },
		{ KMIP_HASHING_ALGORITHM_SHA_3_384, "SHA3-384" },
		{ KMIP_HASHING_ALGORITHM_SHA_3_512, "SHA3-512" },
	};

	return row_name(rows, COUNT(rows), hashing_algorithm);
}

bool crypto_is_hash(uint32_t hashing_algorithm, const char *name)
{
	const char *found = crypto_hash_name(hashing_algorithm);

	return found != NULL && slice_equal_text(slice_text(found), name);
}

/* HMAC algorithms and their hashes. */
static const struct row hmac_rows[] = {
	{ KMIP_CRYPTOGRAPHIC_ALGORITHM_HMAC_SHA1, "SHA1" },
	{ KMIP_CRYPTOGRAPHIC_ALGORITHM_HMAC_SHA224, "SHA224" },
	{ KMIP_CRYPTOGRAPHIC_ALGORITHM_HMAC_SHA256, "SHA256" },
	{ KMIP_CRYPTOGRAPHIC_ALGORITHM_HMAC_SHA384, "SHA384" },
	{ KMIP_CRYPTOGRAPHIC_ALGORITHM_HMAC_SHA512, "SHA512" },
	{ KMIP_CRYPTOGRAPHIC_ALGORITHM_HMAC_MD5, "MD5" },
	{ KMIP_CRYPTOGRAPHIC_ALGORITHM_HMAC_SHA3_224, "SHA3-224" },
	{ KMIP_CRYPTOGRAPHIC_ALGORITHM_HMAC_SHA3_256, "SHA3-256" },
	{ KMIP_CRYPTOGRAPHIC_ALGORITHM_HMAC_SHA3_384, "SHA3-384" },
	{ KMIP_CRYPTOGRAPHIC_ALGORITHM_HMAC_SHA3_512, "SHA3-512" },
};

const char *crypto_hmac_hash_name(uint32_t cryptographic_algorithm)
{
	return row_name(hmac_rows, COUNT(hmac_rows), cryptographic_algorithm);
}

uint32_t crypto_hmac_of(const char *hash)
{
	for (size_t i = 0; i < COUNT(hmac_rows); i++) {
		if (slice_equal_text(slice_text(hash), hmac_rows[i].name))
			return hmac_rows[i].number;
	}
	return 0;
}

static const char *mode_name(uint32_t mode)
{
	static const struct row rows[] = {
		{ KMIP_BLOCK_CIPHER_MODE_CBC, "CBC" },
		{ KMIP_BLOCK_CIPHER_MODE_ECB, "ECB" },
		{ KMIP_BLOCK_CIPHER_MODE_CFB, "CFB" },
		{ KMIP_BLOCK_CIPHER_MODE_OFB, "OFB" },
		{ KMIP_BLOCK_CIPHER_MODE_CTR, "CTR" },
		{ KMIP_BLOCK_CIPHER_MODE_CCM, "CCM" },
		{ KMIP_BLOCK_CIPHER_MODE_GCM, "GCM" },
		{ KMIP_BLOCK_CIPHER_MODE_XTS, "XTS" },
		{ KMIP_BLOCK_CIPHER_MODE_AESKEYWRAPPADDING, "WRAP-PAD" },
		{ KMIP_BLOCK_CIPHER_MODE_NISTKEYWRAP, "WRAP" },
		/* CMAC and CBC-MAC authenticate; their cipher is the one in CBC. */
		{ KMIP_BLOCK_CIPHER_MODE_CMAC, "CBC" },
	};

	return row_name(rows, COUNT(rows), mode);
}

/* Ciphers that are one thing, whatever the mode. */
static const char *stream_name(uint32_t algorithm)
{
	static const struct row rows[] = {
		{ KMIP_CRYPTOGRAPHIC_ALGORITHM_CHACHA20, "ChaCha20" },
		{ KMIP_CRYPTOGRAPHIC_ALGORITHM_CHACHA20POLY1305, "ChaCha20-Poly1305" },
	};

	return row_name(rows, COUNT(rows), algorithm);
}

enum err crypto_cipher_name(char out[CIPHER_NAME_LEN_MAX], const struct crypto_cipher *cipher)
{
	const char *stream = stream_name(cipher->algorithm), *mode = mode_name(cipher->mode);
	size_t bits = BYTE_BITS * cipher->key_len;

	if (stream != NULL) {
		snprintf(out, CIPHER_NAME_LEN_MAX, "%s", stream);
		return ERR_OK;
	}
	if (cipher->mode == 0)
		return ERR_FIELD;
	if (mode == NULL)
		return ERR_FEATURE;
	if (cipher->mode == KMIP_BLOCK_CIPHER_MODE_XTS)
		bits /= 2; /* two keys */
	switch (cipher->algorithm) {
	case KMIP_CRYPTOGRAPHIC_ALGORITHM_AES:
		snprintf(out, CIPHER_NAME_LEN_MAX, "AES-%zu-%s", bits, mode);
		return ERR_OK;
	case KMIP_CRYPTOGRAPHIC_ALGORITHM_CAMELLIA:
		snprintf(out, CIPHER_NAME_LEN_MAX, "CAMELLIA-%zu-%s", bits, mode);
		return ERR_OK;
	case KMIP_CRYPTOGRAPHIC_ALGORITHM_3DES:
		snprintf(out, CIPHER_NAME_LEN_MAX, "%s-%s",
			cipher->key_len == DES_EDE_KEY_LEN ? "DES-EDE" : "DES-EDE3", mode);
		return ERR_OK;
	default:
		return ERR_FEATURE;
	}
}
