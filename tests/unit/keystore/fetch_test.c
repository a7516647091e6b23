/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include "base/clock.h"
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

TestSuite(fetch, .init = setup, .fini = teardown, .timeout = 60);

static void make_key(void)
{
	cr_assert_eq(world_create(&world, material), ERR_OK);
	world.service.calls[FAKE_UNWRAP] = 0; /* creating proves the wrapped form */
}

/* As with unwrapped copies that have gone stale: they are dropped for good. */
static void forget_unwrapped(void)
{
	kek_table_drop_instance(world.table, &world.instances[0].id);
}

/* Shows that whatever is not an object of the client's instance does not exist for it, and that
 * nothing is ever deleted, wrapped or adopted for it. */
Test(fetch, knows_only_objects_of_the_instance)
{
	struct uid root = fake_service_put(&world.service, "root", false, SLICE_EMPTY);
	struct uid foreign =
		fake_service_put(&world.service, "theirs", true, SLICE_LITERAL("their secret"));
	struct uid none = { .bytes = { 1 } };
	struct uid ledger;
	struct object object;
	unsigned wraps;

	make_key();
	cr_assert_eq(world_client(&world, 0, 1, false), ERR_OK);
	ledger = world.service.keys[world.service.key_count - 1].key.id;
	wraps = world.service.calls[FAKE_WRAP];
	cr_assert_eq(world_fetch(&world, 0, &root, true), ERR_NOT_FOUND);
	cr_assert_eq(world_fetch(&world, 0, &foreign, true), ERR_NOT_FOUND);
	cr_assert_eq(world_fetch(&world, 0, &ledger, true), ERR_NOT_FOUND);
	cr_assert_eq(world_fetch(&world, 0, &none, true), ERR_NOT_FOUND);
	cr_assert_eq(world_fetch(&world, 1, &world.uid, true), ERR_NOT_FOUND);
	world_lose_cache(&world);
	world_open(&world);
	cr_assert_eq(world_fetch(&world, 1, &world.uid, true), ERR_NOT_FOUND);
	cr_assert_not(world_object(&world, &world.uid, &object));
	cr_assert_eq(world_destroy(&world, &foreign), ERR_MISS);
	cr_assert_eq(world.service.calls[FAKE_DELETE], 0);
	cr_assert_eq(world.service.calls[FAKE_WRAP], wraps);
}

/* Shows that an envelope of ours under another nonce's wrapped key does not open. */
Test(fetch, believes_the_root_key_only)
{
	struct fake_key *key;
	struct uid copy;

	make_key();
	key = fake_service_find(&world.service, &world.uid);
	copy = fake_service_put(&world.service, "kmip-instance-one-x", true,
		slice_of(key->payload, key->payload_len));
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_UNWRAP, .repeat = 1, .err = ERR_CORRUPT });
	cr_assert_eq(world_fetch(&world, 0, &copy, false), ERR_NOT_FOUND);
}

/* Shows that an altered answer is never served as the key, nor taken for the key's absence. */
Test(fetch, serves_no_wrong_key)
{
	struct fake_fault fault = { .call = FAKE_UNWRAP, .repeat = 1, .alter = true };

	make_key();
	forget_unwrapped();
	fake_service_fault(&world.service, fault);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_UNAVAILABLE);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
	world_lose_cache(&world);
	world_open(&world);
	fake_service_fault(&world.service, fault);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_UNAVAILABLE);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
}

/* Shows that a cold node says "not found" only after a complete listing. */
Test(fetch, is_not_sure_before_the_listing)
{
	struct uid none = { .bytes = { 1 } };

	world_stop(&world);
	world_open(&world);
	cr_assert_eq(world_fetch(&world, 0, &none, true), ERR_UNAVAILABLE);
}

/* Shows that a key is read through without a cache, and logged for the peer. */
Test(fetch, reads_through)
{
	struct cache_position position;
	struct cache_read *read;

	make_key();
	world_lose_cache(&world);
	world_open(&world);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
	cr_assert_eq(world_get_warm(&world, &world.uid), ERR_OK);
	cr_assert_eq(cache_read_begin(&read, world.cache), ERR_OK);
	cr_assert_eq(cache_log_position(read, &position), ERR_OK);
	cache_read_end(read);
	cr_assert_eq(position.seq, 1);
}

enum { FETCHES = 20 };
static unsigned fetches_answered;

static void on_fetched(void *ctx, enum err err)
{
	(void) ctx;
	cr_assert_eq(err, ERR_OK);
	fetches_answered++;
}

static bool all_fetched(struct world *in)
{
	(void) in;
	return fetches_answered == FETCHES - 1;
}

/* Shows that fetches of one key at one time are one unwrap, and that one caller may leave. */
Test(fetch, is_shared)
{
	struct keystore_pending *pending[FETCHES];
	struct keystore_view *views[FETCHES];
	struct arena *arena;

	make_key();
	forget_unwrapped();
	fetches_answered = 0;
	cr_assert_eq(arena_new(&arena, 1 << 20), ERR_OK);
	for (size_t i = 0; i < FETCHES; i++) {
		cr_assert_eq(
			keystore_view_new(&views[i], world.keystore, arena, &world.instances[0].id),
			ERR_OK);
		cr_assert_eq(keystore_fetch_start(
				     &pending[i], views[i], &world.uid, true, on_fetched, NULL),
			ERR_OK);
	}
	keystore_cancel(pending[3]);
	world_until(&world, all_fetched);
	cr_assert_eq(world.service.calls[FAKE_UNWRAP], 1);
	arena_free(arena);
}

/* Shows that it is one unwrap also where the key is not cached: whoever wants the material, and who
 * wants only to know that the key is there. */
Test(fetch, is_shared_when_cold)
{
	struct keystore_pending *pending;
	struct keystore_view *view;
	struct arena *arena;

	make_key();
	world_lose_cache(&world);
	world_open(&world);
	fetches_answered = 0;
	cr_assert_eq(arena_new(&arena, 1 << 20), ERR_OK);
	for (size_t i = 0; i + 1 < FETCHES; i++) {
		cr_assert_eq(
			keystore_view_new(&view, world.keystore, arena, &world.instances[0].id),
			ERR_OK);
		cr_assert_eq(keystore_fetch_start(
				     &pending, view, &world.uid, i % 2 == 1, on_fetched, NULL),
			ERR_OK);
	}
	world_until(&world, all_fetched);
	cr_assert_eq(world.service.calls[FAKE_UNWRAP], 1);
	cr_assert_eq(world_get_warm(&world, &world.uid), ERR_OK);
	arena_free(arena);
}

/* Shows that the last caller that leaves takes the work along. */
Test(fetch, is_cancelled)
{
	struct keystore_pending *pending;
	struct keystore_view *view;
	struct arena *arena;

	make_key();
	forget_unwrapped();
	cr_assert_eq(arena_new(&arena, 1 << 20), ERR_OK);
	cr_assert_eq(
		keystore_view_new(&view, world.keystore, arena, &world.instances[0].id), ERR_OK);
	cr_assert_eq(
		keystore_fetch_start(&pending, view, &world.uid, true, on_fetched, NULL), ERR_OK);
	keystore_cancel(pending);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
	cr_assert_eq(world.service.calls[FAKE_UNWRAP], 1);
	arena_free(arena);
}

/* Shows that during an outage a stale resident copy is served by the keeper, and none is invented.
 */
Test(fetch, serves_resident_copies_in_an_outage)
{
	struct keystore_settings settings = world.settings;

	settings.plaintext_ttl_s = 0;
	keystore_reload(world.keystore, &settings);
	make_key();
	cr_assert_eq(world_get_warm(&world, &world.uid), ERR_AGAIN, "stale at once");
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
	cr_assert_eq(world.service.calls[FAKE_UNWRAP], 1, "unwrapped again before use");
	world.service.down = true;
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
	forget_unwrapped();
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_UNAVAILABLE);
}

/* Shows that a queue that is full of calls without an answer counts as the outage that it is, and
 * one that is full of work does not. */
Test(fetch, serves_resident_copies_when_an_outage_fills_the_queue)
{
	struct keystore_settings settings = world.settings;

	settings.plaintext_ttl_s = 0;
	keystore_reload(world.keystore, &settings);
	make_key();
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_UNWRAP, .repeat = 2, .err = ERR_LIMIT });
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_LIMIT);
	world.service.unheard = true;
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
}

/* Shows that a refusal is no outage: stale copies stop. */
Test(fetch, does_not_serve_stale_copies_when_refused)
{
	struct keystore_settings settings = world.settings;

	settings.plaintext_ttl_s = 0;
	keystore_reload(world.keystore, &settings);
	make_key();
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_UNWRAP, .repeat = 1, .err = ERR_REFUSED });
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_REFUSED);
}

/* Shows that a root key found disabled at an unwrap empties the instance's unwrapped keys. */
Test(fetch, stops_when_the_root_key_is_disabled)
{
	struct uid first;

	make_key();
	first = world.uid;
	make_key();
	kek_table_drop(world.table, &world.instances[0].id, &world.uid);
	world.service.root = KEYMANAGER_ROOT_DISABLED;
	cr_assert_eq(world_get_warm(&world, &first), ERR_OK);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_ROOT_DISABLED);
	cr_assert_eq(world_get_warm(&world, &first), ERR_AGAIN);
	cr_assert_eq(kek_table_count(world.table), 0);
}

/* Shows that without the peer's word each Get is proved by id, and that a deletion is seen then. */
Test(fetch, revalidates_without_a_vouch)
{
	struct object object;

	make_key();
	kek_table_set_vouch(world.table, 0);
	cr_assert_eq(world_get_warm(&world, &world.uid), ERR_AGAIN);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
	cr_assert_eq(world.service.calls[FAKE_GET], 1);
	cr_assert_eq(world.service.calls[FAKE_UNWRAP], 1);
	fake_service_delete(&world.service, &world.uid, clock_wall_seconds());
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_DESTROYED);
	cr_assert(world_object(&world, &world.uid, &object));
	cr_assert(object.dead);
	cr_assert_eq(kek_table_count(world.table), 0);
}

/* Shows that a key that the key manager does not show any more is missing, not destroyed. */
Test(fetch, finds_a_key_missing)
{
	struct object object;

	make_key();
	kek_table_set_vouch(world.table, 0);
	fake_service_find(&world.service, &world.uid)->purged = true;
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_MISSING);
	cr_assert(world_object(&world, &world.uid, &object));
	cr_assert_not(object.dead);
	cr_assert_eq(kek_table_count(world.table), 0);
}

static void on_merged(void *ctx, enum err err)
{
	struct world *in = ctx;

	in->answered = true;
	in->err = err;
}

/* Shows that a record about whose material the nodes disagree is served by nobody but the key
 * manager: it is read and opened again for each request. */
Test(fetch, reads_a_quarantined_key_again)
{
	struct record record = { .kind = RECORD_OBJECT };
	struct keystore_pending *pending;
	struct slice bytes;
	struct buf buf;

	make_key();
	cr_assert(world_object(&world, &world.uid, &record.object));
	record.object.attribute_count = 0;
	record.object.wrapped = (struct object_wrapped){ .ciphertext = SLICE_LITERAL("other") };
	record.object.envelope_hash[0] ^= 1;
	buf_init(&buf, RECORD_LEN_MAX);
	cr_assert_eq(record_encode(&buf, &record), ERR_OK);
	bytes = buf_slice(&buf);
	struct keystore_merge merge = { .records = &bytes, .record_count = 1 };
	world.answered = false;
	cr_assert_eq(
		keystore_merge_start(&pending, world.keystore, &merge, on_merged, &world), ERR_OK);
	buf_free(&buf);
	world_until(&world, world_is_answered);
	cr_assert_eq(world.err, ERR_OK);
	cr_assert_eq(world_get_warm(&world, &world.uid), ERR_AGAIN);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
	cr_assert_eq(world_get_warm(&world, &world.uid), ERR_AGAIN);
}
