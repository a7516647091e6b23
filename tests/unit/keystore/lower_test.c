/* SPDX-License-Identifier: Apache-2.0 */
/* Changes that lower a key's state (Revoke) are in the key manager before they are answered. */
#include <criterion/criterion.h>
#include "base/clock.h"
#include "tests/harness/store_world.h"

static struct world world;
static const struct slice material = SLICE_LITERAL("0123456789abcdef0123456789abcdef");
static struct uid uid;

static void setup(void)
{
	world_make(&world);
	world_start(&world);
	cr_assert_eq(world_create(&world, material), ERR_OK);
	uid = world.uid;
	cr_assert_eq(world_activate(&world, &uid), ERR_OK);
}

static void teardown(void)
{
	world_remove(&world);
}

TestSuite(lower, .init = setup, .fini = teardown, .timeout = 60);

static enum object_life life_of(const struct uid *of)
{
	struct object object;

	cr_assert(world_object(&world, of, &object));
	return object.life;
}

static void rebuild(void)
{
	world_lose_cache(&world);
	world_start(&world);
	cr_assert_eq(world_get(&world, &uid, material), ERR_OK);
}

static size_t ledger_records(void)
{
	return fake_service_count(&world.service, "kmipl-instance-one-");
}

/* Shows that a revocation comes back with its date, and the key with its bytes, when the cache is
 * lost; the record says all that it is to say, so that a checkpoint has nothing to add. */
Test(lower, survives_a_lost_cache)
{
	struct object object;

	cr_assert_eq(world_revoke(&world, &uid), ERR_OK);
	cr_assert_eq(ledger_records(), 1);
	cr_assert_eq(world_checkpoint(&world), ERR_OK);
	cr_assert_eq(ledger_records(), 1);
	rebuild();
	cr_assert(world_object(&world, &uid, &object));
	cr_assert_eq(object.life, OBJECT_DEACTIVATED);
	cr_assert_eq(object.dates[OBJECT_DATE_ACTIVATED], 2000);
	cr_assert_eq(object.dates[OBJECT_DATE_DEACTIVATED], 3000);
	cr_assert(object.has_material);
	cr_assert_not(object.unclaimed);
	cr_assert_eq(world_checkpoint(&world), ERR_OK);
	cr_assert_eq(ledger_records(), 1, "what was read is not written again");
}

/* Shows that what a durable change is about is in the key manager before it is answered, also where
 * one ledger record has no room for all attributes. */
Test(lower, attribute_survives_among_many)
{
	enum { TAGS = 20, TAG_LEN = 290 };
	struct object object;
	size_t made;

	cr_assert(world_object(&world, &uid, &object));
	made = object.attribute_count;
	for (size_t i = 0; i < TAGS; i++)
		cr_assert_eq(world_tag(&world, &uid, "x-tag", TAG_LEN), ERR_OK);
	cr_assert_eq(world_tag_durably(&world, &uid, "x-zone"), ERR_OK);
	cr_assert_eq(ledger_records(), 1);
	rebuild();
	cr_assert(world_object(&world, &uid, &object));
	cr_assert_eq(object.attribute_count, made + 1);
}

/* Shows that without the key manager nothing is lowered, the answer comes in time, and the
 * repetition succeeds. */
Test(lower, is_refused_without_the_key_manager)
{
	uint64_t begun_ms = clock_boot_ms();

	world.service.down = true;
	cr_assert_eq(world_revoke(&world, &uid), ERR_UNAVAILABLE);
	cr_assert_lt(clock_boot_ms() - begun_ms, KEYSTORE_ANSWER_MS + 500);
	cr_assert_eq(life_of(&uid), OBJECT_ACTIVE);
	world.service.down = false;
	cr_assert_eq(world_revoke(&world, &uid), ERR_OK);
	cr_assert_eq(life_of(&uid), OBJECT_DEACTIVATED);
}

/* Shows that no ledger record is made that could not be read again. */
Test(lower, proves_the_wrapped_form)
{
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_WRAP, .repeat = 1, .alter = true });
	cr_assert_eq(world_revoke(&world, &uid), ERR_UNAVAILABLE);
	cr_assert_eq(ledger_records(), 0);
	cr_assert_eq(life_of(&uid), OBJECT_ACTIVE);
}

/* Shows that a key manager that never answers does not keep the client waiting. */
Test(lower, is_refused_in_time)
{
	uint64_t begun_ms = clock_boot_ms();

	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_WRAP, .repeat = 1, .stall = true });
	cr_assert_eq(world_revoke(&world, &uid), ERR_UNAVAILABLE);
	cr_assert_lt(clock_boot_ms() - begun_ms, KEYSTORE_ANSWER_MS + 500);
}

/* Shows that the owner's refusals are told as such. */
Test(lower, tells_a_disabled_root_key)
{
	world.service.root = KEYMANAGER_ROOT_DISABLED;
	cr_assert_eq(world_revoke(&world, &uid), ERR_ROOT_DISABLED);
	cr_assert_eq(life_of(&uid), OBJECT_ACTIVE);
}

/* Shows that a ledger record whose reply was lost is found by name, and made once. */
Test(lower, finds_a_record_whose_reply_was_lost)
{
	fake_service_fault(&world.service,
		(struct fake_fault){
			.call = FAKE_CREATE, .repeat = 1, .err = ERR_AMBIGUOUS, .effect = true });
	cr_assert_eq(world_revoke(&world, &uid), ERR_OK);
	cr_assert_eq(ledger_records(), 1);
	rebuild();
	cr_assert_eq(life_of(&uid), OBJECT_DEACTIVATED);
}

static enum err refuse(void *ctx, const struct object *object)
{
	(void) ctx;
	(void) object;
	return ERR_STATE;
}

static void on_changed(void *ctx, enum err err, uint32_t added_index)
{
	(void) added_index;
	*(enum err *) ctx = err;
	world.answered = true;
}

/* Shows that what the check refuses never reaches the key manager. */
Test(lower, asks_the_check_first)
{
	struct object_change change = { .compromise = true, .now = 3000 };
	struct keystore_change options = {
		.instance = world.instances[0].id, .uid = uid, .change = &change, .check = refuse
	};
	struct keystore_pending *pending;
	enum err err = ERR_OK;

	world.answered = false;
	cr_assert_eq(keystore_change_start(&pending, world.keystore, &options, on_changed, &err),
		ERR_OK);
	world_until(&world, world_is_answered);
	cr_assert_eq(err, ERR_STATE);
	cr_assert_eq(ledger_records(), 0);
}

static enum fake_call struck;

static bool is_struck(struct world *in)
{
	return in->service.calls[struck] > 0;
}

/* Starts a revocation and ends the process, as it were, when the call is on its way. */
static void crash_at(enum fake_call call, bool effect)
{
	struct object_change change = { .deactivate = true, .now = 3000 };
	struct keystore_change options = {
		.instance = world.instances[0].id, .uid = uid, .change = &change
	};
	struct keystore_pending *pending;
	enum err err;

	struck = call;
	world.service.calls[call] = 0;
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = call, .repeat = 1, .stall = true, .effect = effect });
	cr_assert_eq(keystore_change_start(&pending, world.keystore, &options, on_changed, &err),
		ERR_OK);
	world_until(&world, is_struck);
	/* The stalled call does its work in the next turn. */
	world.answered = false;
	cr_assert_eq(world_fetch(&world, 0, &uid, false), ERR_OK);
	world_stop(&world);
	world_start(&world);
}

/* Shows that a crash before the key manager was asked leaves the key as it was, and that the
 * revocation can be repeated. */
Test(lower, crash_before_the_ledger)
{
	crash_at(FAKE_WRAP, false);
	cr_assert_eq(life_of(&uid), OBJECT_ACTIVE);
	crash_at(FAKE_CREATE, false);
	cr_assert_eq(life_of(&uid), OBJECT_ACTIVE);
	cr_assert_eq(world_revoke(&world, &uid), ERR_OK);
	rebuild();
	cr_assert_eq(life_of(&uid), OBJECT_DEACTIVATED);
}

/* Shows that what is in the ledger holds after a crash, though nobody was told, and that it does so
 * in the old cache as in a new one. */
Test(lower, crash_behind_the_ledger)
{
	crash_at(FAKE_CREATE, true);
	cr_assert_eq(ledger_records(), 1);
	cr_assert_eq(life_of(&uid), OBJECT_DEACTIVATED);
	rebuild();
	cr_assert_eq(life_of(&uid), OBJECT_DEACTIVATED);
}

/* Shows that a client that goes away in between changes nothing in what the nodes hold. */
Test(lower, cancelled)
{
	struct object_change change = { .deactivate = true, .now = 3000 };
	struct keystore_change options = {
		.instance = world.instances[0].id, .uid = uid, .change = &change
	};
	struct keystore_pending *pending;
	enum err err;

	struck = FAKE_CREATE;
	world.service.calls[FAKE_CREATE] = 0;
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_CREATE, .repeat = 1, .delay_ms = 100 });
	cr_assert_eq(keystore_change_start(&pending, world.keystore, &options, on_changed, &err),
		ERR_OK);
	world_until(&world, is_struck);
	keystore_cancel(pending);
	cr_assert_eq(world_client(&world, 0, 7, false), ERR_OK, "the ledger goes on");
	cr_assert_eq(life_of(&uid), OBJECT_DEACTIVATED);
}

/* Shows that a destroyed key's trace brings back neither it nor its material, and that a key whose
 * trace is all that is left is Item Not Found. */
Test(lower, destroyed_stays_destroyed)
{
	struct object object;
	enum err err;

	cr_assert_eq(world_revoke(&world, &uid), ERR_OK);
	cr_assert_eq(world_destroy(&world, &uid), ERR_OK);
	world_lose_cache(&world);
	world_start(&world);
	/* Read through, or by the listing before. */
	err = world_get(&world, &uid, material);
	cr_assert(err == ERR_DESTROYED || err == ERR_KEY_ABSENT);
	cr_assert(world_object(&world, &uid, &object));
	cr_assert(object.dead);
	cr_assert_eq(object.life, OBJECT_DEACTIVATED);
	fake_service_find(&world.service, &uid)->purged = true;
	world_lose_cache(&world);
	world_start(&world);
	cr_assert_eq(world_get(&world, &uid, material), ERR_NOT_FOUND);
}
