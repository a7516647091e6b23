/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include "tests/harness/store_world.h"

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

TestSuite(client_flow, .init = setup, .fini = teardown, .timeout = 60);

static bool ledger_is_written(struct world *in)
{
	struct keystore_instance_status status;

	keystore_instance_status(in->keystore, 0, &status);
	return world_intents(in) == 0 && status.ledger_waiting == 0;
}

/* Shows that an installation is in the key manager before it is answered, in one instance only, and
 * that both caches can be lost. */
Test(client_flow, installs)
{
	cr_assert_eq(world_client(&world, 0, 7, false), ERR_OK);
	cr_assert_eq(fake_service_count(&world.service, "kmipl-instance-one-"), 1);
	cr_assert_eq(world_client_find(&world, 7), ERR_OK);
	cr_assert_eq(world_client(&world, 1, 7, false), ERR_EXISTS);
	cr_assert_eq(world_client(&world, 1, 7, true), ERR_NOT_FOUND);
	world_lose_cache(&world);
	world_start(&world);
	cr_assert_eq(world_client_find(&world, 7), ERR_OK);
	cr_assert_eq(world_client_find(&world, 8), ERR_NOT_FOUND);
}

/* Shows that what cannot be written to the ledger is not installed. */
Test(client_flow, is_not_installed_without_the_ledger)
{
	world.service.down = true;
	cr_assert_eq(world_client(&world, 0, 7, false), ERR_UNAVAILABLE);
	cr_assert_eq(world_client_find(&world, 7), ERR_NOT_FOUND);
}

/* Shows that a removal that was answered while the key manager answers outlives the cache. */
Test(client_flow, removes_in_the_ledger)
{
	cr_assert_eq(world_client(&world, 0, 7, false), ERR_OK);
	cr_assert_eq(world_client(&world, 0, 7, true), ERR_OK);
	cr_assert_eq(world_intents(&world), 0);
	world_lose_cache(&world);
	world_start(&world);
	cr_assert_eq(world_client_find(&world, 7), ERR_NOT_FOUND);
}

static unsigned answers;

static void on_stored(void *ctx, enum err err, const char *why)
{
	(void) ctx;
	(void) why;
	cr_assert_eq(err, ERR_OK);
	answers++;
}

static bool all_are_stored(struct world *in)
{
	(void) in;
	return answers == 5;
}

/* Shows that registrations that come together share one ledger record. */
Test(client_flow, shares_a_ledger_record)
{
	struct keystore_pending *pending;

	answers = 0;
	for (uint8_t i = 1; i <= 5; i++) {
		struct client client = { .instance = world.instances[0].id, .name = "host" };

		client.fingerprint.bytes[0] = i;
		cr_assert_eq(
			keystore_client_start(&pending, world.keystore, &client, on_stored, NULL),
			ERR_OK);
	}
	world_until(&world, all_are_stored);
	cr_assert_eq(world.service.calls[FAKE_CREATE], 1);
}

/* Shows that a removal does not wait for the key manager, and reaches it later, also after a
 * restart; and that it stays removed when the cache is lost. */
Test(client_flow, removes_for_good)
{
	cr_assert_eq(world_client(&world, 0, 7, false), ERR_OK);
	world.service.down = true;
	cr_assert_eq(world_client(&world, 0, 7, true), ERR_OK);
	cr_assert_eq(world_client_find(&world, 7), ERR_NOT_FOUND);
	cr_assert_eq(world_intents(&world), 1);
	world_stop(&world);
	world.service.down = false;
	world_start(&world);
	cr_assert_eq(world_client_find(&world, 7), ERR_NOT_FOUND);
	world_until(&world, ledger_is_written);
	world_lose_cache(&world);
	world_start(&world);
	cr_assert_eq(world_client_find(&world, 7), ERR_NOT_FOUND);
	cr_assert_eq(world_client(&world, 1, 7, false), ERR_OK);
	cr_assert_eq(world_client_find(&world, 7), ERR_OK);
}

/* Shows that a ledger record whose answer was lost is found, and written once. */
Test(client_flow, finds_a_lost_ledger_record)
{
	fake_service_fault(&world.service,
		(struct fake_fault){
			.call = FAKE_CREATE, .repeat = 1, .err = ERR_AMBIGUOUS, .effect = true });
	cr_assert_eq(world_client(&world, 0, 7, false), ERR_OK);
	cr_assert_eq(world.service.calls[FAKE_CREATE], 1);
}
