/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/terms.h"
#include "kmip/ttlv_read.h"

enum { TERMS_VERSION = 1 };

/* An attribute of terms.def. */
struct term_row {
	enum kmip_attribute_id id;
	uint32_t field; /* 0: the whole value */
};

static const struct term_row rows[] = {
#define WHOLE(attribute) { KMIP_ATTRIBUTE_##attribute, 0 },
#define FIELD(attribute, field) { KMIP_ATTRIBUTE_##attribute, KMIP_TAG_##field },
#include "kmip/terms.def"
#undef WHOLE
#undef FIELD
};

enum { ROW_COUNT = sizeof(rows) / sizeof(rows[0]) };

/*
 * What of a state is stored. Of the scheduled classes an object's state depends on the time, too:
 * it is looked for in every class that it could be in.
 */
enum life_class {
	LIFE_WAITING, /* Pre-Active, without Activation Date */
	LIFE_TO_BEGIN, /* Pre-Active or, from its Activation Date on, Active */
	LIFE_TO_BEGIN_AND_END, /* and from its Deactivation Date on Deactivated */
	LIFE_ACTIVE,
	LIFE_TO_END, /* Active, until its Deactivation Date */
	LIFE_OVER,
	LIFE_COMPROMISED,
	LIFE_COUNT
};

static const uint8_t life_names[LIFE_COUNT] = { 'p', 'b', 's', 'a', 'e', 'd', 'c' };

/* Bits of the classes in which objects of a state may be. */
#define CLASS(name) (1u << LIFE_##name)
static const unsigned classes_of_state[] = {
	[OBJECT_STATE_PRE_ACTIVE] = CLASS(WAITING) | CLASS(TO_BEGIN) | CLASS(TO_BEGIN_AND_END),
	[OBJECT_STATE_ACTIVE] =
		CLASS(ACTIVE) | CLASS(TO_END) | CLASS(TO_BEGIN) | CLASS(TO_BEGIN_AND_END),
	[OBJECT_STATE_DEACTIVATED] = CLASS(OVER) | CLASS(TO_END) | CLASS(TO_BEGIN_AND_END),
	[OBJECT_STATE_COMPROMISED] = CLASS(COMPROMISED),
};

enum { STATES = sizeof(classes_of_state) / sizeof(classes_of_state[0]) };

static enum life_class life_of(const struct object *object)
{
	struct object_schedule schedule;

	if (object->compromised)
		return LIFE_COMPROMISED;
	if (object->life == OBJECT_DEACTIVATED)
		return LIFE_OVER;
	schedule = object_attributes_schedule(object);
	if (object->life == OBJECT_ACTIVE)
		return schedule.deactivation == 0 ? LIFE_ACTIVE : LIFE_TO_END;
	if (schedule.activation == 0)
		return LIFE_WAITING;
	return schedule.deactivation == 0 ? LIFE_TO_BEGIN : LIFE_TO_BEGIN_AND_END;
}

static struct slice name_of(enum kmip_attribute_id id)
{
	return slice_text(kmip_attribute_row(id)->name);
}

/* ---- what an object has ---- */

static const struct term_row *row_of(struct slice name)
{
	bool custom = kmip_attribute_is_custom(name);

	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (rows[i].id == KMIP_ATTRIBUTE_CUSTOM_ATTRIBUTE
				? custom
				: !custom && slice_equal(name, name_of(rows[i].id)))
			return &rows[i];
	}
	return NULL;
}

/* False: it has none. */
static bool term_of_value(struct slice *out, const struct term_row *row,
	const struct kmip_value *value, struct slice encoded)
{
	struct ttlv_reader reader;
	struct ttlv_item item;

	if (row->field == 0) {
		/* Of a structure a part may be asked for. */
		*out = encoded;
		return value->type != KMIP_TYPE_STRUCTURE && value->type != KMIP_TYPE_ANY;
	}
	if (value->type != KMIP_TYPE_STRUCTURE)
		return false;
	reader = ttlv_reader_of(value->children);
	while (ttlv_next(&item, &reader) == ERR_OK) {
		if (item.tag == row->field) {
			*out = item.value;
			return true;
		}
	}
	return false;
}

static enum err add_attribute(
	struct cache_term_list *list, const struct object_attribute *attribute)
{
	const struct term_row *row = attribute->deleted ? NULL : row_of(attribute->name);
	struct cache_term term = { .name = attribute->name };
	struct kmip_value value;

	if (row == NULL || kmip_value_decode(&value, attribute->value) != ERR_OK ||
		!term_of_value(&term.value, row, &value, attribute->value))
		return ERR_OK;
	return cache_term_add(list, &term);
}

static enum err list_terms(struct cache_term_list *list, const struct object *object)
{
	struct cache_term state = { name_of(KMIP_ATTRIBUTE_STATE),
		slice_of(&life_names[life_of(object)], 1) };
	struct cache_term type = { .name = name_of(KMIP_ATTRIBUTE_OBJECT_TYPE) };
	uint8_t number[4];
	enum err err;

	be32_put(number, object->type);
	type.value = slice_of(number, sizeof(number));
	TRY(cache_term_add(list, &type));
	TRY(cache_term_add(list, &state));
	for (size_t i = 0; i < object->attribute_count; i++)
		TRY(add_attribute(list, &object->attributes[i]));
out:
	return err;
}

const struct cache_terms kmip_terms = { .version = TERMS_VERSION, .list = list_terms };

/* ---- what a filter asks for ---- */

static enum err one_term(struct cache_any *out, struct arena *arena, struct cache_term term)
{
	struct cache_term *copy = ARENA_NEW(arena, struct cache_term);

	if (copy == NULL)
		return ERR_NOMEM;
	*copy = term;
	*out = (struct cache_any){ copy, 1 };
	return ERR_OK;
}

static enum err terms_of_state(struct cache_any *out, struct arena *arena, uint32_t state)
{
	struct cache_term *terms = arena_array(arena, LIFE_COUNT, sizeof(*terms));
	unsigned classes = state < STATES ? classes_of_state[state] : 0;

	if (terms == NULL)
		return ERR_NOMEM;
	*out = (struct cache_any){ .terms = terms };
	for (size_t i = 0; i < LIFE_COUNT; i++) {
		if ((classes & 1u << i) != 0)
			terms[out->count++] = (struct cache_term){ name_of(KMIP_ATTRIBUTE_STATE),
				slice_of(&life_names[i], 1) };
	}
	return ERR_OK;
}

static enum err term_of_type(struct cache_any *out, struct arena *arena, uint32_t type)
{
	struct cache_term term = { .name = name_of(KMIP_ATTRIBUTE_OBJECT_TYPE) };
	uint8_t *number = arena_alloc(arena, sizeof(type));

	if (number == NULL)
		return ERR_NOMEM;
	be32_put(number, type);
	term.value = slice_of(number, sizeof(type));
	return one_term(out, arena, term);
}

static enum err term_of_attribute(
	bool *has, struct cache_any *out, struct arena *arena, const struct locate_filter *filter)
{
	const struct term_row *row = row_of(filter->name);
	struct cache_term term = { .name = filter->name };

	*has = row != NULL && !filter->is_range &&
	       term_of_value(&term.value, row, &filter->value, filter->encoded);
	return *has ? one_term(out, arena, term) : ERR_OK;
}

enum err terms_of_filter(
	bool *has, struct cache_any *out, struct arena *arena, const struct locate_filter *filter)
{
	enum kmip_attribute_id id = kmip_attribute_id(filter->row);

	*has = filter->value.type != KMIP_TYPE_ANY;
	if (!*has)
		return ERR_OK;
	if (id == KMIP_ATTRIBUTE_STATE)
		return terms_of_state(out, arena, filter->value.u32);
	if (id == KMIP_ATTRIBUTE_OBJECT_TYPE)
		return term_of_type(out, arena, filter->value.u32);
	return term_of_attribute(has, out, arena, filter);
}

enum err terms_of_stored(bool *has, struct cache_any *out, struct arena *arena, struct slice name,
	struct slice value)
{
	struct locate_filter filter = { .name = name, .encoded = value };
	enum err err;

	*has = false;
	TRY(kmip_value_decode(&filter.value, value));
	TRY(term_of_attribute(has, out, arena, &filter));
out:
	return err;
}

enum err terms_of_all(struct cache_any *out, struct arena *arena)
{
	enum { TYPES = KMIP_OBJECT_TYPE_CERTIFICATE_REQUEST + 1 };
	struct cache_term *terms = arena_array(arena, TYPES, sizeof(*terms));
	enum err err = terms == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	for (uint32_t type = 0; type < TYPES; type++) {
		struct cache_any one;

		TRY(term_of_type(&one, arena, type));
		terms[type] = one.terms[0];
	}
	*out = (struct cache_any){ terms, TYPES };
out:
	return err;
}
