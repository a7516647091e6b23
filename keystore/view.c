/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/view.h"
#include "base/clock.h"

/* What was proved for this view by fetching. */
struct proved {
	struct proved *next;
	struct uid uid;
	struct slice material; /* data NULL: only existence */
};

struct keystore_view {
	struct keystore *keystore;
	struct arena *arena;
	struct instance_id instance;
	struct cache_read *read; /* opened by the first read of a turn */
	struct proved *proved;
	size_t proved_count;
};

enum err keystore_view_new(struct keystore_view **out, struct keystore *keystore,
	struct arena *arena, const struct instance_id *instance)
{
	struct keystore_view *view = ARENA_NEW(arena, struct keystore_view);

	if (view == NULL)
		return ERR_NOMEM;
	view->keystore = keystore;
	view->arena = arena;
	view->instance = *instance;
	*out = view;
	return ERR_OK;
}

void keystore_view_rest(struct keystore_view *view)
{
	cache_read_end(view->read);
	view->read = NULL;
}

static enum err view_open(struct keystore_view *view)
{
	if (view->read != NULL)
		return ERR_OK;
	return cache_read_begin(&view->read, view->keystore->cache);
}

struct keystore *view_keystore(const struct keystore_view *view)
{
	return view->keystore;
}

const struct instance_id *view_instance(const struct keystore_view *view)
{
	return &view->instance;
}

static struct proved *view_find_proved(const struct keystore_view *view, const struct uid *uid)
{
	struct proved *proved = view->proved;

	while (proved != NULL && !uid_equal(&proved->uid, uid))
		proved = proved->next;
	return proved;
}

enum err view_remember(struct keystore_view *view, const struct uid *uid, struct slice material)
{
	struct proved *proved = view_find_proved(view, uid);

	if (proved == NULL) {
		if (view->proved_count == VIEW_PROVED_MAX)
			return ERR_LIMIT;
		proved = ARENA_NEW(view->arena, struct proved);
		if (proved == NULL)
			return ERR_NOMEM;
		proved->uid = *uid;
		proved->next = view->proved;
		view->proved = proved;
		view->proved_count++;
	}
	if (material.len > 0) {
		proved->material = arena_copy(view->arena, material);
		if (proved->material.data == NULL)
			return ERR_NOMEM;
	}
	return ERR_OK;
}

/* A damaged record is as good as none: the key manager has it. What only the ledger told of is not
 * known to exist. */
static enum err read_known(struct cache_read *read, struct arena *arena,
	const struct instance_id *instance, const struct uid *uid, struct object **out)
{
	enum err err = cache_get_object(read, arena, uid, out);

	if (err == ERR_MISS || err == ERR_CORRUPT)
		return ERR_AGAIN;
	TRY(err);
	if (!instance_id_equal(&(*out)->instance, instance))
		return ERR_NOT_FOUND;
	if (!(*out)->has_material && !(*out)->dead)
		return ERR_AGAIN;
out:
	return err;
}

/* A quarantined one counts when the key manager's own form has just been read. */
enum err keystore_read(struct keystore_view *view, const struct uid *uid, struct object **out)
{
	struct object *object;
	enum err err;

	TRY(view_open(view));
	TRY(read_known(view->read, view->arena, &view->instance, uid, &object));
	if (object_is_quarantined(object) && !object->dead) {
		if (view_find_proved(view, uid) == NULL)
			return ERR_AGAIN;
		object->quarantined = object->disputed = false;
	}
	*out = object;
out:
	return err;
}

enum err keystore_peek(struct cache_read *read, struct arena *arena,
	const struct instance_id *instance, const struct uid *uid, struct object **out)
{
	enum err err = read_known(read, arena, instance, uid, out);

	if (err == ERR_OK && object_is_quarantined(*out) && !(*out)->dead)
		return ERR_AGAIN;
	return err;
}

static void view_note(const struct keystore_view *view, enum keystore_lookup lookup)
{
	if (view->keystore->lookups != NULL)
		tally_add(&view->keystore->lookups->counts[lookup], 1);
}

enum err keystore_read_material(
	struct keystore_view *view, const struct object *object, struct slice *out)
{
	const struct proved *proved = view_find_proved(view, &object->uid);
	struct kek_table *table = view->keystore->table;
	uint64_t now_ms = clock_boot_ms();
	enum err err;

	if (object->dead || !object->has_material)
		return ERR_KEY_ABSENT;
	if (proved != NULL && proved->material.data != NULL) {
		*out = proved->material;
		return ERR_OK;
	}
	if (object_is_quarantined(object))
		return ERR_AGAIN;
	if (proved == NULL && kek_table_vouch_of(table, &view->instance) <= now_ms) {
		view_note(view, KEYSTORE_LOOKUP_UNVOUCHED);
		return ERR_AGAIN;
	}
	err = kek_table_get(table, view->arena, &view->instance, &object->uid, now_ms, out);
	switch (err) {
	case ERR_OK:
		view_note(view, KEYSTORE_LOOKUP_HIT);
		return ERR_OK;
	case ERR_AGAIN:
		view_note(view, KEYSTORE_LOOKUP_STALE);
		return ERR_AGAIN;
	case ERR_FORWARD:
		view_note(view, KEYSTORE_LOOKUP_UNVOUCHED);
		return ERR_AGAIN;
	case ERR_MISS:
	case ERR_CORRUPT:
	case ERR_CRYPTO:
		view_note(view, KEYSTORE_LOOKUP_ABSENT);
		return ERR_AGAIN;
	default:
		return err;
	}
}

enum err keystore_find(struct keystore_view *view, struct cache_find *find)
{
	enum err err;

	find->instance = view->instance;
	TRY(view_open(view));
	TRY(cache_find(view->read, find));
out:
	return err;
}
