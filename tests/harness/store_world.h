/* SPDX-License-Identifier: Apache-2.0 */
/* One node's store over the fake key manager, with the asynchronous calls made to wait. */
#ifndef TESTS_STORE_WORLD_H
#define TESTS_STORE_WORLD_H

#include "keystore/keystore.h"
#include "tests/harness/fake_keymanager.h"

enum { WORLD_WAIT_MS = 10000, WORLD_INSTANCES = 2 };

struct world {
	char root[64]; /* folder of everything */
	char folder[80]; /* of the cache */
	struct fake_service service; /* both instances use it */
	struct keystore_instance_options instances[WORLD_INSTANCES];
	struct keystore_settings settings;
	struct loop *loop;
	struct loop_timer *timer;
	struct cache *cache;
	struct kek_table *table;
	struct keystore *keystore;
	bool open;
	uint16_t node; /* 1, unless changed before the start */
	size_t map_bytes; /* of the cache; likewise */

	bool (*condition)(struct world *world);
	uint64_t give_up_ms;

	/* The last answer. */
	bool answered;
	enum err err;
	struct uid uid;
	char why[300];
};

void world_make(struct world *world);
void world_remove(struct world *world);
/* Opens cache, table and store; does not start the background work. */
void world_open(struct world *world);
/* And starts it, and waits until the first listing is over in every instance. */
void world_start(struct world *world);
/* As a crash does: nothing is finished. */
void world_stop(struct world *world);
/* The cache is deleted too. */
void world_lose_cache(struct world *world);
/* Turns the loop until the condition holds; fails the test when it does not in time. */
void world_until(struct world *world, bool (*condition)(struct world *world));
bool world_is_answered(struct world *world);
bool world_is_listed(struct world *world);

/* The callback of a fetch that a test begins itself; world.answered is false before. */
void world_on_done(void *ctx, enum err err);

/* Starts only. */
enum err world_create_begin(struct world *world, struct slice material);
enum err world_destroy_begin(struct world *world, const struct uid *uid);
/* Starts and waits for the answer. */
enum err world_create(struct world *world, struct slice material);
enum err world_fetch(struct world *world, size_t instance, const struct uid *uid, bool material);
enum err world_activate(struct world *world, const struct uid *uid);
enum err world_revoke(struct world *world, const struct uid *uid);
/* A further instance of an attribute. */
enum err world_tag(struct world *world, const struct uid *uid, const char *name, size_t len);
/* Another value for the attribute that all keys here are created with. */
enum err world_rename(struct world *world, const struct uid *uid, const char *name, int64_t now);
/* Sets an attribute that is in the key manager before it is answered. */
enum err world_tag_durably(struct world *world, const struct uid *uid, const char *name);
/* Runs a checkpoint to its end. */
enum err world_checkpoint(struct world *world);
enum err world_destroy(struct world *world, const struct uid *uid);
enum err world_client(struct world *world, size_t instance, uint8_t number, bool removed);
/* As a request does: read, fetch where the store asks for it, read again. Material is compared. */
enum err world_get(struct world *world, const struct uid *uid, struct slice material);
/* Reads without fetching, as a worker does. */
enum err world_get_warm(struct world *world, const struct uid *uid);
enum err world_client_find(struct world *world, uint8_t number);
/* The record as it is cached. */
bool world_object(struct world *world, const struct uid *uid, struct object *out);
/* The version of the fake's root key that made its cached form. */
unsigned world_wrapped_by(struct world *world, const struct uid *uid);
uint64_t world_intents(struct world *world);

#endif
