/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shares of secrets: any that reach the threshold give the secret back, whatever is one short of it
 * fits every secret equally, and what does not belong together is refused. Numbers of parts and
 * lengths go through in turn; secrets and coefficients are the generator's.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include "base/rand.h"
#include "base/sharing.h"

enum { ARENA = 1 << 20, ROUNDS = 60 };

/* 2^127 - 1, and 2^521 - 1 without its padding. */
static const uint8_t prime_127[] = { 0x7f, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
	255, 255, 255, 255 };
static uint8_t prime_521[66];

static struct arena *arena;

static void setup(void)
{
	cr_assert_eq(arena_new(&arena, ARENA), ERR_OK);
	for (size_t i = 0; i < sizeof(prime_521); i++)
		prime_521[i] = i == 0 ? 1 : 255;
}

static void teardown(void)
{
	arena_free(arena);
}

TestSuite(sharing, .init = setup, .fini = teardown);

static struct sharing some(enum sharing_method method, unsigned round)
{
	struct sharing how = { .method = method, .parts = 2 + round % 8 };

	how.threshold = method == SHARING_XOR ? how.parts : 2 + round / 8 % (how.parts - 1);
	how.secret_len = 2 * (1 + round % 32);
	if (method == SHARING_PRIME)
		how.prime = slice_of(prime_521, sizeof(prime_521));
	return how;
}

static struct slice some_secret(size_t len)
{
	uint8_t *bytes = arena_alloc(arena, len);

	rand_bytes(bytes, len);
	return slice_of(bytes, len);
}

/* Other ones to the front, backwards. */
static void rearrange(struct share *shares, size_t count, unsigned round)
{
	struct share before[SHARING_PARTS_MAX];

	bytes_copy(before, shares, count * sizeof(*before));
	for (size_t i = 0; i < count; i++)
		shares[i] = before[(round + count - i) % count];
}

/* Any set from the threshold on, in any order, gives the secret; one less is refused, and so is one
 * that came twice. */
Test(sharing, threshold)
{
	for (int method = SHARING_XOR; method <= SHARING_PRIME; method++) {
		for (unsigned round = 0; round < ROUNDS; round++) {
			struct sharing how = some((enum sharing_method) method, round);
			struct slice secret = some_secret(how.secret_len), joined;
			struct share shares[SHARING_PARTS_MAX];
			size_t count = how.threshold + round % (how.parts - how.threshold + 1);

			cr_assert_eq(sharing_split(shares, arena, &how, secret), ERR_OK);
			rearrange(shares, how.parts, round);
			cr_assert_eq(sharing_join(&joined, arena, &how, shares, count), ERR_OK);
			cr_assert(slice_equal(joined, secret), "method %d", method);
			cr_assert_eq(sharing_join(&joined, arena, &how, shares, how.threshold - 1),
				ERR_CRYPTO);
			shares[0] = shares[how.threshold - 1];
			cr_assert_eq(sharing_join(&joined, arena, &how, shares, how.threshold),
				ERR_CRYPTO);
			arena_reset(arena);
		}
	}
}

/* One short of the threshold: for every secret of a byte there is exactly one missing part, so that
 * none is likelier than another. */
static void each_secret_fits(struct sharing how)
{
	struct share shares[SHARING_PARTS_MAX];
	bool seen[256] = { false };
	uint8_t forged = 0;

	cr_assert_eq(sharing_split(shares, arena, &how, some_secret(1)), ERR_OK);
	for (unsigned guess = 0; guess < 256; guess++) {
		struct slice joined;

		forged = (uint8_t) guess;
		shares[how.threshold - 1].bytes = slice_of(&forged, 1);
		cr_assert_eq(sharing_join(&joined, arena, &how, shares, how.threshold), ERR_OK);
		cr_assert_not(seen[joined.data[0]]);
		seen[joined.data[0]] = true;
	}
}

Test(sharing, fewer_say_nothing)
{
	each_secret_fits((struct sharing){ .method = SHARING_XOR, .parts = 3, .threshold = 3 });
	each_secret_fits((struct sharing){ .method = SHARING_GF_2_8, .parts = 5, .threshold = 3 });
}

/* The same in GF(2^16), whose pieces are two bytes: all 65,536. */
Test(sharing, fewer_say_nothing_16)
{
	struct sharing how = { .method = SHARING_GF_2_16, .parts = 3, .threshold = 2 };
	struct share shares[SHARING_PARTS_MAX];
	bool *seen = calloc(1 << 16, sizeof(bool));
	uint8_t known[2], forged[2];

	cr_assert_eq(sharing_split(shares, arena, &how, some_secret(2)), ERR_OK);
	cr_assert(slice_copy_exact(known, sizeof(known), shares[0].bytes));
	shares[0].bytes = slice_of(known, sizeof(known));
	shares[1].bytes = slice_of(forged, sizeof(forged));
	for (unsigned guess = 0; guess < 1 << 16; guess++) {
		struct slice joined;

		be16_put(forged, (uint16_t) guess);
		cr_assert_eq(sharing_join(&joined, arena, &how, shares, 2), ERR_OK);
		cr_assert_not(seen[be16_get(joined.data)]);
		seen[be16_get(joined.data)] = true;
		if (guess % 4096 == 0)
			arena_reset(arena);
	}
	free(seen);
}

/* TC-SJ-3: four parts, two of which give 01 .. 10. */
Test(sharing, published)
{
	static const uint8_t first[] = { 0x66, 0xc4, 0x6a, 0x77, 0x54, 0xf9, 0x4d, 0xe4, 0x20, 0xc7,
		0xb1, 0xa7, 0xff, 0xf5, 0xec, 0x56 };
	static const uint8_t third[] = { 0xa8, 0x55, 0xb8, 0x91, 0xf6, 0x1a, 0xd9, 0x21, 0x72, 0x40,
		0xd8, 0xec, 0x06, 0x1e, 0x37, 0xda };
	const struct share shares[] = { { 3, { third, 16 } }, { 1, { first, 16 } } };
	struct sharing how = { .method = SHARING_GF_2_8, .parts = 4, .threshold = 2 };
	struct slice joined;

	cr_assert_eq(sharing_join(&joined, arena, &how, shares, 2), ERR_OK);
	cr_assert_eq(joined.len, 16);
	for (size_t i = 0; i < joined.len; i++)
		cr_assert_eq(joined.data[i], i + 1);
}

/* y * y = y + {3a}: the polynomial yx at 1 and at y. */
Test(sharing, tower)
{
	static const uint8_t at_one[] = { 1, 0 }, at_y[] = { 1, 0x3a };
	const struct share shares[] = { { 1, { at_one, 2 } }, { 0x100, { at_y, 2 } } };
	struct sharing how = { .method = SHARING_GF_2_16, .parts = UINT16_MAX, .threshold = 2 };
	struct slice joined;

	cr_assert_eq(sharing_join(&joined, arena, &how, shares, 2), ERR_OK);
	cr_assert_eq(be16_get(joined.data), 0);
}

/* A field small enough to reckon by hand: 1000 + 7x modulo 65537 at 1 and 2. */
Test(sharing, prime_by_hand)
{
	static const uint8_t prime[] = { 1, 0, 1 };
	static const uint8_t first[] = { 0, 1007 >> 8, 1007 & 255 };
	static const uint8_t second[] = { 0, 1014 >> 8, 1014 & 255 };
	const struct share shares[] = { { 1, { first, 3 } }, { 2, { second, 3 } } };
	struct sharing how = { .method = SHARING_PRIME,
		.parts = 2,
		.threshold = 2,
		.prime = { prime, sizeof(prime) },
		.secret_len = 2 };
	struct slice joined;

	cr_assert_eq(sharing_join(&joined, arena, &how, shares, 2), ERR_OK);
	cr_assert_eq(joined.len, 2);
	cr_assert_eq(be16_get(joined.data), 1000);
}

/* More than the threshold: one that was altered, or is of another secret, is noticed. */
Test(sharing, mixed)
{
	for (int method = SHARING_GF_2_8; method <= SHARING_PRIME; method++) {
		struct sharing how = { .method = (enum sharing_method) method,
			.parts = 5,
			.threshold = 2,
			.prime = { prime_521, sizeof(prime_521) },
			.secret_len = 16 };
		struct share shares[SHARING_PARTS_MAX], others[SHARING_PARTS_MAX];
		struct slice secret = some_secret(16), joined;

		cr_assert_eq(sharing_split(shares, arena, &how, secret), ERR_OK);
		cr_assert_eq(sharing_split(others, arena, &how, secret), ERR_OK);
		shares[2] = others[2];
		cr_assert_eq(sharing_join(&joined, arena, &how, shares, 3), ERR_CRYPTO);
	}
}

Test(sharing, truncated)
{
	for (int method = SHARING_XOR; method <= SHARING_PRIME; method++) {
		struct sharing how = { .method = (enum sharing_method) method,
			.parts = 2,
			.threshold = 2,
			.prime = { prime_521, sizeof(prime_521) },
			.secret_len = 16 };
		struct share shares[SHARING_PARTS_MAX];
		struct slice joined;

		cr_assert_eq(sharing_split(shares, arena, &how, some_secret(16)), ERR_OK);
		shares[1].bytes.len = method == SHARING_PRIME ? 0 : 15;
		cr_assert_eq(sharing_join(&joined, arena, &how, shares, 2), ERR_CRYPTO);
		shares[1].number = 0;
		cr_assert_eq(sharing_join(&joined, arena, &how, shares, 2), ERR_CRYPTO);
		shares[1].number = 3;
		cr_assert_eq(sharing_join(&joined, arena, &how, shares, 2), ERR_CRYPTO);
	}
}

static void assert_refused(struct sharing how, size_t len)
{
	struct share shares[SHARING_PARTS_MAX];

	cr_assert_eq(sharing_split(shares, arena, &how, some_secret(len)), ERR_FIELD);
}

/* What no method takes, and what one of them does not. */
Test(sharing, refusals)
{
	static const uint8_t even[] = { 0x7f, 255, 255, 254 };
	struct sharing how = { .method = SHARING_GF_2_8, .parts = 3, .threshold = 2 };
	struct sharing prime = { .method = SHARING_PRIME, .parts = 3, .threshold = 2 };

	assert_refused(how, 0);
	how.threshold = 4;
	assert_refused(how, 16);
	how.threshold = 1; /* each part would be the secret */
	assert_refused(how, 16);
	how.parts = how.threshold = SHARING_PARTS_MAX + 1;
	assert_refused(how, 16);
	assert_refused((struct sharing){ .method = SHARING_XOR, .parts = 3, .threshold = 2 }, 16);
	assert_refused((struct sharing){ .method = SHARING_XOR, .parts = 1, .threshold = 1 }, 16);
	assert_refused(
		(struct sharing){ .method = SHARING_GF_2_16, .parts = 3, .threshold = 2 }, 15);
	assert_refused((struct sharing){ .method = SHARING_GF_2_8, .parts = 32, .threshold = 32 },
		(SHARING_WORK_MAX >> 10) + 1);
	assert_refused(prime, 3); /* none */
	prime.prime = slice_of(even, sizeof(even));
	assert_refused(prime, 3); /* no prime */
	prime.prime = slice_of(prime_127, sizeof(prime_127));
	assert_refused(prime, 16); /* too small */
}
