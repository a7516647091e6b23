/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/importing.h"

/* ---- attributes ---- */

static enum err take_date(struct importing *importing, enum object_date which, int64_t date)
{
	if (date <= 0)
		return ERR_FIELD;
	if (importing->dates[which] != 0)
		return ERR_INDEX;
	importing->dates[which] = date;
	return ERR_OK;
}

static enum err take_key(
	struct importing *importing, enum kmip_attribute_id id, const struct kmip_value *value)
{
	struct algorithm_key *key = &importing->edits.key;

	if (id == KMIP_ATTRIBUTE_CRYPTOGRAPHIC_ALGORITHM) {
		if (key->algorithm != 0)
			return ERR_INDEX;
		key->algorithm = value->u32;
		return ERR_OK;
	}
	if (key->length_bits != 0)
		return ERR_INDEX;
	key->length_bits = value->integer;
	return value->integer > 0 ? ERR_OK : ERR_FIELD;
}

/* What is no register of the record: flags, dates of events, what the server computes. *taken is
 * false for the others. */
static enum err take_own(struct importing *importing, enum kmip_attribute_id id,
	const struct kmip_value *value, bool *taken)
{
	*taken = true;
	switch (id) {
	case KMIP_ATTRIBUTE_UNIQUE_IDENTIFIER: /* the request's own, or the other server's */
	case KMIP_ATTRIBUTE_LEASE_TIME:
		return ERR_OK;
	case KMIP_ATTRIBUTE_OBJECT_TYPE:
		return value->u32 == importing->edits.object_type ? ERR_OK : ERR_FIELD;
	case KMIP_ATTRIBUTE_STATE:
		importing->state = KMIP_UINT(value->u32);
		return ERR_OK;
	case KMIP_ATTRIBUTE_INITIAL_DATE:
		return take_date(importing, OBJECT_DATE_INITIAL, value->i64);
	case KMIP_ATTRIBUTE_COMPROMISE_DATE:
		return take_date(importing, OBJECT_DATE_COMPROMISED, value->i64);
	case KMIP_ATTRIBUTE_COMPROMISE_OCCURRENCE_DATE:
		return take_date(importing, OBJECT_DATE_COMPROMISE_OCCURRED, value->i64);
	case KMIP_ATTRIBUTE_LAST_CHANGE_DATE:
		importing->last_change = value->i64;
		return value->i64 > 0 ? ERR_OK : ERR_FIELD;
	case KMIP_ATTRIBUTE_DESTROY_DATE:
		return ERR_FIELD; /* nothing is left to be kept */
	case KMIP_ATTRIBUTE_CRYPTOGRAPHIC_ALGORITHM:
	case KMIP_ATTRIBUTE_CRYPTOGRAPHIC_LENGTH:
		return take_key(importing, id, value);
	default:
		*taken = false;
		return ERR_OK;
	}
}

static enum err take_one(struct importing *importing, const struct kmip_attribute *attribute)
{
	struct attribute_edits *edits = &importing->edits;
	struct codec codec = { .arena = edits->arena, .version = edits->version };
	const struct kmip_attribute_row *row;
	bool taken;
	enum err err;

	TRY(kmip_attribute_check(&row, &codec, attribute));
	if ((row->applies_to & KMIP_TO(edits->object_type)) == 0)
		TRY(ERR_FIELD);
	TRY(take_own(importing, kmip_attribute_id(row), &attribute->value, &taken));
	if (taken)
		return ERR_OK;
	if (row->instances == KMIP_ONE && attribute_rules_has(edits, attribute->name))
		TRY(ERR_INDEX);
	TRY(attribute_rules_keep(edits, row, attribute->name, &attribute->value));
out:
	return err;
}

/* Nobody is told the hash of a key from which others are derived (making.c), whoever reckoned it.
 */
static void drop_digest(struct attribute_edits *edits)
{
	struct slice digest = slice_text(kmip_attribute_row(KMIP_ATTRIBUTE_DIGEST)->name);
	struct kmip_value mask;
	size_t kept = 0;

	if (!attribute_rules_get(edits, KMIP_ATTRIBUTE_CRYPTOGRAPHIC_USAGE_MASK, &mask) ||
		(mask.integer & KMIP_CRYPTOGRAPHIC_USAGE_MASK_DERIVE_KEY) == 0)
		return;
	for (size_t i = 0; i < edits->count; i++) {
		if (!slice_equal(edits->items[i].name, digest))
			edits->items[kept++] = edits->items[i];
	}
	edits->count = kept;
}

enum err importing_attributes(
	struct importing *importing, const struct kmip_attribute *attributes, size_t count)
{
	enum err err = ERR_OK;

	for (size_t i = 0; i < count; i++)
		TRY(take_one(importing, &attributes[i]));
	drop_digest(&importing->edits);
	/* The order of dates, and how many and long they are. */
	TRY(attribute_rules_make(&importing->edits, NULL, 0));
out:
	return err;
}

/* ---- state ---- */

/* By what was given, the key was never in that state. */
static bool contradicts(const struct object_change *change, const struct importing *importing)
{
	bool is_compromised = importing->dates[OBJECT_DATE_COMPROMISED] != 0;

	switch (importing->state.value) {
	case OBJECT_STATE_PRE_ACTIVE:
		return change->activate || change->deactivate || is_compromised;
	case OBJECT_STATE_ACTIVE:
		return change->deactivate || is_compromised;
	case OBJECT_STATE_DEACTIVATED:
		return is_compromised;
	case OBJECT_STATE_COMPROMISED:
		return false;
	default:
		return true;
	}
}

enum err importing_state(struct kmip_item *item, const struct importing *importing)
{
	struct object_change *change = &item->change;

	for (size_t i = 0; i < OBJECT_DATE_COUNT; i++) {
		if (importing->dates[i] != 0)
			change->dates[i] = importing->dates[i];
	}
	if (importing->last_change != 0 && importing->last_change <= item->now)
		change->now = importing->last_change;
	change->compromise = importing->dates[OBJECT_DATE_COMPROMISED] != 0;
	if (!importing->state.has)
		return ERR_OK;
	if (contradicts(change, importing))
		return ERR_FIELD;
	change->activate |= importing->state.value == OBJECT_STATE_ACTIVE;
	change->deactivate |= importing->state.value == OBJECT_STATE_DEACTIVATED;
	change->compromise |= importing->state.value == OBJECT_STATE_COMPROMISED;
	return ERR_OK;
}
