/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include "base/crypt.h"
#include "keystore/record.h"
#include "record_random.h"

enum { ARENA_MAX = 1 << 20, CASES = 3000 };

static struct arena *arena;
static struct buf bytes;

static void setup(void)
{
	cr_assert_eq(arena_new(&arena, ARENA_MAX), ERR_OK);
	buf_init(&bytes, 2 * RECORD_LEN_MAX);
}

static void teardown(void)
{
	arena_free(arena);
	buf_free(&bytes);
}

TestSuite(record, .init = setup, .fini = teardown);

static struct record sample(uint64_t seed, enum record_kind kind)
{
	struct dice dice = { seed };

	return record_random(&dice, arena, kind);
}

/* The record's bytes with one changed, and a checksum that fits again. */
static struct slice tampered(size_t at, uint8_t value)
{
	struct slice original = buf_slice(&bytes), copy = arena_copy(arena, original);
	uint8_t *p = (uint8_t *) copy.data;

	p[at] = value;
	be32_put(p + copy.len - 4, crypt_crc32c(slice_cut(copy, 0, copy.len - 4)));
	return copy;
}

/* What was written is read back, and written again byte for byte, whoever's minor version it is. */
Test(record, round_trip)
{
	for (uint64_t seed = 0; seed < CASES; seed++) {
		enum record_kind kind = seed % 4 == 0 ? RECORD_CLIENT : RECORD_OBJECT;
		struct record record = sample(seed, kind), back;
		struct slice copy;

		buf_clear(&bytes);
		cr_assert_eq(record_encode(&bytes, &record), ERR_OK, "seed %lu", seed);
		copy = arena_copy(arena, buf_slice(&bytes));
		cr_assert_eq(record_decode(&back, arena, copy), ERR_OK, "seed %lu", seed);
		buf_clear(&bytes);
		cr_assert_eq(record_encode(&bytes, &back), ERR_OK);
		cr_assert(slice_equal(copy, buf_slice(&bytes)), "seed %lu", seed);
		arena_reset(arena);
	}
}

/* Every truncation and every flipped bit is noticed. */
Test(record, damage_is_noticed)
{
	struct record record = sample(11, RECORD_OBJECT), back;
	struct slice whole;
	uint8_t *p;

	cr_assert_eq(record_encode(&bytes, &record), ERR_OK);
	whole = arena_copy(arena, buf_slice(&bytes));
	p = (uint8_t *) whole.data;
	for (size_t len = 0; len < whole.len; len++)
		cr_assert_eq(record_decode(&back, arena, slice_cut(whole, 0, len)), ERR_CORRUPT);
	for (size_t bit = 0; bit < whole.len * 8; bit++) {
		p[bit / 8] = (uint8_t) (p[bit / 8] ^ 1u << bit % 8);
		cr_assert_eq(record_decode(&back, arena, whole), ERR_CORRUPT, "bit %zu", bit);
		p[bit / 8] = (uint8_t) (p[bit / 8] ^ 1u << bit % 8);
	}
	cr_assert_eq(record_decode(&back, arena, whole), ERR_OK);
}

/* Any byte changed under a valid checksum either gives another canonical record or is refused:
 * never a crash, never a record that would be written back differently. */
Test(record, forged_bytes_stay_canonical)
{
	struct record record = sample(12, RECORD_OBJECT), back;
	struct buf again;

	buf_init(&again, RECORD_LEN_MAX);
	cr_assert_eq(record_encode(&bytes, &record), ERR_OK);
	for (size_t at = 0; at < buf_slice(&bytes).len - 4; at++) {
		for (unsigned value = 0; value < 256; value += 5) {
			struct slice forged = tampered(at, (uint8_t) value);

			buf_clear(&again);
			if (record_decode(&back, arena, forged) != ERR_OK)
				continue;
			cr_assert_eq(record_encode(&again, &back), ERR_OK);
			cr_assert(slice_equal(buf_slice(&again), forged), "byte %zu", at);
		}
		arena_reset(arena);
	}
	buf_free(&again);
}

/* A newer major version is told apart from damage. */
Test(record, newer_major_version)
{
	struct record record = sample(13, RECORD_CLIENT), back;

	record.minor = RECORD_MINOR;
	record.extension = SLICE_EMPTY;
	cr_assert_eq(record_encode(&bytes, &record), ERR_OK);
	cr_assert_eq(record_decode(&back, arena, tampered(0, RECORD_MAJOR + 1)), ERR_VERSION);
	cr_assert_eq(record_decode(&back, arena, tampered(3, 77)), ERR_CORRUPT);
}

/* What contradicts itself is not written. */
Test(record, contradictions_are_refused)
{
	struct record record = { .kind = RECORD_OBJECT };
	struct object_attribute twice[2] = { { .name = SLICE_LITERAL("Name") },
		{ .name = SLICE_LITERAL("Name") } };

	record.object.dead_epoch = 3;
	record.object.dead = true;
	cr_assert_eq(record_encode(&bytes, &record), ERR_INVALID);
	record.object.dead_epoch = 4;
	cr_assert_eq(record_encode(&bytes, &record), ERR_OK);
	record.object.attributes = twice;
	record.object.attribute_count = 2;
	cr_assert_eq(record_encode(&bytes, &record), ERR_INVALID);
	record = (struct record){ .kind = RECORD_OBJECT };
	record.object.envelope_hash[0] = 1;
	cr_assert_eq(record_encode(&bytes, &record), ERR_INVALID);
	record = (struct record){ .kind = RECORD_CLIENT };
	record.extension = slice_text("of nobody");
	cr_assert_eq(record_encode(&bytes, &record), ERR_INVALID);
	record.extension = SLICE_EMPTY;
	record.client.instance.text[0] = 'x';
	cr_assert_eq(record_encode(&bytes, &record), ERR_INVALID);
}

/* A record longer than the maximum is refused when written and when read. */
Test(record, length_is_bounded)
{
	struct record record = { .kind = RECORD_CLIENT, .minor = RECORD_MINOR + 1 }, back;
	struct slice big = slice_of(arena_alloc(arena, RECORD_LEN_MAX), RECORD_LEN_MAX);

	record.extension = big;
	cr_assert_eq(record_encode(&bytes, &record), ERR_LIMIT);
	cr_assert_eq(record_decode(&back, arena, buf_slice(&bytes)), ERR_CORRUPT);
}

/* An object needs memory for its attributes: an arena that is spent is an error, none is a refusal.
 */
Test(record, memory_runs_out)
{
	struct record record = sample(14, RECORD_OBJECT), back;
	struct arena *tiny;

	cr_assert_gt(record.object.attribute_count, 0);
	cr_assert_eq(record_encode(&bytes, &record), ERR_OK);
	cr_assert_eq(arena_new(&tiny, 16), ERR_OK);
	cr_assert_eq(record_decode(&back, tiny, buf_slice(&bytes)), ERR_NOMEM);
	cr_assert_eq(record_decode(&back, NULL, buf_slice(&bytes)), ERR_CORRUPT);
	arena_free(tiny);
}

/* The key names kind and identity. */
Test(record, key)
{
	struct record record = { .kind = RECORD_OBJECT, .object = { .uid = { { 1, 2 } } } };

	cr_assert_eq(record_key(&bytes, &record), ERR_OK);
	cr_assert_eq(buf_slice(&bytes).len, 17);
	cr_assert_eq(buf_slice(&bytes).data[0], RECORD_OBJECT);
	cr_assert_eq(buf_slice(&bytes).data[2], 2);
	buf_clear(&bytes);
	record.kind = RECORD_CLIENT;
	cr_assert_eq(record_key(&bytes, &record), ERR_OK);
	cr_assert_eq(buf_slice(&bytes).len, RECORD_KEY_LEN_MAX);
}
