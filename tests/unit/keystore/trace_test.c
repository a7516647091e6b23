/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include "keystore/trace.h"

enum { ARENA = 1 << 20, TAGS = 40, TAG_LEN = 300, LEN_MAX = 6296 };

static struct arena *arena;

static void setup(void)
{
	cr_assert_eq(arena_new(&arena, ARENA), ERR_OK);
}

static void teardown(void)
{
	arena_free(arena);
}

TestSuite(trace, .init = setup, .fini = teardown);

/* A key in use with many attributes. */
static struct record key_in_use(void)
{
	static uint8_t value[TAG_LEN];
	struct record record = { .kind = RECORD_OBJECT };
	struct object *object = &record.object;
	struct object_edit edit = {
		.kind = OBJECT_EDIT_ADD, .name = SLICE_LITERAL("x-tag"), .value = { value, TAG_LEN }
	};
	struct object_change change = {
		.activate = true, .now = 20, .dates[OBJECT_DATE_ACTIVATED] = 20
	};

	object->uid.bytes[0] = object->key_id.bytes[0] = 1;
	object->type = 2;
	object->has_material = true;
	object->envelope_hash[0] = 7;
	object->wrapped.ciphertext = SLICE_LITERAL("wrapped");
	object->dates[OBJECT_DATE_INITIAL] = 10;
	object->last_change = 10;
	for (size_t i = 0; i < TAGS; i++) {
		struct object_change add = { .edits = &edit, .edit_count = 1 };
		struct stamp stamp = { .time = 100 + i, .node = 1 };

		/* Beyond the limit of one node, as the union of two may be. */
		if (object_apply(object, arena, &add, stamp, NULL) != ERR_OK)
			break;
	}
	cr_assert_eq(object_apply(object, arena, &change, (struct stamp){ 200, 1 }, NULL), ERR_OK);
	return record;
}

static struct record decoded(struct buf *bytes)
{
	struct slice copy = arena_copy(arena, buf_slice(bytes));
	struct record record;

	cr_assert_eq(record_decode(&record, arena, copy), ERR_OK);
	return record;
}

/* Shows that a trace in small parts, merged in any order into nothing but the fresh object, gives
 * the whole, and that merging it once more changes nothing: neither material nor epoch. */
Test(trace, parts_give_the_whole)
{
	struct record whole = key_in_use(), fresh = whole, backward = whole, parts[TAGS];
	uint8_t hash[TRACE_HASH_LEN], other[TRACE_HASH_LEN];
	struct trace trace;
	size_t count = 0;
	struct buf bytes;

	fresh.object.attribute_count = 0;
	fresh.object.life = OBJECT_PRE_ACTIVE;
	fresh.object.dates[OBJECT_DATE_ACTIVATED] = 0;
	fresh.object.last_change = 10;
	backward = fresh;
	trace_begin(&trace, &whole, 1000);
	while (!trace.done) {
		buf_init(&bytes, 1000);
		cr_assert_eq(trace_next(&trace, &bytes), ERR_OK);
		parts[count++] = decoded(&bytes);
		buf_free(&bytes);
	}
	cr_assert_gt(count, 5);
	for (size_t i = 0; i < count; i++) {
		cr_assert_eq(record_merge(&fresh, arena, &fresh, &parts[i]), ERR_OK);
		cr_assert_eq(
			record_merge(&backward, arena, &parts[count - 1 - i], &backward), ERR_OK);
	}
	cr_assert_eq(trace_hash(hash, &whole), ERR_OK);
	cr_assert_eq(trace_hash(other, &fresh), ERR_OK);
	cr_assert_arr_eq(hash, other, sizeof(hash));
	cr_assert_eq(trace_hash(other, &backward), ERR_OK);
	cr_assert_arr_eq(hash, other, sizeof(hash));
	cr_assert_eq(fresh.object.wrapped.ciphertext.len, whole.object.wrapped.ciphertext.len);
	cr_assert_eq(fresh.object.envelope_hash[0], 7);
}

/* Shows that the trace of a dead key is that of a live one, and leaves a later epoch alone. */
Test(trace, says_nothing_of_death)
{
	struct record record = key_in_use(), dead = record, trace_record;
	uint8_t hash[TRACE_HASH_LEN], other[TRACE_HASH_LEN];
	struct trace trace;
	struct buf bytes;

	dead.object.dead = true;
	dead.object.dead_epoch = object_epoch_of(1000, true);
	dead.object.dates[OBJECT_DATE_DESTROYED] = 1000;
	dead.object.wrapped = (struct object_wrapped){ 0 };
	cr_assert_eq(trace_hash(hash, &record), ERR_OK);
	cr_assert_eq(trace_hash(other, &dead), ERR_OK);
	cr_assert_arr_eq(hash, other, sizeof(hash));
	buf_init(&bytes, RECORD_LEN_MAX);
	trace_begin(&trace, &dead, RECORD_LEN_MAX);
	cr_assert_eq(trace_next(&trace, &bytes), ERR_OK);
	trace_record = decoded(&bytes);
	buf_free(&bytes);
	cr_assert_eq(record_merge(&dead, arena, &dead, &trace_record), ERR_OK);
	cr_assert(dead.object.dead);
	record.object.dead_epoch = object_epoch_of(1000, false);
	cr_assert_eq(record_merge(&record, arena, &trace_record, &record), ERR_OK);
	cr_assert_not(record.object.dead);
	cr_assert_gt(record.object.wrapped.ciphertext.len, 0);
}

/* Shows what needs no trace: a key that nobody touched since it was made, and one long dead. */
Test(trace, is_needed)
{
	struct object_attribute attributes[2] = { { .written = { 5, 1 } },
		{ .written = { 5, 1 } } };
	struct record record = { .kind = RECORD_OBJECT }, client = { .kind = RECORD_CLIENT };
	struct object *object = &record.object;

	object->attributes = attributes;
	object->attribute_count = 2;
	object->dates[OBJECT_DATE_INITIAL] = object->last_change = 10;
	cr_assert_not(trace_is_needed(&record, 100));
	attributes[1].written.time = 6;
	cr_assert(trace_is_needed(&record, 100));
	attributes[1].written.time = 5;
	object->life = OBJECT_ACTIVE;
	cr_assert(trace_is_needed(&record, 100));
	object->dead = true;
	object->dead_epoch = object_epoch_of(50, true);
	cr_assert(trace_is_needed(&record, 100));
	cr_assert_not(trace_is_needed(&record, 51 + TRACE_DEAD_S));
	cr_assert(trace_is_needed(&client, 100));
}

/* Shows that an attribute that was set after the creation is missed at no time: in its second,
 * before it by a clock that was set back, where there was none before, and with what the peer
 * holds; and that the creation alone needs no trace. */
Test(trace, is_needed_whenever_an_attribute_was_set)
{
	struct object_edit edit = {
		.kind = OBJECT_EDIT_SET, .name = SLICE_LITERAL("x-tag"), .value = SLICE_LITERAL("a")
	};
	struct object_change make = { .now = 10, .dates[OBJECT_DATE_INITIAL] = 10 };
	struct object_change set = { .edits = &edit, .edit_count = 1 };

	for (size_t given = 0; given <= 1; given++) {
		struct record made = { .kind = RECORD_OBJECT };

		made.object.type = 2;
		make.edits = &edit;
		make.edit_count = given;
		cr_assert_eq(object_apply(&made.object, arena, &make, (struct stamp){ 5, 1 }, NULL),
			ERR_OK);
		cr_assert_not(trace_is_needed(&made, 100), "%zu given", given);
		for (set.now = 9; set.now <= 11; set.now++) {
			struct record changed = made, merged;

			cr_assert_eq(object_apply(&changed.object, arena, &set,
					     (struct stamp){ 6, 1 }, NULL),
				ERR_OK);
			cr_assert(trace_is_needed(&changed, 100), "%zu given, at %d", given,
				(int) set.now);
			cr_assert_eq(record_merge(&merged, arena, &made, &changed), ERR_OK);
			cr_assert(trace_is_needed(&merged, 100));
		}
	}
}
