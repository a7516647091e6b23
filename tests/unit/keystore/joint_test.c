/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of several objects: all of them or none, in cache and key manager. */
#include <criterion/criterion.h>
#include "tests/harness/store_world.h"

enum { OBJECTS = 3, LONG_LEN = 3000 };

static struct world world;
static const struct slice material = SLICE_LITERAL("0123456789abcdef0123456789abcdef");
static struct uid uids[OBJECTS];
static char long_value[LONG_LEN];
static size_t made; /* attributes of each */

static void setup(void)
{
	struct object object;

	world_make(&world);
	world_start(&world);
	for (size_t i = 0; i < OBJECTS; i++) {
		cr_assert_eq(world_create(&world, material), ERR_OK);
		uids[i] = world.uid;
	}
	cr_assert(world_object(&world, &uids[0], &object));
	made = object.attribute_count;
	for (size_t i = 0; i < LONG_LEN; i++)
		long_value[i] = 'x';
}

static void teardown(void)
{
	world_remove(&world);
}

TestSuite(joint, .init = setup, .fini = teardown, .timeout = 60);

static size_t ledger_records(void)
{
	return fake_service_count(&world.service, "kmipl-instance-one-");
}

static size_t changed(void)
{
	struct object object;
	size_t count = 0;

	for (size_t i = 0; i < OBJECTS; i++) {
		cr_assert(world_object(&world, &uids[i], &object));
		count += object.attribute_count > made;
	}
	return count;
}

static void on_changed(void *ctx, enum err err, uint32_t added_index)
{
	(void) added_index;
	*(enum err *) ctx = err;
	world.answered = true;
}

static enum err change(struct slice value, enum err (*check)(void *, const struct object *))
{
	struct object_edit edit = {
		.kind = OBJECT_EDIT_SET, .name = slice_text("x-joint"), .value = value
	};
	struct object_change edits = { .now = 3000, .edits = &edit, .edit_count = 1 };
	struct keystore_part with[OBJECTS - 1];
	struct keystore_change options = { .instance = world.instances[0].id,
		.uid = uids[0],
		.change = &edits,
		.with = with,
		.with_count = OBJECTS - 1,
		.durable = true,
		.check = check };
	struct keystore_pending *pending;
	enum err err = ERR_OK;

	for (size_t i = 1; i < OBJECTS; i++)
		with[i - 1] = (struct keystore_part){ uids[i], edits };
	world.answered = false;
	cr_assert_eq(keystore_change_start(&pending, world.keystore, &options, on_changed, &err),
		ERR_OK);
	world_until(&world, world_is_answered);
	return err;
}

static const struct slice value = SLICE_LITERAL("value");

/* Shows that one ledger record holds them, also for a cache that is made anew. */
Test(joint, is_one_ledger_record)
{
	cr_assert_eq(change(value, NULL), ERR_OK);
	cr_assert_eq(changed(), OBJECTS);
	cr_assert_eq(ledger_records(), 1);
	world_lose_cache(&world);
	world_start(&world);
	for (size_t i = 0; i < OBJECTS; i++)
		cr_assert_eq(world_get(&world, &uids[i], material), ERR_OK);
	cr_assert_eq(changed(), OBJECTS);
}

static enum err refuse_last(void *ctx, const struct object *object)
{
	(void) ctx;
	return uid_equal(&object->uid, &uids[OBJECTS - 1]) ? ERR_STATE : ERR_OK;
}

/* Shows that what one of them refuses none of them is. */
Test(joint, is_refused_as_a_whole)
{
	cr_assert_eq(change(value, refuse_last), ERR_STATE);
	cr_assert_eq(changed(), 0);
	cr_assert_eq(ledger_records(), 0);
}

static size_t checks;

static enum err refuse_later(void *ctx, const struct object *object)
{
	(void) ctx;
	(void) object;
	return ++checks > OBJECTS ? ERR_STATE : ERR_OK;
}

/* Shows that what the ledger has holds: nothing refuses it any more. */
Test(joint, holds_once_the_ledger_has_it)
{
	checks = 0;
	cr_assert_eq(change(value, refuse_later), ERR_OK);
	cr_assert_eq(changed(), OBJECTS);
	cr_assert_eq(ledger_records(), 1);
}

/* Shows that what one ledger record cannot hold is not done. */
Test(joint, is_not_torn_by_its_length)
{
	cr_assert_eq(change(slice_of((const uint8_t *) long_value, LONG_LEN), NULL), ERR_LIMIT);
	cr_assert_eq(changed(), 0);
	cr_assert_eq(ledger_records(), 0);
}

/* Shows that a key manager that refuses has changed nothing, for certain. */
Test(joint, is_refused_for_certain)
{
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_CREATE, .repeat = 1, .err = ERR_REFUSED });
	cr_assert_eq(change(value, NULL), ERR_REFUSED);
	world.service.down = true;
	cr_assert_eq(change(value, NULL), ERR_UNAVAILABLE);
	world.service.down = false;
	cr_assert_eq(changed(), 0);
}

/* Shows that where the reply was lost and the record is not found in time, the caller is told that
 * it may come to be; and then it is all there. */
Test(joint, may_come_to_be)
{
	enum { MANY = 1000 };

	fake_service_fault(&world.service,
		(struct fake_fault){
			.call = FAKE_CREATE, .repeat = 1, .err = ERR_AMBIGUOUS, .effect = true });
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_LIST, .repeat = MANY, .err = ERR_UNAVAILABLE });
	cr_assert_eq(change(value, NULL), ERR_AMBIGUOUS);
	cr_assert_eq(changed(), 0);
	world.service.fault_count = 0;
	world_stop(&world);
	world_start(&world);
	cr_assert_eq(changed(), OBJECTS);
}
