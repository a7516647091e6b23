/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/missing.h"
#include <stdio.h>

enum { NAME_LEN = 64, COUNT_ARENA_MAX = 1 << 20 };

static const char prefix[] = "missing-";

static void fact_name(char out[NAME_LEN], const struct uid *uid)
{
	char id[UUID_TEXT_LEN + 1];

	uid_text(id, uid);
	snprintf(out, NAME_LEN, "%s%s", prefix, id);
}

bool missing_is(struct cache_read *read, const struct uid *uid)
{
	struct slice value;
	char name[NAME_LEN];

	fact_name(name, uid);
	return cache_get_fact(read, name, &value) == ERR_OK;
}

enum err missing_note(
	struct cache_write *write, const struct uid *uid, const struct instance_id *instance)
{
	char name[NAME_LEN];

	fact_name(name, uid);
	return cache_put_fact(write, name, instance_id_slice(instance));
}

enum err missing_clear(struct cache_write *write, const struct uid *uid)
{
	char name[NAME_LEN];

	fact_name(name, uid);
	return cache_delete_fact(write, name);
}

struct counting {
	struct cache_read *read;
	struct arena *arena;
	const struct instance_id *instance;
	uint64_t count;
};

/* A tombstone may have come from the peer since. */
static enum err counting_visit(void *ctx, struct slice name, struct slice value)
{
	struct counting *counting = ctx;
	struct object *object;
	struct uid uid;

	arena_reset(counting->arena);
	if (slice_equal(value, instance_id_slice(counting->instance)) &&
		uid_parse(&uid, slice_cut(name, sizeof(prefix) - 1, SIZE_MAX)) == ERR_OK &&
		cache_get_object(counting->read, counting->arena, &uid, &object) == ERR_OK)
		counting->count += !object->dead;
	return ERR_OK;
}

enum err missing_count(uint64_t *out, struct cache_read *read, const struct instance_id *instance)
{
	struct counting counting = { .read = read, .instance = instance };
	enum err err;

	TRY(arena_new(&counting.arena, COUNT_ARENA_MAX));
	TRY(cache_walk_facts(read, prefix, SLICE_EMPTY, counting_visit, &counting));
	*out = counting.count;
out:
	arena_free(counting.arena);
	return err;
}
