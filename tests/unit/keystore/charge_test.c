/* SPDX-License-Identifier: Apache-2.0 */
/* Charges of an object's limited use: of one node, beside the peer's, over a crash. The gate is the
 * test's own; what the peer charges is merged as from the link. */
#include <criterion/criterion.h>
#include "base/clock.h"
#include "keystore/usage.h"
#include "tests/harness/store_world.h"

enum { CHARGES_MAX = 8, PEER = 2 };

struct asked {
	bool answered;
	enum err err;
};

static struct world world;
static const struct slice material = SLICE_LITERAL("0123456789abcdef0123456789abcdef");
static struct uid uid;
static struct arena *memory;
static int64_t limit;
static enum err limit_err;
static struct asked asked[CHARGES_MAX];
static size_t asked_count;
static struct keystore_hold *held[CHARGES_MAX];
static size_t held_count, cancelled;

static void gate_hold(void *ctx, struct keystore_hold *hold)
{
	(void) ctx;
	cr_assert_lt(held_count, CHARGES_MAX);
	cr_assert_eq(hold->class, KEYSTORE_GATE_CHARGE);
	held[held_count++] = hold;
}

static void gate_cancel(void *ctx, struct keystore_hold *hold)
{
	(void) ctx;
	(void) hold;
	cancelled++;
}

static void close_gate(void)
{
	const struct keystore_gate gate = { .hold = gate_hold, .cancel = gate_cancel };

	keystore_set_gate(world.keystore, &gate);
}

static void open_gate(void)
{
	keystore_set_gate(world.keystore, NULL);
}

static void release(void)
{
	size_t count = held_count;

	held_count = 0;
	for (size_t i = 0; i < count; i++)
		held[i]->on_release(held[i]->ctx);
}

static void setup(void)
{
	cr_assert_eq(arena_new(&memory, 1 << 24), ERR_OK);
	world_make(&world);
	world_start(&world);
	cr_assert_eq(world_create(&world, material), ERR_OK);
	uid = world.uid;
	limit = 10;
	limit_err = ERR_OK;
	asked_count = held_count = cancelled = 0;
}

static void teardown(void)
{
	world_remove(&world);
	arena_free(memory);
}

TestSuite(charge, .init = setup, .fini = teardown, .timeout = 60);

static enum err tell_limit(void *ctx, const struct object *object, int64_t *out)
{
	(void) ctx;
	cr_assert(uid_equal(&object->uid, &uid));
	*out = limit;
	return limit_err;
}

static void on_charged(void *ctx, enum err err, uint32_t unused)
{
	struct asked *one = ctx;

	(void) unused;
	cr_assert_not(one->answered);
	one->answered = true;
	one->err = err;
}

static struct asked *begin(int64_t units)
{
	struct keystore_charge options = { .instance = world.instances[0].id,
		.uid = uid,
		.units = units,
		.now = 5000,
		.limit = tell_limit };
	struct keystore_pending *pending;
	struct asked *one = &asked[asked_count++];

	cr_assert_leq(asked_count, CHARGES_MAX);
	*one = (struct asked){ 0 };
	cr_assert_eq(
		keystore_charge_start(&pending, world.keystore, &options, on_charged, one), ERR_OK);
	return one;
}

static bool all_are_answered(struct world *in)
{
	(void) in;
	for (size_t i = 0; i < asked_count; i++)
		if (!asked[i].answered)
			return false;
	return true;
}

static enum err charge(int64_t units)
{
	struct asked *one = begin(units);

	world_until(&world, all_are_answered);
	asked_count--;
	return one->err;
}

/* As it is cached; in memory that ends with the test. */
static struct object cached(void)
{
	struct cache_read *read;
	struct object *object;

	cr_assert_eq(cache_read_begin(&read, world.cache), ERR_OK);
	cr_assert_eq(cache_get_object(read, memory, &uid, &object), ERR_OK);
	cache_read_end(read);
	return *object;
}

static void expect_usage(int64_t settled, int64_t open)
{
	struct object object = cached();
	struct usage sum = usage_sum(&object);

	cr_assert_eq(sum.settled, settled, "%ld settled", (long) sum.settled);
	cr_assert_eq(sum.open, open, "%ld open", (long) sum.open);
}

static size_t held_wanted;

static bool so_many_are_held(struct world *in)
{
	(void) in;
	return held_count >= held_wanted;
}

static void until_held(size_t count)
{
	held_wanted = count;
	world_until(&world, so_many_are_held);
}

static void on_merged(void *ctx, enum err err)
{
	(void) ctx;
	cr_assert_eq(err, ERR_OK);
	world.answered = true;
}

/* The peer's register becomes this one. */
static void merge_from_peer(int64_t settled, int64_t open)
{
	static uint64_t time = 1000;
	struct usage usage = { settled, open };
	struct object object = cached();
	struct record record = { .kind = RECORD_OBJECT, .object = object };
	struct object_edit edit;
	struct object_change change = { .edits = &edit, .edit_count = 1 };
	struct keystore_merge options = { .record_count = 1 };
	struct keystore_pending *pending;
	struct slice bytes;
	struct buf buf;

	buf_init(&buf, RECORD_LEN_MAX);
	cr_assert_eq(usage_edit(&edit, memory, (struct stamp){ .time = 7, .node = PEER }, &usage),
		ERR_OK);
	cr_assert_eq(object_apply(&record.object, memory, &change,
			     (struct stamp){ .time = time++, .node = PEER }, NULL),
		ERR_OK);
	cr_assert_eq(record_encode(&buf, &record), ERR_OK);
	bytes = buf_slice(&buf);
	options.records = &bytes;
	world.answered = false;
	cr_assert_eq(
		keystore_merge_start(&pending, world.keystore, &options, on_merged, NULL), ERR_OK);
	world_until(&world, world_is_answered);
	buf_free(&buf);
}

/* Shows that what is charged counts, that what is not left is denied and not charged, and that a
 * charge is a change of the object. */
Test(charge, counts)
{
	cr_assert_eq(charge(4), ERR_OK);
	cr_assert_eq(charge(7), ERR_DENIED);
	cr_assert_eq(charge(0), ERR_OK);
	cr_assert_eq(charge(6), ERR_OK);
	cr_assert_eq(charge(1), ERR_DENIED);
	expect_usage(10, 0);
	cr_assert_eq(cached().last_change, 5000);
	limit = INT64_MAX;
	cr_assert_eq(charge(INT64_MAX), ERR_DENIED);
	cr_assert_eq(charge(INT64_MAX - 10), ERR_OK);
	expect_usage(INT64_MAX, 0);
}

/* Shows that nothing is counted where there is no limit, or where the charge is refused. */
Test(charge, without_limit)
{
	size_t before = cached().attribute_count;

	limit = -1;
	cr_assert_eq(charge(99), ERR_OK);
	limit_err = ERR_ARCHIVED;
	cr_assert_eq(charge(1), ERR_ARCHIVED);
	cr_assert_eq(cached().attribute_count, before);
	limit_err = ERR_OK;
	uid.bytes[0] ^= 1;
	cr_assert_neq(charge(1), ERR_OK);
}

/* Shows that charges of one moment share what is left, and wait for the gate; those that do not
 * fit are denied. */
Test(charge, at_one_time)
{
	close_gate();
	for (size_t i = 0; i < 5; i++)
		(void) begin(3);
	until_held(3);
	expect_usage(0, 9);
	world_until(&world, all_are_answered);
}

/* Shows that a charge which the peer's stands against when it is settled is taken back, and is
 * denied as long as the peer's stands. */
Test(charge, gives_way_to_the_peers)
{
	struct asked *one;

	close_gate();
	one = begin(6);
	until_held(1);
	cr_assert_not(one->answered);
	merge_from_peer(0, 6);
	expect_usage(0, 12);
	release();
	world_until(&world, all_are_answered);
	cr_assert_eq(one->err, ERR_DENIED);
	expect_usage(0, 6);
	merge_from_peer(6, 0);
	open_gate();
	cr_assert_eq(charge(5), ERR_DENIED);
	cr_assert_eq(charge(4), ERR_OK);
	expect_usage(10, 0);
}

static bool is_taken_back(struct world *in)
{
	struct object object = cached();
	struct usage sum = usage_sum(&object);

	(void) in;
	return sum.open <= 6;
}

/* Shows that it is granted after all when the peer takes back its own. */
Test(charge, tries_again)
{
	struct asked *one;

	close_gate();
	one = begin(6);
	until_held(1);
	merge_from_peer(0, 6);
	open_gate();
	release();
	world_until(&world, is_taken_back);
	merge_from_peer(0, 0);
	world_until(&world, all_are_answered);
	cr_assert_eq(one->err, ERR_OK);
	expect_usage(6, 0);
}

/* Shows that what the limits became meanwhile is judged when the charge is settled. */
Test(charge, is_judged_again)
{
	struct asked *one;

	close_gate();
	one = begin(6);
	until_held(1);
	limit_err = ERR_STATE;
	release();
	world_until(&world, all_are_answered);
	cr_assert_eq(one->err, ERR_STATE);
	expect_usage(0, 0);
}

/* Shows that a charge whose node dies over it stays counted, and that the next life takes it for
 * settled: nobody is made to wait for it. */
Test(charge, crash)
{
	uint64_t began_ms;

	close_gate();
	(void) begin(6);
	until_held(1);
	world_stop(&world);
	world_start(&world);
	asked_count = held_count = 0;
	expect_usage(0, 6);
	began_ms = clock_boot_ms();
	cr_assert_eq(charge(5), ERR_DENIED);
	cr_assert_eq(charge(3), ERR_OK);
	cr_assert_eq(charge(2), ERR_DENIED);
	cr_assert_lt(clock_boot_ms() - began_ms, 5000);
	expect_usage(9, 0);
}

/* Shows that a peer that never lets go does not keep the client waiting, and that nothing is
 * charged then. */
Test(charge, late)
{
	struct asked *one;

	close_gate();
	one = begin(6);
	world_until(&world, all_are_answered);
	cr_assert_eq(one->err, ERR_UNAVAILABLE);
	cr_assert_eq(cancelled, 1);
	expect_usage(0, 0);
	held_count = 0;
}

/* Shows that a life which was not in step with the peer yet counts in a register of its own, and
 * one that was goes on with the latest. */
Test(charge, registers)
{
	size_t before = cached().attribute_count;

	cr_assert_eq(charge(1), ERR_OK);
	cr_assert_eq(cached().attribute_count, before + 1);
	world_stop(&world);
	world_start(&world);
	cr_assert_eq(charge(1), ERR_OK);
	cr_assert_eq(cached().attribute_count, before + 1, "there is no peer");
	close_gate();
	(void) begin(1);
	until_held(1);
	cr_assert_eq(cached().attribute_count, before + 2);
	release();
	world_until(&world, all_are_answered);
	world_stop(&world);
	world_start(&world);
	asked_count = 0;
	close_gate();
	keystore_note_contact(world.keystore);
	(void) begin(1);
	until_held(1);
	release();
	world_until(&world, all_are_answered);
	cr_assert_eq(cached().attribute_count, before + 2);
	expect_usage(4, 0);
}

/* Shows that what was charged is in the ledger with the attributes, and comes back when the cache
 * is lost. */
Test(charge, survives_a_lost_cache)
{
	cr_assert_eq(charge(4), ERR_OK);
	cr_assert_eq(world_checkpoint(&world), ERR_OK);
	cr_assert_eq(charge(1), ERR_OK);
	world_lose_cache(&world);
	world_start(&world);
	cr_assert_eq(world_get(&world, &uid, material), ERR_OK);
	expect_usage(4, 0);
	cr_assert_eq(charge(7), ERR_DENIED);
}
