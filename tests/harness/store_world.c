/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness/store_world.h"
#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/crypt.h"
#include "base/log.h"

enum { WORLD_MAP_BYTES = 64 << 20, WORLD_SLOTS = 256, WORLD_ARENA = 1 << 20 };

static int unlink_one(const char *path, const struct stat *info, int flag, struct FTW *walk)
{
	(void) info;
	(void) flag;
	(void) walk;
	return remove(path);
}

void world_make(struct world *world)
{
	static const char *const ids[WORLD_INSTANCES] = { "instance-one", "instance-two" };

	cr_assert_eq(crypt_start(), ERR_OK);
	log_set_level(LOG_ERROR);
	*world = (struct world){ .node = 1,
		.map_bytes = WORLD_MAP_BYTES,
		.settings = {
			.plaintext_ttl_s = 300,
			.outage_grace_s = 14400,
			.root_poll_s = 3600,
			.reconcile_s = 3600,
		} };
	snprintf(world->root, sizeof(world->root), "/tmp/store-test-XXXXXX");
	cr_assert_not_null(mkdtemp(world->root));
	snprintf(world->folder, sizeof(world->folder), "%s/cache", world->root);
	fake_service_init(&world->service);
	for (size_t i = 0; i < WORLD_INSTANCES; i++) {
		cr_assert_eq(
			instance_id_parse(&world->instances[i].id, slice_text(ids[i])), ERR_OK);
		world->instances[i].name = ids[i];
		world->instances[i].keymanager.service_instance = world->service.name;
		world->instances[i].keymanager.root_key = "first-root";
	}
}

void world_remove(struct world *world)
{
	world_stop(world);
	fake_service_free(&world->service);
	(void) nftw(world->root, unlink_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void world_on_timer(void *ctx)
{
	struct world *world = ctx;

	if (world->condition(world) || clock_boot_ms() >= world->give_up_ms)
		loop_stop(world->loop);
	else
		loop_timer_set(world->timer, 1);
}

void world_open(struct world *world)
{
	struct cache_options cache = { .folder = world->folder, .map_bytes = world->map_bytes };
	struct keystore_options options = { .instances = world->instances,
		.instance_count = WORLD_INSTANCES,
		.settings = world->settings,
		.node = world->node };

	cr_assert_eq(loop_new(&world->loop), ERR_OK);
	cr_assert_eq(loop_timer_new(&world->timer, world->loop, world_on_timer, world), ERR_OK);
	cr_assert_eq(cache_open(&world->cache, &cache, world->why), ERR_OK, "%s", world->why);
	cr_assert_eq(kek_table_new(&world->table, WORLD_SLOTS), ERR_OK);
	kek_table_set_vouch(world->table, UINT64_MAX);
	options.loop = world->loop;
	options.cache = world->cache;
	options.table = world->table;
	cr_assert_eq(
		keystore_new(&world->keystore, &options, world->why), ERR_OK, "%s", world->why);
}

static void world_on_open(void *ctx)
{
	struct world *world = ctx;

	cr_assert_not(world->open, "on_open comes once");
	world->open = true;
}

bool world_is_listed(struct world *world)
{
	struct keystore_instance_status status;

	for (size_t i = 0; i < WORLD_INSTANCES; i++) {
		keystore_instance_status(world->keystore, i, &status);
		if (!status.listed || status.poll_good_ms == 0)
			return false;
	}
	return world->open;
}

void world_start(struct world *world)
{
	world_open(world);
	keystore_start(world->keystore, world_on_open, world);
	world_until(world, world_is_listed);
}

void world_stop(struct world *world)
{
	keystore_free(world->keystore);
	kek_table_free(world->table);
	cache_close(world->cache);
	loop_timer_free(world->timer);
	loop_free(world->loop);
	world->keystore = NULL;
	world->table = NULL;
	world->cache = NULL;
	world->timer = NULL;
	world->loop = NULL;
	world->open = false;
}

void world_lose_cache(struct world *world)
{
	world_stop(world);
	(void) nftw(world->folder, unlink_one, 8, FTW_DEPTH | FTW_PHYS);
}

void world_until(struct world *world, bool (*condition)(struct world *world))
{
	world->condition = condition;
	world->give_up_ms = clock_boot_ms() + WORLD_WAIT_MS;
	loop_timer_set(world->timer, 0);
	cr_assert_eq(loop_run(world->loop), ERR_OK);
	cr_assert(condition(world), "waited too long");
}

/* ---- calls ---- */

bool world_is_answered(struct world *world)
{
	return world->answered;
}

static void answer(struct world *world, enum err err)
{
	cr_assert_not(world->answered, "one completion");
	world->answered = true;
	world->err = err;
}

/* The answer never comes from inside the start. */
static enum err world_wait(struct world *world, enum err started)
{
	if (started != ERR_OK)
		return started;
	cr_assert_not(world->answered);
	world_until(world, world_is_answered);
	return world->err;
}

static void on_created(void *ctx, enum err err, const struct uid *uid)
{
	struct world *world = ctx;

	if (err == ERR_OK)
		world->uid = *uid;
	answer(world, err);
}

enum err world_create_begin(struct world *world, struct slice material)
{
	struct object_edit edit = { .kind = OBJECT_EDIT_ADD,
		.name = SLICE_LITERAL("Name"),
		.value = SLICE_LITERAL("disk key") };
	struct object_change change = {
		.now = 1000, .dates[OBJECT_DATE_INITIAL] = 1000, .edits = &edit, .edit_count = 1
	};
	struct keystore_create create = { .instance = world->instances[0].id,
		.type = 2,
		.format = 1,
		.material = material,
		.change = &change };
	struct keystore_pending *pending;

	world->answered = false;
	return keystore_create_start(&pending, world->keystore, &create, on_created, world);
}

enum err world_create(struct world *world, struct slice material)
{
	return world_wait(world, world_create_begin(world, material));
}

void world_on_done(void *ctx, enum err err)
{
	answer(ctx, err);
}

enum err world_fetch(struct world *world, size_t instance, const struct uid *uid, bool material)
{
	struct keystore_pending *pending;
	struct keystore_view *view;
	struct arena *arena;
	enum err err;

	cr_assert_eq(arena_new(&arena, WORLD_ARENA), ERR_OK);
	cr_assert_eq(
		keystore_view_new(&view, world->keystore, arena, &world->instances[instance].id),
		ERR_OK);
	world->answered = false;
	err = world_wait(
		world, keystore_fetch_start(&pending, view, uid, material, world_on_done, world));
	arena_free(arena);
	return err;
}

static void on_changed(void *ctx, enum err err, uint32_t added_index)
{
	(void) added_index;
	answer(ctx, err);
}

static enum err world_change_as(struct world *world, const struct keystore_change *options)
{
	struct keystore_pending *pending;

	world->answered = false;
	return world_wait(world,
		keystore_change_start(&pending, world->keystore, options, on_changed, world));
}

static enum err world_change(
	struct world *world, const struct uid *uid, const struct object_change *change)
{
	struct keystore_change options = {
		.instance = world->instances[0].id, .uid = *uid, .change = change
	};

	return world_change_as(world, &options);
}

enum err world_activate(struct world *world, const struct uid *uid)
{
	struct object_change change = {
		.activate = true, .now = 2000, .dates[OBJECT_DATE_ACTIVATED] = 2000
	};

	return world_change(world, uid, &change);
}

enum err world_revoke(struct world *world, const struct uid *uid)
{
	struct object_change change = {
		.deactivate = true, .now = 3000, .dates[OBJECT_DATE_DEACTIVATED] = 3000
	};

	return world_change(world, uid, &change);
}

enum err world_tag(struct world *world, const struct uid *uid, const char *name, size_t len)
{
	uint8_t value[OBJECT_ATTRIBUTES_BYTES_MAX] = { 'v' };
	struct object_edit edit = {
		.kind = OBJECT_EDIT_ADD, .name = slice_text(name), .value = slice_of(value, len)
	};
	struct object_change change = { .now = 2500, .edits = &edit, .edit_count = 1 };

	return world_change(world, uid, &change);
}

enum err world_rename(struct world *world, const struct uid *uid, const char *name, int64_t now)
{
	struct object_edit edit = {
		.kind = OBJECT_EDIT_MODIFY, .name = SLICE_LITERAL("Name"), .value = slice_text(name)
	};
	struct object_change change = { .now = now, .edits = &edit, .edit_count = 1 };

	return world_change(world, uid, &change);
}

enum err world_tag_durably(struct world *world, const struct uid *uid, const char *name)
{
	struct object_edit edit = {
		.kind = OBJECT_EDIT_SET, .name = slice_text(name), .value = SLICE_LITERAL("durable")
	};
	struct object_change change = { .now = 2600, .edits = &edit, .edit_count = 1 };
	struct keystore_change options = {
		.instance = world->instances[0].id, .uid = *uid, .change = &change, .durable = true
	};

	return world_change_as(world, &options);
}

static bool checkpoint_is_over(struct world *world)
{
	struct keystore_checkpoint_status status;

	keystore_checkpoint_status(world->keystore, &status);
	return !status.running;
}

enum err world_checkpoint(struct world *world)
{
	struct keystore_checkpoint_status status;
	enum err err = keystore_checkpoint(world->keystore);

	if (err != ERR_OK)
		return err;
	world_until(world, checkpoint_is_over);
	keystore_checkpoint_status(world->keystore, &status);
	return status.err;
}

enum err world_destroy_begin(struct world *world, const struct uid *uid)
{
	struct object_change change = { .destroy = true, .now = clock_wall_seconds() };
	struct keystore_change options = {
		.instance = world->instances[0].id, .uid = *uid, .change = &change
	};
	struct keystore_pending *pending;

	world->answered = false;
	return keystore_destroy_start(&pending, world->keystore, &options, on_changed, world);
}

enum err world_destroy(struct world *world, const struct uid *uid)
{
	return world_wait(world, world_destroy_begin(world, uid));
}

static void on_stored(void *ctx, enum err err, const char *why)
{
	struct world *world = ctx;

	snprintf(world->why, sizeof(world->why), "%s", why);
	answer(world, err);
}

enum err world_client(struct world *world, size_t instance, uint8_t number, bool removed)
{
	struct client client = { .instance = world->instances[instance].id,
		.name = "vcenter",
		.added_at = 1000,
		.removed = removed };
	struct keystore_pending *pending;

	client.fingerprint.bytes[0] = number;
	world->answered = false;
	return world_wait(
		world, keystore_client_start(&pending, world->keystore, &client, on_stored, world));
}

/* ---- reading ---- */

static enum err read_once(
	struct keystore_view *view, const struct uid *uid, struct slice *out, bool *object_read)
{
	struct object *object;
	enum err err;

	*object_read = false;
	TRY(keystore_read(view, uid, &object));
	*object_read = true;
	TRY(keystore_read_material(view, object, out));
out:
	keystore_view_rest(view);
	return err;
}

enum err world_get(struct world *world, const struct uid *uid, struct slice material)
{
	struct keystore_pending *pending;
	struct keystore_view *view;
	struct arena *arena;
	struct slice found = SLICE_EMPTY;
	bool object_read;
	enum err err;

	cr_assert_eq(arena_new(&arena, WORLD_ARENA), ERR_OK);
	TRY(keystore_view_new(&view, world->keystore, arena, &world->instances[0].id));
	for (int tries = 0; (err = read_once(view, uid, &found, &object_read)) == ERR_AGAIN;
		tries++) {
		cr_assert_lt(tries, 3, "a fetch that succeeded makes the reading succeed");
		world->answered = false;
		TRY(world_wait(world, keystore_fetch_start(&pending, view, uid, object_read,
					      world_on_done, world)));
	}
	if (err == ERR_OK)
		cr_assert(slice_equal(found, material));
out:
	arena_free(arena);
	return err;
}

enum err world_get_warm(struct world *world, const struct uid *uid)
{
	struct keystore_view *view;
	struct arena *arena;
	struct slice found;
	bool object_read;
	enum err err;

	cr_assert_eq(arena_new(&arena, WORLD_ARENA), ERR_OK);
	TRY(keystore_view_new(&view, world->keystore, arena, &world->instances[0].id));
	err = read_once(view, uid, &found, &object_read);
out:
	arena_free(arena);
	return err;
}

enum err world_client_find(struct world *world, uint8_t number)
{
	struct fingerprint fingerprint = { .bytes = { number } };
	struct client client;

	return keystore_client_find(world->keystore, &fingerprint, &client);
}

bool world_object(struct world *world, const struct uid *uid, struct object *out)
{
	struct cache_read *read;
	struct object *object;
	struct arena *arena;
	bool found;

	cr_assert_eq(arena_new(&arena, WORLD_ARENA), ERR_OK);
	cr_assert_eq(cache_read_begin(&read, world->cache), ERR_OK);
	found = cache_get_object(read, arena, uid, &object) == ERR_OK;
	if (found) {
		*out = *object;
		out->attributes = NULL; /* the arena's */
	}
	cache_read_end(read);
	arena_free(arena);
	return found;
}

unsigned world_wrapped_by(struct world *world, const struct uid *uid)
{
	struct cache_read *read;
	struct object *object;
	struct arena *arena;
	uint8_t version[2];

	cr_assert_eq(arena_new(&arena, WORLD_ARENA), ERR_OK);
	cr_assert_eq(cache_read_begin(&read, world->cache), ERR_OK);
	cr_assert_eq(cache_get_object(read, arena, uid, &object), ERR_OK);
	cr_assert_eq(text_unhex(version, sizeof(version),
			     slice_cut(object->wrapped.ciphertext, 0, 2 * sizeof(version))),
		ERR_OK);
	cache_read_end(read);
	arena_free(arena);
	return be16_get(version);
}

uint64_t world_intents(struct world *world)
{
	struct cache_counts counts;
	struct cache_read *read;

	cr_assert_eq(cache_read_begin(&read, world->cache), ERR_OK);
	cr_assert_eq(cache_count(read, &counts), ERR_OK);
	cache_read_end(read);
	return counts.intents;
}
