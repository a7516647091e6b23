/* SPDX-License-Identifier: Apache-2.0 */
/* Wrapping every cached key anew after a rotation of the root key (design D14). */
#include <criterion/criterion.h>
#include <string.h>
#include "base/clock.h"
#include "keystore/root_versions.h"
#include "tests/harness/store_world.h"

enum { KEYS = 20, FAST = KEYSTORE_REWRAP_RATE_MAX };

static struct world world;
static const struct slice material = SLICE_LITERAL("0123456789abcdef0123456789abcdef");
static struct uid uids[KEYS];

static struct keystore_rewrap_status status_now(void)
{
	struct keystore_rewrap_status status;

	keystore_rewrap_status(world.keystore, 0, &status);
	return status;
}

static struct keystore_instance_status instance_now(void)
{
	struct keystore_instance_status status;

	keystore_instance_status(world.keystore, 0, &status);
	return status;
}

static bool is_root_known(struct world *in)
{
	(void) in;
	return instance_now().root_version != 0;
}

static bool is_over(struct world *in)
{
	(void) in;
	return !status_now().running;
}

static bool is_half_way(struct world *in)
{
	(void) in;
	return status_now().rewrapped >= KEYS / 4;
}

static bool is_waiting(struct world *in)
{
	(void) in;
	return status_now().waiting == ERR_UNAVAILABLE;
}

static bool is_waiting_for_the_root(struct world *in)
{
	(void) in;
	return status_now().waiting == ERR_ROOT_DISABLED;
}

static void setup(void)
{
	world_make(&world);
	world_start(&world);
	world_until(&world, is_root_known);
	for (size_t i = 0; i < KEYS; i++) {
		cr_assert_eq(world_create(&world, material), ERR_OK);
		uids[i] = world.uid;
	}
}

static void teardown(void)
{
	world_remove(&world);
}

TestSuite(rewrap, .init = setup, .fini = teardown, .timeout = 60);

static void begin(uint32_t rate)
{
	cr_assert_eq(keystore_rewrap(world.keystore, &world.instances[0].id, rate), ERR_OK);
	cr_assert(status_now().running);
}

static void run(void)
{
	begin(FAST);
	world_until(&world, is_over);
}

static int64_t version_date(const struct uid *uid)
{
	struct object object;

	cr_assert(world_object(&world, uid, &object));
	return root_versions_date(object.wrapped.version_label);
}

static void expect_all_by(unsigned version)
{
	for (size_t i = 0; i < KEYS; i++) {
		cr_assert_eq(world_wrapped_by(&world, &uids[i]), version, "key %zu", i);
		cr_assert_eq(version_date(&uids[i]), instance_now().root_version);
		kek_table_drop(world.table, &world.instances[0].id, &uids[i]);
		cr_assert_eq(world_get(&world, &uids[i], material), ERR_OK);
	}
}

/* Shows that every key is brought to the newest version, by rewraps that tell no plaintext, one for
 * each; that a second run finds nothing to do; and that each is an own change, which the peer gets.
 */
Test(rewrap, brings_all_to_the_newest)
{
	uint64_t before;
	struct cache_position position;
	struct cache_read *read;

	cr_assert_eq(cache_read_begin(&read, world.cache), ERR_OK);
	cr_assert_eq(cache_log_position(read, &position), ERR_OK);
	cache_read_end(read);
	before = position.seq;
	world.service.root_version = 2;
	world.service.calls[FAKE_UNWRAP] = 0; /* creating proved each form */
	run();
	cr_assert_eq(status_now().err, ERR_OK);
	cr_assert_eq(status_now().rewrapped, KEYS);
	cr_assert_eq(status_now().looked, KEYS);
	cr_assert_eq(status_now().per_mille, 1000);
	cr_assert_eq(world.service.calls[FAKE_REWRAP], KEYS);
	cr_assert_eq(world.service.calls[FAKE_UNWRAP], 0);
	cr_assert_eq(cache_read_begin(&read, world.cache), ERR_OK);
	cr_assert_eq(cache_log_position(read, &position), ERR_OK);
	cache_read_end(read);
	cr_assert_eq(position.seq, before + KEYS);
	run();
	cr_assert_eq(status_now().rewrapped, 0);
	cr_assert_eq(world.service.calls[FAKE_REWRAP], KEYS);
	expect_all_by(2);
}

/* Shows the same for material under a one-time key. */
Test(rewrap, brings_a_sealed_key)
{
	static uint8_t bytes[4000];
	struct uid uid;

	memset(bytes, 0x5c, sizeof(bytes));
	cr_assert_eq(world_create(&world, slice_of(bytes, sizeof(bytes))), ERR_OK);
	uid = world.uid;
	world.service.root_version = 2;
	run();
	cr_assert_eq(world_wrapped_by(&world, &uid), 2);
	cr_assert_eq(world_get(&world, &uid, slice_of(bytes, sizeof(bytes))), ERR_OK);
}

/* Shows that what is destroyed or missing is left alone. */
Test(rewrap, leaves_alone_what_is_not_there)
{
	cr_assert_eq(world_destroy(&world, &uids[0]), ERR_OK);
	kek_table_set_vouch(world.table, 0);
	fake_service_find(&world.service, &uids[1])->purged = true;
	cr_assert_eq(world_get(&world, &uids[1], material), ERR_MISSING);
	kek_table_set_vouch(world.table, UINT64_MAX);
	world.service.root_version = 2;
	run();
	cr_assert_eq(status_now().rewrapped, KEYS - 2);
	cr_assert_eq(status_now().failed, 0);
	cr_assert_eq(world.service.calls[FAKE_REWRAP], KEYS - 2);
	cr_assert_eq(world_wrapped_by(&world, &uids[1]), 1);
}

/* Shows that a key that is destroyed while it is being wrapped anew stays destroyed, and counts as
 * no failure. */
Test(rewrap, gives_way_to_a_destroy)
{
	struct object object;

	world.service.root_version = 2;
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_REWRAP, .repeat = KEYS, .delay_ms = 20 });
	begin(FAST);
	for (size_t i = 0; i < KEYS; i++)
		cr_assert_eq(world_destroy(&world, &uids[i]), ERR_OK);
	world_until(&world, is_over);
	cr_assert_eq(status_now().failed, 0);
	for (size_t i = 0; i < KEYS; i++) {
		cr_assert(world_object(&world, &uids[i], &object));
		cr_assert(object.dead);
		cr_assert_eq(object.wrapped.ciphertext.len, 0);
	}
}

/* Shows that a rotation in the middle is noticed, and that in the end every key is of the newest
 * version. */
Test(rewrap, goes_round_again_after_another_rotation)
{
	world.service.root_version = 2;
	begin(100);
	world_until(&world, is_half_way);
	world.service.root_version = 3;
	world_until(&world, is_over);
	cr_assert_eq(status_now().err, ERR_OK);
	cr_assert_gt(status_now().round, 1);
	expect_all_by(3);
}

/* Shows that an outage in the middle makes it wait, and that it goes on after it. */
Test(rewrap, waits_in_an_outage)
{
	world.service.root_version = 2;
	begin(100);
	world_until(&world, is_half_way);
	world.service.down = true;
	world_until(&world, is_waiting);
	cr_assert(status_now().running);
	world.service.down = false;
	world_until(&world, is_over);
	cr_assert_eq(status_now().failed, 0);
	expect_all_by(2);
}

/* Shows the same when it begins in an outage. */
Test(rewrap, waits_before_it_begins)
{
	world.service.root_version = 2;
	world.service.down = true;
	begin(FAST);
	world_until(&world, is_waiting);
	world.service.down = false;
	world_until(&world, is_over);
	expect_all_by(2);
}

/* Shows that a disabled root key is waited for, and that nothing stays unwrapped meanwhile. */
Test(rewrap, waits_for_a_disabled_root_key)
{
	world.service.root_version = 2;
	begin(100);
	world_until(&world, is_half_way);
	world.service.root = KEYMANAGER_ROOT_DISABLED;
	world_until(&world, is_waiting_for_the_root);
	cr_assert_eq(kek_table_count(world.table), 0);
	world.service.root = KEYMANAGER_ROOT_ENABLED;
	world_until(&world, is_over);
	cr_assert_eq(status_now().failed, 0);
	for (size_t i = 0; i < KEYS; i++)
		cr_assert_eq(world_wrapped_by(&world, &uids[i]), 2);
}

/* Shows that a life that ends in the middle is followed by one that goes on, without being asked.
 */
Test(rewrap, goes_on_in_a_later_life)
{
	world.service.root_version = 2;
	begin(50);
	world_until(&world, is_half_way);
	world_stop(&world);
	cr_assert_lt(world.service.calls[FAKE_REWRAP], KEYS);
	world_start(&world);
	cr_assert(status_now().running);
	world_until(&world, is_over);
	cr_assert_eq(status_now().rate, 50);
	cr_assert_leq(world.service.calls[FAKE_REWRAP], KEYS + 2);
	expect_all_by(2);
	world_stop(&world);
	world_start(&world);
	cr_assert_not(status_now().running);
}

/* Shows that a run that is stopped stays stopped, in this life and the next; also when it has not
 * begun to walk. */
Test(rewrap, stops)
{
	world.service.root_version = 2;
	begin(50);
	world_until(&world, is_half_way);
	cr_assert_eq(keystore_rewrap_stop(world.keystore, NULL), ERR_OK);
	world_until(&world, is_over);
	cr_assert_eq(status_now().err, ERR_CANCELLED);
	cr_assert_lt(world.service.calls[FAKE_REWRAP], KEYS);
	begin(50);
	world_until(&world, is_half_way);
	world_stop(&world);
	world_open(&world);
	cr_assert(status_now().running);
	cr_assert_eq(keystore_rewrap_stop(world.keystore, NULL), ERR_OK);
	cr_assert_not(status_now().running);
	cr_assert_eq(world_create(&world, material), ERR_OK);
	world_stop(&world);
	world_start(&world);
	cr_assert_not(status_now().running);
}

/* Shows that a key whose form does not open is named, and the others are done. */
Test(rewrap, names_a_key_that_fails)
{
	world.service.root_version = 2;
	fake_service_fault(&world.service,
		(struct fake_fault){
			.call = FAKE_REWRAP, .countdown = 3, .repeat = 1, .err = ERR_CORRUPT });
	run();
	cr_assert_eq(status_now().err, ERR_OK);
	cr_assert_eq(status_now().rewrapped, KEYS - 1);
	cr_assert_eq(status_now().failed, 1);
	cr_assert_eq(status_now().failed_count, 1);
	cr_assert_eq(status_now().failures[0].err, ERR_CORRUPT);
	cr_assert_eq(world_wrapped_by(&world, &status_now().failures[0].uid), 1);
	run();
	cr_assert_eq(status_now().rewrapped, 1);
	cr_assert_eq(status_now().failed, 0);
	expect_all_by(2);
}

/* Shows that the rate is bounded, can be changed under way, and that only instances that are there
 * can be named. */
Test(rewrap, takes_a_rate)
{
	struct instance_id none = { "instance-none" };

	cr_assert_eq(keystore_rewrap(world.keystore, NULL, FAST + 1), ERR_LIMIT);
	cr_assert_eq(keystore_rewrap(world.keystore, &none, 0), ERR_NOT_FOUND);
	cr_assert_eq(keystore_rewrap_stop(world.keystore, &none), ERR_NOT_FOUND);
	world.service.root_version = 2;
	begin(1);
	cr_assert_eq(keystore_rewrap(world.keystore, NULL, 0), ERR_OK);
	cr_assert_eq(status_now().rate, 1);
	cr_assert_eq(keystore_rewrap(world.keystore, NULL, FAST), ERR_OK);
	world_until(&world, is_over);
	expect_all_by(2);
}

/* Shows that nothing is done, and that is said, where the key manager tells no version. */
Test(rewrap, needs_a_version)
{
	world_stop(&world);
	world.service.tells_no_version = true;
	world_start(&world);
	run();
	cr_assert_eq(status_now().err, ERR_OPERATION);
	cr_assert_eq(world.service.calls[FAKE_REWRAP], 0);
}

static bool is_counted_old(struct world *in)
{
	struct keystore_instance_status status = instance_now();

	(void) in;
	/* And the one whose version was not known yet. */
	return status.counted_older && status.older == KEYS + 1;
}

static bool is_counted_new(struct world *in)
{
	struct keystore_instance_status status = instance_now();

	(void) in;
	return status.counted_older && status.older == 0;
}

/* Shows that the keys of an older version are counted for the operator when a rotation is noticed,
 * and again after they were wrapped anew. */
Test(rewrap, is_counted)
{
	struct object object;

	world_until(&world, is_counted_new);
	world.service.root_version = 2;
	kek_table_drop(world.table, &world.instances[0].id, &uids[0]);
	cr_assert_eq(world_create(&world, material), ERR_OK);
	world_until(&world, is_counted_old);
	cr_assert(world_object(&world, &uids[1], &object));
	object.wrapped.ciphertext = material;
	cr_assert(keystore_is_older(world.keystore, &object));
	run();
	world_until(&world, is_counted_new);
	cr_assert(world_object(&world, &uids[1], &object));
	object.wrapped.ciphertext = material;
	cr_assert_not(keystore_is_older(world.keystore, &object));
}

static bool is_other_root_known(struct world *in)
{
	(void) in;
	return instance_now().other_root == KEYMANAGER_ROOT_ENABLED;
}

/* Shows that keys are brought to the newest version also where the other root key has one that was
 * made in the same second as theirs. */
Test(rewrap, tells_two_root_keys_of_one_second_apart)
{
	struct keystore_roots roots = { .instance = world.instances[0].id,
		.root_key = "first-root",
		.other_root_key = FAKE_SECOND_ROOT };
	bool changed;

	cr_assert_eq(keystore_set_roots(world.keystore, &roots, &changed, world.why), ERR_OK, "%s",
		world.why);
	world_until(&world, is_other_root_known);
	world.service.root_version = 2;
	run();
	cr_assert_eq(status_now().rewrapped, KEYS);
	expect_all_by(2);
}
