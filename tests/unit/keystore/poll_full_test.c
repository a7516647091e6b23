/* SPDX-License-Identifier: Apache-2.0 */
/* What the key manager tells cannot be stored, since the cache is full: the node knows then that
 * its cache is not current, whoever vouches for it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include "base/clock.h"
#include "tests/harness/store_world.h"

enum { MAP_BYTES = 2 << 20, FILL_LEN = 3000, FILLS_MAX = 1000 };

static struct world world;
static const struct slice material = SLICE_LITERAL("0123456789abcdef0123456789abcdef");
static struct cache_read *old; /* keeps the pages that are given up from being used again */
static unsigned fills;

static void setup(void)
{
	world_make(&world);
	world.map_bytes = MAP_BYTES;
	world.settings.reconcile_s = 0;
	world.settings.max_stale_s = 15;
	old = NULL;
	fills = 0;
}

static void teardown(void)
{
	cache_read_end(old);
	world_remove(&world);
}

TestSuite(poll_full, .init = setup, .fini = teardown, .timeout = 60);

/* Under the peer's lease, which goes on. */
static void start_with_key(void)
{
	world_start(&world);
	cr_assert_eq(world_create(&world, material), ERR_OK);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
	cr_assert_eq(world_get_warm(&world, &world.uid), ERR_OK);
}

static void fill_name(char out[32], unsigned number)
{
	snprintf(out, 32, "fill-%u", number);
}

static enum err fill_once(void)
{
	static const uint8_t noise[FILL_LEN];
	struct cache_write *write;
	char name[32];
	enum err err;

	fill_name(name, fills);
	cr_assert_eq(cache_write_begin(&write, world.cache), ERR_OK);
	err = cache_put_fact(write, name, slice_of(noise, sizeof(noise)));
	if (err == ERR_OK)
		return cache_commit(write);
	cache_abort(write);
	return err;
}

static void fill(void)
{
	enum err err = ERR_OK;

	cr_assert_eq(cache_read_begin(&old, world.cache), ERR_OK);
	while (err == ERR_OK && fills < FILLS_MAX) {
		err = fill_once();
		fills += err == ERR_OK;
	}
	cr_assert_eq(err, ERR_FULL);
}

static void make_room(void)
{
	struct cache_write *write;
	char name[32];

	cache_read_end(old);
	old = NULL;
	cr_assert_eq(cache_write_begin(&write, world.cache), ERR_OK);
	for (unsigned i = 0; i < fills; i++) {
		fill_name(name, i);
		cr_assert_eq(cache_delete_fact(write, name), ERR_OK);
	}
	cr_assert_eq(cache_commit(write), ERR_OK);
}

static struct keystore_instance_status status_now(void)
{
	struct keystore_instance_status status;

	keystore_instance_status(world.keystore, 0, &status);
	return status;
}

static bool is_not_vouched(struct world *in)
{
	(void) in;
	return !status_now().vouched;
}

static bool is_vouched(struct world *in)
{
	(void) in;
	return status_now().vouched;
}

static bool is_dead(struct world *in)
{
	struct object object;

	return world_object(in, &in->uid, &object) && object.dead;
}

static unsigned lists_wanted;

static bool has_listed(struct world *in)
{
	return in->service.calls[FAKE_LIST] >= lists_wanted;
}

static void delete_and_notice(void)
{
	fake_service_delete(&world.service, &world.uid, clock_wall_seconds());
	lists_wanted = world.service.calls[FAKE_LIST] + 6;
	world_until(&world, has_listed);
}

/* Shows that a key whose deletion was told and could not be stored is served to nobody, under a
 * lease too, and that it is no outage. */
Test(poll_full, serves_no_key_that_is_deleted)
{
	start_with_key();
	fill();
	delete_and_notice();
	cr_assert_not(is_dead(&world));
	cr_assert_neq(world_get_warm(&world, &world.uid), ERR_OK);
	for (int i = 0; i < 3; i++) {
		enum err err = world_get(&world, &world.uid, material);

		cr_assert(err == ERR_FULL || err == ERR_DESTROYED, "%s", err_name(err));
		cr_assert_neq(world_get_warm(&world, &world.uid), ERR_OK);
	}
	cr_assert(is_not_vouched(&world));
	cr_assert_eq(status_now().outage_since_ms, 0);
	cr_assert_eq(kek_table_count(world.table), 0, "its unwrapped copy is gone");
}

/* Shows that also in an outage that comes then nothing that stands in the cache is served, since
 * the key manager told more than is in it. */
Test(poll_full, grants_no_grace)
{
	struct uid live;

	start_with_key();
	live = world.uid;
	cr_assert_eq(world_create(&world, material), ERR_OK);
	fill();
	delete_and_notice();
	world_until(&world, is_not_vouched);
	cr_assert_eq(kek_table_count(world.table), 1, "resident");
	world.service.down = true;
	cr_assert_eq(world_get(&world, &live, material), ERR_UNAVAILABLE);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_UNAVAILABLE);
}

/* Shows that keys that live are served meanwhile, by asking, and that another tenant's cache is
 * believed as before. */
Test(poll_full, serves_what_lives)
{
	struct keystore_instance_status other;
	struct uid live;
	unsigned gets;

	start_with_key();
	live = world.uid;
	cr_assert_eq(world_create(&world, material), ERR_OK);
	fill();
	delete_and_notice();
	world_until(&world, is_not_vouched);
	for (unsigned i = 1; i <= 3; i++) {
		gets = world.service.calls[FAKE_GET];
		kek_table_drop(world.table, &world.instances[0].id, &live);
		cr_assert_eq(world_get(&world, &live, material), ERR_OK);
		cr_assert_eq(kek_table_count(world.table), 0, "it is not kept unwrapped");
		cr_assert_gt(world.service.calls[FAKE_GET], gets, "asked first");
		cr_assert_neq(world_get_warm(&world, &live), ERR_OK);
	}
	cr_assert_neq(world_get(&world, &world.uid, material), ERR_OK);
	keystore_instance_status(world.keystore, 1, &other);
	cr_assert(other.vouched);
}

/* Shows that a key that was being unwrapped while that was found out is asked for once more. */
Test(poll_full, asks_again_for_what_is_under_way)
{
	start_with_key();
	fill();
	kek_table_drop(world.table, &world.instances[0].id, &world.uid);
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_UNWRAP, .repeat = 1, .delay_ms = 1500 });
	fake_service_delete(&world.service, &world.uid, clock_wall_seconds());
	cr_assert_neq(world_get(&world, &world.uid, material), ERR_OK);
	cr_assert(is_not_vouched(&world), "found out meanwhile");
}

/* Shows that all is well again as soon as there is room: the deletion is stored, and the cache
 * answers. */
Test(poll_full, recovers)
{
	struct uid live;

	start_with_key();
	live = world.uid;
	cr_assert_eq(world_create(&world, material), ERR_OK);
	fill();
	delete_and_notice();
	world_until(&world, is_not_vouched);
	make_room();
	world_until(&world, is_dead);
	world_until(&world, is_vouched);
	cr_assert_eq(world_get(&world, &live, material), ERR_OK);
	cr_assert_eq(world_get_warm(&world, &live), ERR_OK);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_KEY_ABSENT);
}
