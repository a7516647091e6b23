/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include "base/clock.h"
#include "tests/harness/store_world.h"

static struct world world;
static const struct slice material = SLICE_LITERAL("0123456789abcdef0123456789abcdef");

static void setup(void)
{
	world_make(&world);
}

static void teardown(void)
{
	world_remove(&world);
}

TestSuite(poll, .init = setup, .fini = teardown, .timeout = 60);

/* A node that polls all the time and has no lease. */
static void start_alone(uint32_t max_stale_s)
{
	world.settings.reconcile_s = 0;
	world.settings.max_stale_s = max_stale_s;
	world_start(&world);
	kek_table_set_vouch(world.table, 0);
}

static void make_warm_key(void)
{
	cr_assert_eq(world_create(&world, material), ERR_OK);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
}

static unsigned lists_wanted;

static bool has_listed(struct world *in)
{
	return in->service.calls[FAKE_LIST] >= lists_wanted;
}

/* At least one whole poll of each instance begins and ends. */
static void wait_polls(void)
{
	lists_wanted = world.service.calls[FAKE_LIST] + 12;
	world_until(&world, has_listed);
}

static bool is_warm(struct world *in)
{
	return world_get_warm(in, &in->uid) == ERR_OK;
}

static bool is_not_warm(struct world *in)
{
	return world_get_warm(in, &in->uid) != ERR_OK;
}

static bool is_dead(struct world *in)
{
	struct object object;

	return world_object(in, &in->uid, &object) && object.dead;
}

static bool is_live(struct world *in)
{
	return !is_dead(in);
}

static struct keystore_instance_status status_now(void)
{
	struct keystore_instance_status status;

	keystore_instance_status(world.keystore, 0, &status);
	return status;
}

static bool is_missing(struct world *in)
{
	(void) in;
	return status_now().missing == 1;
}

static bool is_outage(struct world *in)
{
	(void) in;
	return status_now().outage_since_ms != 0;
}

static bool is_no_outage(struct world *in)
{
	return !is_outage(in);
}

static void on_forgotten(void *ctx, enum err err)
{
	struct world *in = ctx;

	in->answered = true;
	in->err = err;
}

static enum err forget(void)
{
	struct keystore_pending *pending;

	world.answered = false;
	cr_assert_eq(
		keystore_forget_start(&pending, world.keystore, &world.uid, on_forgotten, &world),
		ERR_OK);
	world_until(&world, world_is_answered);
	return world.err;
}

/* Shows that without the peer's lease good polls let the cache answer, without a call for each Get.
 */
Test(poll, vouches_without_a_lease)
{
	unsigned gets;

	start_alone(15);
	make_warm_key();
	gets = world.service.calls[FAKE_GET];
	for (int i = 0; i < 20; i++)
		cr_assert_eq(world_get_warm(&world, &world.uid), ERR_OK);
	cr_assert_eq(world.service.calls[FAKE_GET], gets);
	cr_assert(status_now().vouched);
}

/* Shows that with max-stale 0 a good poll vouches for nothing. */
Test(poll, vouches_for_nothing_when_strict)
{
	unsigned gets;

	start_alone(0);
	make_warm_key();
	wait_polls();
	cr_assert_eq(world_get_warm(&world, &world.uid), ERR_AGAIN);
	gets = world.service.calls[FAKE_GET];
	for (unsigned i = 1; i <= 3; i++) {
		cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
		cr_assert_eq(world.service.calls[FAKE_GET], gets + i);
	}
	cr_assert_not(status_now().vouched);
}

/* Shows that what a poll says holds for max-stale and no longer, that the resident copy goes on in
 * the outage, and that the end of the outage is noticed. */
Test(poll, stops_vouching_in_an_outage)
{
	start_alone(1);
	make_warm_key();
	world.service.down = true;
	world_until(&world, is_outage);
	world_until(&world, is_not_warm);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
	world.service.down = false;
	world_until(&world, is_warm);
	cr_assert(is_no_outage(&world));
}

/* Shows that outage-grace counts from the last good poll. */
Test(poll, ends_the_grace_with_the_last_poll)
{
	struct keystore_settings settings;

	start_alone(1);
	make_warm_key();
	world.service.down = true;
	world_until(&world, is_not_warm);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
	settings = world.settings;
	settings.outage_grace_s = 0;
	keystore_reload(world.keystore, &settings);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_UNAVAILABLE);
}

/* Shows that a node that was away asks by id until its first poll, under a lease too. */
Test(poll, asks_by_id_before_the_first)
{
	world_start(&world);
	make_warm_key();
	world_stop(&world);
	fake_service_delete(&world.service, &world.uid, clock_wall_seconds());
	world_open(&world);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_DESTROYED);
}

/* Shows that a deletion is seen whatever its last update is said to be, warm as the key is. */
Test(poll, sees_deletions_by_their_own_date)
{
	start_alone(15);
	make_warm_key();
	fake_service_delete(&world.service, &world.uid, clock_wall_seconds());
	fake_service_find(&world.service, &world.uid)->key.updated = 1000;
	world_until(&world, is_dead);
	cr_assert_eq(kek_table_count(world.table), 0);
	cr_assert_eq(world.service.calls[FAKE_DELETE], 0);
}

/* Shows that more deletions than a page holds are all seen in one poll. */
Test(poll, sees_many_deletions)
{
	enum { KEYS = 120 };
	struct uid uids[KEYS];
	struct object object;

	start_alone(15);
	for (size_t i = 0; i < KEYS; i++) {
		cr_assert_eq(world_create(&world, material), ERR_OK);
		uids[i] = world.uid;
	}
	for (size_t i = 0; i < KEYS; i++) {
		fake_service_delete(&world.service, &uids[i], clock_wall_seconds() - (int64_t) i);
		fake_service_find(&world.service, &uids[i])->key.updated = 1000;
	}
	world.uid = uids[KEYS - 1];
	world_until(&world, is_dead);
	for (size_t i = 0; i < KEYS; i++)
		cr_assert(world_object(&world, &uids[i], &object) && object.dead);
}

/* Shows that a key that the owner restored lives again, and not before the service allows it. */
Test(poll, sees_a_restoration)
{
	int64_t now = clock_wall_seconds();

	start_alone(15);
	make_warm_key();
	fake_service_delete(&world.service, &world.uid, now);
	world_until(&world, is_dead);
	fake_service_restore(&world.service, &world.uid, now + 29);
	wait_polls();
	cr_assert(is_dead(&world));
	fake_service_restore(&world.service, &world.uid, now + 30);
	world_until(&world, is_live);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
	fake_service_delete(&world.service, &world.uid, now + 60);
	world_until(&world, is_dead);
}

/* Destroyed once and restored by the owner; each Get asks the key manager. */
static void make_restored_key(int64_t deletion)
{
	start_alone(0);
	make_warm_key();
	fake_service_delete(&world.service, &world.uid, deletion);
	world_until(&world, is_dead);
	fake_service_restore(&world.service, &world.uid, deletion + 30);
	world_until(&world, is_live);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
}

/* Shows that an answer from before a restoration neither destroys the key again nor serves it. */
Test(poll, is_not_fooled_by_the_deletion_before_a_restoration)
{
	int64_t deletion = clock_wall_seconds();

	make_restored_key(deletion);
	fake_service_delete(&world.service, &world.uid, deletion);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_UNAVAILABLE);
	cr_assert(is_live(&world));
	fake_service_restore(&world.service, &world.uid, deletion + 30);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
	fake_service_delete(&world.service, &world.uid, deletion + 60);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_DESTROYED);
}

/* Shows that a restored key is destroyed again also where the key manager tells no date and our
 * clock is behind its earlier one. */
Test(poll, buries_a_restored_key_without_a_date)
{
	struct object object;

	make_restored_key(clock_wall_seconds() + 5000);
	fake_service_delete(&world.service, &world.uid, 0);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_DESTROYED);
	cr_assert(world_object(&world, &world.uid, &object) && object.dead);
	cr_assert_eq(object.dead_epoch % 2, 0);
}

/* Shows that a node whose clock is wrong by far sees what was changed since its last poll. */
Test(poll, sees_changes_with_a_clock_that_is_ahead)
{
	const int64_t now = clock_wall_seconds() - 5000;

	world.service.ahead_s = -5000;
	start_alone(15);
	make_warm_key();
	fake_service_delete(&world.service, &world.uid, now);
	world_until(&world, is_dead);
	wait_polls();
	fake_service_restore(&world.service, &world.uid, now + 30);
	world_until(&world, is_live);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
}

/* Shows that a key that the whole listing lacks is read by id, called missing for good, not served
 * and not deleted; that it is served again when the key manager shows it; and that the operator can
 * give up a missing key and no other. */
Test(poll, finds_missing_keys)
{
	struct fake_key *key;

	world_start(&world);
	make_warm_key();
	fake_service_age(&world.service, 3600);
	cr_assert_eq(forget(), ERR_STATE);
	key = fake_service_find(&world.service, &world.uid);
	world_stop(&world);
	key->purged = true;
	world_start(&world);
	world_until(&world, is_missing);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_MISSING);
	world_stop(&world);
	world_start(&world);
	cr_assert(is_missing(&world), "durable");
	key->purged = false;
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
	cr_assert_not(is_missing(&world));
	cr_assert(is_live(&world));
	key->purged = true;
	kek_table_set_vouch(world.table, 0);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_MISSING);
	cr_assert_eq(forget(), ERR_OK);
	cr_assert(is_dead(&world));
	cr_assert_eq(forget(), ERR_DESTROYED);
	cr_assert_not(is_missing(&world));
	cr_assert_eq(world.service.calls[FAKE_DELETE], 0);
}

/* Shows that a 404 proves nothing while the root key cannot be read. */
Test(poll, believes_no_404_without_the_root_key)
{
	start_alone(0);
	make_warm_key();
	fake_service_find(&world.service, &world.uid)->purged = true;
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_ROOT, .repeat = 1, .err = ERR_REFUSED });
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK, "fresh: until plaintext-ttl");
	cr_assert_not(is_missing(&world));
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_MISSING);
}

/* Shows that a refusal stops copies at plaintext-ttl and is told, and that being asked to slow down
 * is an outage for polls only. */
Test(poll, tells_refusal_from_outage)
{
	struct keystore_settings settings;

	start_alone(0);
	make_warm_key();
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_GET, .repeat = 1, .err = ERR_REFUSED });
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_GET, .repeat = 1, .err = ERR_THROTTLED });
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_UNAVAILABLE);
	settings = world.settings;
	settings.plaintext_ttl_s = 0;
	keystore_reload(world.keystore, &settings);
	kek_table_drop(world.table, &world.instances[0].id, &world.uid);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_GET, .repeat = 1, .err = ERR_REFUSED });
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_REFUSED);
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_LIST, .repeat = 1000, .err = ERR_THROTTLED });
	world_until(&world, is_outage);
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_GET, .repeat = 1, .err = ERR_THROTTLED });
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
}
