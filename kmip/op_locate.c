/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locate (KMIP 1.4, section 4.9): objects that have all the attributes asked for, newest first,
 * members of a group that are asked for as such oldest first, destroyed ones never. The store's
 * index gives candidates in that order; each is read and compared, so that the index makes an
 * answer quick and never another one.
 */
#include "kmip/locate_filter.h"
#include "kmip/operations.h"
#include "kmip/terms.h"

enum {
	LOCATE_MATCHES_MAX = 200000, /* ours: what an answer and its memory can hold */
	LOCATE_CHUNK = 64, /* objects read between two clearings of their memory */
	/* Objects looked at beyond the last one asked for, only to tell how many there are. */
	LOCATE_COUNTED_MAX = 100,
	MATCHES_FIRST_CAP = 64
};

/* Reading many objects: each chunk of them in memory of its own, so that a long list does not fill
 * the request's arena. */
struct scan {
	struct kmip_item *item;
	const struct locate_filters *filters;
	bool needs_group, needs_fresh;
	int32_t storage_mask; /* where to look: on-line, in the archive */
	struct arena *arena;
	struct keystore_view *view;
	size_t looked, looked_beyond;

	size_t wanted; /* matches that are kept, the skipped ones included */
	bool counts; /* those beyond them */
	bool is_cut; /* ended before the last candidate */
	struct uid *matches;
	size_t cap, matched;
};

/* ---- one candidate ---- */

static enum err scan_next_chunk(struct scan *scan)
{
	if (scan->view != NULL)
		keystore_view_rest(scan->view);
	scan->view = NULL;
	arena_reset(scan->arena);
	return keystore_view_new(&scan->view, scan->item->options->keystore, scan->arena,
		&scan->item->identity->instance);
}

/* What a view of its own cannot give, the request's may, since it knows what was fetched. */
static enum err scan_read(struct scan *scan, const struct uid *uid, struct object **out)
{
	enum err err = keystore_read(scan->view, uid, out);

	return err == ERR_AGAIN || err == ERR_MISS ? item_read(scan->item, uid, out) : err;
}

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
	struct object_attributes seen = { .object = object,
		.arena = scan->arena,
		.version = scan->item->version,
		.now = scan->item->now };

	*matches = !object->dead && is_where(object, scan->storage_mask) &&
		   (!scan->needs_group || is_member(object)) &&
		   (!scan->needs_fresh || object_attributes_is_fresh(object));
	return *matches ? locate_filters_match(matches, scan->filters, &seen) : ERR_OK;
}

static enum err scan_keep(struct scan *scan, const struct uid *uid)
{
	if (scan->matched == scan->cap) {
		size_t cap = scan->cap == 0 ? MATCHES_FIRST_CAP : 2 * scan->cap;
		struct uid *matches = arena_array(scan->item->arena, cap, sizeof(*matches));

		if (matches == NULL)
			return ERR_NOMEM;
		if (scan->matched > 0)
			bytes_copy(matches, scan->matches, scan->matched * sizeof(*matches));
		scan->matches = matches;
		scan->cap = cap;
	}
	scan->matches[scan->matched++] = *uid;
	return ERR_OK;
}

/* ERR_LIMIT, with is_cut: no more are needed. */
static enum err scan_count(struct scan *scan, const struct uid *uid)
{
	if (scan->matched < scan->wanted)
		return scan->matched == LOCATE_MATCHES_MAX ? ERR_TOO_LARGE : scan_keep(scan, uid);
	scan->matched++;
	return ERR_OK;
}

static bool scan_is_over(struct scan *scan)
{
	if (scan->matched < scan->wanted)
		return false;
	scan->is_cut = !scan->counts || ++scan->looked_beyond > LOCATE_COUNTED_MAX;
	return scan->is_cut;
}

static enum err scan_visit(void *ctx, const struct cache_found *found)
{
	struct scan *scan = ctx;
	struct object *object;
	bool matches;
	enum err err = ERR_OK;

	if (scan_is_over(scan))
		return ERR_LIMIT;
	if (scan->looked++ % LOCATE_CHUNK == 0)
		TRY(scan_next_chunk(scan));
	err = scan_read(scan, &found->uid, &object);
	if (err == ERR_NOT_FOUND || err == ERR_DESTROYED)
		return ERR_OK;
	TRY(err);
	if (!cache_found_is_current(found, object))
		return ERR_OK;
	TRY(scan_match(scan, object, &matches));
	if (matches)
		TRY(scan_count(scan, &found->uid));
out:
	return err;
}

/* ---- where to look ---- */

static enum err judge_request(struct kmip_item *item, struct locate_filters *filters)
{
	const struct kmip_locate_request *request = item->request;
	struct codec codec = item_codec(item);
	enum err err = ERR_OK;

	codec.flags = CODEC_PARTIAL;
	if (request->items_max.value < 0 || request->offset_items.value < 0)
		TRY(ERR_FIELD);
	TRY(locate_filters_add(
		filters, &codec, request->attributes.items, request->attributes.count));
	if (request->template_attribute == NULL)
		return ERR_OK;
	if (request->template_attribute->names.count > 0)
		TRY(ERR_FIELD);
	TRY(locate_filters_add(filters, &codec, request->template_attribute->attributes.items,
		request->template_attribute->attributes.count));
out:
	return err;
}

/* What the filters say that the index knows; without any, all there is. */
static enum err plan_find(
	struct kmip_item *item, const struct locate_filters *filters, struct cache_find *find)
{
	struct cache_any *all =
		arena_array(item->arena, CACHE_FIND_CHOICES_MAX, sizeof(struct cache_any));
	size_t terms = 0;
	bool has;
	enum err err = all == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	find->all = all;
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

/* An object that is named is its own candidate. */
static enum err find_named(struct scan *scan, const struct locate_filter *named)
{
	struct object *object;
	struct uid uid;
	bool matches;
	enum err err;

	if (uid_parse(&uid, named->value.bytes) != ERR_OK)
		return ERR_OK;
	err = item_read(scan->item, &uid, &object);
	if (err == ERR_NOT_FOUND || err == ERR_DESTROYED)
		return ERR_OK;
	TRY(err);
	TRY(scan_match(scan, object, &matches));
	if (matches)
		TRY(scan_count(scan, &uid));
out:
	return err;
}

static enum err find_all(struct scan *scan)
{
	struct cache_span span;
	struct cache_find find = { .initial = locate_filters_initial(scan->filters, &span),
		.visit = scan_visit,
		.ctx = scan };
	enum err err;

	TRY(plan_find(scan->item, scan->filters, &find));
	err = keystore_find(scan->item->view, &find);
	if (err == ERR_LIMIT && scan->is_cut)
		err = ERR_OK;
out:
	return err;
}

static enum err find(struct scan *scan)
{
	const struct locate_filter *named =
		locate_filters_find(scan->filters, KMIP_ATTRIBUTE_UNIQUE_IDENTIFIER);
	enum err err;

	TRY(arena_new(&scan->arena, KMIP_ARENA_LEN_MAX));
	if (named != NULL && named->value.type == KMIP_TYPE_TEXT_STRING) {
		TRY(scan_next_chunk(scan));
		err = find_named(scan, named);
	} else {
		err = find_all(scan);
	}
out:
	if (scan->view != NULL)
		keystore_view_rest(scan->view);
	arena_free(scan->arena);
	return err;
}

/* ---- the answer ---- */

static enum err answer(struct kmip_item *item, const struct scan *found)
{
	const struct kmip_locate_request *request = item->request;
	struct kmip_locate_response *response = item->response;
	size_t first = (size_t) request->offset_items.value;
	size_t kept = found->matched < found->wanted ? found->matched : found->wanted;
	size_t count = kept > first ? kept - first : 0;
	char *texts = arena_array(item->arena, count, UUID_TEXT_LEN + 1);

	response->unique_identifiers.items = arena_array(item->arena, count, sizeof(struct slice));
	if (texts == NULL || response->unique_identifiers.items == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < count; i++, texts += UUID_TEXT_LEN + 1) {
		uid_text(texts, &found->matches[first + i]);
		response->unique_identifiers.items[i] = slice_of(texts, UUID_TEXT_LEN);
	}
	response->unique_identifiers.count = count;
	/* Left out where telling would take longer than finding. */
	if (!found->is_cut)
		response->located_items = KMIP_INT((int32_t) found->matched);
	/* The ID Placeholder takes a single answer; several, or none, empty it. */
	item->placeholder.has = count == 1 && (found->matched == 1 || request->items_max.has);
	if (item->placeholder.has)
		item->placeholder.uid = found->matches[first];
	return ERR_OK;
}

static size_t wanted_of(const struct kmip_locate_request *request)
{
	if (!request->items_max.has)
		return SIZE_MAX;
	return (size_t) request->offset_items.value + (size_t) request->items_max.value;
}

/* Members of a group are drawn in the order in which they were made, as from a queue. */
static void uids_reverse(struct uid *uids, size_t count)
{
	for (size_t i = 0; i < count / 2; i++) {
		struct uid last = uids[count - 1 - i];

		uids[count - 1 - i] = uids[i];
		uids[i] = last;
	}
}

enum err op_locate_plan(struct kmip_item *item)
{
	const struct kmip_locate_request *request = item->request;
	struct locate_filters *filters = ARENA_NEW(item->arena, struct locate_filters);
	struct scan scan = { .item = item,
		.filters = filters,
		.storage_mask = KMIP_STORAGE_STATUS_MASK_ON_LINE_STORAGE,
		.needs_group = request->object_group_member.has,
		.needs_fresh = request->object_group_member.value ==
			       KMIP_OBJECT_GROUP_MEMBER_GROUP_MEMBER_FRESH,
		.wanted = SIZE_MAX,
		.counts = item->version >= KMIP_1_3 };
	enum err err = filters == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	TRY(judge_request(item, filters));
	if (request->storage_status_mask.has)
		scan.storage_mask = request->storage_status_mask.value;
	if (!scan.needs_group)
		scan.wanted = wanted_of(request);
	TRY(find(&scan));
	if (scan.needs_group) {
		uids_reverse(scan.matches, scan.matched);
		scan.wanted = wanted_of(request);
	}
	TRY(answer(item, &scan));
out:
	return err;
}
