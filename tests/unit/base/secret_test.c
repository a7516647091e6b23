/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <sys/resource.h>
#include "base/arena.h"
#include "base/crypt.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/secret.h"

/* A secret is a copy, of any length up to the maximum. */
Test(secret, holds_a_copy)
{
	static const uint8_t big[SECRET_LEN_MAX + 1];
	uint8_t bytes[] = { 1, 2, 3 };
	struct secret *secret;

	cr_assert_eq(secret_new(&secret, slice_of(bytes, 3)), ERR_OK);
	bytes[0] = 9;
	cr_assert(secret_equal(secret_slice(secret), SLICE_LITERAL("\x01\x02\x03")));
	cr_assert(!secret_equal(secret_slice(secret), slice_of(bytes, 3)));
	cr_assert(!secret_equal(secret_slice(secret), SLICE_EMPTY));
	secret_free(secret);
	cr_assert_eq(secret_new(&secret, slice_of(big, sizeof(big))), ERR_LIMIT);
	cr_assert_null(secret);
	cr_assert_eq(secret_new(&secret, SLICE_EMPTY), ERR_OK);
	cr_assert_eq(secret_slice(secret).len, 0);
	secret_free(secret);
	secret_free(NULL);
}

/* Two random secrets differ. */
Test(secret, random_differs)
{
	struct secret *a, *b;

	cr_assert_eq(secret_random(&a, 32), ERR_OK);
	cr_assert_eq(secret_random(&b, 32), ERR_OK);
	cr_assert(!secret_equal(secret_slice(a), secret_slice(b)));
	secret_free(a);
	secret_free(b);
}

/* Without locked memory keys are still kept. */
Test(secret, lives_without_locked_memory)
{
	struct rlimit none = { 0, 0 };
	struct secret *secret;

	cr_assert_eq(setrlimit(RLIMIT_MEMLOCK, &none), 0);
	log_set_level(LOG_ERROR);
	cr_assert_eq(secret_new(&secret, SLICE_LITERAL("key")), ERR_OK);
	cr_assert(slice_equal_text(secret_slice(secret), "key"));
	secret_free(secret);
}

/* Allocations are zeroed, aligned, and stop at the maximum until a reset. */
Test(arena, is_capped)
{
	struct arena *arena;
	uint8_t *a, *b, *c;

	cr_assert_eq(arena_new(&arena, 40000), ERR_OK);
	a = arena_alloc(arena, 3);
	b = arena_alloc(arena, 30000);
	cr_assert(a != NULL && b != NULL);
	cr_assert_eq((uintptr_t) b % 16, 0);
	cr_assert(a[0] == 0 && b[29999] == 0);
	b[29999] = 1;
	cr_assert_not(arena_is_spent(arena));
	cr_assert_null(arena_alloc(arena, 10000));
	cr_assert(arena_is_spent(arena));
	cr_assert_null(arena_alloc(arena, SIZE_MAX));
	cr_assert_null(arena_array(arena, SIZE_MAX / 2, 4));
	c = arena_alloc(arena, 0);
	cr_assert_not_null(c);
	c[0] = 7;
	arena_reset(arena);
	cr_assert_not(arena_is_spent(arena));
	cr_assert_eq(c[0], 0, "wiped");
	cr_assert_eq(arena_alloc(arena, 3), c, "the latest chunk is used again");
	arena_free(arena);
	arena_free(NULL);
}

/* Through several fillings, chunks of all lengths and single long ones: what is given is zero and
 * nobody else's. */
static void fill_and_reset(struct arena *arena, size_t max)
{
	enum { PIECES = 1500, PIECE = 1000, LONG = 700000 };
	uint8_t *pieces[PIECES];

	for (uint8_t round = 1; round <= 4; round++) {
		size_t count = (size_t) PIECES / round;

		for (size_t i = 0; i < count; i++) {
			size_t len = i == count / 2 ? LONG : PIECE;

			pieces[i] = arena_alloc(arena, len);
			cr_assert_not_null(pieces[i]);
			for (size_t j = 0; j < len; j++)
				cr_assert(pieces[i][j] == 0);
			for (size_t j = 0; j < len; j++)
				pieces[i][j] = (uint8_t) (i % 255 + 1);
		}
		for (size_t i = 0; i < count; i++)
			for (size_t j = 0; j < PIECE; j++)
				cr_assert(pieces[i][j] == i % 255 + 1);
		arena_reset(arena);
	}
	cr_assert_null(arena_alloc(arena, max + 1));
}

Test(arena, grows_and_begins_again)
{
	enum { MAX = 3 * 1048576 };
	struct arena *arena;

	cr_assert_eq(arena_new(&arena, MAX), ERR_OK);
	fill_and_reset(arena, MAX);
	arena_free(arena);
	cr_assert_eq(arena_new_public(&arena, MAX), ERR_OK);
	fill_and_reset(arena, MAX);
	arena_free(arena);
}

/* Copies and texts; NULL always means failure. */
Test(arena, copies)
{
	struct arena *arena;

	cr_assert_eq(arena_new(&arena, 30), ERR_OK);
	cr_assert_not_null(arena_copy(arena, SLICE_EMPTY).data);
	cr_assert(slice_equal_text(arena_copy(arena, SLICE_LITERAL("abc")), "abc"));
	cr_assert_str_eq(arena_text(arena, SLICE_LITERAL("text")), "text");
	cr_assert_str_eq(arena_printf(arena, "%d-%s", 7, "x"), "7-x");
	cr_assert_null(arena_copy(arena, SLICE_LITERAL("longer than what is left")).data);
	cr_assert_null(arena_printf(arena, "%060d", 1));
	arena_free(arena);
}

/* Published values: SHA-256 of "abc" and CRC-32C of "123456789". */
Test(crypt, known_values)
{
	const struct slice parts[] = { SLICE_LITERAL("a"), SLICE_EMPTY, SLICE_LITERAL("bc") };
	uint8_t digest[CRYPT_SHA256_LEN], again[CRYPT_SHA256_LEN];

	cr_assert_eq(crypt_start(), ERR_OK);
	cr_assert_eq(crypt_sha256(digest, SLICE_LITERAL("abc")), ERR_OK);
	cr_assert_eq(be32_get(digest), 0xba7816bf);
	cr_assert_eq(crypt_sha256_parts(again, parts, 3), ERR_OK);
	cr_assert(slice_equal(slice_of(digest, 32), slice_of(again, 32)));
	cr_assert_eq(crypt_crc32c(SLICE_LITERAL("123456789")), 0xe3069283);
	cr_assert_eq(crypt_crc32c(SLICE_EMPTY), 0);
}

/* The vectors of RFC 3720, B.4: lengths on both sides of a word, and what lies askew in memory. */
Test(crypt, crc32c_of_any_length)
{
	uint8_t bytes[48] = { 0 };

	cr_assert_eq(crypt_crc32c(slice_of(bytes, 32)), 0x8a9136aa);
	for (uint8_t i = 0; i < 32; i++)
		bytes[i + 3] = i;
	cr_assert_eq(crypt_crc32c(slice_of(bytes + 3, 32)), 0x46dd794e);
	for (uint8_t i = 0; i < 32; i++)
		bytes[i + 5] = (uint8_t) (31 - i);
	cr_assert_eq(crypt_crc32c(slice_of(bytes + 5, 32)), 0x113fdb5c);
	cr_assert_eq(crypt_crc32c(SLICE_LITERAL("a")), 0xc1d04330);
}

/* The machine's instruction and the table give the same for bytes of any length and place. */
Test(crypt, crc32c_both_ways)
{
	uint8_t bytes[300];

	for (int round = 0; round < 20; round++) {
		rand_bytes(bytes, sizeof(bytes));
		for (size_t at = 0; at < 9; at++)
			for (size_t len = 0; at + len <= sizeof(bytes); len += 1 + len / 8) {
				struct slice part = slice_of(bytes + at, len);

				cr_assert_eq(crypt_crc32c(part), crypt_crc32c_by_table(part));
			}
	}
}

/* Parts in turn give what the whole gives, and the next digest begins anew. */
Test(crypt, hash_of_parts)
{
	struct crypt_hash *hash;
	uint8_t whole[CRYPT_SHA256_LEN], parts[CRYPT_SHA256_LEN];

	cr_assert_eq(crypt_hash_new(&hash), ERR_OK);
	cr_assert_eq(crypt_sha256(whole, SLICE_LITERAL("abc")), ERR_OK);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(crypt_hash_add(hash, SLICE_LITERAL("ab")), ERR_OK);
		cr_assert_eq(crypt_hash_add(hash, SLICE_LITERAL("c")), ERR_OK);
		cr_assert_eq(crypt_hash_end(hash, parts), ERR_OK);
		cr_assert(slice_equal(slice_of(whole, 32), slice_of(parts, 32)));
	}
	cr_assert_eq(crypt_sha256(whole, SLICE_EMPTY), ERR_OK);
	cr_assert_eq(crypt_hash_end(hash, parts), ERR_OK);
	cr_assert(slice_equal(slice_of(whole, 32), slice_of(parts, 32)));
	crypt_hash_free(hash);
	crypt_hash_free(NULL);
}

/* What is sealed opens only with the same key, nonce, associated data and bytes. */
Test(crypt, seal_and_open)
{
	uint8_t key[32] = { 1 }, nonce[12] = { 2 }, sealed[5 + 16], plain[5];
	struct crypt_box box = { slice_of(key, 32), slice_of(nonce, 12), SLICE_LITERAL("aad") };
	struct slice whole = slice_of(sealed, sizeof(sealed));

	cr_assert_eq(crypt_seal(sealed, &box, SLICE_LITERAL("plain")), ERR_OK);
	cr_assert_eq(crypt_open(plain, &box, whole), ERR_OK);
	cr_assert(slice_equal_text(slice_of(plain, 5), "plain"));
	for (size_t i = 0; i < sizeof(sealed); i++) {
		sealed[i] ^= 1;
		cr_assert_eq(crypt_open(plain, &box, whole), ERR_CRYPTO);
		sealed[i] ^= 1;
	}
	cr_assert_eq(plain[0], 0, "wiped");
	cr_assert_eq(crypt_open(plain, &box, slice_cut(whole, 0, 15)), ERR_CRYPTO);
	box.aad = SLICE_LITERAL("AAD");
	cr_assert_eq(crypt_open(plain, &box, whole), ERR_CRYPTO);
	cr_assert_eq(crypt_seal(sealed, &box, SLICE_EMPTY), ERR_OK);
	cr_assert_eq(crypt_open(plain, &box, slice_cut(whole, 0, 16)), ERR_OK);
}

/* The bound is never reached, and all below it is. */
Test(rand, below)
{
	bool seen[5] = { false };

	for (int i = 0; i < 1000; i++) {
		uint32_t value = rand_below(5);
		cr_assert_lt(value, 5);
		seen[value] = true;
	}
	cr_assert(seen[0] && seen[1] && seen[2] && seen[3] && seen[4]);
	cr_assert_eq(rand_below(1), 0);
	cr_assert_neq(rand_u64(), rand_u64());
}
