/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/making.h"
#include "base/crypt.h"
#include "base/rand.h"
#include "kmip/holders.h"
#include "kmip/policing.h"
#include "kmip/stored.h"
#include "kmip/unique_name.h"

struct attribute_edits making_edits(const struct kmip_item *item, uint32_t object_type)
{
	return (struct attribute_edits){ .arena = item->arena,
		.version = item->version,
		.now = item->now,
		.object_type = object_type };
}

struct kmip_rng_parameters making_generator(void)
{
	enum { KEY_BITS = 256 };

	return (struct kmip_rng_parameters){
		.rng_algorithm = KMIP_UINT(KMIP_RNG_ALGORITHM_DRBG),
		.cryptographic_algorithm = KMIP_UINT(KMIP_CRYPTOGRAPHIC_ALGORITHM_AES),
		.cryptographic_length_bits = KMIP_INT(KEY_BITS),
		.drbg_algorithm = KMIP_UINT(KMIP_DRBG_ALGORITHM_CTR),
	};
}

/* ---- templates ---- */

static enum err template_visit(void *ctx, const struct object *object)
{
	const struct object **found = ctx;

	if (object->type == KMIP_OBJECT_TYPE_TEMPLATE)
		*found = object;
	return ERR_OK;
}

/* The attributes of the template of that name; ERR_NOT_FOUND. */
static enum err template_read(
	struct kmip_item *item, const struct kmip_name *name, const struct kmip_template **out)
{
	const char *attribute = kmip_attribute_row(KMIP_ATTRIBUTE_NAME)->name;
	const struct object *found = NULL;
	struct kmip_object object;
	struct kmip_value value;
	struct slice stored;
	enum err err;

	TRY(kmip_value_write(&value, item->arena, &kmip_name_table, name));
	TRY(kmip_value_encode(&stored, item->arena, &value));
	TRY(holders_find(item, slice_text(attribute), stored, template_visit, &found));
	TRY(found == NULL ? ERR_NOT_FOUND : ERR_OK);
	if (object_attributes_is_archived(found))
		TRY(ERR_ARCHIVED);
	TRY(stored_read(item, found, &object));
	*out = object.template;
out:
	return err;
}

static bool is_name(const struct kmip_attribute *attribute)
{
	return slice_equal_text(attribute->name, kmip_attribute_row(KMIP_ATTRIBUTE_NAME)->name);
}

enum err making_template(struct attribute_edits *edits, const struct kmip_template *template)
{
	enum err err = attribute_rules_template(
		edits, template->attributes.items, template->attributes.count);

	TRY(err);
	for (size_t i = 0; i < template->attributes.count; i++) {
		if (!is_name(&template->attributes.items[i]))
			continue;
		TRY(edits->version > KMIP_1_0 ? ERR_FIELD : ERR_OK);
		TRY(attribute_rules_make(edits, &template->attributes.items[i], 1));
	}
out:
	return err;
}

static bool has_value(const struct attribute_edits *edits, struct slice name, struct slice value)
{
	for (size_t i = 0; i < edits->count; i++) {
		if (slice_equal(edits->items[i].name, name) &&
			slice_equal(edits->items[i].value, value))
			return true;
	}
	return false;
}

/* Besides what is there: of what has one instance that stays; the instances of others unite, and
 * none is there twice (4.2). */
static enum err make_besides(struct attribute_edits *edits, const struct kmip_attribute *attribute)
{
	const struct kmip_attribute_row *row = kmip_attribute_find(attribute->name);
	struct slice value;
	enum err err = ERR_OK;

	if (row != NULL && row->instances == KMIP_ONE) {
		if (attribute_rules_has(edits, attribute->name))
			return ERR_OK;
	} else {
		TRY(kmip_value_encode(&value, edits->arena, &attribute->value));
		if (has_value(edits, attribute->name, value))
			return ERR_OK;
	}
	TRY(attribute_rules_make(edits, attribute, 1));
out:
	return err;
}

static bool is_given(const struct kmip_template *template, struct slice name)
{
	for (size_t i = 0; i < template->attributes.count; i++) {
		if (slice_equal(template->attributes.items[i].name, name))
			return true;
	}
	return false;
}

/* Of templates the last that gives what has one instance wins (4.2). */
static bool is_overruled(const struct kmip_template *const *later, size_t count, struct slice name)
{
	const struct kmip_attribute_row *row = kmip_attribute_find(name);

	if (row == NULL || row->instances != KMIP_ONE)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (is_given(later[i], name))
			return true;
	}
	return false;
}

/* What was given beside templates wins over theirs. Their names are their own (2.2.6). */
static enum err apply_templates(struct kmip_item *item, struct attribute_edits *edits,
	const struct kmip_template_attribute *given)
{
	const struct kmip_template *templates[MAKING_TEMPLATES_MAX];
	size_t count = given->names.count;
	enum err err = count > MAKING_TEMPLATES_MAX ? ERR_FIELD : ERR_OK;

	TRY(err);
	for (size_t i = 0; i < count; i++)
		TRY(template_read(item, &given->names.items[i], &templates[i]));
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < templates[i]->attributes.count; j++) {
			const struct kmip_attribute *one = &templates[i]->attributes.items[j];

			if (!is_name(one) &&
				!is_overruled(&templates[i + 1], count - i - 1, one->name))
				TRY(make_besides(edits, one));
		}
	}
out:
	return err;
}

enum err making_attributes(struct kmip_item *item, struct attribute_edits *edits,
	const struct kmip_template_attribute *given)
{
	enum err err;

	TRY(attribute_rules_make(edits, given->attributes.items, given->attributes.count));
	TRY(apply_templates(item, edits, given));
out:
	return err;
}

enum err making_more_attributes(struct kmip_item *item, struct attribute_edits *edits,
	const struct kmip_template_attribute *given)
{
	enum err err = ERR_OK;

	for (size_t i = 0; i < given->attributes.count; i++)
		TRY(make_besides(edits, &given->attributes.items[i]));
	TRY(apply_templates(item, edits, given));
out:
	return err;
}

enum err making_joint_attributes(struct kmip_item *item, struct attribute_edits *edits,
	const struct kmip_template_attribute *own, const struct kmip_template_attribute *common)
{
	enum err err = ERR_OK;

	if (own != NULL)
		TRY(making_attributes(item, edits, own));
	if (common != NULL)
		TRY(making_more_attributes(item, edits, common));
out:
	return err;
}

static bool is_drawn(const struct attribute_edits *edits, struct slice value)
{
	for (const struct attribute_drawn *one = edits->drawn; one != NULL; one = one->next) {
		if (slice_equal(one->value, value))
			return true;
	}
	return false;
}

enum err making_tell(const struct attribute_edits *edits, struct kmip_template_attribute **out)
{
	struct slice name = slice_text(
		kmip_attribute_row(KMIP_ATTRIBUTE_APPLICATION_SPECIFIC_INFORMATION)->name);
	struct kmip_template_attribute *told = NULL;
	int32_t index = 0;
	enum err err = ERR_OK;

	if (edits->drawn == NULL)
		return ERR_OK;
	told = ARENA_NEW(edits->arena, struct kmip_template_attribute);
	TRY(told == NULL ? ERR_NOMEM : ERR_OK);
	told->attributes.items =
		arena_array(edits->arena, edits->count, sizeof(struct kmip_attribute));
	TRY(told->attributes.items == NULL ? ERR_NOMEM : ERR_OK);
	for (size_t i = 0; i < edits->count; i++) {
		struct kmip_attribute one = { .name = name };

		if (!slice_equal(edits->items[i].name, name))
			continue;
		if (index > 0)
			one.index = KMIP_INT(index);
		index++;
		if (!is_drawn(edits, edits->items[i].value))
			continue;
		TRY(kmip_value_decode(&one.value, edits->items[i].value));
		told->attributes.items[told->attributes.count++] = one;
	}
	*out = told;
out:
	return err;
}

/* A plan that is run again draws again; only the last draw is used. */
enum err making_symmetric_key(struct kmip_item *item, struct algorithm_key *key)
{
	uint8_t *material;
	size_t len;
	enum err err;

	TRY(algorithm_plan_key(key, &len));
	material = arena_alloc(item->arena, len);
	TRY(material == NULL ? ERR_NOMEM : ERR_OK);
	rand_bytes(material, len);
	algorithm_finish_key(key, material, len);
	item->create.type = KMIP_OBJECT_TYPE_SYMMETRIC_KEY;
	item->create.format = KMIP_KEY_FORMAT_TYPE_RAW;
	item->create.material = slice_of(material, len);
out:
	return err;
}

enum err making_secret(
	struct kmip_item *item, const struct making_secret *kind, struct slice material)
{
	struct parts {
		struct kmip_secret_data data;
		struct kmip_key_block block;
		struct kmip_key_value value;
	} *parts = ARENA_NEW(item->arena, struct parts);
	struct kmip_object object = { 0 };

	if (parts == NULL)
		return ERR_NOMEM;
	parts->value.material = material;
	parts->block.format = KMIP_UINT(kind->format);
	parts->block.value = &parts->value;
	parts->data.type = KMIP_UINT(kind->type);
	parts->data.key_block = &parts->block;
	object.secret_data = &parts->data;
	return stored_write(item, &object);
}

/* 3.43: of what a client registers nobody but the client knows when it was made. */
enum err making_date_of(struct attribute_edits *edits)
{
	struct kmip_value now = kmip_value_date(edits->now);

	return attribute_rules_set(edits, KMIP_ATTRIBUTE_ORIGINAL_CREATION_DATE, &now);
}

enum err making_generator_of(struct kmip_item *item, struct attribute_edits *edits)
{
	struct kmip_rng_parameters generator = making_generator();
	struct kmip_value value;
	enum err err;

	TRY(kmip_value_write(&value, item->arena, &kmip_rng_parameters_table, &generator));
	TRY(attribute_rules_set(edits, KMIP_ATTRIBUTE_RANDOM_NUMBER_GENERATOR, &value));
	TRY(making_date_of(edits));
out:
	return err;
}

enum err making_digest(
	struct kmip_value *out, struct arena *arena, struct slice digested, uint32_t key_format)
{
	uint8_t hash[CRYPT_SHA256_LEN] = { 0 };
	struct kmip_digest digest = {
		.hashing_algorithm = KMIP_UINT(KMIP_HASHING_ALGORITHM_SHA_256),
		.value = slice_of(hash, sizeof(hash)),
		.key_format = { .has = key_format != 0, .value = key_format },
	};
	enum err err;

	TRY(crypt_sha256(hash, digested));
	TRY(kmip_value_write(out, arena, &kmip_digest_table, &digest));
out:
	return err;
}

/* Over the material as registered; static, so it is stored. */
static enum err set_digest(
	struct kmip_item *item, struct attribute_edits *edits, struct slice digested)
{
	uint32_t format = item->create.format & ~(uint32_t) STORED_AS_OBJECT;
	struct kmip_value value;
	enum err err;

	TRY(making_digest(&value, item->arena, digested, format));
	TRY(attribute_rules_set(edits, KMIP_ATTRIBUTE_DIGEST, &value));
out:
	return err;
}

/* The hash of a key is itself a key where others may be derived from it (4.5), and attributes are
 * no secret: such a key has no Digest. */
static bool may_be_hashed(const struct attribute_edits *edits)
{
	struct kmip_value mask;

	return !attribute_rules_get(edits, KMIP_ATTRIBUTE_CRYPTOGRAPHIC_USAGE_MASK, &mask) ||
	       (mask.integer & KMIP_CRYPTOGRAPHIC_USAGE_MASK_DERIVE_KEY) == 0;
}

enum err making_further_effect(
	struct kmip_item *item, struct attribute_edits *edits, struct slice digested)
{
	struct kmip_value algorithm = kmip_value_enum(edits->key.algorithm);
	struct kmip_value length = kmip_value_integer(edits->key.length_bits);
	enum err err = ERR_OK;

	if ((KMIP_TO(edits->object_type) & KMIP_TO_KEYS) != 0)
		TRY(policing_key(item, &edits->key));
	if (edits->key.algorithm != 0)
		TRY(attribute_rules_set(edits, KMIP_ATTRIBUTE_CRYPTOGRAPHIC_ALGORITHM, &algorithm));
	if (edits->key.length_bits != 0)
		TRY(attribute_rules_set(edits, KMIP_ATTRIBUTE_CRYPTOGRAPHIC_LENGTH, &length));
	if (digested.len > 0 && may_be_hashed(edits))
		TRY(set_digest(item, edits, digested));
	attribute_rules_change(edits, &item->change);
	item->change.dates[OBJECT_DATE_INITIAL] = item->now;
	item->effect = KMIP_EFFECT_CREATE;
out:
	return err;
}

enum err making_effect(struct kmip_item *item, struct attribute_edits *edits, struct slice digested)
{
	enum err err = unique_name_check(item, edits);

	TRY(err == ERR_EXISTS ? ERR_FIELD : err);
	TRY(making_further_effect(item, edits, digested));
out:
	return err;
}
