/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/replacing.h"
#include "kmip/making.h"
#include "kmip/unique_name.h"

/* ---- dates ---- */

/* The four that say when a key may be used for what. */
static const enum kmip_attribute_id schedule[] = {
	KMIP_ATTRIBUTE_ACTIVATION_DATE,
	KMIP_ATTRIBUTE_PROCESS_START_DATE,
	KMIP_ATTRIBUTE_PROTECT_STOP_DATE,
	KMIP_ATTRIBUTE_DEACTIVATION_DATE,
};
enum { SCHEDULE = sizeof(schedule) / sizeof(schedule[0]) };

/* When the old key became Active counts; that it was revoked is its own affair. */
static int64_t old_date(const struct object *old, enum kmip_attribute_id id)
{
	struct kmip_value value;

	if (id == KMIP_ATTRIBUTE_ACTIVATION_DATE && old->dates[OBJECT_DATE_ACTIVATED] != 0)
		return old->dates[OBJECT_DATE_ACTIVATED];
	return object_attributes_stored(old, id, &value) ? value.i64 : 0;
}

static enum err shift_dates(
	struct kmip_item *item, struct attribute_edits *edits, const struct replacing *replacing)
{
	int64_t activation = old_date(replacing->old, KMIP_ATTRIBUTE_ACTIVATION_DATE);
	int64_t shift = item->now + replacing->offset.value - activation;
	enum err err = ERR_OK;

	for (size_t i = 0; i < SCHEDULE; i++) {
		int64_t date = old_date(replacing->old, schedule[i]);
		struct kmip_value value = kmip_value_date(date + shift);

		if (date != 0 && activation == 0)
			TRY(ERR_ILLEGAL);
		if (schedule[i] == KMIP_ATTRIBUTE_ACTIVATION_DATE)
			value = kmip_value_date(item->now + replacing->offset.value);
		else if (date == 0)
			continue;
		TRY(attribute_rules_set(edits, schedule[i], &value));
	}
out:
	return err;
}

static enum err copy_dates(struct attribute_edits *edits, const struct attribute_edits *given,
	const struct replacing *replacing)
{
	struct kmip_value value;
	enum err err = ERR_OK;

	for (size_t i = 0; i < SCHEDULE; i++) {
		int64_t date = old_date(replacing->old, schedule[i]);

		if (date == 0 || attribute_rules_get(given, schedule[i], &value))
			continue;
		value = kmip_value_date(date);
		TRY(attribute_rules_set(edits, schedule[i], &value));
	}
out:
	return err;
}

/* *changed: some are given, and the others' order with them is to be judged. */
static enum err replace_dates(bool *changed, struct kmip_item *item, struct attribute_edits *edits,
	const struct attribute_edits *given, const struct replacing *replacing)
{
	struct kmip_value value;
	bool is_given = false;

	for (size_t i = 0; i < SCHEDULE; i++)
		is_given = is_given || attribute_rules_get(given, schedule[i], &value);
	*changed = is_given;
	if (!replacing->offset.has)
		return copy_dates(edits, given, replacing);
	return is_given ? ERR_MESSAGE : shift_dates(item, edits, replacing);
}

/* ---- the rest ---- */

/* What the new object has of its own, or has not yet; all that describes a certificate, for one. */
static bool is_handed_on(enum kmip_attribute_id id)
{
	if (kmip_attribute_row(id)->applies_to == KMIP_TO_CERTIFICATE)
		return false;
	switch (id) {
	case KMIP_ATTRIBUTE_CRYPTOGRAPHIC_ALGORITHM:
	case KMIP_ATTRIBUTE_CRYPTOGRAPHIC_LENGTH:
	case KMIP_ATTRIBUTE_DIGEST:
	case KMIP_ATTRIBUTE_DIGITAL_SIGNATURE_ALGORITHM:
	case KMIP_ATTRIBUTE_FRESH:
	case KMIP_ATTRIBUTE_LINK:
	case KMIP_ATTRIBUTE_ORIGINAL_CREATION_DATE:
	case KMIP_ATTRIBUTE_RANDOM_NUMBER_GENERATOR:
	case KMIP_ATTRIBUTE_REVOCATION_REASON:
	case KMIP_ATTRIBUTE_KEY_VALUE_PRESENT:
	case KMIP_ATTRIBUTE_KEY_VALUE_LOCATION:
		return false;
	default:
		break;
	}
	for (size_t i = 0; i < SCHEDULE; i++) {
		if (schedule[i] == id)
			return false;
	}
	return true;
}

/* Nothing of the replacement is used up. */
static enum err reset_limits(struct kmip_item *item, struct kmip_value *value)
{
	struct codec codec = { .arena = item->arena, .version = KMIP_NEWEST };
	struct kmip_usage_limits limits;
	enum err err;

	TRY(kmip_value_read(&limits, &codec, &kmip_usage_limits_table, value));
	limits.count = limits.total;
	TRY(kmip_value_write(value, item->arena, &kmip_usage_limits_table, &limits));
out:
	return err;
}

static bool is_given(const struct attribute_edits *given, const struct object_attribute *stored)
{
	for (size_t i = 0; i < given->count; i++) {
		if (slice_equal(given->items[i].name, stored->name) &&
			(given->items[i].kind == OBJECT_EDIT_SET ||
				slice_equal(given->items[i].value, stored->value)))
			return true;
	}
	return false;
}

static enum err hand_on(struct kmip_item *item, struct attribute_edits *edits,
	const struct attribute_edits *given, const struct object_attribute *stored)
{
	const struct kmip_attribute_row *row = kmip_attribute_find(stored->name);
	struct kmip_value value;
	enum err err;

	if (stored->deleted || row == NULL || is_given(given, stored) ||
		!is_handed_on(kmip_attribute_id(row)))
		return ERR_OK;
	TRY(kmip_value_decode(&value, stored->value));
	if (kmip_attribute_id(row) == KMIP_ATTRIBUTE_USAGE_LIMITS)
		TRY(reset_limits(item, &value));
	TRY(attribute_rules_keep(edits, row, stored->name, &value));
out:
	return err;
}

/* A symmetric key may be replaced by one of another kind, as Create makes it; what else is replaced
 * is of the old one's. */
static enum err replace_key(
	struct algorithm_key *key, const struct algorithm_key *given, const struct object *old)
{
	bool may_differ = old->type == KMIP_OBJECT_TYPE_SYMMETRIC_KEY;
	struct algorithm_key was = { 0 };
	struct kmip_value value;

	if (object_attributes_stored(old, KMIP_ATTRIBUTE_CRYPTOGRAPHIC_ALGORITHM, &value))
		was.algorithm = value.u32;
	if (object_attributes_stored(old, KMIP_ATTRIBUTE_CRYPTOGRAPHIC_LENGTH, &value))
		was.length_bits = value.integer;
	*key = was;
	if (given->algorithm != 0 && given->algorithm != was.algorithm)
		*key = *given;
	else if (given->length_bits != 0)
		key->length_bits = given->length_bits;
	return may_differ || (key->algorithm == was.algorithm &&
				     key->length_bits == was.length_bits)
		       ? ERR_OK
		       : ERR_FIELD;
}

enum err replacing_attributes(
	struct kmip_item *item, struct attribute_edits *edits, const struct replacing *replacing)
{
	struct attribute_edits given = making_edits(item, replacing->old->type);
	bool changed;
	enum err err = ERR_OK;

	TRY(making_joint_attributes(item, &given, replacing->given, replacing->common));
	err = unique_name_check_but(item, &given, &replacing->old->uid);
	TRY(err == ERR_EXISTS ? ERR_FIELD : err);
	for (size_t i = 0; i < replacing->old->attribute_count; i++)
		TRY(hand_on(item, edits, &given, &replacing->old->attributes[i]));
	TRY(replace_dates(&changed, item, edits, &given, replacing));
	for (size_t i = 0; i < given.count; i++)
		TRY(attribute_rules_append(edits, &given.items[i]));
	edits->drawn = given.drawn;
	if (changed)
		TRY(attribute_rules_make(edits, NULL, 0));
	TRY(replace_key(&edits->key, &given.key, replacing->old));
out:
	return err;
}
