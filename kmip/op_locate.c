/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locate (KMIP 1.4, section 4.9): objects that have all the attributes asked for, newest first,
 * destroyed ones never. One attribute is looked up in the store's index where that helps; the
 * others are compared object by object.
 */
#include <stdlib.h>
#include "kmip/locate_filter.h"
#include "kmip/operations.h"

enum {
	LOCATE_CANDIDATES_MAX = 200000, /* ours: 6 MB of candidates */
	LOCATE_CHUNK = 64, /* objects read between two clearings of their memory */
	CANDIDATES_FIRST_CAP = 64
};

struct candidate {
	struct uid uid;
	int64_t initial_date;
	uint64_t made; /* a stamp's time: tells apart what was made within one second */
};

struct candidates {
	struct arena *arena;
	struct candidate *items;
	size_t count, cap;
};

static enum err candidates_add(void *ctx, const struct uid *uid)
{
	struct candidates *candidates = ctx;

	if (candidates->count == LOCATE_CANDIDATES_MAX)
		return ERR_UNAVAILABLE;
	if (candidates->count == candidates->cap) {
		size_t cap = candidates->cap == 0 ? CANDIDATES_FIRST_CAP : 2 * candidates->cap;
		struct candidate *items =
			arena_array(candidates->arena, cap, sizeof(struct candidate));

		if (items == NULL)
			return ERR_NOMEM;
		if (candidates->count > 0)
			bytes_copy(items, candidates->items,
				candidates->count * sizeof(struct candidate));
		candidates->items = items;
		candidates->cap = cap;
	}
	candidates->items[candidates->count++].uid = *uid;
	return ERR_OK;
}

/* Reading many objects: each chunk of them in memory of its own, so that a long list does not fill
 * the request's arena. */
struct scan {
	struct kmip_item *item;
	const struct locate_filters *filters;
	bool needs_group, needs_fresh;
	int32_t storage_mask; /* where to look: on-line, in the archive */
	struct arena *arena;
	struct keystore_view *view;
};

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

/* Object Group Member (4.9): every member of a group counts. */
static bool is_member(const struct object *object)
{
	struct kmip_value group;

	return object_attributes_stored(object, KMIP_ATTRIBUTE_OBJECT_GROUP, &group);
}

static bool is_where(const struct object *object, int32_t storage_mask)
{
	int32_t where = object_attributes_is_archived(object)
				? KMIP_STORAGE_STATUS_MASK_ARCHIVAL_STORAGE
				: KMIP_STORAGE_STATUS_MASK_ON_LINE_STORAGE;

	return (storage_mask & where) != 0;
}

/* The Digest is written with the object and never again. */
static uint64_t made_at(const struct object *object)
{
	const char *digest = kmip_attribute_row(KMIP_ATTRIBUTE_DIGEST)->name;
	const struct object_attribute *attribute =
		object_attribute_find(object, slice_text(digest), 0);

	return attribute != NULL ? attribute->added.time : 0;
}

static enum err scan_match(struct scan *scan, struct candidate *candidate, bool *matches)
{
	struct object_attributes seen = {
		.arena = scan->arena, .version = scan->item->version, .now = scan->item->now
	};
	struct object *object;
	enum err err;

	*matches = false;
	err = scan_read(scan, &candidate->uid, &object);
	if (err == ERR_NOT_FOUND || err == ERR_DESTROYED)
		return ERR_OK;
	TRY(err);
	if (object->dead || (scan->needs_group && !is_member(object)))
		return ERR_OK;
	if (!is_where(object, scan->storage_mask))
		return ERR_OK;
	if (scan->needs_fresh && !object_attributes_is_fresh(object))
		return ERR_OK;
	seen.object = object;
	candidate->initial_date = object->dates[OBJECT_DATE_INITIAL];
	candidate->made = made_at(object);
	TRY(locate_filters_match(matches, scan->filters, &seen));
out:
	return err;
}

/* Keeps the candidates that match. */
static enum err scan_run(struct scan *scan, struct candidates *candidates)
{
	enum err err;
	size_t kept = 0;

	TRY(arena_new(&scan->arena, KMIP_ARENA_LEN_MAX));
	for (size_t i = 0; i < candidates->count; i++) {
		bool matches;

		if (i % LOCATE_CHUNK == 0)
			TRY(scan_next_chunk(scan));
		TRY(scan_match(scan, &candidates->items[i], &matches));
		if (matches)
			candidates->items[kept++] = candidates->items[i];
	}
	candidates->count = kept;
out:
	if (scan->view != NULL)
		keystore_view_rest(scan->view);
	arena_free(scan->arena);
	return err;
}

/* The identifier breaks ties, so that paging sees the same order each time. */
static int candidate_compare(const void *a, const void *b)
{
	const struct candidate *left = a;
	const struct candidate *right = b;

	if (left->initial_date != right->initial_date)
		return left->initial_date > right->initial_date ? -1 : 1;
	if (left->made != right->made)
		return left->made > right->made ? -1 : 1;
	return slice_compare(slice_of(left->uid.bytes, sizeof(left->uid.bytes)),
		slice_of(right->uid.bytes, sizeof(right->uid.bytes)));
}

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

static enum err find(
	struct kmip_item *item, const struct locate_filters *filters, struct candidates *candidates)
{
	const struct kmip_locate_request *request = item->request;
	const struct locate_filter *indexed = locate_filters_index(filters);
	struct scan scan = { .item = item,
		.filters = filters,
		.storage_mask = KMIP_STORAGE_STATUS_MASK_ON_LINE_STORAGE,
		.needs_group = request->object_group_member.has,
		.needs_fresh = request->object_group_member.value ==
			       KMIP_OBJECT_GROUP_MEMBER_GROUP_MEMBER_FRESH };
	enum err err = ERR_OK;

	if (request->storage_status_mask.has)
		scan.storage_mask = request->storage_status_mask.value;
	TRY(keystore_find(item->view, indexed != NULL ? indexed->name : SLICE_EMPTY,
		indexed != NULL ? indexed->encoded : SLICE_EMPTY, candidates_add, candidates));
	TRY(scan_run(&scan, candidates));
	if (candidates->count > 1)
		qsort(candidates->items, candidates->count, sizeof(struct candidate),
			candidate_compare);
out:
	return err;
}

static enum err answer(struct kmip_item *item, const struct candidates *found)
{
	const struct kmip_locate_request *request = item->request;
	struct kmip_locate_response *response = item->response;
	size_t first = (size_t) request->offset_items.value;
	size_t count = found->count > first ? found->count - first : 0;
	char *texts;

	if (request->items_max.has && count > (size_t) request->items_max.value)
		count = (size_t) request->items_max.value;
	texts = arena_array(item->arena, count, UUID_TEXT_LEN + 1);
	response->unique_identifiers.items = arena_array(item->arena, count, sizeof(struct slice));
	if (texts == NULL || response->unique_identifiers.items == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < count; i++, texts += UUID_TEXT_LEN + 1) {
		uid_text(texts, &found->items[first + i].uid);
		response->unique_identifiers.items[i] = slice_of(texts, UUID_TEXT_LEN);
	}
	response->unique_identifiers.count = count;
	response->located_items = KMIP_INT((int32_t) found->count);
	/* The ID Placeholder takes a single answer; several, or none, empty it. */
	item->placeholder.has = count == 1 && (found->count == 1 || request->items_max.has);
	if (item->placeholder.has)
		item->placeholder.uid = found->items[first].uid;
	return ERR_OK;
}

enum err op_locate_plan(struct kmip_item *item)
{
	struct locate_filters *filters = ARENA_NEW(item->arena, struct locate_filters);
	struct candidates candidates = { .arena = item->arena };
	enum err err = filters == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	TRY(judge_request(item, filters));
	TRY(find(item, filters, &candidates));
	TRY(answer(item, &candidates));
out:
	return err;
}
