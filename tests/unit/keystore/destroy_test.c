/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include "base/clock.h"
#include "tests/harness/store_world.h"

static struct world world;
static const struct slice material = SLICE_LITERAL("0123456789abcdef0123456789abcdef");

static void setup(void)
{
	world_make(&world);
	world_start(&world);
	cr_assert_eq(world_create(&world, material), ERR_OK);
}

static void teardown(void)
{
	world_remove(&world);
}

TestSuite(destroy, .init = setup, .fini = teardown, .timeout = 60);

static bool is_dead(struct world *in)
{
	struct object object;

	return world_object(in, &in->uid, &object) && object.dead;
}

/* Shows that a change of the life cycle is committed, and that an unknown key is a miss. */
Test(destroy, changes_before)
{
	struct uid none = { .bytes = { 1 } };
	struct object object;

	cr_assert_eq(world_activate(&world, &world.uid), ERR_OK);
	cr_assert(world_object(&world, &world.uid, &object));
	cr_assert_eq(object.life, OBJECT_ACTIVE);
	cr_assert_eq(world_activate(&world, &none), ERR_MISS);
}

/* Shows that a key which the key manager calls deleted and shows alive is not told to be destroyed:
 * it would come back with a lost cache. */
Test(destroy, believes_what_it_reads)
{
	struct object object;

	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_DELETE, .repeat = 1, .alter = true });
	cr_assert_eq(world_destroy(&world, &world.uid), ERR_UNAVAILABLE);
	cr_assert(world_object(&world, &world.uid, &object));
	cr_assert_not(object.dead);
	world_stop(&world);
	world_start(&world);
	world_until(&world, is_dead);
	cr_assert(fake_service_find(&world.service, &world.uid)->key.deleted);
}

/* Shows that Destroy deletes the standard key, leaves a tombstone without wrapped key, no intent
 * and no unwrapped copy, and stays destroyed when it is asked for again. */
Test(destroy, deletes_the_standard_key)
{
	struct object object;

	cr_assert_eq(world_destroy(&world, &world.uid), ERR_OK);
	cr_assert(fake_service_find(&world.service, &world.uid)->key.deleted);
	cr_assert(world_object(&world, &world.uid, &object));
	cr_assert(object.dead);
	cr_assert_eq(object.wrapped.ciphertext.len, 0);
	cr_assert_eq(world_intents(&world), 0);
	cr_assert_eq(kek_table_count(world.table), 0);
	cr_assert_eq(world_get_warm(&world, &world.uid), ERR_KEY_ABSENT);
	cr_assert_eq(world_destroy(&world, &world.uid), ERR_DESTROYED);
	cr_assert_eq(world_fetch(&world, 0, &world.uid, true), ERR_DESTROYED);
	cr_assert_eq(world.service.calls[FAKE_DELETE], 1);
}

/* Shows the order: while the key manager cannot delete, nothing is destroyed here. */
Test(destroy, asks_the_key_manager_first)
{
	world.service.down = true;
	cr_assert_eq(world_destroy(&world, &world.uid), ERR_UNAVAILABLE);
	cr_assert_not(is_dead(&world));
	cr_assert_eq(world_intents(&world), 0);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
}

static bool has_no_intent(struct world *in)
{
	return world_intents(in) == 0;
}

/* Shows that a tombstone is dated by the key manager, not by our clock: else a node whose clock is
 * behind would destroy a restored key in an earlier epoch than its restoration's. */
Test(destroy, is_dated_by_the_key_manager)
{
	int64_t date = clock_wall_seconds() + 5000;
	struct object object;

	fake_service_delete(&world.service, &world.uid, date);
	cr_assert_eq(world_destroy(&world, &world.uid), ERR_OK);
	cr_assert(world_object(&world, &world.uid, &object));
	cr_assert_eq(object.dates[OBJECT_DATE_DESTROYED], date);
	cr_assert_eq(object.dead_epoch, object_epoch_of(date, true));
}

/* Shows that a deletion whose date cannot be read is not answered, and finished later. */
Test(destroy, is_finished_later_without_a_date)
{
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_GET, .repeat = 1, .err = ERR_UNAVAILABLE });
	cr_assert_eq(world_destroy(&world, &world.uid), ERR_UNAVAILABLE);
	cr_assert(fake_service_find(&world.service, &world.uid)->key.deleted);
	cr_assert_eq(world_intents(&world), 1);
	world_stop(&world);
	world_start(&world);
	world_until(&world, has_no_intent);
	cr_assert(is_dead(&world));
}

static bool is_deleted_there(struct world *in)
{
	return fake_service_find(&in->service, &in->uid)->key.deleted;
}

/* Shows that a crash between the deletion and the tombstone is made good in the next life. */
Test(destroy, survives_a_crash_before_the_tombstone)
{
	fake_service_fault(&world.service,
		(struct fake_fault){
			.call = FAKE_DELETE, .repeat = 1, .effect = true, .stall = true });
	cr_assert_eq(world_destroy_begin(&world, &world.uid), ERR_OK);
	world_until(&world, is_deleted_there);
	world_stop(&world);
	world_start(&world);
	world_until(&world, is_dead);
	cr_assert_eq(world_intents(&world), 0);
}

/* Shows that a deletion that never got there is done in the next life. */
Test(destroy, survives_a_crash_before_the_deletion)
{
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_DELETE, .repeat = 1, .stall = true });
	cr_assert_eq(world_destroy_begin(&world, &world.uid), ERR_OK);
	for (unsigned before = world.service.calls[FAKE_DELETE];
		world.service.calls[FAKE_DELETE] == before;)
		world_until(&world, world_is_listed);
	world_stop(&world);
	world_start(&world);
	world_until(&world, is_dead);
	cr_assert(is_deleted_there(&world));
}

/* Shows that a deletion that a policy forbids is given up in the next life, too, and does not stand
 * before other work for ever. */
Test(destroy, gives_up_what_a_policy_forbids)
{
	unsigned before = world.service.calls[FAKE_DELETE];

	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_DELETE, .repeat = 1, .stall = true });
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_DELETE, .repeat = 1000, .err = ERR_FIELD });
	cr_assert_eq(world_destroy_begin(&world, &world.uid), ERR_OK);
	while (world.service.calls[FAKE_DELETE] == before)
		world_until(&world, world_is_listed);
	world_stop(&world);
	world_start(&world);
	world_until(&world, has_no_intent);
	cr_assert_not(is_dead(&world));
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
}

static bool is_alive(struct world *in)
{
	return !is_dead(in);
}

/* Shows that a deletion by the owner is seen by the listing, and so is the restoring of the key. */
Test(destroy, follows_the_owner)
{
	int64_t deleted_at = fake_service_find(&world.service, &world.uid)->key.created + 10;

	fake_service_delete(&world.service, &world.uid, deleted_at);
	world_stop(&world);
	world_start(&world);
	world_until(&world, is_dead);
	cr_assert_eq(world.service.calls[FAKE_DELETE], 0);
	fake_service_restore(&world.service, &world.uid, deleted_at + 60);
	world_stop(&world);
	world_start(&world);
	world_until(&world, is_alive);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
}

static void on_merged(void *ctx, enum err err)
{
	struct world *in = ctx;

	in->answered = true;
	in->err = err;
}

/* Shows that a tombstone from the peer is durable with the peer's position, and takes the unwrapped
 * copy along. */
Test(destroy, is_merged_from_the_peer)
{
	struct record record = { .kind = RECORD_OBJECT };
	struct keystore_pending *pending;
	struct cache_read *read;
	struct slice fact;
	struct slice bytes;
	struct buf buf;

	buf_init(&buf, RECORD_LEN_MAX);
	cr_assert(world_object(&world, &world.uid, &record.object));
	record.object.attribute_count = 0;
	record.object.wrapped = (struct object_wrapped){ 0 };
	record.object.dead = true;
	record.object.dead_epoch = 2 * 1800000000ull;
	cr_assert_eq(record_encode(&buf, &record), ERR_OK);
	bytes = buf_slice(&buf);
	struct keystore_merge merge = { .records = &bytes,
		.record_count = 1,
		.fact_name = "peer-2",
		.fact_value = SLICE_LITERAL("17") };
	world.answered = false;
	cr_assert_eq(
		keystore_merge_start(&pending, world.keystore, &merge, on_merged, &world), ERR_OK);
	buf_free(&buf);
	world_until(&world, world_is_answered);
	cr_assert_eq(world.err, ERR_OK);
	cr_assert(is_dead(&world));
	cr_assert_eq(kek_table_count(world.table), 0);
	cr_assert_eq(cache_read_begin(&read, world.cache), ERR_OK);
	cr_assert_eq(cache_get_fact(read, "peer-2", &fact), ERR_OK);
	cr_assert(slice_equal_text(fact, "17"));
	cache_read_end(read);
}
