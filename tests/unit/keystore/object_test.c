/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include "keystore/object.h"

enum { ARENA_MAX = 64 << 20 };

static struct arena *arena;
static struct object object;

static void setup(void)
{
	cr_assert_eq(arena_new(&arena, ARENA_MAX), ERR_OK);
	object = (struct object){ .has_material = true };
}

static void teardown(void)
{
	arena_free(arena);
}

TestSuite(object, .init = setup, .fini = teardown);

/* ---- helpers ---- */

static enum err edit_at(uint64_t time, enum object_edit_kind kind, const char *name, uint32_t index,
	struct slice value, uint32_t *added)
{
	struct object_edit edit = {
		.kind = kind, .name = slice_text(name), .index = index, .value = value
	};
	struct object_change change = { .edits = &edit, .edit_count = 1 };

	return object_apply(
		&object, arena, &change, (struct stamp){ .time = time, .node = 1 }, added);
}

static uint32_t add(uint64_t time, const char *value)
{
	uint32_t index;

	cr_assert_eq(edit_at(time, OBJECT_EDIT_ADD, "Name", 0, slice_text(value), &index), ERR_OK);
	return index;
}

static bool reads(uint32_t index, const char *value)
{
	const struct object_attribute *found =
		object_attribute_find(&object, slice_text("Name"), index);

	return found != NULL && slice_equal_text(found->value, value) &&
	       object_attribute_index(&object, found) == index;
}

static enum object_state state(int64_t activation, int64_t deactivation, int64_t now)
{
	struct object_schedule schedule = { activation, deactivation };

	return object_state(&object, &schedule, now);
}

/* ---- state ---- */

/* Flags say what happened, the schedule what has come due. */
Test(object, state_by_flags_and_schedule)
{
	cr_assert_eq(state(0, 0, 100), OBJECT_STATE_PRE_ACTIVE);
	cr_assert_eq(state(101, 0, 100), OBJECT_STATE_PRE_ACTIVE);
	cr_assert_eq(state(100, 0, 100), OBJECT_STATE_ACTIVE);
	cr_assert_eq(state(50, 100, 100), OBJECT_STATE_DEACTIVATED);
	cr_assert_eq(state(0, 100, 100), OBJECT_STATE_PRE_ACTIVE);
	object.life = OBJECT_ACTIVE;
	cr_assert_eq(state(0, 101, 100), OBJECT_STATE_ACTIVE);
	cr_assert_eq(state(0, 100, 100), OBJECT_STATE_DEACTIVATED);
	object.life = OBJECT_DEACTIVATED;
	cr_assert_eq(state(0, 0, 100), OBJECT_STATE_DEACTIVATED);
	object.compromised = true;
	cr_assert_eq(state(0, 0, 100), OBJECT_STATE_COMPROMISED);
	object.dead = true;
	cr_assert_eq(state(0, 0, 100), OBJECT_STATE_DESTROYED_COMPROMISED);
	object.compromised = false;
	cr_assert_eq(state(0, 0, 100), OBJECT_STATE_DESTROYED);
}

/* Flags go up only, dates are set once. */
Test(object, flags_and_dates_are_one_way)
{
	struct object_change up = { .deactivate = true, .claim = true, .now = 50 };
	struct object_change down = { .activate = true, .now = 40 };

	object.unclaimed = true;
	up.dates[OBJECT_DATE_DEACTIVATED] = 50;
	down.dates[OBJECT_DATE_DEACTIVATED] = 60;
	cr_assert_eq(object_apply(&object, arena, &up, (struct stamp){ 1, 1 }, NULL), ERR_OK);
	cr_assert_eq(object_apply(&object, arena, &down, (struct stamp){ 2, 1 }, NULL), ERR_OK);
	cr_assert_eq(object.life, OBJECT_DEACTIVATED);
	cr_assert_eq(object.dates[OBJECT_DATE_DEACTIVATED], 50);
	cr_assert_eq(object.last_change, 50);
	cr_assert_not(object.unclaimed);
}

/* A destroyed object has a dead epoch above every earlier one, and no wrapped key. */
Test(object, destroy_sets_the_epoch)
{
	struct object_change destroy = { .destroy = true, .now = 70 };

	object.wrapped.ciphertext = slice_text("wrapped");
	destroy.dates[OBJECT_DATE_DESTROYED] = 60;
	cr_assert_eq(object_apply(&object, arena, &destroy, (struct stamp){ 1, 1 }, NULL), ERR_OK);
	cr_assert(object.dead);
	cr_assert_eq(object.dead_epoch, 120);
	cr_assert_eq(object.wrapped.ciphertext.len, 0);
	destroy.dates[OBJECT_DATE_DESTROYED] = 90;
	cr_assert_eq(object_apply(&object, arena, &destroy, (struct stamp){ 2, 1 }, NULL), ERR_OK);
	cr_assert_eq(object.dead_epoch, 180);
	object.dead = false;
	object.dead_epoch = 201;
	destroy.dates[OBJECT_DATE_DESTROYED] = 0;
	cr_assert_eq(object_apply(&object, arena, &destroy, (struct stamp){ 3, 1 }, NULL), ERR_OK);
	cr_assert_eq(object.dead_epoch, 202);
	cr_assert(object_epoch_is_dead(object.dead_epoch));
}

/* A deletion that the key manager dates later than our own clock is the last change: a rebuilt
 * cache knows no other. */
Test(object, destroyed_by_the_key_managers_clock)
{
	struct object_change destroy = { .destroy = true, .now = 70 };

	destroy.dates[OBJECT_DATE_DESTROYED] = 72;
	cr_assert_eq(object_apply(&object, arena, &destroy, (struct stamp){ 1, 1 }, NULL), ERR_OK);
	cr_assert_eq(object.last_change, 72);
}

/* ---- attributes ---- */

/* A single-instance attribute is set and set again in place, with the zero identity. */
Test(object, set_overwrites)
{
	cr_assert_eq(edit_at(1, OBJECT_EDIT_SET, "Length", 0, slice_text("128"), NULL), ERR_OK);
	cr_assert_eq(edit_at(2, OBJECT_EDIT_SET, "Length", 0, slice_text("256"), NULL), ERR_OK);
	cr_assert_eq(object.attribute_count, 1);
	cr_assert_eq(object.attributes[0].added.time, 0);
	cr_assert(slice_equal_text(object.attributes[0].value, "256"));
}

/* Instances are numbered from 0, never renumbered; a free index is used again. */
Test(object, instances)
{
	cr_assert_eq(add(1, "a"), 0);
	cr_assert_eq(add(2, "b"), 1);
	cr_assert_eq(add(3, "c"), 2);
	cr_assert_eq(edit_at(4, OBJECT_EDIT_DELETE, "Name", 1, SLICE_EMPTY, NULL), ERR_OK);
	cr_assert(reads(0, "a"));
	cr_assert(reads(2, "c"));
	cr_assert_null(object_attribute_find(&object, slice_text("Name"), 1));
	cr_assert_eq(
		edit_at(5, OBJECT_EDIT_MODIFY, "Name", 1, slice_text("x"), NULL), ERR_NOT_FOUND);
	cr_assert_eq(add(6, "d"), 1);
	cr_assert_eq(edit_at(7, OBJECT_EDIT_MODIFY, "Name", 1, slice_text("D"), NULL), ERR_OK);
	cr_assert(reads(1, "D"));
	cr_assert_eq(object_attributes_bytes(&object), 3 * 5);
}

/* Two nodes that chose one index: the instance added first keeps it, the other gets the next free
 * one. */
Test(object, colliding_indices)
{
	struct object_attribute attributes[] = {
		{ .name = SLICE_LITERAL("Name"), .added = { 1, 1 }, .value = SLICE_LITERAL("a") },
		{ .name = SLICE_LITERAL("Name"), .added = { 1, 2 }, .value = SLICE_LITERAL("b") },
		{ .name = SLICE_LITERAL("Name"),
			.added = { 2, 1 },
			.index = 1,
			.value = SLICE_LITERAL("c") },
		{ .name = SLICE_LITERAL("Name"),
			.added = { 3, 1 },
			.index = UINT32_MAX,
			.value = SLICE_LITERAL("d") },
		{ .name = SLICE_LITERAL("Zone"), .value = SLICE_LITERAL("z") },
	};

	object.attributes = attributes;
	object.attribute_count = sizeof(attributes) / sizeof(attributes[0]);
	cr_assert(reads(0, "a"));
	cr_assert(reads(1, "b"));
	cr_assert(reads(2, "c"));
	cr_assert(reads(3, "d"));
	cr_assert_eq(add(9, "e"), 4);
}

/* Several instances of one name in one change have identities of their own. */
Test(object, many_adds_in_one_change)
{
	struct object_edit edits[3];
	struct object_change change = { .edits = edits, .edit_count = 3 };
	uint32_t added;

	for (size_t i = 0; i < 3; i++)
		edits[i] = (struct object_edit){ .kind = OBJECT_EDIT_ADD,
			.name = slice_text("Name"),
			.value = slice_of(&"abc"[i], 1) };
	cr_assert_eq(object_apply(&object, arena, &change, (struct stamp){ 5, 1 }, &added), ERR_OK);
	cr_assert_eq(added, 2);
	cr_assert(reads(0, "a"));
	cr_assert(reads(1, "b"));
	cr_assert(reads(2, "c"));
	cr_assert_lt(stamp_compare(object.attributes[0].added, object.attributes[1].added), 0);
}

/* A write wins over what it saw, even if that was stamped in the future. */
Test(object, write_beats_what_it_saw)
{
	(void) add(1000, "a");
	cr_assert_eq(edit_at(10, OBJECT_EDIT_MODIFY, "Name", 0, slice_text("b"), NULL), ERR_OK);
	cr_assert_gt(object.attributes[0].written.time, 1000);
	object.attributes[0].written.time = UINT64_MAX;
	object.attributes[0].written.node = UINT16_MAX;
	cr_assert_eq(edit_at(20, OBJECT_EDIT_MODIFY, "Name", 0, slice_text("c"), NULL), ERR_LIMIT);
}

/* A change that fails in its last edit has changed nothing. */
Test(object, change_is_atomic)
{
	struct object_edit edits[] = {
		{ .kind = OBJECT_EDIT_MODIFY,
			.name = SLICE_LITERAL("Name"),
			.value = SLICE_LITERAL("x") },
		{ .kind = OBJECT_EDIT_SET,
			.name = SLICE_LITERAL("Alpha"),
			.value = SLICE_LITERAL("y") },
		{ .kind = OBJECT_EDIT_DELETE, .name = SLICE_LITERAL("Gone") },
	};
	struct object_change change = { .activate = true, .edits = edits, .edit_count = 3 };

	(void) add(1, "a");
	cr_assert_eq(
		object_apply(&object, arena, &change, (struct stamp){ 2, 1 }, NULL), ERR_NOT_FOUND);
	cr_assert_eq(object.attribute_count, 1);
	cr_assert(reads(0, "a"));
	cr_assert_eq(object.life, OBJECT_PRE_ACTIVE);
}

/* Lengths and numbers are bounded; deleting works at the limit. */
Test(object, limits)
{
	struct slice big = slice_of(arena_alloc(arena, OBJECT_ATTRIBUTES_BYTES_MAX + 1),
		OBJECT_ATTRIBUTES_BYTES_MAX + 1);
	char name[OBJECT_NAME_LEN_MAX + 2] = { 0 };

	for (size_t i = 0; i <= OBJECT_NAME_LEN_MAX; i++)
		name[i] = 'n';
	cr_assert_eq(edit_at(1, OBJECT_EDIT_SET, name, 0, SLICE_EMPTY, NULL), ERR_LIMIT);
	cr_assert_eq(edit_at(1, OBJECT_EDIT_SET, "", 0, SLICE_EMPTY, NULL), ERR_INVALID);
	cr_assert_eq(edit_at(1, OBJECT_EDIT_SET, "x", 0, big, NULL), ERR_LIMIT);
	big.len = OBJECT_ATTRIBUTES_BYTES_MAX - 1;
	cr_assert_eq(edit_at(1, OBJECT_EDIT_SET, "x", 0, big, NULL), ERR_OK);
	cr_assert_eq(edit_at(2, OBJECT_EDIT_SET, "y", 0, SLICE_EMPTY, NULL), ERR_LIMIT);
	cr_assert_eq(edit_at(3, OBJECT_EDIT_DELETE, "x", 0, SLICE_EMPTY, NULL), ERR_OK);
	cr_assert_eq(object_attributes_bytes(&object), 0);
	cr_assert_eq(edit_at(4, OBJECT_EDIT_SET, "y", 0, SLICE_EMPTY, NULL), ERR_OK);
}

/* Tombstones count, so that a record never outgrows its maximum. */
Test(object, registers_are_bounded)
{
	enum err err = ERR_OK;
	uint64_t time = 1;

	for (; err == ERR_OK && time < 2 * OBJECT_ATTRIBUTES_MAX; time++) {
		err = edit_at(2 * time, OBJECT_EDIT_ADD, "N", 0, SLICE_EMPTY, NULL);
		if (err == ERR_OK)
			cr_assert_eq(edit_at(2 * time + 1, OBJECT_EDIT_DELETE, "N", 0, SLICE_EMPTY,
					     NULL),
				ERR_OK);
	}
	cr_assert_eq(err, ERR_LIMIT);
	cr_assert_eq(object.attribute_count, OBJECT_ATTRIBUTES_MAX);
}

/* Without memory nothing changes. */
Test(object, memory_runs_out)
{
	struct arena *tiny;
	struct object_edit edit = { .kind = OBJECT_EDIT_SET,
		.name = SLICE_LITERAL("Name"),
		.value = SLICE_LITERAL("value") };
	struct object_change change = { .edits = &edit, .edit_count = 1 };

	for (size_t max = 0; max < sizeof(struct object_attribute) + 9; max++) {
		cr_assert_eq(arena_new(&tiny, max), ERR_OK);
		cr_assert_eq(object_apply(&object, tiny, &change, (struct stamp){ 1, 1 }, NULL),
			ERR_NOMEM, "%zu", max);
		cr_assert_eq(object.attribute_count, 0);
		arena_free(tiny);
	}
}

/* Shows that a destroy of what is dead already counts by its own, later date: a restoration between
 * the two deletions, heard of later, stays below it. */
Test(object, dies_again_at_a_later_date)
{
	struct object twice = { .dead = true, .dead_epoch = object_epoch_of(1000, true) };
	struct object_change change = { .destroy = true, .now = 5000 };
	struct stamp stamp = { 1, 1 };

	cr_assert_eq(object_apply(&twice, arena, &change, stamp, NULL), ERR_OK);
	cr_assert_eq(twice.dead_epoch, object_epoch_of(1000, true));
	change.dates[OBJECT_DATE_DESTROYED] = 900;
	cr_assert_eq(object_apply(&twice, arena, &change, stamp, NULL), ERR_OK);
	cr_assert_eq(twice.dead_epoch, object_epoch_of(1000, true));
	change.dates[OBJECT_DATE_DESTROYED] = 2000;
	cr_assert_eq(object_apply(&twice, arena, &change, stamp, NULL), ERR_OK);
	cr_assert_eq(twice.dead_epoch, object_epoch_of(2000, true));
	cr_assert_gt(twice.dead_epoch, object_epoch_of(1000, false));
}
