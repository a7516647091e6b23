/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locate (KMIP 1.4, section 4.9): objects that have all the attributes asked for, newest first,
 * members of a group that are asked for as such oldest first, and the default ones after those that
 * are still fresh; destroyed ones never. How they are found is in locate_scan.
 */
#include "kmip/locate_scan.h"
#include "kmip/operations.h"

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

/* ---- the answer ---- */

/* What of the matches was asked for. */
static size_t wanted_of(const struct kmip_locate_request *request)
{
	if (!request->items_max.has)
		return SIZE_MAX;
	return (size_t) request->offset_items.value + (size_t) request->items_max.value;
}

static enum err answer(struct kmip_item *item, const struct locate_found *found)
{
	const struct kmip_locate_request *request = item->request;
	struct kmip_locate_response *response = item->response;
	size_t first = (size_t) request->offset_items.value, wanted = wanted_of(request);
	size_t kept = found->kept < wanted ? found->kept : wanted;
	size_t count = kept > first ? kept - first : 0;
	char *texts = arena_array(item->arena, count, UUID_TEXT_LEN + 1);

	response->unique_identifiers.items = arena_array(item->arena, count, sizeof(struct slice));
	if (texts == NULL || response->unique_identifiers.items == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < count; i++, texts += UUID_TEXT_LEN + 1) {
		uid_text(texts, &found->matches[first + i].uid);
		response->unique_identifiers.items[i] = slice_of(texts, UUID_TEXT_LEN);
	}
	response->unique_identifiers.count = count;
	/* Left out where telling would take longer than finding. */
	if (!found->is_cut)
		response->located_items = KMIP_INT((int32_t) found->matched);
	/* The ID Placeholder takes what is the only match, or the only one that may be told;
	 * several, or none, empty it. */
	item->placeholder.has =
		count == 1 && (found->matched == 1 || request->items_max.value == 1);
	if (item->placeholder.has)
		item->placeholder.uid = found->matches[first].uid;
	return ERR_OK;
}

/*
 * Members of a group are drawn in the order in which they were made, as from a queue: the default
 * one is the oldest that nobody was given yet, else the oldest (4.9 leaves that to the server).
 */
static enum err order_members(struct kmip_item *item, const struct locate_found *found)
{
	struct locate_match *drawn =
		arena_array(item->arena, found->kept, sizeof(struct locate_match));
	size_t count = 0;

	if (drawn == NULL)
		return ERR_NOMEM;
	for (int served = 0; served <= 1; served++) {
		for (size_t i = found->kept; i-- > 0;) {
			if (found->matches[i].is_fresh == (served == 0))
				drawn[count++] = found->matches[i];
		}
	}
	for (size_t i = 0; i < count; i++)
		found->matches[i] = drawn[i];
	return ERR_OK;
}

enum err op_locate_plan(struct kmip_item *item)
{
	const struct kmip_locate_request *request = item->request;
	struct locate_filters *filters = ARENA_NEW(item->arena, struct locate_filters);
	struct locate_wish wish = { .filters = filters,
		.storage_mask = KMIP_STORAGE_STATUS_MASK_ON_LINE_STORAGE,
		.needs_group = request->object_group_member.has,
		.needs_fresh = request->object_group_member.value ==
			       KMIP_OBJECT_GROUP_MEMBER_GROUP_MEMBER_FRESH,
		.counts = item->version >= KMIP_1_3 };
	const struct locate_found *found;
	enum err err = filters == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	TRY(judge_request(item, filters));
	if (request->storage_status_mask.has)
		wish.storage_mask = request->storage_status_mask.value;
	wish.wanted = wish.needs_group ? SIZE_MAX : wanted_of(request);
	TRY(locate_scan(&found, item, &wish));
	if (wish.needs_group)
		TRY(order_members(item, found));
	TRY(answer(item, found));
out:
	return err;
}
