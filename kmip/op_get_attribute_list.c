/* SPDX-License-Identifier: Apache-2.0 */
/* Get Attribute List (KMIP 1.4, section 4.13): each name once. */
#include "kmip/object_attributes.h"
#include "kmip/operations.h"

/* Instances of one attribute are neighbours: stored ones are sorted by name. */
static void fill_names(struct kmip_slices *names, const struct object_attributes *list)
{
	for (size_t i = 0; i < list->count; i++) {
		if (i == 0 || !slice_equal(list->items[i].name, list->items[i - 1].name))
			names->items[names->count++] = list->items[i].name;
	}
}

enum err op_get_attribute_list_plan(struct kmip_item *item)
{
	const struct kmip_get_attribute_list_request *request = item->request;
	struct kmip_get_attribute_list_response *response = item->response;
	struct object_attributes list = {
		.arena = item->arena, .version = item->version, .now = item->now
	};
	struct object *object;
	enum err err;

	TRY(item_metadata(item, request->unique_identifier, &object));
	list.object = object;
	TRY(object_attributes_collect_all(&list));
	response->attribute_names.items =
		arena_array(item->arena, list.count, sizeof(struct slice));
	TRY(response->attribute_names.items == NULL ? ERR_NOMEM : ERR_OK);
	fill_names(&response->attribute_names, &list);
	TRY(item_uid_text(item, &response->unique_identifier));
out:
	return err;
}
