/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/alias.h"
#include <stdio.h>

enum { NAME_LEN = 64, UID_LEN = sizeof(((struct uid *) NULL)->bytes) };

static const char prefix[] = "alias-";

static void alias_name(char out[NAME_LEN], const struct uid *key_id)
{
	char id[UUID_TEXT_LEN + 1];

	uid_text(id, key_id);
	snprintf(out, NAME_LEN, "%s%s", prefix, id);
}

enum err alias_find(struct uid *out, struct cache_read *read, const struct uid *key_id)
{
	char name[NAME_LEN];
	struct slice value;
	enum err err;

	alias_name(name, key_id);
	TRY(cache_get_fact(read, name, &value));
	TRY(slice_copy_exact(out->bytes, UID_LEN, value) ? ERR_OK : ERR_CORRUPT);
out:
	return err;
}

enum err alias_note(struct cache_write *write, const struct object *object)
{
	char name[NAME_LEN];
	struct uid known;

	if (!object_is_moved(object) ||
		alias_find(&known, cache_write_read(write), &object->key_id) == ERR_OK)
		return ERR_OK;
	alias_name(name, &object->key_id);
	return cache_put_fact(write, name, slice_of(object->uid.bytes, UID_LEN));
}

enum err alias_forget(struct cache_write *write, const struct uid *key_id)
{
	char name[NAME_LEN];

	alias_name(name, key_id);
	return cache_delete_fact(write, name);
}

enum err alias_get_object(
	struct cache_read *read, struct arena *arena, const struct uid *key_id, struct object **out)
{
	struct uid uid;
	enum err err = alias_find(&uid, read, key_id);

	if (err != ERR_OK && err != ERR_MISS)
		return err;
	return cache_get_object(read, arena, err == ERR_OK ? &uid : key_id, out);
}

struct walking {
	enum err (*visit)(void *ctx, const struct uid *key_id, const struct uid *uid);
	void *ctx;
};

static enum err alias_visit(void *ctx, struct slice name, struct slice value)
{
	struct walking *walking = ctx;
	struct uid key_id, uid;

	if (uid_parse(&key_id, slice_cut(name, sizeof(prefix) - 1, SIZE_MAX)) != ERR_OK ||
		!slice_copy_exact(uid.bytes, UID_LEN, value))
		return ERR_OK;
	return walking->visit(walking->ctx, &key_id, &uid);
}

enum err alias_walk(struct cache_read *read, const struct uid *after,
	enum err (*visit)(void *ctx, const struct uid *key_id, const struct uid *uid), void *ctx)
{
	struct walking walking = { .visit = visit, .ctx = ctx };
	char name[NAME_LEN] = "";

	if (after != NULL)
		alias_name(name, after);
	return cache_walk_facts(read, prefix, slice_text(name), alias_visit, &walking);
}
