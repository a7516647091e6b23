/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sharing a secret (KMIP 1.4, section 2.2.5): parts of which `threshold` many give it back, and
 * fewer say nothing about it. A part's number is where its polynomial is evaluated; the secret is
 * at zero. No step looks up a table or branches by a byte of a secret or part.
 */
#ifndef BASE_SHARING_H
#define BASE_SHARING_H

#include "base/arena.h"

enum {
	SHARING_PARTS_MAX = 32, /* ours: each part of a split key is a standard key */
	SHARING_WORK_MAX = 1 << 20, /* ours: bytes, times parts, times threshold; some 0.1 s */
	SHARING_PRIME_LEN_MAX = 132, /* bytes; ours: whether it is a prime is judged on the loop */
};

enum sharing_method {
	SHARING_XOR, /* all parts are needed */
	SHARING_GF_2_8, /* in pieces of a byte, modulo x^8 + x^4 + x^3 + x^2 + 1 */
	SHARING_GF_2_16, /* in pieces of two: GF(2^8)[y] / (y^2 + y + {3a}) over FIPS 197's field */
	SHARING_PRIME, /* one number modulo a prime */
};

struct sharing {
	enum sharing_method method;
	uint32_t parts, threshold;
	struct slice prime; /* of SHARING_PRIME: big-endian, without sign */
	size_t secret_len; /* for joining by SHARING_PRIME: a number does not tell it */
};

struct share {
	uint32_t number; /* from 1 */
	struct slice bytes;
};

/*
 * Fills shares[0 .. parts - 1], numbered from 1, in the arena. ERR_FIELD: a secret, prime, number
 * of parts or threshold that this method does not take: XOR needs all parts, GF(2^16) an even
 * length, a prime field one above every secret of that length; or it is too much work for a loop.
 */
MUST_USE enum err sharing_split(
	struct share *shares, struct arena *arena, const struct sharing *how, struct slice secret);
/*
 * The secret, in the arena. What more than the threshold is given must agree with it. ERR_CRYPTO:
 * too few, one twice, wrong numbers or lengths, or they are not of one secret, as far as that can
 * be told; ERR_FIELD as above.
 */
MUST_USE enum err sharing_join(struct slice *secret, struct arena *arena, const struct sharing *how,
	const struct share *shares, size_t count);

/* For sharing.c: the prime field, which needs big numbers. */
MUST_USE enum err sharing_prime_split(
	struct share *shares, struct arena *arena, const struct sharing *how, struct slice secret);
MUST_USE enum err sharing_prime_join(struct slice *secret, struct arena *arena,
	const struct sharing *how, const struct share *shares, size_t count);

#endif
