/* SPDX-License-Identifier: Apache-2.0 */
/* The store behind the tests of operations: the real one, its cache in a folder of its own, over a
 * key manager in memory (tests/harness). */
#ifndef TESTS_UNIT_KMIP_SERVED_STORE_H
#define TESTS_UNIT_KMIP_SERVED_STORE_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/clock.h"
#include "keystore/keystore.h"
#include "kmip/terms.h"
#include "tests/harness/fake_keymanager.h"

#define SERVED_STORE_INSTANCE "instance-1"
#define SERVED_STORE_FOLDER "/tmp/served-store-XXXXXX"
enum {
	SERVED_STORE_MAP_BYTES = 64 << 20,
	SERVED_STORE_SLOTS = 256,
	SERVED_STORE_VOUCH_MS = 600000
};

struct served_store {
	struct loop *loop;
	struct loop_timer *timer;
	struct fake_service service;
	char folder[sizeof(SERVED_STORE_FOLDER)];
	struct cache *cache;
	struct kek_table *table;
	struct keystore *keystore;
};

static inline void served_store_on_open(void *ctx)
{
	(void) ctx;
}

static inline void served_store_on_timer(void *ctx)
{
	struct served_store *store = ctx;
	struct keystore_instance_status status;

	keystore_instance_status(store->keystore, 0, &status);
	if (status.listed)
		loop_stop(store->loop);
	else
		loop_timer_set(store->timer, 1);
}

/* Only once the key ring was listed can the store say that a key is unknown. */
static inline void served_store_list(struct served_store *store)
{
	keystore_start(store->keystore, served_store_on_open, store);
	cr_assert_eq(
		loop_timer_new(&store->timer, store->loop, served_store_on_timer, store), ERR_OK);
	loop_timer_set(store->timer, 1);
	cr_assert_eq(loop_run(store->loop), ERR_OK);
	loop_timer_free(store->timer);
}

static inline struct served_store *served_store_new(struct loop *loop)
{
	struct served_store *store = calloc(1, sizeof(*store));
	struct cache_options cache = { .map_bytes = SERVED_STORE_MAP_BYTES, .terms = &kmip_terms };
	struct keystore_instance_options instance = { .name = "test",
		.keymanager = {
			.kind = "key-protect", .root_key = "root", .key_ring = "default" } };
	struct keystore_options options = { .loop = loop,
		.instances = &instance,
		.instance_count = 1,
		.settings = { .plaintext_ttl_s = 300,
			.outage_grace_s = 14400,
			.root_poll_s = 30,
			.reconcile_s = 30 },
		.node = 1 };
	char why[CACHE_WHY_MAX] = "";

	cr_assert_not_null(store);
	store->loop = loop;
	bytes_copy(store->folder, SERVED_STORE_FOLDER, sizeof(store->folder));
	cr_assert_not_null(mkdtemp(store->folder));
	cache.folder = store->folder;
	cr_assert_eq(cache_open(&store->cache, &cache, why), ERR_OK, "%s", why);
	cr_assert_eq(kek_table_new(&store->table, SERVED_STORE_SLOTS), ERR_OK);
	kek_table_set_vouch(store->table, clock_boot_ms() + SERVED_STORE_VOUCH_MS);
	cr_assert_eq(instance_id_parse(&instance.id, slice_text(SERVED_STORE_INSTANCE)), ERR_OK);
	options.cache = store->cache;
	options.table = store->table;
	fake_service_init(&store->service);
	instance.keymanager.service_instance = store->service.name;
	cr_assert_eq(keystore_new(&store->keystore, &options, why), ERR_OK, "%s", why);
	served_store_list(store);
	return store;
}

static inline struct keystore *served_store_keystore(struct served_store *store)
{
	return store->keystore;
}

static inline void served_store_remove(const struct served_store *store, const char *file)
{
	char path[sizeof(SERVED_STORE_FOLDER) + 16];

	snprintf(path, sizeof(path), "%s/%s", store->folder, file);
	unlink(path);
}

static inline void served_store_free(struct served_store *store)
{
	keystore_free(store->keystore);
	fake_service_free(&store->service);
	kek_table_free(store->table);
	cache_close(store->cache);
	served_store_remove(store, "data.mdb");
	served_store_remove(store, "lock.mdb");
	rmdir(store->folder);
	free(store);
}

#endif
