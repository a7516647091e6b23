/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/absent.h"
#include <stdlib.h>
#include "base/buf.h"
#include "base/log.h"
#include "keystore/sweep.h"

struct absent {
	struct instance *instance;
	int64_t older_than;
	struct buf seen; /* ids, sorted once the listing is over */
	bool sorted;
	bool too_many;
	struct uid after; /* the last one looked at */
	bool begun;

	/* Of the part under way. */
	struct cache_read *read;
	struct arena *arena;
	size_t looked;
	void (*add)(void *ctx, const struct uid *uid);
	void *ctx;
};

enum { ID_LEN = sizeof(((struct uid *) NULL)->bytes), ABSENT_ARENA_MAX = 1 << 20 };

enum err absent_new(struct absent **out, struct instance *instance, int64_t older_than)
{
	struct absent *absent = calloc(1, sizeof(*absent));

	if (absent == NULL)
		return ERR_NOMEM;
	absent->instance = instance;
	absent->older_than = older_than;
	buf_init(&absent->seen, (size_t) SWEEP_SEEN_MAX * ID_LEN);
	*out = absent;
	return ERR_OK;
}

void absent_free(struct absent *absent)
{
	if (absent == NULL)
		return;
	buf_free(&absent->seen);
	free(absent);
}

void absent_see(struct absent *absent, const struct uid *key_id)
{
	if (absent == NULL || absent->too_many)
		return;
	if (buf_append(&absent->seen, slice_of(key_id->bytes, ID_LEN)) == ERR_OK)
		return;
	absent->too_many = true;
	log_warning("ring-too-large", "instance=%s effect=\"missing keys are not looked for\"",
		absent->instance->id.text);
}

static int compare_ids(const void *a, const void *b)
{
	return slice_compare(slice_of(a, ID_LEN), slice_of(b, ID_LEN));
}

static void absent_sort(struct absent *absent)
{
	struct slice seen = buf_slice(&absent->seen);

	if (!absent->sorted && seen.len > 0)
		qsort((void *) seen.data, seen.len / ID_LEN, ID_LEN, compare_ids);
	absent->sorted = true;
}

static bool absent_was_seen(const struct absent *absent, const struct uid *id)
{
	struct slice seen = buf_slice(&absent->seen);

	return seen.len > 0 &&
	       bsearch(id->bytes, seen.data, seen.len / ID_LEN, ID_LEN, compare_ids) != NULL;
}

/* Most uids are key ids and were seen: only the others are decoded. */
static enum err absent_visit(void *ctx, const struct uid *uid)
{
	struct absent *absent = ctx;
	struct object *object;

	if (absent->looked == ABSENT_PART)
		return ERR_LIMIT;
	absent->looked++;
	absent->after = *uid;
	absent->begun = true;
	if (absent_was_seen(absent, uid))
		return ERR_OK;
	arena_reset(absent->arena);
	if (cache_get_object(absent->read, absent->arena, uid, &object) == ERR_OK &&
		!object->dead && object->dates[OBJECT_DATE_INITIAL] <= absent->older_than &&
		!absent_was_seen(absent, &object->key_id))
		absent->add(absent->ctx, uid);
	return ERR_OK;
}

enum err absent_look(
	struct absent *absent, void (*add)(void *ctx, const struct uid *uid), void *ctx, bool *more)
{
	struct cache_list list = {
		.instance = absent->instance->id, .visit = absent_visit, .ctx = absent
	};
	struct uid after = absent->after;
	enum err err;

	*more = false;
	if (absent->too_many)
		return ERR_OK;
	absent_sort(absent);
	absent->looked = 0;
	absent->add = add;
	absent->ctx = ctx;
	list.after = absent->begun ? &after : NULL;
	TRY(arena_new(&absent->arena, ABSENT_ARENA_MAX));
	TRY(cache_read_begin(&absent->read, absent->instance->keystore->cache));
	err = cache_list(absent->read, &list);
	*more = err == ERR_LIMIT;
	err = *more ? ERR_OK : err;
out:
	cache_read_end(absent->read);
	absent->read = NULL;
	arena_free(absent->arena);
	absent->arena = NULL;
	return err;
}
