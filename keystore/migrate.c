/* SPDX-License-Identifier: Apache-2.0 */
/* The migration of an instance as the layers above see it; migration.c has the stages. */
#include "keystore/alias.h"
#include "keystore/flow.h"
#include "keystore/migration.h"

enum err keystore_migrate(struct keystore *keystore, const struct instance_id *instance,
	bool delete_old, uint32_t rate, char why[300])
{
	struct instance *found = keystore_instance_of(keystore, instance);

	return found == NULL ? ERR_NOT_FOUND
			     : migration_start(found->migration, delete_old, rate, why);
}

void keystore_migration_stop(struct keystore *keystore, const struct instance_id *instance)
{
	struct instance *found = keystore_instance_of(keystore, instance);

	if (found != NULL)
		migration_stop(found->migration);
}

void keystore_migration_status(
	const struct keystore *keystore, size_t i, struct keystore_migration_status *out)
{
	*out = (struct keystore_migration_status){ .stage = "none" };
	if (keystore->instances[i]->migration != NULL)
		migration_status(keystore->instances[i]->migration, out);
}

/* ---- what the second step would delete ---- */

struct old_keys {
	struct cache_read *read;
	struct arena *arena;
	const struct instance_id *instance;
	bool finished; /* the keys of the uids are gone */
	struct keystore_old_key *out;
	size_t max;
	uint64_t count;
};

static void old_keys_add(struct old_keys *keys, const struct uid *uid, const struct uid *key_id)
{
	if (keys->count < keys->max)
		keys->out[keys->count] =
			(struct keystore_old_key){ .uid = *uid, .key_id = *key_id };
	keys->count++;
}

/* Each alias that counts stands for an object whose own key was left behind. */
static enum err old_keys_visit(void *ctx, const struct uid *key_id, const struct uid *uid)
{
	struct old_keys *keys = ctx;
	struct object *object;

	arena_reset(keys->arena);
	if (cache_get_object(keys->read, keys->arena, uid, &object) != ERR_OK || object->dead ||
		!instance_id_equal(&object->instance, keys->instance))
		return ERR_OK;
	if (!uid_equal(&object->key_id, key_id))
		old_keys_add(keys, uid, key_id);
	else if (!keys->finished)
		old_keys_add(keys, uid, uid);
	return ERR_OK;
}

enum err keystore_old_keys(struct keystore *keystore, const struct instance_id *instance,
	struct keystore_old_key *out, size_t max, uint64_t *count)
{
	struct instance *found = keystore_instance_of(keystore, instance);
	struct old_keys keys = { .instance = instance, .out = out, .max = max };
	enum err err = found == NULL ? ERR_NOT_FOUND : ERR_OK;

	*count = 0;
	TRY(err);
	keys.finished = migration_is_finished(found->migration);
	TRY(arena_new(&keys.arena, FLOW_ARENA_LEN_MAX));
	TRY(cache_read_begin(&keys.read, keystore->cache));
	TRY(alias_walk(keys.read, NULL, old_keys_visit, &keys));
	*count = keys.count;
out:
	cache_read_end(keys.read);
	arena_free(keys.arena);
	return err;
}
