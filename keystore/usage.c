/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore/usage.h"

/* Neither a KMIP attribute nor a custom one. */
static const struct slice register_name = SLICE_LITERAL("usage");

enum { VALUE_LEN = 16 };

bool usage_is_register(struct slice name)
{
	return slice_equal(name, register_name);
}

int64_t usage_add(int64_t a, int64_t b)
{
	return a > INT64_MAX - b ? INT64_MAX : a + b;
}

int64_t usage_used(const struct usage *usage)
{
	return usage_add(usage->settled, usage->open);
}

/* What cannot be read is taken for all that there can be. */
static struct usage read_register(const struct object_attribute *attribute)
{
	static const struct usage all = { .settled = INT64_MAX };
	uint64_t settled, open;

	if (attribute->deleted)
		return (struct usage){ 0 };
	if (attribute->value.len != VALUE_LEN)
		return all;
	settled = be64_get(attribute->value.data);
	open = be64_get(attribute->value.data + sizeof(settled));
	if (settled > INT64_MAX || open > INT64_MAX)
		return all;
	return (struct usage){ (int64_t) settled, (int64_t) open };
}

/* Registers lie side by side in the order of their addition. */
static bool has_later(const struct object *object, size_t at)
{
	const struct object_attribute *attributes = object->attributes;

	for (size_t i = at + 1; i < object->attribute_count; i++) {
		if (!usage_is_register(attributes[i].name))
			break;
		if (attributes[i].added.node == attributes[at].added.node)
			return true;
	}
	return false;
}

struct usage usage_sum(const struct object *object)
{
	struct usage sum = { 0 };

	for (size_t i = 0; i < object->attribute_count; i++) {
		struct usage one;

		if (!usage_is_register(object->attributes[i].name))
			continue;
		one = read_register(&object->attributes[i]);
		if (has_later(object, i))
			one = (struct usage){ .settled = usage_used(&one) };
		sum.settled = usage_add(sum.settled, one.settled);
		sum.open = usage_add(sum.open, one.open);
	}
	return sum;
}

struct stamp usage_place(const struct object *object, const struct usage_owner *owner)
{
	const struct object_attribute *latest = NULL;
	size_t lives = 0;

	for (size_t i = 0; i < object->attribute_count; i++) {
		const struct object_attribute *one = &object->attributes[i];

		if (!usage_is_register(one->name) || one->added.node != owner->life.node)
			continue;
		if (stamp_compare(one->added, owner->life) == 0)
			return owner->life;
		latest = one;
		lives++;
	}
	if (latest == NULL || (!owner->current && lives < USAGE_LIVES_MAX))
		return owner->life;
	return latest->added;
}

struct usage usage_at(const struct object *object, struct stamp place)
{
	for (size_t i = 0; i < object->attribute_count; i++) {
		const struct object_attribute *one = &object->attributes[i];

		if (usage_is_register(one->name) && stamp_compare(one->added, place) == 0)
			return read_register(one);
	}
	return (struct usage){ 0 };
}

enum err usage_edit(
	struct object_edit *out, struct arena *arena, struct stamp place, const struct usage *usage)
{
	uint8_t *value = arena_alloc(arena, VALUE_LEN);

	if (value == NULL)
		return ERR_NOMEM;
	be64_put(value, (uint64_t) usage->settled);
	be64_put(value + sizeof(uint64_t), (uint64_t) usage->open);
	*out = (struct object_edit){ .kind = OBJECT_EDIT_SET,
		.name = register_name,
		.added = place,
		.value = slice_of(value, VALUE_LEN) };
	return ERR_OK;
}
