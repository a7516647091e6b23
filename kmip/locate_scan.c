/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/locate_scan.h"
#include <stdlib.h>
#include "base/clock.h"
#include "kmip/terms.h"

enum {
	CHUNK = 64, /* objects read between two clearings of their memory */
	CHUNK_LEN_MAX = 16 * 1024 * 1024,
	KEPT_LEN_MAX = 16 * 1024 * 1024, /* matches, twice while they grow */
	KEPT_FIRST_CAP = 64,
};

/* Why a search has stopped before its end, where it goes on. */
enum stop { STOP_NONE, STOP_ENOUGH, STOP_LIMIT, STOP_DOUBT };

struct scan {
	struct locate_wish wish;
	enum kmip_version version;
	int64_t now;
	struct cache *cache;
	struct cache_read *read; /* opened and ended on the loop */
	struct arena *chunk, *kept;
	struct cache_find find;
	struct cache_span span;
	struct cache_found last; /* the candidate that was looked at last, or is in doubt */
	bool begun;
	enum stop stop;
	enum err err;
	size_t looked, looked_max, looked_beyond, cap; /* looked_max 0: until deadline_ms */
	uint64_t deadline_ms;
	struct locate_found found;
};

/* ---- one candidate ---- */

static bool is_where(const struct object *object, int32_t storage_mask)
{
	int32_t where = object_attributes_is_archived(object)
				? KMIP_STORAGE_STATUS_MASK_ARCHIVAL_STORAGE
				: KMIP_STORAGE_STATUS_MASK_ON_LINE_STORAGE;

	return (storage_mask & where) != 0;
}

/* Object Group Member (4.9): every member of a group counts. */
static bool is_member(const struct object *object)
{
	struct kmip_value group;

	return object_attributes_stored(object, KMIP_ATTRIBUTE_OBJECT_GROUP, &group);
}

static enum err scan_match(struct scan *scan, const struct object *object, bool *matches)
{
	const struct locate_wish *wish = &scan->wish;
	struct object_attributes seen = {
		.object = object, .arena = scan->chunk, .version = scan->version, .now = scan->now
	};

	*matches = !object->dead && is_where(object, wish->storage_mask) &&
		   (!wish->needs_group || is_member(object)) &&
		   (!wish->needs_fresh || object_attributes_is_fresh(object));
	return *matches ? locate_filters_match(matches, wish->filters, &seen) : ERR_OK;
}

static enum err scan_keep(struct scan *scan, const struct object *object)
{
	struct locate_found *found = &scan->found;

	if (found->kept == LOCATE_MATCHES_MAX)
		return ERR_TOO_LARGE;
	if (found->kept == scan->cap) {
		size_t cap = scan->cap == 0 ? KEPT_FIRST_CAP : 2 * scan->cap;
		struct locate_match *matches = arena_array(scan->kept, cap, sizeof(*matches));

		if (matches == NULL)
			return ERR_NOMEM;
		if (found->kept > 0)
			bytes_copy(matches, found->matches, found->kept * sizeof(*matches));
		found->matches = matches;
		scan->cap = cap;
	}
	found->matches[found->kept++] = (struct locate_match){ .uid = object->uid,
		.is_fresh = object_attributes_is_fresh(object) };
	return ERR_OK;
}

static enum err scan_take(struct scan *scan, const struct object *object)
{
	bool matches;
	enum err err;

	TRY(scan_match(scan, object, &matches));
	if (!matches)
		return ERR_OK;
	if (scan->found.kept < scan->wish.wanted)
		TRY(scan_keep(scan, object));
	scan->found.matched++;
out:
	return err;
}

static bool is_enough(struct scan *scan)
{
	if (scan->found.kept < scan->wish.wanted)
		return false;
	scan->found.is_cut = !scan->wish.counts || ++scan->looked_beyond > LOCATE_COUNTED_MAX;
	return scan->found.is_cut;
}

/* ERR_LIMIT, with the reason in `stop`. */
static enum err scan_judge(struct scan *scan)
{
	if (is_enough(scan))
		scan->stop = STOP_ENOUGH;
	else if (scan->looked_max != 0 && scan->looked >= scan->looked_max)
		scan->stop = STOP_LIMIT;
	if (scan->stop != STOP_NONE)
		return ERR_LIMIT;
	if (scan->looked++ % CHUNK != 0)
		return ERR_OK;
	arena_reset(scan->chunk);
	return scan->looked_max == 0 && clock_boot_ms() > scan->deadline_ms ? ERR_UNAVAILABLE
									    : ERR_OK;
}

static enum err scan_visit(void *ctx, const struct cache_found *found)
{
	struct scan *scan = ctx;
	struct object *object;
	enum err err;

	TRY(scan_judge(scan));
	scan->last = *found;
	err = keystore_peek(scan->read, scan->chunk, &scan->find.instance, &found->uid, &object);
	if (err == ERR_NOT_FOUND)
		return ERR_OK;
	if (err == ERR_AGAIN) {
		scan->stop = STOP_DOUBT;
		return ERR_LIMIT;
	}
	TRY(err);
	if (cache_found_is_current(found, object))
		TRY(scan_take(scan, object));
out:
	return err;
}

/* ---- where to look ---- */

/* What the filters say that the index knows; without any, all there is. */
static enum err plan_find(
	struct scan *scan, struct kmip_item *item, const struct locate_filters *filters)
{
	struct cache_find *find = &scan->find;
	struct cache_any *all =
		arena_array(item->arena, CACHE_FIND_CHOICES_MAX, sizeof(struct cache_any));
	size_t terms = 0;
	bool has;
	enum err err = all == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	*find = (struct cache_find){ .instance = item->identity->instance,
		.all = all,
		.initial = locate_filters_initial(filters, &scan->span),
		.visit = scan_visit,
		.ctx = scan };
	for (size_t i = 0; i < filters->count && find->count < CACHE_FIND_CHOICES_MAX; i++) {
		struct cache_any *any = &all[find->count];

		TRY(terms_of_filter(&has, any, item->arena, &filters->items[i]));
		if (has && terms + any->count <= CACHE_FIND_TERMS_MAX) {
			terms += any->count;
			find->count++;
		}
	}
	if (find->count == 0)
		TRY(terms_of_all(&all[find->count++], item->arena));
out:
	return err;
}

/* ---- its life ---- */

static void scan_free(void *ctx)
{
	struct scan *scan = ctx;

	if (scan == NULL)
		return;
	cache_read_end(scan->read);
	arena_free(scan->chunk);
	arena_free(scan->kept);
	free(scan);
}

static enum err scan_begin(
	struct scan **out, struct kmip_item *item, const struct locate_wish *wish)
{
	struct scan *scan = calloc(1, sizeof(*scan));
	enum err err = scan == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	scan->wish = *wish;
	scan->version = item->version;
	scan->now = item->now;
	scan->cache = keystore_cache(item->options->keystore);
	scan->looked_max = item->streams == NULL ? LOCATE_LOOKED_MAX : LOCATE_LOOKED_KEEPER_MAX;
	TRY(arena_new(&scan->chunk, CHUNK_LEN_MAX));
	TRY(arena_new(&scan->kept, KEPT_LEN_MAX));
	TRY(plan_find(scan, item, wish->filters));
	scan->find.steps_max = LOCATE_STEPS_MAX;
	item->plan_memory = scan;
	item->free_memory = scan_free;
	*out = scan;
	scan = NULL;
out:
	scan_free(scan);
	return err;
}

/* From where it stopped; on the loop, or on the other thread. */
static void scan_run(void *ctx)
{
	struct scan *scan = ctx;

	scan->stop = STOP_NONE;
	scan->find.after = scan->looked > 0 ? &scan->last : NULL;
	scan->err = cache_find(scan->read, &scan->find);
	if (scan->err == ERR_LIMIT) {
		scan->err = ERR_OK;
		if (scan->stop == STOP_NONE)
			scan->stop = STOP_LIMIT; /* the index's steps */
	}
}

static enum err scan_first(struct scan *scan)
{
	enum err err;

	scan->begun = true;
	TRY(cache_read_begin(&scan->read, scan->cache));
	scan_run(scan);
out:
	return err;
}

/* What the cache does not tell, the request may know, since it was fetched for it. */
static enum err settle_doubt(struct scan *scan, struct kmip_item *item)
{
	struct object *object;
	enum err err = item_read(item, &scan->last.uid, &object);

	if (err == ERR_NOT_FOUND || err == ERR_DESTROYED)
		return ERR_OK;
	TRY(err);
	TRY(scan_take(scan, object));
out:
	return err;
}

/* An object that is named is its own candidate. */
static enum err scan_named(
	struct scan *scan, struct kmip_item *item, const struct locate_filter *named)
{
	if (uid_parse(&scan->last.uid, named->value.bytes) != ERR_OK)
		return ERR_OK;
	return settle_doubt(scan, item);
}

/* Nobody waits for the loop meanwhile. */
static void scan_leave_loop(struct scan *scan, struct kmip_item *item)
{
	scan->looked_max = 0;
	scan->find.steps_max = 0;
	scan->deadline_ms = clock_boot_ms() + LOCATE_SECONDS_MAX * 1000ull;
	item->compute = scan_run;
	item->computes_long = true;
}

enum err locate_scan(
	const struct locate_found **out, struct kmip_item *item, const struct locate_wish *wish)
{
	const struct locate_filter *named =
		locate_filters_find(wish->filters, KMIP_ATTRIBUTE_UNIQUE_IDENTIFIER);
	struct scan *scan = item->plan_memory;
	enum err err = ERR_OK;

	if (scan == NULL)
		TRY(scan_begin(&scan, item, wish));
	*out = &scan->found;
	if (named != NULL && named->value.type == KMIP_TYPE_TEXT_STRING)
		return scan_named(scan, item, named);
	if (!scan->begun)
		TRY(scan_first(scan));
	while (scan->err == ERR_OK && scan->stop == STOP_DOUBT) {
		/* Not held while something is fetched. */
		cache_read_end(scan->read);
		scan->read = NULL;
		TRY(settle_doubt(scan, item));
		TRY(cache_read_begin(&scan->read, scan->cache));
		if (scan->looked_max == 0)
			scan->stop = STOP_LIMIT;
		else
			scan_run(scan);
	}
	TRY(scan->err);
	if (scan->stop == STOP_LIMIT) {
		if (scan->read == NULL)
			TRY(cache_read_begin(&scan->read, scan->cache));
		scan_leave_loop(scan, item);
		return ERR_AGAIN;
	}
	cache_read_end(scan->read);
	scan->read = NULL;
out:
	return err;
}
