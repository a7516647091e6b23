/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/compaction.h"
#include "keystore/instance.h"
#include <criterion/criterion.h>
#include "base/clock.h"
#include "base/crypt.h"
#include "keystore/cache_digest.h"
#include "tests/harness/store_world.h"

enum { KEYS = 20 };

static struct world world;
static const struct slice material = SLICE_LITERAL("0123456789abcdef0123456789abcdef");
static struct uid uids[KEYS];

/* Many small ledger records: one for each key. */
static void setup(void)
{
	world_make(&world);
	world_start(&world);
	for (size_t i = 0; i < KEYS; i++) {
		cr_assert_eq(world_create(&world, material), ERR_OK);
		uids[i] = world.uid;
		cr_assert_eq(world_revoke(&world, &uids[i]), ERR_OK);
	}
}

static void teardown(void)
{
	world_remove(&world);
}

TestSuite(compaction, .init = setup, .fini = teardown, .timeout = 120);

static size_t ledger_records(void)
{
	return fake_service_count(&world.service, "kmipl-instance-one-");
}

static void on_compacted(void *ctx, enum err err, size_t deleted)
{
	*(size_t *) ctx = deleted;
	world.err = err;
	world.answered = true;
}

static struct instance *instance(void)
{
	return keystore_instance_of(world.keystore, &world.instances[0].id);
}

static enum err compact(size_t *deleted)
{
	struct keystore_pending *pending;

	world.answered = false;
	cr_assert_eq(compaction_start(&pending, instance(), false, on_compacted, deleted), ERR_OK);
	world_until(&world, world_is_answered);
	return world.err;
}

static void assert_all_is_back(void)
{
	struct object object;

	world_lose_cache(&world);
	world_start(&world);
	for (size_t i = 0; i < KEYS; i++) {
		cr_assert_eq(world_get(&world, &uids[i], material), ERR_OK);
		cr_assert(world_object(&world, &uids[i], &object));
		cr_assert_eq(object.life, OBJECT_DEACTIVATED);
	}
}

/* Shows that many poor records become few, that nothing is lost by it, that the count in the status
 * follows, and that there is no reason for another compaction. */
Test(compaction, makes_few_of_many)
{
	struct keystore_instance_status status;
	size_t deleted;

	cr_assert_eq(ledger_records(), KEYS);
	cr_assert_eq(compact(&deleted), ERR_OK);
	cr_assert_eq(deleted, KEYS);
	cr_assert_leq(ledger_records(), 2);
	keystore_instance_status(world.keystore, 0, &status);
	cr_assert_eq(status.ledger_records, ledger_records());
	cr_assert_eq(compact(&deleted), ERR_OK);
	cr_assert_eq(deleted, 0);
	cr_assert_eq(world_checkpoint(&world), ERR_OK);
	cr_assert_leq(ledger_records(), 2, "what was moved is not written again");
	assert_all_is_back();
}

/* Shows that nothing is deleted while the new records cannot be read back or seen. */
Test(compaction, deletes_nothing_unproved)
{
	static const enum fake_call calls[] = { FAKE_CREATE, FAKE_GET, FAKE_UNWRAP, FAKE_LIST };
	size_t deleted;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		fake_service_fault(&world.service,
			(struct fake_fault){
				.call = calls[i], .repeat = 1, .err = ERR_UNAVAILABLE });
		cr_assert_eq(compact(&deleted), ERR_UNAVAILABLE);
		cr_assert_eq(deleted, 0);
	}
	cr_assert_geq(ledger_records(), KEYS);
	assert_all_is_back();
}

static bool is_deleting(struct world *in)
{
	return in->service.calls[FAKE_DELETE] > 0;
}

/* Shows that a crash between two deletions loses nothing, and that the rest goes later. */
Test(compaction, crash_while_deleting)
{
	struct keystore_pending *pending;
	size_t deleted;

	fake_service_fault(&world.service,
		(struct fake_fault){
			.call = FAKE_DELETE, .repeat = 1, .stall = true, .effect = true });
	cr_assert_eq(compaction_start(&pending, instance(), false, on_compacted, &deleted), ERR_OK);
	world_until(&world, is_deleting);
	world_stop(&world);
	world_start(&world);
	assert_all_is_back();
	cr_assert_eq(compact(&deleted), ERR_OK);
	cr_assert_gt(deleted, 15);
	assert_all_is_back();
}

/* Shows that a record that does not open here is left alone. */
Test(compaction, leaves_what_it_cannot_open)
{
	struct uid foreign = fake_service_put(&world.service,
		"kmipl-instance-one-00112233445566778899aabbccddeeff", true,
		SLICE_LITERAL("KPE1 damaged"));
	size_t deleted;

	world_stop(&world);
	world_start(&world);
	cr_assert_eq(compact(&deleted), ERR_OK);
	cr_assert_eq(deleted, KEYS);
	cr_assert_not(fake_service_find(&world.service, &foreign)->key.deleted);
}

/* Shows that two nodes that compact the same ledger, one after the other, end with all of it. */
Test(compaction, by_two_nodes)
{
	struct world second;
	size_t deleted;

	world_make(&second);
	second.node = 2;
	for (size_t i = 0; i < WORLD_INSTANCES; i++)
		second.instances[i].keymanager.service_instance = world.service.name;
	world_start(&second);
	cr_assert_eq(compact(&deleted), ERR_OK);
	/* The second still counts on the old records. */
	world_stop(&second);
	world_start(&second);
	cr_assert_eq(world_checkpoint(&second), ERR_OK);
	cr_assert_leq(ledger_records(), 2, "moved records are found, not written again");
	world_remove(&second);
	assert_all_is_back();
}

/* Removes the record from the cache, as after its tombstone's days. */
static void trim(const struct uid *uid)
{
	struct cache_grave grave = { .uid = *uid };
	struct record record = { .kind = RECORD_OBJECT };
	struct object *object;
	struct cache_write *write;
	struct arena *arena;
	struct buf bytes;
	size_t trimmed;

	buf_init(&bytes, RECORD_LEN_MAX);
	cr_assert_eq(arena_new(&arena, 4 * RECORD_LEN_MAX), ERR_OK);
	cr_assert_eq(cache_write_begin(&write, world.cache), ERR_OK);
	cr_assert_eq(cache_get_object(cache_write_read(write), arena, uid, &object), ERR_OK);
	record.object = *object;
	cr_assert_eq(record_encode(&bytes, &record), ERR_OK);
	cr_assert_eq(crypt_sha256(grave.hash, buf_slice(&bytes)), ERR_OK);
	cr_assert_eq(cache_digest_trim(write, arena, &grave, 1, &trimmed), ERR_OK);
	cr_assert_eq(trimmed, 1);
	cr_assert_eq(cache_commit(write), ERR_OK);
	arena_free(arena);
	buf_free(&bytes);
}

/* Shows that ledger records that name a key whose tombstone is trimmed go like all others, those
 * that name nothing else, too; and that one whose record cannot be read here stays. */
Test(compaction, forgets_what_is_trimmed)
{
	size_t deleted;

	for (size_t i = 0; i < 2; i++) {
		cr_assert_eq(world_destroy(&world, &uids[i]), ERR_OK);
		trim(&uids[i]);
	}
	cr_assert_eq(compact(&deleted), ERR_OK);
	cr_assert_eq(deleted, KEYS);
	cr_assert_leq(ledger_records(), 2);
	cr_assert_eq(compact(&deleted), ERR_OK);
	cr_assert_eq(deleted, 0);
}

static bool is_listing(struct world *in)
{
	return in->service.calls[FAKE_LIST] > 0;
}

/* Shows that a tombstone that is trimmed between survey and deletion ends no compaction. */
Test(compaction, goes_on_when_one_is_trimmed_meanwhile)
{
	struct keystore_pending *pending;
	size_t deleted;

	cr_assert_eq(world_destroy(&world, &uids[0]), ERR_OK);
	world.answered = false;
	world.service.calls[FAKE_LIST] = 0;
	cr_assert_eq(compaction_start(&pending, instance(), false, on_compacted, &deleted), ERR_OK);
	world_until(&world, is_listing);
	cr_assert_not(world.answered);
	trim(&uids[0]);
	world_until(&world, world_is_answered);
	cr_assert_eq(world.err, ERR_OK);
	cr_assert_eq(deleted, KEYS);
}
