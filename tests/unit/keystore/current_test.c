/* SPDX-License-Identifier: Apache-2.0 */
/* Requests at a node for which nobody vouches wait for what the key manager says, together, and not
 * for ever. */
#include <criterion/criterion.h>
#include "base/clock.h"
#include "tests/harness/store_world.h"

static struct world world;
static const struct slice material = SLICE_LITERAL("0123456789abcdef");

enum { WAITERS = 3 };

static struct waiter {
	struct keystore_pending *pending;
	bool done;
	enum err err;
} waiters[WAITERS];

static void setup(void)
{
	world_make(&world);
	/* Polls come when they are asked for, and vouch for nothing. */
	world.settings.reconcile_s = 3600;
	world.settings.max_stale_s = 0;
	world_start(&world);
	kek_table_set_vouch(world.table, 0);
	cr_assert_eq(world_create(&world, material), ERR_OK);
}

static void teardown(void)
{
	world_remove(&world);
}

TestSuite(current, .init = setup, .fini = teardown);

static void on_done(void *ctx, enum err err)
{
	struct waiter *waiter = ctx;

	cr_assert_not(waiter->done, "once");
	waiter->done = true;
	waiter->err = err;
}

static void wait_for(size_t i)
{
	waiters[i] = (struct waiter){ 0 };
	cr_assert_eq(keystore_current_start(&waiters[i].pending, world.keystore,
			     &world.instances[0].id, on_done, &waiters[i]),
		ERR_OK);
	cr_assert_not(waiters[i].done, "later, not from inside the start");
}

static bool is_first_done(struct world *in)
{
	(void) in;
	return waiters[0].done;
}

static bool are_all_done(struct world *in)
{
	(void) in;
	return waiters[0].done && waiters[1].done && waiters[2].done;
}

static bool is_dead(void)
{
	struct object object;

	return world_object(&world, &world.uid, &object) && object.dead;
}

/* Shows that who waited knows what was in the key manager when it began to. */
Test(current, knows_what_was_there)
{
	fake_service_delete(&world.service, &world.uid, clock_wall_seconds());
	cr_assert_not(keystore_is_vouched(world.keystore, &world.instances[0].id));
	wait_for(0);
	world_until(&world, is_first_done);
	cr_assert_eq(waiters[0].err, ERR_OK);
	cr_assert(is_dead());
}

/* Shows that all who wait share a poll; and that one which began before does not serve a later one:
 * what happened in between it may have missed. */
Test(current, shares_a_poll)
{
	unsigned before = world.service.calls[FAKE_LIST], one;

	wait_for(0);
	world_until(&world, is_first_done);
	one = world.service.calls[FAKE_LIST] - before;
	before += one;
	for (size_t i = 0; i < WAITERS; i++)
		wait_for(i);
	world_until(&world, are_all_done);
	cr_assert_eq(world.service.calls[FAKE_LIST] - before, one);

	before += one;
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_LIST, .repeat = 1, .delay_ms = 50 });
	wait_for(0);
	while (world.service.calls[FAKE_LIST] == before) {
		world.answered = true;
		world_until(&world, world_is_answered);
	}
	fake_service_delete(&world.service, &world.uid, clock_wall_seconds());
	wait_for(1);
	wait_for(2);
	world_until(&world, are_all_done);
	cr_assert_eq(waiters[1].err, ERR_OK);
	cr_assert(is_dead());
	cr_assert_eq(world.service.calls[FAKE_LIST] - before, 2 * one,
		"without a second root key no object can have moved: the ledger is not asked");
}

/* Shows that an outage is told at once, and from then on without asking again. */
Test(current, outage)
{
	unsigned before;

	world.service.down = true;
	wait_for(0);
	world_until(&world, is_first_done);
	cr_assert_eq(waiters[0].err, ERR_UNAVAILABLE);
	before = world.service.calls[FAKE_LIST];
	wait_for(0);
	world_until(&world, is_first_done);
	cr_assert_eq(waiters[0].err, ERR_UNAVAILABLE);
	cr_assert_eq(world.service.calls[FAKE_LIST], before);
}

/* Shows that no answer is waited for no longer than KEYSTORE_CURRENT_MS; who leaves hears nothing.
 */
Test(current, no_answer)
{
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_LIST, .repeat = 1, .stall = true });
	wait_for(0);
	wait_for(1);
	keystore_cancel(waiters[1].pending);
	world_until(&world, is_first_done);
	cr_assert_eq(waiters[0].err, ERR_TIMEOUT);
	cr_assert_not(waiters[1].done);
}
