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

TestSuite(background, .init = setup, .fini = teardown, .timeout = 60);

enum { KEYS = 30, DESTROYED = 6 };

static size_t wanted_objects;

static bool has_objects(struct world *in)
{
	struct cache_counts counts;
	struct cache_read *read;

	cr_assert_eq(cache_read_begin(&read, in->cache), ERR_OK);
	cr_assert_eq(cache_count(read, &counts), ERR_OK);
	cache_read_end(read);
	return counts.objects == wanted_objects;
}

/* Shows that a lost cache is rebuilt: objects that were in use before are not called unclaimed, and
 * no key is made or deleted for it. */
Test(background, rebuilds_the_cache)
{
	struct object object;

	world_start(&world);
	for (size_t i = 0; i < KEYS; i++)
		cr_assert_eq(world_create(&world, material), ERR_OK);
	world_lose_cache(&world);
	world_start(&world);
	wanted_objects = KEYS;
	world_until(&world, has_objects);
	cr_assert(world_object(&world, &world.uid, &object));
	cr_assert_not(object.unclaimed);
	cr_assert_eq(world.service.calls[FAKE_CREATE], KEYS);
	cr_assert_eq(world.service.calls[FAKE_DELETE], 0);
	cr_assert_eq(kek_table_count(world.table), 0, "rebuilding unwraps nothing for use");
}

static bool is_rebuilt(struct world *in)
{
	struct cache_read *read;
	struct slice value;
	enum err err;

	cr_assert_eq(cache_read_begin(&read, in->cache), ERR_OK);
	err = cache_get_fact(read, "rebuilt-instance-one", &value);
	cache_read_end(read);
	return err == ERR_OK;
}

static bool waits_for_peer(struct world *in)
{
	struct keystore_instance_status status;

	keystore_instance_status(in->keystore, 0, &status);
	return status.listed;
}

/* Shows that an empty cache is left to the peer while that brings its own, and is rebuilt from the
 * key manager when it does not; a key that a client asks for is read meanwhile. */
Test(background, leaves_an_empty_cache_to_the_peer)
{
	world_start(&world);
	for (size_t i = 0; i < KEYS; i++)
		cr_assert_eq(world_create(&world, material), ERR_OK);
	world_lose_cache(&world);
	world_open(&world);
	keystore_set_peer(world.keystore, KEYSTORE_PEER_BRINGS);
	keystore_start(world.keystore, NULL, NULL);
	world_until(&world, waits_for_peer);
	world.service.calls[FAKE_GET] = 0;
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
	cr_assert_eq(world.service.calls[FAKE_GET], 1);
	keystore_set_peer(world.keystore, KEYSTORE_PEER_NONE);
	wanted_objects = KEYS;
	world_until(&world, has_objects);
	cr_assert_eq(world.service.calls[FAKE_GET], KEYS);
}

static bool is_dead(struct world *in)
{
	struct object object;

	return world_object(in, &in->uid, &object) && object.dead;
}

static unsigned lists_wanted;

static bool has_listed(struct world *in)
{
	return in->service.calls[FAKE_LIST] >= lists_wanted;
}

/* Shows that destroyed keys of which only the ledger tells are left to the peer, too, by polls as
 * by the listing; when it does not bring them, they are read. */
Test(background, leaves_destroyed_keys_to_the_peer)
{
	unsigned read;

	world_start(&world);
	for (size_t i = 0; i < DESTROYED; i++) {
		cr_assert_eq(world_create(&world, material), ERR_OK);
		cr_assert_eq(world_activate(&world, &world.uid), ERR_OK);
		cr_assert_eq(world_revoke(&world, &world.uid), ERR_OK);
		cr_assert_eq(world_destroy(&world, &world.uid), ERR_OK);
	}
	world_lose_cache(&world);
	world.settings.reconcile_s = 0;
	world_open(&world);
	keystore_set_peer(world.keystore, KEYSTORE_PEER_BRINGS);
	world.service.calls[FAKE_GET] = 0;
	keystore_start(world.keystore, NULL, NULL);
	world_until(&world, waits_for_peer);
	read = world.service.calls[FAKE_GET];
	lists_wanted = world.service.calls[FAKE_LIST] + 20;
	world_until(&world, has_listed);
	cr_assert_eq(world.service.calls[FAKE_GET], read, "the ledger's records, and no more");
	keystore_set_peer(world.keystore, KEYSTORE_PEER_NONE);
	world_until(&world, is_rebuilt);
	cr_assert(is_dead(&world));
	cr_assert_eq(world.service.calls[FAKE_GET], read + DESTROYED);
}

/* Shows that a key of ours that this cluster did not announce is adopted as unclaimed. */
Test(background, adopts_the_keys_of_others)
{
	struct fake_key *key;
	struct object object;

	world_start(&world);
	cr_assert_eq(world_create(&world, material), ERR_OK);
	world_lose_cache(&world);
	key = fake_service_find(&world.service, &world.uid);
	key->purged = true;
	world_start(&world);
	world_until(&world, is_rebuilt);
	world_stop(&world);
	key->purged = false;
	fake_service_age(&world.service, 120);
	world_start(&world);
	wanted_objects = 1;
	world_until(&world, has_objects);
	cr_assert(world_object(&world, &world.uid, &object));
	cr_assert(object.unclaimed);
	cr_assert_eq(object.life, OBJECT_PRE_ACTIVE);
}

static bool is_open(struct world *in)
{
	return in->open;
}

static void on_open(void *ctx)
{
	((struct world *) ctx)->open = true;
}

/* Shows that with the key manager away the port opens when an earlier life read the ledger, and not
 * before it was ever read. */
Test(background, opens_by_an_earlier_life)
{
	struct keystore_instance_status status;

	world.service.down = true;
	world_open(&world);
	keystore_start(world.keystore, on_open, &world);
	while (world.service.calls[FAKE_PREPARE] < 2 * WORLD_INSTANCES) {
		world.answered = true;
		world_until(&world, world_is_answered);
	}
	cr_assert_not(world.open);
	world.service.down = false;
	world_until(&world, is_open);
	world_stop(&world);
	world.service.down = true;
	world_open(&world);
	keystore_start(world.keystore, on_open, &world);
	world_until(&world, is_open);
	keystore_instance_status(world.keystore, 0, &status);
	cr_assert_not(status.listed);
}

static void on_open_knowing(void *ctx)
{
	struct keystore_instance_status status;

	on_open(ctx);
	for (size_t i = 0; i < WORLD_INSTANCES; i++) {
		keystore_instance_status(world.keystore, i, &status);
		cr_assert(status.listed, "instance %zu", i);
	}
}

/* Shows that while the key manager answers, the port waits for the ledger also when an earlier life
 * read it: a client may have been removed meanwhile. A key manager that does not come to an answer
 * is not waited for. */
Test(background, opens_by_what_this_life_read)
{
	world_start(&world);
	world_stop(&world);
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_PREPARE, .repeat = 1, .delay_ms = 100 });
	world_open(&world);
	keystore_start(world.keystore, on_open_knowing, &world);
	world_until(&world, is_open);
	world_stop(&world);
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_PREPARE, .repeat = 1, .stall = true });
	world_open(&world);
	keystore_start(world.keystore, on_open, &world);
	world_until(&world, is_open);
}

static bool table_is_empty(struct world *in)
{
	return kek_table_count(in->table) == 0;
}

/* Shows that a root key that is disabled is noticed by asking, and empties the unwrapped keys. */
Test(background, watches_the_root_key)
{
	struct keystore_instance_status status;

	world_start(&world);
	cr_assert_eq(world_create(&world, material), ERR_OK);
	world_stop(&world);
	world.settings.root_poll_s = 0;
	world_start(&world);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
	cr_assert_eq(kek_table_count(world.table), 1);
	world.service.root = KEYMANAGER_ROOT_DISABLED;
	world_until(&world, table_is_empty);
	keystore_instance_status(world.keystore, 0, &status);
	cr_assert_eq(status.root, KEYMANAGER_ROOT_DISABLED);
	world.service.root = KEYMANAGER_ROOT_ENABLED;
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
}

/* Shows that a running node learns by asking that the owner deleted a key, and serves it no more.
 */
Test(background, sees_a_deletion)
{
	world.settings.reconcile_s = 0;
	world_start(&world);
	cr_assert_eq(world_create(&world, material), ERR_OK);
	fake_service_delete(&world.service, &world.uid, clock_wall_seconds());
	world_until(&world, is_dead);
	cr_assert_eq(kek_table_count(world.table), 0);
	cr_assert_eq(world.service.calls[FAKE_DELETE], 0);
}

/* Shows that a node for whose cache nobody vouches asks often: a client that the cut-off peer
 * removed is in the ledger, and is not to be served for a whole interval. */
Test(background, asks_often_when_nobody_vouches)
{
	world_start(&world);
	cr_assert_eq(world_create(&world, material), ERR_OK);
	fake_service_delete(&world.service, &world.uid, clock_wall_seconds());
	kek_table_set_vouch(world.table, 0);
	world_until(&world, is_dead);
}

static void on_checked(void *ctx, enum err err, const char *why)
{
	struct world *in = ctx;

	in->answered = true;
	in->err = err;
	cr_assert_eq(text_copy(in->why, sizeof(in->why), slice_text(why)), ERR_OK);
}

static enum err check(void)
{
	struct keystore_pending *pending;

	world.answered = false;
	cr_assert_eq(keystore_check_start(&pending, world.keystore, 0, on_checked, &world), ERR_OK);
	world_until(&world, world_is_answered);
	return world.err;
}

/* Shows that the check tries the root key and names a policy that would make a request fail. */
Test(background, checks_an_instance)
{
	world_open(&world);
	cr_assert_eq(check(), ERR_OK);
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_PREPARE, .repeat = 1, .err = ERR_FIELD });
	cr_assert_eq(check(), ERR_FIELD);
	cr_assert_str_eq(world.why, "a policy");
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_UNWRAP, .repeat = 1, .err = ERR_CORRUPT });
	cr_assert_eq(check(), ERR_CORRUPT);
	world.service.root = KEYMANAGER_ROOT_DISABLED;
	cr_assert_eq(check(), ERR_ROOT_DISABLED);
}

/* Shows that a reader answers from cache and table and asks nobody. */
Test(background, reads_in_a_worker)
{
	struct keystore_options options = {
		.instances = world.instances, .instance_count = WORLD_INSTANCES, .reader = true
	};
	struct uid none = { .bytes = { 1 } };
	struct keystore *keeper;
	struct keystore *reader;

	world_start(&world);
	cr_assert_eq(world_create(&world, material), ERR_OK);
	options.cache = world.cache;
	options.table = world.table;
	cr_assert_eq(keystore_new(&reader, &options, world.why), ERR_OK);
	keeper = world.keystore;
	world.keystore = reader;
	cr_assert_eq(world_get_warm(&world, &world.uid), ERR_OK);
	cr_assert_eq(world_get_warm(&world, &none), ERR_AGAIN);
	cr_assert_eq(world_client_find(&world, 1), ERR_NOT_FOUND);
	world.keystore = keeper;
	keystore_free(reader);
	cr_assert_eq(world.service.calls[FAKE_UNWRAP], 1, "of creating, to prove the wrapped form");
}
