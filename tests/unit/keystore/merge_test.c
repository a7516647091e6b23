/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "keystore/record.h"
#include "record_random.h"

enum { CASES = 20000, ARENA_MAX = 1 << 20 };

static struct slice encoded(struct buf *out, const struct record *record)
{
	buf_clear(out);
	cr_assert_eq(record_encode(out, record), ERR_OK);
	return buf_slice(out);
}

static bool same(const struct record *a, const struct record *b)
{
	struct buf left, right;
	bool equal;

	buf_init(&left, RECORD_LEN_MAX);
	buf_init(&right, RECORD_LEN_MAX);
	equal = slice_equal(encoded(&left, a), encoded(&right, b));
	buf_free(&left);
	buf_free(&right);
	return equal;
}

static struct record merged(struct arena *arena, const struct record *a, const struct record *b)
{
	struct record out;

	cr_assert_eq(record_merge(&out, arena, a, b), ERR_OK);
	return out;
}

/* The three laws, on one generated triple. Each merge goes through its stored form, as between
 * nodes. */
static void check_laws(uint64_t seed, enum record_kind kind, struct arena *arena)
{
	struct dice dice = { seed };
	struct record a = record_random(&dice, arena, kind), b = record_random(&dice, arena, kind),
		      c = record_random(&dice, arena, kind);
	struct record ab = merged(arena, &a, &b), ba = merged(arena, &b, &a),
		      bc = merged(arena, &b, &c), left = merged(arena, &ab, &c),
		      right = merged(arena, &a, &bc), aa = merged(arena, &a, &a),
		      again = merged(arena, &ab, &b);

	cr_assert(same(&ab, &ba), "commutative: seed %lu", seed);
	cr_assert(same(&left, &right), "associative: seed %lu", seed);
	cr_assert(same(&aa, &a), "idempotent: seed %lu", seed);
	cr_assert(same(&again, &ab), "absorbing: seed %lu", seed);
}

/* Random triples obey the laws of a join: PAIR_MERGE_CASES of them, from a seed that is printed and
 * that PAIR_MERGE_SEED replays. */
Test(merge, laws)
{
	const char *cases_text = getenv("PAIR_MERGE_CASES"), *seed_text = getenv("PAIR_MERGE_SEED");
	uint64_t cases = cases_text == NULL ? CASES : strtoull(cases_text, NULL, 10);
	uint64_t seed = seed_text == NULL ? clock_wall_ms() << 20 : strtoull(seed_text, NULL, 10);
	struct arena *arena;

	fprintf(stderr, "merge laws: PAIR_MERGE_SEED=%lu, %lu cases\n", seed, cases);
	cr_assert_eq(arena_new(&arena, ARENA_MAX), ERR_OK);
	for (uint64_t i = 0; i < cases; i++) {
		check_laws(seed + i, i % 8 == 0 ? RECORD_CLIENT : RECORD_OBJECT, arena);
		arena_reset(arena);
	}
	arena_free(arena);
}

/* ---- single rules ---- */

static struct record live_key(void)
{
	struct record record = { .kind = RECORD_OBJECT,
		.object = { .uid = { { 7 } },
			.key_id = { { 7 } },
			.type = 2,
			.format = 1,
			.has_material = true,
			.envelope_hash = { 5 },
			.wrapped = { .ciphertext = SLICE_LITERAL("wrapped") } } };

	cr_assert_eq(instance_id_parse(&record.object.instance, slice_text("instance-a")), ERR_OK);
	return record;
}

static struct record merge_once(const struct record *a, const struct record *b)
{
	static struct arena *arena;

	if (arena == NULL)
		cr_assert_eq(arena_new(&arena, ARENA_MAX), ERR_OK);
	return merged(arena, a, b);
}

/* A tombstone for a key never seen kills the key that comes later, in either order, and takes the
 * wrapped bytes with it. */
Test(merge, tombstone_first)
{
	struct record key = live_key(), tombstone = { .kind = RECORD_OBJECT,
		.object = { .uid = { { 7 } },
			.key_id = { { 7 } },
			.unclaimed = true,
			.dead = true,
			.dead_epoch = 200 } };
	struct record out = merge_once(&tombstone, &key), other = merge_once(&key, &tombstone);

	cr_assert(same(&out, &other));
	cr_assert(out.object.dead);
	cr_assert(out.object.has_material);
	cr_assert_eq(out.object.wrapped.ciphertext.len, 0);
	cr_assert_not(out.object.unclaimed);
	cr_assert_not(object_is_quarantined(&out.object));
	cr_assert_eq(out.object.type, 2);
}

/* Only a greater epoch brings a key back, with the material that came with it and not the older. */
Test(merge, restored_key)
{
	struct record key = live_key(), dead = live_key(), restored = live_key(), out;

	key.object.wrapped.version_label = 1000;
	dead.object.dead = true;
	dead.object.dead_epoch = 200;
	restored.object.dead_epoch = 201;
	restored.object.wrapped.ciphertext = slice_text("wrapped again");
	out = merge_once(&key, &dead);
	cr_assert(out.object.dead);
	out = merge_once(&out, &restored);
	cr_assert_not(out.object.dead);
	cr_assert(slice_equal_text(out.object.wrapped.ciphertext, "wrapped again"));
	out = merge_once(&out, &key);
	cr_assert(slice_equal_text(out.object.wrapped.ciphertext, "wrapped again"));
}

/* Records that disagree on what the key is are not served, and stay so. */
Test(merge, disagreement_quarantines)
{
	struct record a = live_key(), b = live_key(), c = live_key(), out;

	b.object.envelope_hash[0] = 4;
	b.object.wrapped.ciphertext = slice_text("other");
	out = merge_once(&a, &b);
	cr_assert(object_is_quarantined(&out.object));
	cr_assert_eq(out.object.envelope_hash[0], 4);
	cr_assert(slice_equal_text(out.object.wrapped.ciphertext, "other"));
	out = merge_once(&out, &a);
	cr_assert(object_is_quarantined(&out.object));
	cr_assert_eq(instance_id_parse(&c.object.instance, slice_text("instance-b")), ERR_OK);
	out = merge_once(&a, &c);
	cr_assert(object_is_quarantined(&out.object));
}

/* A rewrapped form wins by the date of the root key's version, before any stamp. */
Test(merge, newest_wrapped_form_wins)
{
	struct record a = live_key(), b = live_key(), out;

	a.object.wrapped.version_label = 2;
	b.object.wrapped.ciphertext = slice_text("older version, later write");
	b.object.wrapped.version_label = 1;
	b.object.wrapped.written.time = 99;
	out = merge_once(&a, &b);
	cr_assert(slice_equal_text(out.object.wrapped.ciphertext, "wrapped"));
}

/* Two different keys never become one. */
Test(merge, different_keys_are_refused)
{
	struct record a = live_key(), b = live_key(), c = { .kind = RECORD_CLIENT }, out;
	struct arena *arena;

	cr_assert_eq(arena_new(&arena, ARENA_MAX), ERR_OK);
	b.object.uid.bytes[0] = 8;
	cr_assert_eq(record_merge(&out, arena, &a, &b), ERR_INVALID);
	cr_assert_eq(record_merge(&out, arena, &a, &c), ERR_INVALID);
	arena_free(arena);
}

/* A client that was removed and installed at one stamp is removed. */
Test(merge, removal_of_a_client_wins_a_tie)
{
	struct record a = { .kind = RECORD_CLIENT, .client = { .written = { .time = 5 } } }, b = a;

	b.client.removed = true;
	cr_assert(merge_once(&a, &b).client.removed);
	cr_assert(merge_once(&b, &a).client.removed);
	a.client.written.time = 6;
	cr_assert_not(merge_once(&b, &a).client.removed);
}

/* More registers than a record may hold are an error and not a loss. */
Test(merge, too_many_attributes)
{
	struct record a = live_key(), b = live_key(), out;
	struct arena *arena;
	size_t count = OBJECT_ATTRIBUTES_MERGED_MAX;

	cr_assert_eq(arena_new(&arena, ARENA_MAX), ERR_OK);
	a.object.attributes = arena_array(arena, count, sizeof(*a.object.attributes));
	for (size_t i = 0; i < count; i++) {
		a.object.attributes[i].name = slice_text("Link");
		a.object.attributes[i].added.time = i + 1;
	}
	a.object.attribute_count = count;
	b.object.attributes = arena_array(arena, 1, sizeof(*b.object.attributes));
	b.object.attributes[0].name = slice_text("Name");
	b.object.attribute_count = 1;
	cr_assert_eq(record_merge(&out, arena, &a, &b), ERR_LIMIT);
	arena_free(arena);
}
