/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/using.h"
#include "keystore/usage.h"
#include "kmip/changing.h"
#include "kmip/stored.h"
#include "kmip/usage_limits.h"

/* ---- may it be used? ---- */

/* `otherwise`: without such a date. */
static bool is_reached(const struct kmip_item *item, const struct object *object,
	enum kmip_attribute_id id, bool otherwise)
{
	struct kmip_value value;

	return object_attributes_stored(object, id, &value) ? value.i64 <= item->now : otherwise;
}

/* Section 3.22: Active protects and processes; what is Deactivated or Compromised only processes
 * what was protected before. */
static enum err judge_state(
	const struct kmip_item *item, const struct object *object, bool protects)
{
	enum object_state state = object_attributes_state(object, item->now);
	bool may;

	switch (state) {
	case OBJECT_STATE_ACTIVE:
		break;
	case OBJECT_STATE_DEACTIVATED:
	case OBJECT_STATE_COMPROMISED:
		if (protects)
			return ERR_STATE;
		break;
	default:
		return ERR_STATE;
	}
	may = protects ? !is_reached(item, object, KMIP_ATTRIBUTE_PROTECT_STOP_DATE, false)
		       : is_reached(item, object, KMIP_ATTRIBUTE_PROCESS_START_DATE, true);
	return may ? ERR_OK : ERR_STATE;
}

static enum err judge_mask(const struct object *object, int32_t mask)
{
	struct kmip_value value = { .integer = 0 };

	if (!object_attributes_stored(object, KMIP_ATTRIBUTE_CRYPTOGRAPHIC_USAGE_MASK, &value))
		return ERR_DENIED;
	return (value.integer & mask) == mask ? ERR_OK : ERR_DENIED;
}

/* All but those that only undo or verify what another use made (3.19). */
static const int32_t protecting_mask =
	~(KMIP_CRYPTOGRAPHIC_USAGE_MASK_VERIFY | KMIP_CRYPTOGRAPHIC_USAGE_MASK_DECRYPT |
		KMIP_CRYPTOGRAPHIC_USAGE_MASK_UNWRAP_KEY | KMIP_CRYPTOGRAPHIC_USAGE_MASK_EXPORT |
		KMIP_CRYPTOGRAPHIC_USAGE_MASK_MAC_VERIFY |
		KMIP_CRYPTOGRAPHIC_USAGE_MASK_VALIDATE_CRYPTOGRAM |
		KMIP_CRYPTOGRAPHIC_USAGE_MASK_TRANSLATE_DECRYPT |
		KMIP_CRYPTOGRAPHIC_USAGE_MASK_TRANSLATE_UNWRAP);

bool using_may_protect(const struct kmip_item *item, const struct object *object)
{
	struct kmip_value mask;

	if (object_attributes_stored(object, KMIP_ATTRIBUTE_CRYPTOGRAPHIC_USAGE_MASK, &mask) &&
		(mask.integer & protecting_mask) == 0)
		return false;
	return judge_state(item, object, true) == ERR_OK;
}

/* ---- parameters and material ---- */

static enum err find_parameters(struct using *use, struct kmip_item *item,
	const struct kmip_cryptographic_parameters *asked)
{
	const char *name = kmip_attribute_row(KMIP_ATTRIBUTE_CRYPTOGRAPHIC_PARAMETERS)->name;
	struct codec codec = { .arena = item->arena, .version = KMIP_NEWEST };
	const struct object_attribute *first = NULL;
	struct kmip_value value;
	enum err err = ERR_OK;

	if (asked != NULL) {
		use->parameters = *asked;
		return ERR_OK;
	}
	for (size_t i = 0; i < use->object->attribute_count; i++) {
		const struct object_attribute *one = &use->object->attributes[i];

		if (one->deleted || !slice_equal_text(one->name, name))
			continue;
		if (first == NULL || object_attribute_index(use->object, one) <
					     object_attribute_index(use->object, first))
			first = one;
	}
	if (first == NULL)
		return ERR_OK;
	TRY(kmip_value_decode(&value, first->value));
	TRY(kmip_value_read(
		&use->parameters, &codec, &kmip_cryptographic_parameters_table, &value));
out:
	return err;
}

static enum err find_material(struct using *use, struct kmip_item *item)
{
	const struct kmip_key_block *block;
	enum err err;

	TRY(stored_read(item, use->object, &use->form));
	block = kmip_object_key_block(&use->form);
	if (block == NULL)
		return ERR_OK;
	/* What was registered wrapped cannot be used: nobody here can open it. */
	if (block->wrapping_data != NULL)
		TRY(ERR_ILLEGAL);
	if (block->value == NULL)
		TRY(ERR_KEY_ABSENT);
	if (block->value->material.data != NULL)
		use->material = block->value->material;
	else if (block->value->transparent != NULL)
		use->material = block->value->transparent->key;
out:
	return err;
}

enum err using_begin(struct using *out, struct kmip_item *item, const struct using_ask *ask)
{
	struct kmip_value value;
	enum err err;

	*out = (struct using){ 0 };
	TRY(item_object(item, ask->uid, &out->object));
	if (ask->is_key && (KMIP_TO(out->object->type) & KMIP_TO_KEYS) == 0)
		TRY(ERR_ILLEGAL);
	if (out->object->dead || !out->object->has_material)
		TRY(ERR_STATE);
	TRY(judge_mask(out->object, ask->mask));
	TRY(judge_state(item, out->object, ask->protects));
	TRY(find_parameters(out, item, ask->parameters));
	if (object_attributes_stored(out->object, KMIP_ATTRIBUTE_CRYPTOGRAPHIC_ALGORITHM, &value))
		out->algorithm = value.u32;
	if (out->parameters.cryptographic_algorithm.has && out->algorithm == 0)
		out->algorithm = out->parameters.cryptographic_algorithm.value;
	TRY(find_material(out, item));
out:
	return err;
}

enum err using_judge_symmetric(const struct using *use)
{
	uint32_t type = KMIP_TO(use->object->type);

	return (type & (KMIP_TO_SYMMETRIC_KEY | KMIP_TO_SECRET_DATA)) != 0 ? ERR_OK : ERR_ILLEGAL;
}

enum err using_again(
	struct kmip_item *item, const struct uid *uid, bool protects, struct object **out)
{
	struct object *object;
	struct slice material;
	enum err err;

	TRY(item_read(item, uid, &object));
	if (object->dead || !object->has_material)
		TRY(ERR_STATE);
	if (object_attributes_is_archived(object))
		TRY(ERR_ARCHIVED);
	TRY(judge_state(item, object, protects));
	TRY(item_material(item, object, &material));
	*out = object;
out:
	return err;
}

/* ---- usage limits ---- */

enum err using_charge_units(struct kmip_item *item, const struct object *object, int64_t units)
{
	struct usage sum = usage_sum(object);
	int64_t allowed;
	enum err err;

	TRY(usage_limits_allowed(object, &allowed));
	if (allowed < 0)
		return ERR_OK;
	/* Known before anything is begun; what is still open is judged with the charge. */
	if (units > allowed || sum.settled > allowed - units)
		TRY(ERR_DENIED);
	item->effect = KMIP_EFFECT_CHARGE;
	item->charge = units;
	item->check = changing_is_alive; /* the amount is judged with the charge */
out:
	return err;
}

static enum err charge(
	struct kmip_item *item, const struct object *object, size_t bytes, int64_t uses)
{
	struct kmip_usage_limits limits;
	bool has, counts_bytes;
	int64_t units;
	enum err err;

	TRY(usage_limits_read(&limits, object, &has));
	if (!has)
		return ERR_OK;
	counts_bytes = limits.unit.value == KMIP_USAGE_LIMITS_UNIT_BYTE;
	units = counts_bytes ? (int64_t) bytes : uses;
	if (units > 0)
		TRY(using_charge_units(item, object, units));
out:
	return err;
}

enum err using_charge(struct kmip_item *item, const struct object *object, size_t bytes)
{
	return charge(item, object, bytes, 1);
}

enum err using_charge_more(struct kmip_item *item, const struct object *object, size_t bytes)
{
	return charge(item, object, bytes, 0);
}
