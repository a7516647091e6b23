/* SPDX-License-Identifier: Apache-2.0 */
/* Get Attributes (KMIP 1.4, section 4.12). Names that are unknown or have no value are passed over;
 * of a destroyed object the attributes are still there. */
#include "kmip/object_attributes.h"
#include "kmip/operations.h"

static enum err judge_names(const struct kmip_slices *names)
{
	for (size_t i = 0; i < names->count; i++) {
		for (size_t j = 0; j < i; j++) {
			if (slice_equal(names->items[i], names->items[j]))
				return ERR_MESSAGE;
		}
	}
	return ERR_OK;
}

static enum err collect(struct object_attributes *list, const struct kmip_slices *names)
{
	enum err err = ERR_OK;

	if (names->count == 0)
		return object_attributes_collect_all(list);
	for (size_t i = 0; i < names->count; i++) {
		const struct kmip_attribute_row *row = kmip_attribute_find(names->items[i]);

		if (row != NULL)
			TRY(object_attributes_collect(list, row, names->items[i]));
	}
out:
	return err;
}

enum err op_get_attributes_plan(struct kmip_item *item)
{
	enum {
		NAMES_MAX = 512
	}; /* each is compared with each; there are not that many attributes */
	const struct kmip_get_attributes_request *request = item->request;
	struct kmip_get_attributes_response *response = item->response;
	struct object_attributes list = {
		.arena = item->arena, .version = item->version, .now = item->now
	};
	struct object *object;
	enum err err = ERR_OK;

	if (request->attribute_names.count > NAMES_MAX)
		TRY(ERR_FIELD);
	TRY(judge_names(&request->attribute_names));
	TRY(item_metadata(item, request->unique_identifier, &object));
	list.object = object;
	TRY(collect(&list, &request->attribute_names));
	response->attributes.items = list.items;
	response->attributes.count = list.count;
	TRY(item_uid_text(item, &response->unique_identifier));
out:
	return err;
}
