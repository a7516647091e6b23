/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/object_attributes.h"
#include "keystore/given.h"
#include "kmip/usage_limits.h"

/* keystore/ numbers the states as the specification does. */
_Static_assert((int) OBJECT_STATE_PRE_ACTIVE == (int) KMIP_STATE_PRE_ACTIVE, "State");
_Static_assert((int) OBJECT_STATE_ACTIVE == (int) KMIP_STATE_ACTIVE, "State");
_Static_assert((int) OBJECT_STATE_DEACTIVATED == (int) KMIP_STATE_DEACTIVATED, "State");
_Static_assert((int) OBJECT_STATE_COMPROMISED == (int) KMIP_STATE_COMPROMISED, "State");
_Static_assert((int) OBJECT_STATE_DESTROYED == (int) KMIP_STATE_DESTROYED, "State");
_Static_assert((int) OBJECT_STATE_DESTROYED_COMPROMISED == (int) KMIP_STATE_DESTROYED_COMPROMISED,
	"State");

bool object_attributes_stored(
	const struct object *object, enum kmip_attribute_id id, struct kmip_value *out)
{
	const struct object_attribute *attribute =
		object_attribute_find(object, slice_text(kmip_attribute_row(id)->name), 0);

	return attribute != NULL && kmip_value_decode(out, attribute->value) == ERR_OK;
}

static int64_t stored_date(const struct object *object, enum kmip_attribute_id id)
{
	struct kmip_value value;

	return object_attributes_stored(object, id, &value) ? value.i64 : 0;
}

struct object_schedule object_attributes_schedule(const struct object *object)
{
	return (struct object_schedule){
		.activation = stored_date(object, KMIP_ATTRIBUTE_ACTIVATION_DATE),
		.deactivation = stored_date(object, KMIP_ATTRIBUTE_DEACTIVATION_DATE),
	};
}

enum object_state object_attributes_state(const struct object *object, int64_t now)
{
	struct object_schedule schedule = object_attributes_schedule(object);

	return object_state(object, &schedule, now);
}

/* Each gives the value of one attribute; false when it must be looked for among the stored ones. */
typedef bool compute(const struct object_attributes *list, struct kmip_value *out);

static bool compute_uid(const struct object_attributes *list, struct kmip_value *out)
{
	char *text = arena_alloc(list->arena, UUID_TEXT_LEN + 1);

	if (text == NULL)
		return false;
	uid_text(text, &list->object->uid);
	*out = kmip_value_text(slice_of(text, UUID_TEXT_LEN));
	return true;
}

static bool compute_object_type(const struct object_attributes *list, struct kmip_value *out)
{
	*out = kmip_value_enum(list->object->type);
	return true;
}

static bool compute_date(int64_t date, struct kmip_value *out)
{
	*out = kmip_value_date(date);
	return date != 0;
}

static bool compute_initial(const struct object_attributes *list, struct kmip_value *out)
{
	return compute_date(list->object->dates[OBJECT_DATE_INITIAL], out);
}

/* The event's date, if it has happened; else the schedule's, which is stored. */
static bool compute_activation(const struct object_attributes *list, struct kmip_value *out)
{
	return compute_date(list->object->dates[OBJECT_DATE_ACTIVATED], out);
}

static bool compute_deactivation(const struct object_attributes *list, struct kmip_value *out)
{
	return compute_date(list->object->dates[OBJECT_DATE_DEACTIVATED], out);
}

static bool compute_destroy(const struct object_attributes *list, struct kmip_value *out)
{
	return compute_date(list->object->dates[OBJECT_DATE_DESTROYED], out);
}

static bool compute_compromise(const struct object_attributes *list, struct kmip_value *out)
{
	return compute_date(list->object->dates[OBJECT_DATE_COMPROMISED], out);
}

static bool compute_occurrence(const struct object_attributes *list, struct kmip_value *out)
{
	return compute_date(list->object->dates[OBJECT_DATE_COMPROMISE_OCCURRED], out);
}

static bool compute_last_change(const struct object_attributes *list, struct kmip_value *out)
{
	return compute_date(list->object->last_change, out);
}

/* Defaults of 3.48 to 3.51 for what was never set. */
static bool compute_default(
	const struct object_attributes *list, enum kmip_attribute_id id, struct kmip_value *out)
{
	if (object_attributes_stored(list->object, id, out))
		return false;
	*out = kmip_value_boolean(id == KMIP_ATTRIBUTE_EXTRACTABLE);
	return true;
}

static bool compute_sensitive(const struct object_attributes *list, struct kmip_value *out)
{
	return compute_default(list, KMIP_ATTRIBUTE_SENSITIVE, out);
}

static bool compute_always_sensitive(const struct object_attributes *list, struct kmip_value *out)
{
	return compute_default(list, KMIP_ATTRIBUTE_ALWAYS_SENSITIVE, out);
}

static bool compute_extractable(const struct object_attributes *list, struct kmip_value *out)
{
	return compute_default(list, KMIP_ATTRIBUTE_EXTRACTABLE, out);
}

static bool compute_never_extractable(const struct object_attributes *list, struct kmip_value *out)
{
	return compute_default(list, KMIP_ATTRIBUTE_NEVER_EXTRACTABLE, out);
}

bool object_attributes_apply(const struct object *object, enum kmip_attribute_id id)
{
	return (kmip_attribute_row(id)->applies_to & KMIP_TO(object->type)) != 0;
}

/* 3.22: of cryptographic objects; opaque ones and templates have none. Of one whose end came before
 * it was read here the type is not known: that it is destroyed is told. */
static bool compute_state(const struct object_attributes *list, struct kmip_value *out)
{
	*out = kmip_value_enum((uint32_t) object_attributes_state(list->object, list->now));
	return list->object->type == 0 ||
	       object_attributes_apply(list->object, KMIP_ATTRIBUTE_STATE);
}

static bool compute_lease(const struct object_attributes *list, struct kmip_value *out)
{
	*out = kmip_value_interval(OBJECT_ATTRIBUTES_LEASE_S);
	return object_attributes_apply(list->object, KMIP_ATTRIBUTE_LEASE_TIME);
}

bool object_attributes_is_archived(const struct object *object)
{
	struct kmip_value value;

	return !object->dead &&
	       object_attributes_stored(object, KMIP_ATTRIBUTE_ARCHIVE_DATE, &value);
}

bool object_attributes_is_fresh(const struct object *object)
{
	struct kmip_value value;

	if (given_is(object))
		return false;
	return !object_attributes_stored(object, KMIP_ATTRIBUTE_FRESH, &value) || value.boolean;
}

static bool compute_fresh(const struct object_attributes *list, struct kmip_value *out)
{
	*out = kmip_value_boolean(object_attributes_is_fresh(list->object));
	return object_attributes_apply(list->object, KMIP_ATTRIBUTE_FRESH);
}

static compute *const computed[KMIP_ATTRIBUTE_COUNT] = {
	[KMIP_ATTRIBUTE_UNIQUE_IDENTIFIER] = compute_uid,
	[KMIP_ATTRIBUTE_OBJECT_TYPE] = compute_object_type,
	[KMIP_ATTRIBUTE_STATE] = compute_state,
	[KMIP_ATTRIBUTE_INITIAL_DATE] = compute_initial,
	[KMIP_ATTRIBUTE_ACTIVATION_DATE] = compute_activation,
	[KMIP_ATTRIBUTE_DEACTIVATION_DATE] = compute_deactivation,
	[KMIP_ATTRIBUTE_DESTROY_DATE] = compute_destroy,
	[KMIP_ATTRIBUTE_COMPROMISE_DATE] = compute_compromise,
	[KMIP_ATTRIBUTE_COMPROMISE_OCCURRENCE_DATE] = compute_occurrence,
	[KMIP_ATTRIBUTE_LAST_CHANGE_DATE] = compute_last_change,
	[KMIP_ATTRIBUTE_LEASE_TIME] = compute_lease,
	[KMIP_ATTRIBUTE_FRESH] = compute_fresh,
	[KMIP_ATTRIBUTE_SENSITIVE] = compute_sensitive,
	[KMIP_ATTRIBUTE_ALWAYS_SENSITIVE] = compute_always_sensitive,
	[KMIP_ATTRIBUTE_EXTRACTABLE] = compute_extractable,
	[KMIP_ATTRIBUTE_NEVER_EXTRACTABLE] = compute_never_extractable,
};

bool object_attributes_value(
	const struct object_attributes *list, enum kmip_attribute_id id, struct kmip_value *out)
{
	if (computed[id] != NULL && computed[id](list, out))
		return true;
	return object_attributes_stored(list->object, id, out);
}

static enum err list_append(struct object_attributes *list, const struct kmip_attribute *attribute)
{
	enum { FIRST_CAP = 32 };

	if (!kmip_attribute_is_visible(attribute, list->version))
		return ERR_OK;
	if (list->count == list->cap) {
		size_t cap = list->cap == 0 ? FIRST_CAP : 2 * list->cap;
		struct kmip_attribute *items =
			arena_array(list->arena, cap, sizeof(struct kmip_attribute));

		if (items == NULL)
			return ERR_NOMEM;
		if (list->count > 0)
			bytes_copy(items, list->items, list->count * sizeof(*items));
		list->items = items;
		list->cap = cap;
	}
	list->items[list->count++] = *attribute;
	return ERR_OK;
}

static enum err list_append_stored(
	struct object_attributes *list, const struct object_attribute *stored)
{
	struct kmip_attribute attribute = { .name = stored->name };
	uint32_t index = object_attribute_index(list->object, stored);
	enum err err;

	TRY(kmip_value_decode(&attribute.value, stored->value));
	if (slice_equal_text(stored->name, kmip_attribute_row(KMIP_ATTRIBUTE_USAGE_LIMITS)->name))
		TRY(usage_limits_tell(&attribute.value, list->arena, list->object));
	/* Index 0 is left out, as all published answers do. */
	if (index > 0)
		attribute.index = KMIP_INT((int32_t) index);
	TRY(list_append(list, &attribute));
out:
	return err;
}

/* All stored instances of one name, or, with an empty name, all custom ones. */
static enum err list_append_named(struct object_attributes *list, struct slice name)
{
	const struct object *object = list->object;
	enum err err = ERR_OK;

	for (size_t i = 0; i < object->attribute_count; i++) {
		const struct object_attribute *stored = &object->attributes[i];
		bool wanted = name.len > 0 ? slice_equal(stored->name, name)
					   : kmip_attribute_is_custom(stored->name);

		if (wanted && !stored->deleted)
			TRY(list_append_stored(list, stored));
	}
out:
	return err;
}

enum err object_attributes_collect(
	struct object_attributes *list, const struct kmip_attribute_row *row, struct slice name)
{
	enum kmip_attribute_id id = kmip_attribute_id(row);
	struct kmip_attribute attribute = { .name = slice_text(row->name) };

	if (!kmip_attribute_exists(row, list->version))
		return ERR_OK;
	if (id == KMIP_ATTRIBUTE_CUSTOM_ATTRIBUTE)
		return list_append_named(list, name);
	if (computed[id] != NULL && computed[id](list, &attribute.value))
		return list_append(list, &attribute);
	return list_append_named(list, attribute.name);
}

enum err object_attributes_collect_all(struct object_attributes *list)
{
	enum err err = ERR_OK;

	for (enum kmip_attribute_id id = 0; id < KMIP_ATTRIBUTE_COUNT; id++) {
		if (id != KMIP_ATTRIBUTE_CUSTOM_ATTRIBUTE)
			TRY(object_attributes_collect(list, kmip_attribute_row(id), SLICE_EMPTY));
	}
	if (kmip_attribute_exists(
		    kmip_attribute_row(KMIP_ATTRIBUTE_CUSTOM_ATTRIBUTE), list->version))
		TRY(list_append_named(list, SLICE_EMPTY));
out:
	return err;
}
