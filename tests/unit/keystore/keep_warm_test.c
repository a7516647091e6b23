/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping keys unwrapped ahead of their use (design D13): which, how many, and when not. */
#include <criterion/criterion.h>
#include <stdio.h>
#include "base/clock.h"
#include "tests/harness/store_world.h"

enum { KEYS = 8, FAST = 1000, MANY = 300, GRACE_S = 2 };

static struct world world;
static const struct slice material = SLICE_LITERAL("0123456789abcdef0123456789abcdef");
static struct uid uids[MANY];
static size_t wanted;
static unsigned creation_unwraps; /* each new form is proved */

static void setup(void)
{
	creation_unwraps = 0;
	world_make(&world);
	world.settings.keep_warm_rate = FAST;
	world_start(&world);
}

static void teardown(void)
{
	world_remove(&world);
}

TestSuite(keep_warm, .init = setup, .fini = teardown, .timeout = 120);

static void make_keys(size_t count)
{
	for (size_t i = 0; i < count; i++) {
		cr_assert_eq(world_create(&world, material), ERR_OK);
		uids[i] = world.uid;
	}
	creation_unwraps = world.service.calls[FAKE_UNWRAP];
}

static unsigned unwraps(void)
{
	return world.service.calls[FAKE_UNWRAP] - creation_unwraps;
}

static void forget_unwrapped(void)
{
	kek_table_drop_instance(world.table, &world.instances[0].id);
}

/* As a reload does. */
static void keep(uint32_t keys)
{
	world.settings.keep_warm = keys;
	keystore_reload(world.keystore, &world.settings);
}

static bool has_unwrapped(struct world *in)
{
	(void) in;
	return unwraps() >= wanted;
}

static void wait_unwraps(size_t count)
{
	wanted = count;
	world_until(&world, has_unwrapped);
}

static bool is_held(struct world *in)
{
	(void) in;
	return kek_table_count(world.table) == wanted;
}

static void wait_held(size_t count)
{
	wanted = count;
	world_until(&world, is_held);
}

static bool is_warm(const struct uid *uid)
{
	struct kek_entry of = { .instance = world.instances[0].id, .uid = *uid };
	struct kek_seen seen;

	kek_table_look(world.table, &of, clock_boot_ms(), &seen);
	return seen.resident_until_ms > clock_boot_ms();
}

static uint64_t told_ms;

static bool is_later(struct world *in)
{
	(void) in;
	return clock_boot_ms() >= told_ms;
}

static void let_pass(uint64_t ms)
{
	told_ms = clock_boot_ms() + ms;
	world_until(&world, is_later);
}

/* Shows that "all" unwraps every key by itself, once each, by what the cache has (no key is read);
 * and that a Get then needs nobody. */
Test(keep_warm, unwraps_all)
{
	unsigned gets = world.service.calls[FAKE_GET];

	make_keys(KEYS);
	forget_unwrapped();
	keep(KEYSTORE_WARM_ALL);
	wait_held(KEYS);
	for (size_t i = 0; i < KEYS; i++)
		cr_assert_eq(world_get_warm(&world, &uids[i]), ERR_OK);
	cr_assert_eq(unwraps(), KEYS);
	cr_assert_eq(world.service.calls[FAKE_GET], gets);
}

/* Shows that a restart is followed by unwrapping, without any client. */
Test(keep_warm, unwraps_after_a_restart)
{
	make_keys(KEYS);
	world_stop(&world);
	world.settings.keep_warm = KEYSTORE_WARM_ALL;
	world_start(&world);
	wait_held(KEYS);
}

/* Shows that it is off unless it was asked for, and can be switched off. */
Test(keep_warm, is_off)
{
	make_keys(KEYS);
	forget_unwrapped();
	keep(0);
	let_pass(3 * 250);
	cr_assert_eq(unwraps(), 0);
	keep(KEYSTORE_WARM_ALL);
	wait_held(KEYS);
	keep(0);
	forget_unwrapped();
	let_pass(3 * 250);
	cr_assert_eq(unwraps(), KEYS);
}

/* Shows that keys are unwrapped again before outage-grace ends, as long as the node runs. */
Test(keep_warm, comes_before_they_leave)
{
	make_keys(KEYS);
	world.settings.outage_grace_s = GRACE_S;
	keep(KEYSTORE_WARM_ALL);
	forget_unwrapped();
	for (unsigned round = 1; round <= 3; round++) {
		wait_unwraps((size_t) round * KEYS);
		for (size_t i = 0; i < KEYS; i++)
			cr_assert(is_warm(&uids[i]), "round %u, key %zu", round, i);
	}
}

/* Shows that of the "recent" ones those are kept that clients asked for last, and that its own
 * unwraps do not count as asking. */
Test(keep_warm, keeps_the_recent_ones)
{
	make_keys(KEYS);
	forget_unwrapped();
	for (size_t i = 0; i < KEYS; i++) {
		let_pass(2); /* so that the order is told by the clock */
		cr_assert_eq(world_get(&world, &uids[i], material), ERR_OK);
	}
	world.settings.outage_grace_s = GRACE_S;
	keep(2);
	/* What was put under the longer grace is not due yet. */
	forget_unwrapped();
	for (size_t i = 0; i < KEYS; i++) {
		let_pass(2);
		cr_assert_eq(world_get(&world, &uids[i], material), ERR_OK);
	}
	wait_unwraps(2 * KEYS + 6);
	let_pass(1000 * GRACE_S);
	for (size_t i = 0; i < KEYS; i++)
		cr_assert_eq(is_warm(&uids[i]), i >= KEYS - 2, "key %zu", i);
}

/* Shows that no key displaces another one: what does not fit is not asked for, pass after pass. */
Test(keep_warm, respects_the_bound)
{
	size_t held;
	unsigned asked;

	make_keys(MANY);
	forget_unwrapped();
	world.settings.outage_grace_s = 60;
	keep(KEYSTORE_WARM_ALL);
	wait_unwraps(200);
	let_pass(1000);
	asked = unwraps();
	held = kek_table_count(world.table);
	cr_assert_leq(held, 256);
	/* Those under way together may be after one place. */
	cr_assert_lt(asked, MANY);
	cr_assert_geq(asked, held);
	keep(0);
	keep(KEYSTORE_WARM_ALL);
	let_pass(500);
	cr_assert_eq(unwraps(), asked, "those without room are not asked for");
	for (size_t i = 0; i < MANY; i++)
		cr_assert_eq(world_get(&world, &uids[i], material), ERR_OK);
}

/* Shows that a disabled root key empties the table and that nothing refills it until it is enabled.
 */
Test(keep_warm, respects_a_disabled_root_key)
{
	unsigned asked;

	make_keys(KEYS);
	world.service.root = KEYMANAGER_ROOT_DISABLED;
	forget_unwrapped();
	keep(KEYSTORE_WARM_ALL);
	wait_unwraps(1);
	let_pass(500);
	asked = unwraps();
	cr_assert_eq(kek_table_count(world.table), 0);
	let_pass(500);
	cr_assert_eq(unwraps(), asked, "not asked for while it is disabled");
}

/* Shows that destroyed and missing keys are not unwrapped. */
Test(keep_warm, leaves_alone_what_is_not_there)
{
	make_keys(KEYS);
	cr_assert_eq(world_destroy(&world, &uids[0]), ERR_OK);
	kek_table_set_vouch(world.table, 0);
	fake_service_find(&world.service, &uids[1])->purged = true;
	cr_assert_eq(world_get(&world, &uids[1], material), ERR_MISSING);
	kek_table_set_vouch(world.table, UINT64_MAX);
	forget_unwrapped();
	keep(KEYSTORE_WARM_ALL);
	wait_held(KEYS - 2);
	let_pass(300);
	cr_assert_not(is_warm(&uids[0]));
	cr_assert_not(is_warm(&uids[1]));
}

/* Shows that a client does not wait behind a slow unwrap that keeps its key warm: it asks itself.
 */
Test(keep_warm, gives_way_to_a_client)
{
	uint64_t began_ms;

	make_keys(1);
	forget_unwrapped();
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_UNWRAP, .repeat = 1, .stall = true });
	keep(KEYSTORE_WARM_ALL);
	wait_unwraps(1);
	began_ms = clock_boot_ms();
	cr_assert_eq(world_get(&world, &uids[0], material), ERR_OK);
	cr_assert_lt(clock_boot_ms() - began_ms, KEYSTORE_ANSWER_MS);
	cr_assert_eq(unwraps(), 2);
	cr_assert_eq(world_get_warm(&world, &uids[0]), ERR_OK);
}

/* Shows that it is content with what a client's unwrap brings that is under way. */
Test(keep_warm, joins_a_client)
{
	struct keystore_pending *pending;
	struct keystore_view *view;
	struct arena *arena;

	make_keys(1);
	forget_unwrapped();
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_UNWRAP, .repeat = 1, .delay_ms = 300 });
	cr_assert_eq(arena_new(&arena, 1 << 20), ERR_OK);
	cr_assert_eq(
		keystore_view_new(&view, world.keystore, arena, &world.instances[0].id), ERR_OK);
	cr_assert_eq(keystore_fetch_start(&pending, view, &uids[0], true, world_on_done, &world),
		ERR_OK);
	world.answered = false;
	keep(KEYSTORE_WARM_ALL);
	world_until(&world, world_is_answered);
	cr_assert_eq(world.err, ERR_OK);
	let_pass(100);
	cr_assert_eq(unwraps(), 1);
	arena_free(arena);
}

/* Shows that an outage costs few calls, and that the keys have their turn after it. */
Test(keep_warm, survives_an_outage)
{
	make_keys(KEYS);
	forget_unwrapped();
	world.service.down = true;
	keep(KEYSTORE_WARM_ALL);
	wait_unwraps(1);
	let_pass(500);
	cr_assert_leq(unwraps(), 6);
	world.service.down = false;
	wait_held(KEYS);
}
