/* SPDX-License-Identifier: Apache-2.0 */
/* Activations and attributes reach the key manager by checkpoints (design D10). */
#include <criterion/criterion.h>
#include "base/clock.h"
#include "keystore/checkpoint.h"
#include "tests/harness/store_world.h"

static struct world world;
static const struct slice material = SLICE_LITERAL("0123456789abcdef0123456789abcdef");

static void setup(void)
{
	world_make(&world);
	world_start(&world);
}

static void teardown(void)
{
	world_remove(&world);
}

TestSuite(checkpoint, .init = setup, .fini = teardown, .timeout = 60);

static struct uid create(struct world *in)
{
	cr_assert_eq(world_create(in, material), ERR_OK);
	return in->uid;
}

static size_t ledger_records(void)
{
	return fake_service_count(&world.service, "kmipl-instance-one-");
}

static uint64_t written(void)
{
	struct keystore_checkpoint_status status;

	keystore_checkpoint_status(world.keystore, &status);
	return status.written;
}

/* Shows that state, dates and attributes come back from envelope and ledger, that a key nobody
 * touched costs nothing, and that a second checkpoint has nothing to do. */
Test(checkpoint, survives_a_lost_cache)
{
	struct uid active = create(&world), untouched = create(&world);
	struct object object;

	cr_assert_eq(world_activate(&world, &active), ERR_OK);
	cr_assert_eq(world_tag(&world, &active, "x-vm", 40), ERR_OK);
	cr_assert_eq(world_checkpoint(&world), ERR_OK);
	cr_assert_eq(written(), 1);
	cr_assert_eq(world_checkpoint(&world), ERR_OK);
	cr_assert_eq(ledger_records(), 1);
	world_lose_cache(&world);
	world_start(&world);
	cr_assert_eq(world_get(&world, &active, material), ERR_OK);
	cr_assert_eq(world_get(&world, &untouched, material), ERR_OK);
	cr_assert(world_object(&world, &active, &object));
	cr_assert_eq(object.life, OBJECT_ACTIVE);
	cr_assert_eq(object.dates[OBJECT_DATE_ACTIVATED], 2000);
	cr_assert_eq(object.attribute_count, 2);
	cr_assert_eq(world_checkpoint(&world), ERR_OK);
	cr_assert_eq(ledger_records(), 1, "what was read is not written again");
}

static bool is_named(const struct uid *uid, const char *name)
{
	const struct object_attribute *found;
	struct object *object;
	struct cache_read *read;
	struct arena *arena;
	bool is;

	cr_assert_eq(arena_new(&arena, RECORD_LEN_MAX), ERR_OK);
	cr_assert_eq(cache_read_begin(&read, world.cache), ERR_OK);
	cr_assert_eq(cache_get_object(read, arena, uid, &object), ERR_OK);
	found = object_attribute_find(object, SLICE_LITERAL("Name"), 0);
	is = found != NULL && slice_equal_text(found->value, name);
	cache_read_end(read);
	arena_free(arena);
	return is;
}

/* Shows that the only attribute comes back as it was changed last: in the very second of the
 * creation, and by a clock that was set back. */
Test(checkpoint, has_what_changed_in_the_second_of_creation)
{
	const int64_t times[] = { 1000, 900 }; /* the worlds' keys are created at 1000 */
	struct uid uids[2], untouched = create(&world);

	for (size_t i = 0; i < 2; i++) {
		uids[i] = create(&world);
		cr_assert_eq(world_rename(&world, &uids[i], "renamed", times[i]), ERR_OK);
	}
	cr_assert_eq(world_checkpoint(&world), ERR_OK);
	cr_expect_eq(written(), 2);
	world_lose_cache(&world);
	world_start(&world);
	for (size_t i = 0; i < 2; i++) {
		cr_assert_eq(world_get(&world, &uids[i], material), ERR_OK);
		cr_assert(is_named(&uids[i], "renamed"));
	}
	cr_assert_eq(world_get(&world, &untouched, material), ERR_OK);
	cr_assert(is_named(&untouched, "disk key"));
}

/* Shows that attributes too many for one ledger record come back from several. */
Test(checkpoint, spreads_a_long_trace)
{
	struct uid uid = create(&world);
	struct object object;

	cr_assert_eq(world_tag(&world, &uid, "x-long", 5800), ERR_OK);
	for (int i = 0; i < 12; i++) {
		cr_assert_eq(world_tag(&world, &uid, "x-short", 2), ERR_OK);
	}
	cr_assert_eq(world_activate(&world, &uid), ERR_OK);
	cr_assert_eq(world_checkpoint(&world), ERR_OK);
	cr_assert_eq(written(), 2);
	cr_assert_eq(ledger_records(), 2);
	world_lose_cache(&world);
	world_start(&world);
	cr_assert_eq(world_get(&world, &uid, material), ERR_OK);
	cr_assert(world_object(&world, &uid, &object));
	cr_assert_eq(object.attribute_count, 14);
	cr_assert_eq(object.life, OBJECT_ACTIVE);
}

/* Shows that many changes share ledger records, and that a key that changed often is written once.
 */
Test(checkpoint, packs)
{
	struct uid uids[40];

	for (size_t i = 0; i < 40; i++)
		uids[i] = create(&world);
	for (size_t i = 0; i < 40; i++) {
		cr_assert_eq(world_activate(&world, &uids[i]), ERR_OK);
		cr_assert_eq(world_tag(&world, &uids[i], "x-vm", 30), ERR_OK);
	}
	cr_assert_eq(world_checkpoint(&world), ERR_OK);
	cr_assert_eq(written(), 40);
	cr_assert_leq(ledger_records(), 4);
}

/* Shows that a key manager that goes away in the middle loses nothing: the next checkpoint writes
 * what is missing, and only that. */
Test(checkpoint, goes_on_after_a_failure)
{
	struct object object;
	struct uid uids[40];
	uint64_t first;

	for (size_t i = 0; i < 40; i++) {
		uids[i] = create(&world);
		cr_assert_eq(world_activate(&world, &uids[i]), ERR_OK);
	}
	fake_service_fault(&world.service,
		(struct fake_fault){
			.call = FAKE_WRAP, .countdown = 1, .repeat = 1, .err = ERR_UNAVAILABLE });
	cr_assert_eq(world_checkpoint(&world), ERR_UNAVAILABLE);
	first = written();
	cr_assert_gt(first, 0);
	world_stop(&world);
	world_start(&world);
	cr_assert_eq(world_checkpoint(&world), ERR_OK);
	cr_assert_eq(first + written(), 40);
	world_lose_cache(&world);
	world_start(&world);
	for (size_t i = 0; i < 40; i++) {
		cr_assert_eq(world_get(&world, &uids[i], material), ERR_OK);
		cr_assert(world_object(&world, &uids[i], &object));
		cr_assert_eq(object.life, OBJECT_ACTIVE);
	}
}

/* Shows that a ledger record whose reply was lost is not made twice. */
Test(checkpoint, finds_a_record_whose_reply_was_lost)
{
	struct uid uid = create(&world);

	cr_assert_eq(world_activate(&world, &uid), ERR_OK);
	fake_service_fault(&world.service,
		(struct fake_fault){
			.call = FAKE_CREATE, .repeat = 1, .err = ERR_AMBIGUOUS, .effect = true });
	cr_assert_eq(world_checkpoint(&world), ERR_OK);
	cr_assert_eq(ledger_records(), 1);
}

static bool is_closed;

static void on_closed(void *ctx)
{
	(void) ctx;
	is_closed = true;
}

static bool world_is_closed(struct world *in)
{
	(void) in;
	return is_closed;
}

static void close_world(void)
{
	struct keystore_pending *pending;

	is_closed = false;
	cr_assert_eq(keystore_close_start(&pending, world.keystore, on_closed, NULL), ERR_OK);
	world_until(&world, world_is_closed);
}

/* Shows that a clean stop writes a checkpoint, and waits for a dead key manager only so long. */
Test(checkpoint, before_a_stop)
{
	struct uid uid = create(&world);
	uint64_t begun_ms;

	cr_assert_eq(world_activate(&world, &uid), ERR_OK);
	close_world();
	cr_assert_eq(ledger_records(), 1);
	cr_assert_eq(world_tag(&world, &uid, "x-vm", 10), ERR_OK);
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_WRAP, .repeat = 1, .stall = true });
	begun_ms = clock_boot_ms();
	close_world();
	cr_assert_lt(clock_boot_ms() - begun_ms, KEYSTORE_CLOSE_MS + 1000);
	world_stop(&world);
	world_start(&world);
	cr_assert_eq(world_checkpoint(&world), ERR_OK);
	cr_assert_eq(ledger_records(), 2);
}

static bool has_ledger_record(struct world *in)
{
	(void) in;
	return ledger_records() > 0;
}

/* Shows that the interval brings a checkpoint by itself. */
Test(checkpoint, comes_by_itself)
{
	struct uid uid;

	world_stop(&world);
	world.settings.checkpoint_s = 1;
	world_start(&world);
	uid = create(&world);
	cr_assert_eq(world_activate(&world, &uid), ERR_OK);
	world_until(&world, has_ledger_record);
}

/* Shows that a checkpoint that was made while the clock was ahead does not put off the next one. */
Test(checkpoint, comes_after_a_clock_was_set_back)
{
	struct checkpoint_position last = { .at = clock_wall_seconds() + 86400 };
	struct cache_position end;
	struct cache_write *write;
	struct uid uid;

	cr_assert_eq(cache_write_begin(&write, world.cache), ERR_OK);
	cr_assert_eq(cache_log_position(cache_write_read(write), &end), ERR_OK);
	bytes_copy(last.incarnation, end.incarnation, sizeof(last.incarnation));
	last.seq = end.seq;
	cr_assert_eq(checkpoint_save(write, &world.instances[0].id, &last), ERR_OK);
	cr_assert_eq(cache_commit(write), ERR_OK);
	world_stop(&world);
	world.settings.checkpoint_s = 1;
	world_start(&world);
	uid = create(&world);
	cr_assert_eq(world_activate(&world, &uid), ERR_OK);
	world_until(&world, has_ledger_record);
}

/* Shows that what two nodes wrote apart comes together whichever is read first: the flags and
 * attributes of both. The second node has made the object its own by reading it. */
Test(checkpoint, two_nodes)
{
	struct uid uid = create(&world);
	struct world second;
	struct object object;

	world_make(&second);
	second.node = 2;
	for (size_t i = 0; i < WORLD_INSTANCES; i++)
		second.instances[i].keymanager.service_instance = world.service.name;
	world_start(&second);
	cr_assert_eq(world_get(&second, &uid, material), ERR_OK);
	cr_assert_eq(world_tag(&world, &uid, "x-one", 10), ERR_OK);
	cr_assert_eq(world_tag(&second, &uid, "x-two", 10), ERR_OK);
	cr_assert_eq(world_activate(&world, &uid), ERR_OK);
	cr_assert_eq(world_revoke(&second, &uid), ERR_OK);
	cr_assert_eq(world_checkpoint(&world), ERR_OK);
	cr_assert_eq(world_checkpoint(&second), ERR_OK);
	for (int i = 0; i < 2; i++) {
		world_lose_cache(&second);
		world_start(&second);
		cr_assert_eq(world_get(&second, &uid, material), ERR_OK);
		cr_assert(world_object(&second, &uid, &object));
		cr_assert_eq(object.life, OBJECT_DEACTIVATED);
		cr_assert_eq(object.dates[OBJECT_DATE_ACTIVATED], 2000);
		cr_assert_eq(object.attribute_count, 3);
	}
	world_remove(&second);
}

static struct uid ledger_id(void)
{
	for (size_t i = 0; i < world.service.key_count; i++) {
		const struct keymanager_key *key = &world.service.keys[i].key;

		if (key->name[4] == 'l' && !key->deleted)
			return key->id;
	}
	cr_assert_fail("no ledger record");
	return (struct uid){ 0 };
}

/* Shows that a ledger record that somebody destroys is written again from the cache. */
Test(checkpoint, restores_a_destroyed_record)
{
	struct uid uid = create(&world), id;
	struct object object;

	cr_assert_eq(world_activate(&world, &uid), ERR_OK);
	cr_assert_eq(world_client(&world, 0, 7, false), ERR_OK);
	cr_assert_eq(world_checkpoint(&world), ERR_OK);
	for (int i = 0; i < 2; i++) {
		id = ledger_id();
		fake_service_delete(&world.service, &id, clock_wall_seconds());
	}
	cr_assert_eq(ledger_records(), 0);
	world_stop(&world);
	world_start(&world);
	world_until(&world, has_ledger_record);
	cr_assert_eq(world_checkpoint(&world), ERR_OK);
	world_lose_cache(&world);
	world_start(&world);
	cr_assert_eq(world_client_find(&world, 7), ERR_OK);
	cr_assert_eq(world_get(&world, &uid, material), ERR_OK);
	cr_assert(world_object(&world, &uid, &object));
	cr_assert_eq(object.life, OBJECT_ACTIVE);
}
