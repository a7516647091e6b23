/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/item.h"
#include "kmip/object_attributes.h"

/* What the store calls a miss needs the same remedy here: a fetch. */
static enum err item_need(
	struct kmip_item *item, const struct uid *uid, bool material, enum err err)
{
	if (err != ERR_AGAIN && err != ERR_MISS)
		return err;
	for (size_t i = 0; i < item->failure_count; i++) {
		if (uid_equal(&item->failures[i].uid, uid))
			return item->failures[i].err;
	}
	item->needed = *uid;
	item->needs_material = material;
	return ERR_AGAIN;
}

enum err item_read(struct kmip_item *item, const struct uid *uid, struct object **out)
{
	return item_need(item, uid, false, keystore_read(item->view, uid, out));
}

enum err item_metadata(struct kmip_item *item, struct slice uid, struct object **out)
{
	struct kmip_placeholder named = item->placeholder;

	if (uid.data != NULL)
		named.has = uid_parse(&named.uid, uid) == ERR_OK;
	if (!named.has)
		return ERR_NOT_FOUND;
	item->subject = named;
	return item_read(item, &named.uid, out);
}

enum err item_object(struct kmip_item *item, struct slice uid, struct object **out)
{
	enum err err;

	TRY(item_metadata(item, uid, out));
	if (object_attributes_is_archived(*out))
		err = ERR_ARCHIVED;
out:
	return err;
}

enum err item_check(void *ctx, const struct object *object)
{
	struct kmip_item *item = ctx;

	if (!item->archived_too && object_attributes_is_archived(object))
		return ERR_ARCHIVED;
	return item->check(item, object);
}

enum err item_material(struct kmip_item *item, const struct object *object, struct slice *out)
{
	enum err err = keystore_read_material(item->view, object, out);

	return item_need(item, &object->uid, true, err);
}

enum err item_uid_text(struct kmip_item *item, struct slice *out)
{
	char *text = arena_alloc(item->arena, UUID_TEXT_LEN + 1);

	if (text == NULL)
		return ERR_NOMEM;
	ASSERT(item->subject.has);
	uid_text(text, &item->subject.uid);
	*out = slice_of(text, UUID_TEXT_LEN);
	return ERR_OK;
}

void item_no_effect(struct kmip_item *item)
{
	item->effect = KMIP_EFFECT_NONE;
	item->target.has = false;
	item->create = (struct keystore_create){ 0 };
	item->change = (struct object_change){ .now = item->now };
	item->durable = false;
	item->in_passing = false;
	item->archived_too = false;
	item->settles = false;
	item->check = NULL;
}

struct codec item_codec(const struct kmip_item *item)
{
	return (struct codec){ .arena = item->arena, .version = item->version };
}
