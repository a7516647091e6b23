/* SPDX-License-Identifier: Apache-2.0 */
/* Migration to another root key (design D8): every object keeps its uid, bytes and life; lost
 * answers, crashes, deaths meanwhile; and what may be deleted when. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "keystore/fact.h"
#include "keystore/instance.h"
#include "keystore/intent.h"
#include "keystore/keystore.h"
#include "keystore/migration.h"
#include "keystore/move.h"
#include "tests/harness/store_world.h"

enum { KEYS = 12 };

static struct world world;
static const struct slice material = SLICE_LITERAL("0123456789abcdef0123456789abcdef");

static void setup(void)
{
	world_make(&world);
	world.settings.reconcile_s = 1;
	world.settings.root_poll_s = 1;
	world_start(&world);
}

static void teardown(void)
{
	world_remove(&world);
}

TestSuite(migration, .init = setup, .fini = teardown, .timeout = 120);

/* ---- steps ---- */

static enum err set_roots(const char *root, const char *other)
{
	struct keystore_roots roots = {
		.instance = world.instances[0].id, .root_key = root, .other_root_key = other
	};
	bool changed;
	enum err err = keystore_set_roots(world.keystore, &roots, &changed, world.why);

	/* What the next start finds in its configuration. */
	if (err == ERR_OK) {
		world.instances[0].keymanager.root_key = root;
		world.instances[0].keymanager.other_root_key = other;
	}
	return err;
}

static bool roots_are_known(struct world *in)
{
	struct keystore_instance_status status;

	keystore_instance_status(in->keystore, 0, &status);
	return status.root == KEYMANAGER_ROOT_ENABLED &&
	       (status.other_root_key == NULL || status.other_root == KEYMANAGER_ROOT_ENABLED);
}

/* And remembered: a later life adopts young keys where it does not know that. */
static bool is_rebuilt(struct world *in)
{
	const struct instance *instance = keystore_instance_of(in->keystore, &in->instances[0].id);
	char value[FACT_VALUE_LEN];

	return instance->rebuilt && fact_get(in->keystore, "rebuilt-instance-one", value) == ERR_OK;
}

/* The two reloads that come before. */
static void exchange_roots(void)
{
	cr_assert_eq(set_roots("first-root", FAKE_SECOND_ROOT), ERR_OK, "%s", world.why);
	world_until(&world, roots_are_known);
	cr_assert_eq(set_roots(FAKE_SECOND_ROOT, "first-root"), ERR_OK, "%s", world.why);
	world_until(&world, roots_are_known);
	world_until(&world, is_rebuilt);
}

static struct keystore_migration_status status_now(void)
{
	struct keystore_migration_status status;

	keystore_migration_status(world.keystore, 0, &status);
	return status;
}

static bool is_over(struct world *in)
{
	(void) in;
	return !status_now().running;
}

static enum err migrate_begin(bool delete_old)
{
	return keystore_migrate(
		world.keystore, &world.instances[0].id, delete_old, 10000, world.why);
}

static void migrate(bool delete_old)
{
	cr_assert_eq(migrate_begin(delete_old), ERR_OK, "%s", world.why);
	world_until(&world, is_over);
}

static void make_keys(struct uid *uids, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		cr_assert_eq(world_create(&world, material), ERR_OK);
		uids[i] = world.uid;
	}
}

static size_t live_keys(void)
{
	return fake_service_count(&world.service, "kmip-instance-one-");
}

static uint64_t old_keys(void)
{
	struct keystore_old_key keys[2];
	uint64_t count;

	cr_assert_eq(
		keystore_old_keys(world.keystore, &world.instances[0].id, keys, 2, &count), ERR_OK);
	return count;
}

static struct object object_of(const struct uid *uid)
{
	struct object object;

	cr_assert(world_object(&world, uid, &object));
	return object;
}

static void start_again(void)
{
	world_start(&world);
	world_until(&world, roots_are_known);
	world_until(&world, is_rebuilt);
}

/* ---- tests ---- */

/* Each object has a new key under the second root key, and the same uid, bytes, state, dates and
 * attributes; the old keys are there until they are deleted in a step of its own. Then the first
 * root key is needed no more, and a cold node finds everything. */
Test(migration, moves_everything)
{
	struct uid uids[KEYS];
	struct object before[KEYS];

	make_keys(uids, KEYS);
	cr_assert_eq(world_activate(&world, &uids[0]), ERR_OK);
	cr_assert_eq(world_activate(&world, &uids[1]), ERR_OK);
	cr_assert_eq(world_revoke(&world, &uids[1]), ERR_OK);
	cr_assert_eq(world_tag(&world, &uids[2], "x-Name", 5), ERR_OK);
	for (size_t i = 0; i < KEYS; i++)
		before[i] = object_of(&uids[i]);
	exchange_roots();
	migrate(false);
	cr_assert_str_eq(status_now().stage, "moved");
	cr_assert_eq(status_now().moved, KEYS);
	cr_assert_eq(status_now().failed, 0);
	cr_assert_eq(live_keys(), 2 * KEYS, "the old ones are there");
	cr_assert_eq(old_keys(), KEYS);
	for (size_t i = 0; i < KEYS; i++) {
		struct object after = object_of(&uids[i]);

		cr_assert(object_is_moved(&after));
		cr_assert_eq(after.life, before[i].life);
		cr_assert_eq(after.compromised, before[i].compromised);
		cr_assert_eq(after.unclaimed, before[i].unclaimed);
		cr_assert_eq(after.attribute_count, before[i].attribute_count);
		for (size_t d = 0; d < OBJECT_DATE_COUNT; d++)
			cr_assert_eq(after.dates[d], before[i].dates[d]);
		cr_assert_eq(world_get(&world, &uids[i], material), ERR_OK);
	}
	migrate(true);
	cr_assert_str_eq(status_now().stage, "finished");
	cr_assert_eq(old_keys(), 0);
	cr_assert_eq(status_now().deleted, KEYS);
	cr_assert_eq(live_keys(), KEYS);
	world.service.root = KEYMANAGER_ROOT_DISABLED;
	cr_assert_eq(set_roots(FAKE_SECOND_ROOT, NULL), ERR_OK, "%s", world.why);
	world_lose_cache(&world);
	start_again();
	for (size_t i = 0; i < KEYS; i++) {
		cr_assert_eq(world_get(&world, &uids[i], material), ERR_OK);
		cr_assert_eq(object_of(&uids[i]).life, before[i].life);
		cr_assert_not(object_of(&uids[i]).unclaimed);
	}
	/* A standard key's own id is no object's. */
	cr_assert_eq(world_fetch(&world, 0, &(struct uid){ { 0 } }, false), ERR_NOT_FOUND);
	struct uid key_id = object_of(&uids[3]).key_id;
	cr_assert_eq(world_fetch(&world, 0, &key_id, true), ERR_NOT_FOUND);
}

/* Without the second step a cold node finds one object for each pair of keys, none of them
 * unclaimed. */
Test(migration, cold_node_before_the_deletion)
{
	struct uid uids[KEYS];
	struct keystore_instance_status status;

	make_keys(uids, KEYS);
	exchange_roots();
	migrate(false);
	world_lose_cache(&world);
	start_again();
	keystore_instance_status(world.keystore, 0, &status);
	cr_assert_eq(status.unclaimed, 0);
	for (size_t i = 0; i < KEYS; i++) {
		cr_assert(object_is_moved(
			&(struct object){ .uid = uids[i], .key_id = object_of(&uids[i]).key_id }));
		cr_assert_eq(world_get(&world, &uids[i], material), ERR_OK);
	}
}

/* Lost answers: of what was made, one key holds the object; nothing is lost, and what was made
 * twice is deleted with the old ones. */
Test(migration, lost_answers)
{
	struct uid uids[KEYS];

	make_keys(uids, KEYS);
	exchange_roots();
	for (unsigned i = 0; i < 3; i++)
		fake_service_fault(&world.service, (struct fake_fault){ .call = FAKE_CREATE,
							   .countdown = 2 * i,
							   .repeat = 1,
							   .err = ERR_AMBIGUOUS,
							   .effect = true });
	migrate(false);
	cr_assert_str_eq(status_now().stage, "moved", "%s", status_now().stage);
	cr_assert_eq(live_keys(), 2 * KEYS);
	migrate(true);
	cr_assert_eq(live_keys(), KEYS);
	for (size_t i = 0; i < KEYS; i++)
		cr_assert_eq(world_get(&world, &uids[i], material), ERR_OK);
}

enum { LIVES = 3, INTENTS_MAX = LIVES * MIGRATION_AT_ONCE };

struct intents {
	struct intent list[INTENTS_MAX];
	size_t count;
};

static enum err intents_add(void *ctx, const uint8_t nonce[INTENT_NONCE_LEN], struct slice body)
{
	struct intents *intents = ctx;

	cr_assert_lt(intents->count, INTENTS_MAX);
	return intent_decode(&intents->list[intents->count++], nonce, body);
}

/* As if they had been left long enough ago for nothing to come of them any more. */
static void age_intents(void)
{
	struct intents intents = { .count = 0 };
	struct cache_write *write;
	struct buf body;

	cr_assert_eq(cache_write_begin(&write, world.cache), ERR_OK);
	cr_assert_eq(cache_walk_intents(cache_write_read(write), intents_add, &intents), ERR_OK);
	for (size_t i = 0; i < intents.count; i++) {
		intents.list[i].time -= MOVE_INTENT_S;
		buf_init(&body, INTENT_LEN_MAX);
		cr_assert_eq(intent_encode(&body, &intents.list[i]), ERR_OK);
		cr_assert_eq(
			cache_put_intent(write, intents.list[i].nonce, buf_slice(&body)), ERR_OK);
		buf_free(&body);
	}
	cr_assert_eq(cache_commit(write), ERR_OK);
}

static size_t keys_made;

static bool is_stuck(struct world *in)
{
	return in->service.key_count >= keys_made || is_over(in);
}

/* The process dies while keys are made, over some that were made and some that were not: it goes on
 * by itself, and every object is moved once. */
Test(migration, dies_and_goes_on)
{
	struct uid uids[KEYS];

	make_keys(uids, KEYS);
	exchange_roots();
	for (unsigned round = 0; round < LIVES; round++) {
		fake_service_fault(&world.service, (struct fake_fault){ .call = FAKE_CREATE,
							   .countdown = round,
							   .repeat = 2,
							   .stall = true,
							   .effect = true });
		if (round == 0)
			cr_assert_eq(migrate_begin(false), ERR_OK);
		/* The first of two waits for its answer, or everything was done before. */
		keys_made = world.service.key_count + round + 1;
		world_until(&world, is_stuck);
		age_intents();
		world_stop(&world);
		world.service.fault_count = 0;
		start_again();
	}
	world_until(&world, is_over);
	cr_assert_str_eq(status_now().stage, "moved");
	migrate(true);
	cr_assert_eq(live_keys(), KEYS);
	for (size_t i = 0; i < KEYS; i++)
		cr_assert_eq(world_get(&world, &uids[i], material), ERR_OK);
}

static bool is_begun(struct world *in)
{
	return in->service.calls[FAKE_CREATE] > 0;
}

/* The intent is there, and nothing will come of it. */
static void begin_and_stall(void)
{
	world.service.calls[FAKE_CREATE] = 0;
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_CREATE, .repeat = 1, .stall = true });
	cr_assert_eq(migrate_begin(false), ERR_OK);
	world_until(&world, is_begun);
}

static bool was_tried_often(struct world *in)
{
	return in->service.calls[FAKE_WRAP] > MIGRATION_PASSES_MAX || is_over(in);
}

/* The process dies over an intent of which nothing came: for as long as something may come of it
 * the migration tries again by itself, and then it makes another key. */
Test(migration, waits_for_an_intent)
{
	struct uid uid;

	make_keys(&uid, 1);
	exchange_roots();
	begin_and_stall();
	world_stop(&world);
	world.service.fault_count = 0;
	world.service.calls[FAKE_WRAP] = 0;
	start_again();
	world_until(&world, was_tried_often);
	cr_assert(status_now().running, "%s", status_now().stage);
	cr_assert_eq(live_keys(), 1, "it may be made yet");
	age_intents();
	world_until(&world, is_over);
	cr_assert_str_eq(status_now().stage, "moved");
	cr_assert_eq(live_keys(), 2);
	cr_assert_eq(world_get(&world, &uid, material), ERR_OK);
}

static bool is_all_moved(struct world *in)
{
	(void) in;
	return strcmp(status_now().stage, "moved") == 0;
}

/* All root keys are asked for in vain at first. */
static void start_without_roots(void)
{
	world.service.fault_count = 0;
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_ROOT, .repeat = 3, .err = ERR_UNAVAILABLE });
	world_start(&world);
	world_until(&world, is_rebuilt);
	cr_assert_not(roots_are_known(&world));
}

/* Shows that a later life goes on also where it learns of the root keys only after it has seen the
 * whole ring. */
Test(migration, goes_on_once_the_root_keys_are_known)
{
	struct uid uid;

	make_keys(&uid, 1);
	exchange_roots();
	begin_and_stall();
	age_intents();
	world_stop(&world);
	start_without_roots();
	cr_assert_eq(live_keys(), 1, "it waits for them");
	world_until(&world, is_all_moved);
	cr_assert_eq(live_keys(), 2);
}

/* What an operator stopped meanwhile does not go on by itself, nor does what was begun anew. */
Test(migration, is_stopped_while_it_waits_for_the_root_keys)
{
	struct uid uid;

	make_keys(&uid, 1);
	exchange_roots();
	begin_and_stall();
	age_intents();
	world_stop(&world);
	start_without_roots();
	keystore_migration_stop(world.keystore, &world.instances[0].id);
	world_until(&world, roots_are_known);
	cr_assert_not(status_now().running);
	cr_assert_str_eq(status_now().stage, "stopped");
	migrate(false);
	cr_assert_str_eq(status_now().stage, "moved");
}

static bool is_dead(struct world *in)
{
	struct object object;

	return world_object(in, &in->uid, &object) && object.dead;
}

static bool none_is_left(struct world *in)
{
	return fake_service_count(&in->service, "kmip-instance-one-") == 0 &&
	       world_intents(in) == 0;
}

/* Destroy of a moved object takes both keys; a cold node does not bring it back. */
Test(migration, destroy_takes_both)
{
	struct uid uid;

	make_keys(&uid, 1);
	exchange_roots();
	migrate(false);
	cr_assert_eq(live_keys(), 2);
	cr_assert_eq(world_destroy(&world, &uid), ERR_OK);
	cr_assert_eq(live_keys(), 0);
	cr_assert_eq(world_fetch(&world, 0, &uid, true), ERR_DESTROYED);
	world_lose_cache(&world);
	start_again();
	cr_assert_eq(world_fetch(&world, 0, &uid, true), ERR_DESTROYED);
}

/* The owner deletes one of the two keys: that is the object's end, and the other one goes too,
 * until the old ones were let go. */
Test(migration, owner_deletes_either_key)
{
	struct uid uids[2], key_id;

	make_keys(uids, 2);
	exchange_roots();
	migrate(false);
	fake_service_delete(&world.service, &uids[0], clock_wall_seconds());
	world.uid = uids[0];
	world_until(&world, is_dead);
	key_id = object_of(&uids[1]).key_id;
	fake_service_delete(&world.service, &key_id, clock_wall_seconds());
	world.uid = uids[1];
	world_until(&world, is_dead);
	world_until(&world, none_is_left);
	for (size_t i = 0; i < 2; i++)
		cr_assert_eq(world_fetch(&world, 0, &uids[i], true), ERR_DESTROYED);
}

/* ---- two nodes over one key manager, one after the other ---- */

static char folder_of_a[80];

static void become(uint16_t node)
{
	world_stop(&world);
	if (folder_of_a[0] == '\0')
		snprintf(folder_of_a, sizeof(folder_of_a), "%s", world.folder);
	snprintf(world.folder, sizeof(world.folder), "%.70s%s", folder_of_a, node == 1 ? "" : "-b");
	world.node = node;
	start_again();
}

/* A node that was away while everything was moved and the old keys were deleted takes no object for
 * destroyed: it reads the ledger before it believes a deletion that somebody else brought. */
Test(migration, stale_node_learns_from_the_ledger)
{
	struct uid uids[KEYS];

	make_keys(uids, KEYS);
	exchange_roots();
	become(2);
	for (size_t i = 0; i < KEYS; i++)
		cr_assert_eq(world_get(&world, &uids[i], material), ERR_OK);
	become(1);
	migrate(false);
	migrate(true);
	cr_assert_eq(live_keys(), KEYS);
	become(2);
	for (size_t i = 0; i < KEYS; i++) {
		cr_assert_not(object_of(&uids[i]).dead);
		cr_assert_eq(world_get(&world, &uids[i], material), ERR_OK);
	}
}

static bool is_moved(struct world *in)
{
	struct object object;

	return world_object(in, &in->uid, &object) && object_is_moved(&object);
}

static bool none_lives(struct world *in)
{
	(void) in;
	return live_keys() == 0;
}

/* Moved, and the ledger is not told of it. */
static void move_unheard(const struct uid *uid)
{
	fake_service_fault(&world.service,
		(struct fake_fault){
			.call = FAKE_CREATE, .countdown = 1, .repeat = 100, .stall = true });
	cr_assert_eq(migrate_begin(false), ERR_OK);
	world.uid = *uid;
	world_until(&world, is_moved);
	world.service.fault_count = 0;
}

/* A node that has not heard of the move destroys the object: the other one stops serving it, and
 * the new key goes, too. */
Test(migration, destroyed_by_a_stale_node)
{
	struct uid uid;

	make_keys(&uid, 1);
	exchange_roots();
	become(2);
	become(1);
	move_unheard(&uid);
	become(2);
	cr_assert_not(is_moved(&world), "it has not heard of it");
	cr_assert_eq(world_destroy(&world, &uid), ERR_OK);
	cr_assert_eq(live_keys(), 1, "the new key");
	become(1);
	world_until(&world, is_dead);
	world_until(&world, none_lives);
}

/* And if that one never comes back, the key that was left over is deleted by whoever lists it. */
Test(migration, leftover_is_deleted)
{
	struct uid uid;

	make_keys(&uid, 1);
	exchange_roots();
	become(2);
	become(1);
	move_unheard(&uid);
	become(2);
	cr_assert_eq(world_destroy(&world, &uid), ERR_OK);
	fake_service_age(&world.service, 120);
	become(2);
	world_until(&world, none_lives);
	cr_assert_eq(world_fetch(&world, 0, &uid, true), ERR_DESTROYED);
}

/* Material that is too long to be wrapped at once, and attributes that fit no envelope any more. */
Test(migration, long_material_and_many_attributes)
{
	static uint8_t bytes[5000];
	struct slice material_long = slice_of(bytes, sizeof(bytes));
	size_t attributes;
	struct uid uid;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t) (i * 7);
	cr_assert_eq(world_create(&world, material_long), ERR_OK);
	uid = world.uid;
	for (int i = 0; i < 3; i++)
		cr_assert_eq(world_tag(&world, &uid, "x-tag", 1500), ERR_OK);
	attributes = object_of(&uid).attribute_count;
	exchange_roots();
	migrate(false);
	cr_assert_eq(status_now().moved, 1);
	migrate(true);
	cr_assert_eq(live_keys(), 1);
	world.service.root = KEYMANAGER_ROOT_DISABLED;
	cr_assert_eq(set_roots(FAKE_SECOND_ROOT, NULL), ERR_OK, "%s", world.why);
	world_lose_cache(&world);
	start_again();
	cr_assert_eq(world_get(&world, &uid, material_long), ERR_OK);
	cr_assert_eq(object_of(&uid).attribute_count, attributes);
}

/* Everything is under the first root key: the second one is needed no more. */
static void expect_back(const struct uid *uids)
{
	world.service.second = KEYMANAGER_ROOT_DISABLED;
	cr_assert_eq(set_roots("first-root", NULL), ERR_OK, "%s", world.why);
	world_lose_cache(&world);
	start_again();
	for (size_t i = 0; i < KEYS; i++)
		cr_assert_eq(world_get(&world, &uids[i], material), ERR_OK);
}

static void exchange_back(void)
{
	cr_assert_eq(set_roots("first-root", FAKE_SECOND_ROOT), ERR_OK, "%s", world.why);
	world_until(&world, roots_are_known);
}

/* There and back again, by the clock of a key manager that is an hour ahead, or behind: what was
 * moved before is told by its own dates. */
static void there_and_back(int64_t ahead_s)
{
	struct uid uids[KEYS];

	world.service.ahead_s = ahead_s;
	make_keys(uids, KEYS);
	exchange_roots();
	migrate(false);
	cr_assert_eq(status_now().moved, KEYS);
	migrate(true);
	world.service.ahead_s += 2; /* its dates are of whole seconds */
	exchange_back();
	migrate(false);
	cr_assert_eq(status_now().moved, KEYS);
	migrate(true);
	cr_assert_eq(live_keys(), KEYS);
	expect_back(uids);
}

Test(migration, back_by_a_clock_that_is_ahead)
{
	there_and_back(3600);
}

Test(migration, back_by_a_clock_that_is_behind)
{
	there_and_back(-3600);
}

static bool is_half_way(struct world *in)
{
	(void) in;
	return status_now().moved > KEYS / 2;
}

/* Turned round in the middle: what was moved goes back. */
Test(migration, turned_round)
{
	struct uid uids[KEYS];

	make_keys(uids, KEYS);
	exchange_roots();
	cr_assert_eq(keystore_migrate(
			     world.keystore, &world.instances[0].id, false, KEYS / 2, world.why),
		ERR_OK);
	world_until(&world, is_half_way);
	keystore_migration_stop(world.keystore, &world.instances[0].id);
	exchange_back();
	migrate(false);
	cr_assert_eq(status_now().looked, KEYS);
	expect_back(uids);
}

/* Steps out of order are refused with a sentence, and root keys are exchanged only one for the
 * other. */
Test(migration, refuses_what_would_lose_keys)
{
	struct uid uid;

	make_keys(&uid, 1);
	world_until(&world, is_rebuilt);
	cr_assert_eq(migrate_begin(false), ERR_STATE);
	cr_assert_not_null(strstr(world.why, "other-root-key"), "%s", world.why);
	cr_assert_eq(set_roots(FAKE_SECOND_ROOT, "first-root"), ERR_CONFIG);
	cr_assert_eq(set_roots(FAKE_SECOND_ROOT, NULL), ERR_CONFIG);
	exchange_roots();
	cr_assert_eq(set_roots(FAKE_SECOND_ROOT, NULL), ERR_CONFIG, "keys are under the first");
	cr_assert_eq(migrate_begin(true), ERR_STATE, "nothing was moved");
	cr_assert_eq(live_keys(), 1);
	migrate(false);
	cr_assert_eq(live_keys(), 2);
	cr_assert_eq(world_get(&world, &uid, material), ERR_OK);
}

/* A configuration without the root key that wrapped everything: no key is lost, none is Item Not
 * Found, nothing is quarantined; with it all is there again. */
Test(migration, configuration_lacks_the_root_key)
{
	struct keystore_instance_status status;
	struct uid uid;

	make_keys(&uid, 1);
	world_stop(&world);
	world.instances[0].keymanager.root_key = FAKE_SECOND_ROOT;
	world_start(&world);
	world_until(&world, roots_are_known);
	keystore_instance_status(world.keystore, 0, &status);
	cr_assert(status.lacks_root);
	cr_assert_eq(world_fetch(&world, 0, &uid, true), ERR_UNAVAILABLE);
	cr_assert_not(object_of(&uid).quarantined || object_of(&uid).disputed);
	cr_assert_not(object_of(&uid).dead);
	world_stop(&world);
	world.instances[0].keymanager.other_root_key = "first-root";
	world_start(&world);
	world_until(&world, roots_are_known);
	keystore_instance_status(world.keystore, 0, &status);
	cr_assert_not(status.lacks_root);
	cr_assert_eq(world_get(&world, &uid, material), ERR_OK);
}
