/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/giving.h"
#include "keystore/given.h"
#include "kmip/asymmetric.h"
#include "kmip/changing.h"
#include "kmip/object_attributes.h"
#include "kmip/packing.h"
#include "kmip/stored.h"
#include "kmip/using.h"
#include "kmip/wrapping.h"

/* What is asked for beyond the plain key. */
static enum err judge_giving(const struct giving *giving)
{
	if (giving->key_wrap_type.has &&
		giving->key_wrap_type.value != KMIP_KEY_WRAP_TYPE_NOT_WRAPPED &&
		giving->key_wrap_type.value != KMIP_KEY_WRAP_TYPE_AS_REGISTERED)
		return ERR_FEATURE;
	return ERR_OK;
}

/* 3.48, 3.50: a sensitive key leaves only wrapped, one that is not extractable never. */
static enum err judge_secrecy(const struct object *object, bool is_wrapped)
{
	struct kmip_value value;

	if (!is_wrapped && object_attributes_stored(object, KMIP_ATTRIBUTE_SENSITIVE, &value) &&
		value.boolean)
		return ERR_SENSITIVE;
	if (object_attributes_stored(object, KMIP_ATTRIBUTE_EXTRACTABLE, &value) && !value.boolean)
		return ERR_NOT_EXTRACTABLE;
	return ERR_OK;
}

struct conversion {
	uint32_t format;
	struct kmip_uint compression;
};

static enum err convert_asymmetric(struct kmip_item *item, uint32_t type,
	struct kmip_key_block *block, const struct conversion *to)
{
	struct asymmetric_form form = { .object_type = type, .format = to->format };
	struct pkey *key = NULL;
	enum err err;

	TRY(asymmetric_open(&key, type, block));
	TRY(asymmetric_compress(key, type, to->compression.value));
	TRY(asymmetric_write(item, block, key, &form));
	block->compression = to->compression;
out:
	pkey_free(key);
	return err == ERR_INVALID || err == ERR_FEATURE ? ERR_KEY_FORMAT : err;
}

/* A secret's bytes have two names (9.1.3.2.3). */
static bool is_other_name(uint32_t type, const struct kmip_key_block *block, uint32_t format)
{
	uint32_t from = block->format.value;

	return type == KMIP_OBJECT_TYPE_SECRET_DATA && block->value->material.data != NULL &&
	       (from == KMIP_KEY_FORMAT_TYPE_RAW || from == KMIP_KEY_FORMAT_TYPE_OPAQUE) &&
	       (format == KMIP_KEY_FORMAT_TYPE_RAW || format == KMIP_KEY_FORMAT_TYPE_OPAQUE);
}

/* A plain symmetric key can be had in either of its two forms, an asymmetric one in all of its. */
static enum err convert(struct kmip_item *item, uint32_t type, struct kmip_key_block *block,
	const struct conversion *to)
{
	struct kmip_key_value *value = block->value;
	uint32_t format = to->format;

	if (format == block->format.value && !to->compression.has)
		return ERR_OK;
	/* 9.1.3.2.2: only points of curves are compressed. */
	if (to->compression.has && type != KMIP_OBJECT_TYPE_PUBLIC_KEY)
		return ERR_KEY_COMPRESSION;
	if (value == NULL || block->wrapping_data != NULL)
		return ERR_KEY_FORMAT;
	if ((KMIP_TO(type) & KMIP_TO_ASYMMETRIC) != 0)
		return convert_asymmetric(item, type, block, to);
	if (format == KMIP_KEY_FORMAT_TYPE_RAW && value->transparent != NULL &&
		value->transparent->key.data != NULL) {
		*value = (struct kmip_key_value){ .material = value->transparent->key };
	} else if (format == KMIP_KEY_FORMAT_TYPE_TRANSPARENT_SYMMETRIC_KEY &&
		   block->format.value == KMIP_KEY_FORMAT_TYPE_RAW) {
		struct kmip_transparent_key *transparent =
			ARENA_NEW(item->arena, struct kmip_transparent_key);

		if (transparent == NULL)
			return ERR_NOMEM;
		transparent->key = value->material;
		*value = (struct kmip_key_value){ .transparent = transparent };
	} else if (!is_other_name(type, block, format)) {
		return ERR_KEY_FORMAT;
	}
	block->format = KMIP_UINT(format);
	return ERR_OK;
}

/* What is no key has one form, which may have a name. */
static bool is_own_format(const struct kmip_object *object, uint32_t format)
{
	if (object->certificate != NULL)
		return format == KMIP_KEY_FORMAT_TYPE_X_509 &&
		       object->certificate->type.value == KMIP_CERTIFICATE_TYPE_X_509;
	return object->opaque_object != NULL && format == KMIP_KEY_FORMAT_TYPE_OPAQUE;
}

static enum err convert_as_asked(struct kmip_item *item, const struct object *object,
	struct kmip_object *out, const struct giving *giving)
{
	struct kmip_key_block *block = kmip_object_key_block(out);
	struct conversion to = { .compression = giving->key_compression };

	if (!giving->key_format.has && !giving->key_compression.has)
		return ERR_OK;
	if (block == NULL && giving->key_compression.has)
		return ERR_KEY_COMPRESSION;
	if (block == NULL)
		return is_own_format(out, giving->key_format.value) ? ERR_OK : ERR_KEY_FORMAT;
	to.format = giving->key_format.has ? giving->key_format.value : block->format.value;
	/* A wrapped Key Value would be wrapped anew: it is no structure any more. */
	if (to.format == KMIP_KEY_FORMAT_TYPE_PKCS_12 && block->format.value != to.format &&
		block->wrapping_data == NULL && giving->wrapping == NULL)
		return packing_write(item, object, block);
	return convert(item, object->type, block, &to);
}

enum err giving_fill(struct kmip_item *item, struct kmip_object *out, const struct object *object,
	const struct giving *giving)
{
	struct kmip_key_block *block;
	bool is_wrapped;
	enum err err;

	item->plan_result = NULL;
	TRY(judge_giving(giving));
	TRY(object->dead || !object->has_material ? ERR_ILLEGAL : ERR_OK);
	TRY(stored_read(item, object, out));
	block = kmip_object_key_block(out);
	is_wrapped = block != NULL && block->wrapping_data != NULL &&
		     giving->key_wrap_type.value != KMIP_KEY_WRAP_TYPE_NOT_WRAPPED;
	TRY(judge_secrecy(object,
		is_wrapped || (giving->wrapping != NULL && wrapping_hides(giving->wrapping))));
	if (block != NULL && block->wrapping_data != NULL && !is_wrapped) {
		TRY(wrapping_remove(item, block));
		block->value->attributes.count = 0; /* nobody asked for them */
	}
	TRY(convert_as_asked(item, object, out, giving));
	if (giving->wrapping != NULL) {
		struct wrapping *wrapping = ARENA_NEW(item->arena, struct wrapping);

		TRY(wrapping == NULL ? ERR_NOMEM : ERR_OK);
		TRY(block == NULL ? ERR_ILLEGAL : ERR_OK);
		wrapping->specification = giving->wrapping;
		wrapping->object = object;
		TRY(wrapping_apply(item, block, wrapping));
		item->plan_result = wrapping;
	}
out:
	return err;
}

static bool is_member(const struct object *object)
{
	const char *group = kmip_attribute_row(KMIP_ATTRIBUTE_OBJECT_GROUP)->name;

	return object_attribute_find(object, slice_text(group), 0) != NULL;
}

/* Of others nobody asks who had it first: neither the key manager nor the answer need know. */
static enum err mark_in_passing(struct kmip_item *item)
{
	struct object_edit *edit = ARENA_NEW(item->arena, struct object_edit);

	if (edit == NULL)
		return ERR_NOMEM;
	*edit = given_edit();
	item->change = (struct object_change){ .edits = edit, .edit_count = 1 };
	item->effect = KMIP_EFFECT_CHANGE;
	item->check = changing_is_alive;
	item->in_passing = true;
	return ERR_OK;
}

/* A member of a group is handed out once as a fresh one (3.34). */
static enum err mark_member(struct kmip_item *item, const struct object *object)
{
	struct attribute_edits edits = changing_edits(item, object);
	struct kmip_value no = kmip_value_boolean(false);
	enum err err;

	TRY(attribute_rules_set(&edits, KMIP_ATTRIBUTE_FRESH, &no));
	TRY(changing_effect(item, &edits, changing_is_alive));
out:
	return err;
}

static enum err mark(struct kmip_item *item, const struct object *object)
{
	if (item->passes_by || !object_attributes_apply(object, KMIP_ATTRIBUTE_FRESH) ||
		!object_attributes_is_fresh(object))
		return ERR_OK;
	return is_member(object) ? mark_member(item, object) : mark_in_passing(item);
}

/* To wrap a key is to protect it (3.21). */
static enum err charge(struct kmip_item *item, const struct wrapping *wrapping)
{
	enum err err;

	item_no_effect(item);
	TRY(using_charge(item, wrapping->key, wrapping->bytes));
	if (item->effect != KMIP_EFFECT_NONE)
		item->target = (struct kmip_placeholder){ .has = true, .uid = wrapping->key->uid };
out:
	return err;
}

enum err giving_end(struct kmip_item *item, const struct object *object)
{
	const struct wrapping *wrapping = item->plan_result;
	enum err err = ERR_OK;

	/* Where nothing is left to be used nothing is marked. */
	if (wrapping != NULL)
		TRY(charge(item, wrapping));
	item_no_effect(item);
	TRY(mark(item, object));
	if (item->effect != KMIP_EFFECT_NONE || wrapping == NULL)
		return ERR_OK;
	item->plan_result = NULL;
	TRY(charge(item, wrapping));
out:
	return err;
}

enum err giving_finish(struct kmip_item *item)
{
	const struct wrapping *wrapping = item->plan_result;

	item->plan_result = NULL;
	return wrapping == NULL ? ERR_OK : charge(item, wrapping);
}
