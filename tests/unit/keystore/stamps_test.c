/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include "base/clock.h"
#include "keystore/stamps.h"
#include "tests/harness/store_world.h"

enum { ARENA_MAX = 1 << 20 };

static struct world world;

static void setup(void)
{
	world_make(&world);
	world_start(&world);
}

static void teardown(void)
{
	world_remove(&world);
}

TestSuite(stamps, .init = setup, .fini = teardown, .timeout = 60);

/* The disk knows no later stamp, and the wall clock is an hour behind it. */
static void fall_back_to(uint64_t last)
{
	struct cache_write *write;
	uint8_t value[sizeof(last)];

	be64_put(value, last);
	cr_assert_eq(cache_write_begin(&write, keystore_cache(world.keystore)), ERR_OK);
	cr_assert_eq(cache_put_fact(write, "stamp", slice_of(value, sizeof(value))), ERR_OK);
	cr_assert_eq(cache_commit(write), ERR_OK);
	world_stop(&world);
	world_start(&world);
}

static struct stamp tag(const struct uid *uid)
{
	const struct object_attribute *tagged;
	struct cache_read *read;
	struct object *object;
	struct arena *arena;
	struct stamp added;

	cr_assert_eq(world_tag(&world, uid, "x-tag", 4), ERR_OK);
	cr_assert_eq(arena_new(&arena, ARENA_MAX), ERR_OK);
	cr_assert_eq(cache_read_begin(&read, world.cache), ERR_OK);
	cr_assert_eq(cache_get_object(read, arena, uid, &object), ERR_OK);
	tagged = object_attribute_find(object, slice_text("x-tag"), 0);
	cr_assert_not_null(tagged);
	added = tagged->added;
	cache_read_end(read);
	arena_free(arena);
	return added;
}

/* Shows that two additions of one node do not have one identity when its cache fell back between
 * them to what it was before the first. */
Test(stamps, tell_additions_apart_after_a_fall_back)
{
	uint64_t last = (clock_wall_ms() + 3600 * 1000) << 16;
	struct stamp first, second;
	struct uid uids[2];

	for (size_t i = 0; i < 2; i++) {
		cr_assert_eq(world_create(&world, SLICE_LITERAL("0123456789abcdef")), ERR_OK);
		uids[i] = world.uid;
	}
	fall_back_to(last);
	first = tag(&uids[0]);
	fall_back_to(last);
	second = tag(&uids[1]);
	cr_assert_gt(first.time, last);
	cr_assert_gt(second.time, last);
	cr_assert_neq(stamp_compare(first, second), 0);
}

static void save_seen(uint64_t last)
{
	struct cache_write *write;

	cr_assert_eq(cache_write_begin(&write, keystore_cache(world.keystore)), ERR_OK);
	cr_assert_eq(stamps_save_seen(write, last), ERR_OK);
	cr_assert_eq(cache_commit(write), ERR_OK);
}

/* Shows that a write that began earlier and ends later does not take what is saved back. */
Test(stamps, are_never_saved_backwards)
{
	const uint64_t late = UINT64_C(1) << 62;
	struct cache_read *read;
	struct slice value;

	save_seen(late);
	save_seen(late - 1);
	cr_assert_eq(cache_read_begin(&read, world.cache), ERR_OK);
	cr_assert_eq(cache_get_fact(read, "stamp", &value), ERR_OK);
	cr_assert_eq(value.len, sizeof(late));
	cr_assert_eq(be64_get(value.data), late);
	cache_read_end(read);
}
