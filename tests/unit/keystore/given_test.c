/* SPDX-License-Identifier: Apache-2.0 */
/* That an object was handed out: the key manager hears of it by the way, and no answer waits long
 * for it. */
#include <criterion/criterion.h>
#include "keystore/given.h"
#include "keystore/trace.h"
#include "tests/harness/store_world.h"

static struct world world;
static const struct slice material = SLICE_LITERAL("0123456789abcdef0123456789abcdef");
static struct uid uid;
static struct arena *arena;
static struct keystore_hold *held;

static void setup(void)
{
	cr_assert_eq(arena_new(&arena, 1 << 20), ERR_OK);
	world_make(&world);
	world_start(&world);
	cr_assert_eq(world_create(&world, material), ERR_OK);
	uid = world.uid;
	held = NULL;
}

static void teardown(void)
{
	world_remove(&world);
	arena_free(arena);
}

TestSuite(given, .init = setup, .fini = teardown, .timeout = 60);

static void on_changed(void *ctx, enum err err, uint32_t added_index)
{
	(void) added_index;
	*(enum err *) ctx = err;
	world.answered = true;
}

static bool is_held_or_answered(struct world *in)
{
	return held != NULL || world_is_answered(in);
}

static enum err give(void)
{
	struct object_edit edit = given_edit();
	struct object_change change = { .edits = &edit, .edit_count = 1 };
	struct keystore_change options = {
		.instance = world.instances[0].id, .uid = uid, .change = &change, .in_passing = true
	};
	struct keystore_pending *pending;
	static enum err err;

	err = ERR_OK;
	world.answered = false;
	cr_assert_eq(keystore_change_start(&pending, world.keystore, &options, on_changed, &err),
		ERR_OK);
	world_until(&world, is_held_or_answered);
	return err;
}

static struct object object_now(void)
{
	struct cache_read *read;
	struct object *object;

	cr_assert_eq(cache_read_begin(&read, world.cache), ERR_OK);
	cr_assert_eq(cache_get_object(read, arena, &uid, &object), ERR_OK);
	cache_read_end(read);
	return *object;
}

static void on_hold(void *ctx, struct keystore_hold *hold)
{
	(void) ctx;
	held = hold;
}

static void on_cancel(void *ctx, struct keystore_hold *hold)
{
	(void) ctx;
	(void) hold;
}

/* Shows that it is on the object from then on, and that neither its date nor what is left for
 * clients' attributes tells of it; a second time changes nothing. */
Test(given, is_kept_beside_the_attributes)
{
	struct object before = object_now(), after;
	int64_t last_change = before.last_change;
	size_t bytes = object_attributes_bytes(&before), count = before.attribute_count;

	cr_assert_not(given_is(&before));
	for (size_t i = 0; i < 2; i++) {
		cr_assert_eq(give(), ERR_OK);
		after = object_now();
		cr_assert(given_is(&after));
		cr_assert_eq(after.last_change, last_change);
		cr_assert_eq(object_attributes_bytes(&after), bytes);
		cr_assert_eq(after.attribute_count, count + 1);
		cr_assert_eq(given_apart(&after), count);
	}
	world_stop(&world);
	world_start(&world);
	after = object_now();
	cr_assert(given_is(&after));
}

/* Shows that the answer waits for the peer as a creation's does, not for its lease. */
Test(given, waits_shortly)
{
	const struct keystore_gate gate = { .hold = on_hold, .cancel = on_cancel };

	keystore_set_gate(world.keystore, &gate);
	cr_assert_eq(give(), ERR_OK);
	cr_assert_not_null(held);
	cr_assert_not(world.answered);
	cr_assert_eq(held->class, KEYSTORE_GATE_CREATE);
	held->on_release(held->ctx);
	cr_assert(world.answered);
}

/* Shows that a checkpoint has nothing to do for a key that was handed out, nor for one that it has
 * already. */
Test(given, costs_the_key_manager_nothing)
{
	struct keystore_checkpoint_status status;

	cr_assert_eq(give(), ERR_OK);
	cr_assert_eq(world_checkpoint(&world), ERR_OK);
	keystore_checkpoint_status(world.keystore, &status);
	cr_assert_eq(status.written, 0);
	cr_assert_eq(world_create(&world, material), ERR_OK);
	uid = world.uid;
	cr_assert_eq(world_tag(&world, &uid, "x-vm", 40), ERR_OK);
	cr_assert_eq(world_checkpoint(&world), ERR_OK);
	keystore_checkpoint_status(world.keystore, &status);
	cr_assert_eq(status.written, 1);
	cr_assert_eq(give(), ERR_OK);
	cr_assert_eq(world_checkpoint(&world), ERR_OK);
	keystore_checkpoint_status(world.keystore, &status);
	cr_assert_eq(status.written, 0, "%d", (int) status.written);
}

/* Shows that it comes back from the key manager when that was told something else of the object,
 * and that else it is lost, with both caches, and nothing more. */
Test(given, goes_with_what_is_told)
{
	struct keystore_checkpoint_status status;
	struct uid untouched = uid;
	struct object after;

	cr_assert_eq(give(), ERR_OK);
	cr_assert_eq(world_create(&world, material), ERR_OK);
	uid = world.uid;
	cr_assert_eq(give(), ERR_OK);
	cr_assert_eq(world_tag(&world, &uid, "x-vm", 40), ERR_OK);
	cr_assert_eq(world_checkpoint(&world), ERR_OK);
	keystore_checkpoint_status(world.keystore, &status);
	cr_assert_eq(status.written, 1);
	cr_assert_eq(world_checkpoint(&world), ERR_OK);
	keystore_checkpoint_status(world.keystore, &status);
	cr_assert_eq(status.written, 0, "what is there is not written again");
	world_lose_cache(&world);
	world_start(&world);
	cr_assert_eq(world_get(&world, &uid, material), ERR_OK);
	cr_assert_eq(world_get(&world, &untouched, material), ERR_OK);
	after = object_now();
	cr_assert(given_is(&after));
	uid = untouched;
	after = object_now();
	cr_assert_not(given_is(&after));
	cr_assert_eq(world_checkpoint(&world), ERR_OK);
	keystore_checkpoint_status(world.keystore, &status);
	cr_assert_eq(status.written, 0, "what was read is not written again");
}

/* Shows that a trace carries it, and is the same trace with it and without it, whatever sorts
 * before it. */
Test(given, makes_no_other_trace)
{
	uint8_t without[TRACE_HASH_LEN], with[TRACE_HASH_LEN];
	struct object_edit edits[2] = { given_edit(), { .kind = OBJECT_EDIT_ADD,
							      .name = SLICE_LITERAL("y-last"),
							      .value = SLICE_LITERAL("v") } };
	struct object_change change = { .edits = edits + 1, .edit_count = 1, .now = 5000 };
	struct record record = { .kind = RECORD_OBJECT, .object = object_now() }, read;
	struct trace trace;
	struct buf bytes;

	cr_assert_eq(
		object_apply(&record.object, arena, &change, (struct stamp){ 9, 1 }, NULL), ERR_OK);
	cr_assert_eq(trace_hash(without, &record), ERR_OK);
	change.edits = edits;
	cr_assert_eq(object_apply(&record.object, arena, &change, (struct stamp){ 10, 1 }, NULL),
		ERR_OK);
	cr_assert_eq(trace_hash(with, &record), ERR_OK);
	cr_assert_arr_eq(with, without, sizeof(with));

	buf_init(&bytes, RECORD_LEN_MAX);
	trace_begin(&trace, &record, RECORD_LEN_MAX);
	cr_assert_eq(trace_next(&trace, &bytes), ERR_OK);
	cr_assert(trace.done);
	cr_assert_eq(record_decode(&read, arena, buf_slice(&bytes)), ERR_OK);
	cr_assert(given_is(&read.object));
	cr_assert_eq(trace_hash(with, &read), ERR_OK);
	cr_assert_arr_eq(with, without, sizeof(with));
	buf_free(&bytes);
}
