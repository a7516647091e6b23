/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/holders.h"
#include "kmip/terms.h"

struct search {
	struct kmip_item *item;
	struct slice name, value;
	enum err (*visit)(void *ctx, const struct object *object);
	void *ctx;
};

static bool holds(const struct object *object, struct slice name, struct slice value)
{
	for (size_t i = 0; i < object->attribute_count; i++) {
		const struct object_attribute *attribute = &object->attributes[i];

		if (!attribute->deleted && slice_equal(attribute->name, name) &&
			slice_equal(attribute->value, value))
			return true;
	}
	return false;
}

static enum err search_visit(void *ctx, const struct cache_found *found)
{
	struct search *search = ctx;
	struct object *object;
	enum err err = item_read(search->item, &found->uid, &object);

	if (err == ERR_NOT_FOUND || err == ERR_DESTROYED)
		return ERR_OK;
	TRY(err);
	if (!object->dead && holds(object, search->name, search->value))
		TRY(search->visit(search->ctx, object));
out:
	return err;
}

enum err holders_find(struct kmip_item *item, struct slice name, struct slice value,
	enum err (*visit)(void *ctx, const struct object *object), void *ctx)
{
	struct search search = {
		.item = item, .name = name, .value = value, .visit = visit, .ctx = ctx
	};
	struct cache_any any;
	struct cache_find find = { .all = &any, .count = 1, .visit = search_visit, .ctx = &search };
	bool has;
	enum err err;

	TRY(terms_of_stored(&has, &any, item->arena, name, value));
	ASSERT(has);
	TRY(keystore_find(item->view, &find));
out:
	return err;
}
