/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/algorithms.h"

enum { BYTE_BITS = 8, DES_KEY_BITS = 56, DES_BLOCK_BITS = 64 };

/* Lengths in bits: from min to max in steps. Of a DES key only seven of eight bits count. */
struct algorithm_row {
	uint32_t algorithm;
	int32_t min, max, step, usual;
	bool has_parity;
};

#define ALGORITHM(name, min, max, step, usual, has_parity) \
	{ \
		KMIP_CRYPTOGRAPHIC_ALGORITHM_##name, min, max, step, usual, has_parity \
	}
static const struct algorithm_row rows[] = {
	ALGORITHM(AES, 128, 256, 64, 256, false),
	ALGORITHM(3DES, 112, 168, 56, 168, true),
	ALGORITHM(CAMELLIA, 128, 256, 64, 256, false),
	/* Made and kept for those who have it; nothing is encrypted with it here. */
	ALGORITHM(SKIPJACK, 80, 80, 8, 80, false),
	ALGORITHM(CHACHA20, 256, 256, 8, 256, false),
	ALGORITHM(CHACHA20POLY1305, 256, 256, 8, 256, false),
	ALGORITHM(POLY1305, 256, 256, 8, 256, false),
	/* An HMAC key may have any length; shorter than 112 bits is no protection (SP 800-131A),
	 * and longer than the block is hashed first. */
	ALGORITHM(HMAC_SHA1, 112, 1024, 8, 160, false),
	ALGORITHM(HMAC_SHA224, 112, 1024, 8, 224, false),
	ALGORITHM(HMAC_SHA256, 112, 1024, 8, 256, false),
	ALGORITHM(HMAC_SHA384, 112, 1024, 8, 384, false),
	ALGORITHM(HMAC_SHA512, 112, 1024, 8, 512, false),
	ALGORITHM(HMAC_MD5, 112, 1024, 8, 128, false),
	ALGORITHM(HMAC_SHA3_224, 112, 1152, 8, 224, false),
	ALGORITHM(HMAC_SHA3_256, 112, 1152, 8, 256, false),
	ALGORITHM(HMAC_SHA3_384, 112, 1152, 8, 384, false),
	ALGORITHM(HMAC_SHA3_512, 112, 1152, 8, 512, false),
	/* As long as what it will be used for, which nobody else can know. */
	ALGORITHM(ONE_TIME_PAD, 8, 32768, 8, 0, false),
};
#undef ALGORITHM

static const struct algorithm_row *row_find(uint32_t algorithm)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].algorithm == algorithm)
			return &rows[i];
	}
	return NULL;
}

enum err algorithm_plan_key(struct algorithm_key *key, size_t *material_len)
{
	const struct algorithm_row *row = row_find(key->algorithm);
	int32_t length;

	if (row == NULL)
		return ERR_FIELD;
	length = key->length_bits != 0 ? key->length_bits : row->usual;
	if (length < row->min || length > row->max || (length - row->min) % row->step != 0)
		return ERR_FIELD;
	key->length_bits = length;
	if (row->has_parity)
		length = length / DES_KEY_BITS * DES_BLOCK_BITS;
	*material_len = (size_t) length / BYTE_BITS;
	return ERR_OK;
}

void algorithm_finish_key(const struct algorithm_key *key, uint8_t *material, size_t material_len)
{
	const struct algorithm_row *row = row_find(key->algorithm);

	if (row == NULL || !row->has_parity)
		return;
	for (size_t i = 0; i < material_len; i++) {
		uint8_t bits = material[i] & 0xFE;

		material[i] = (uint8_t) (bits | (__builtin_parity(bits) == 0 ? 1 : 0));
	}
}

enum err algorithm_judge_key(struct algorithm_key *key, size_t material_len)
{
	const struct algorithm_row *row = row_find(key->algorithm);
	int32_t bits = (int32_t) material_len * BYTE_BITS;
	int32_t counted = bits;

	if (material_len == 0)
		return ERR_FIELD;
	if (row != NULL && row->has_parity)
		counted = bits / DES_BLOCK_BITS * DES_KEY_BITS;
	/* Some clients count the parity bits too. */
	if (key->length_bits == 0 || key->length_bits == bits)
		key->length_bits = counted;
	return key->length_bits == counted ? ERR_OK : ERR_FIELD;
}
