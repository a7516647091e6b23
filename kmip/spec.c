/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/spec.h"

#include "base/err.h"
#include "kmip/codec.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct tag_row {
	uint32_t tag;
	const char *name;
	bool is_sensitive;
};

/* Ascending by tag. */
static const struct tag_row tags[] = {
#define SECRET true
#define SHOWN false
#define TAG(value, name, display, type, secrecy, since, until) { value, display, secrecy },
#include "kmip/spec/tags.def"
#undef TAG
#undef SECRET
#undef SHOWN
};

struct member {
	uint32_t value;
	const char *name;
	enum kmip_version since;
	enum kmip_version until;
};

#define SET(set, type_name, display) static const struct member set##_members[] = {
#define MEMBER(set, name, display, value, since, until) { value, display, since, until },
#define SET_END(set) \
	} \
	;
#include "kmip/spec/enums.def"
#undef SET
#undef MEMBER
#undef SET_END

struct set_row {
	const char *name;
	const struct member *members;
	size_t count;
};

static const struct set_row sets[KMIP_SET_COUNT] = {
	[KMIP_SET_NONE] = { "", NULL, 0 },
#define SET(set, type_name, display) \
	[KMIP_SET_##set] = { display, set##_members, COUNT(set##_members) },
#define MEMBER(set, name, display, value, since, until)
#define SET_END(set)
#include "kmip/spec/enums.def"
#undef SET
#undef MEMBER
#undef SET_END
};

const char *kmip_type_name(uint32_t type)
{
	static const char *const names[] = {
#define TYPE(name, code, display, len) [code] = display,
#include "kmip/spec/types.def"
#undef TYPE
	};
	return type < COUNT(names) ? names[type] : NULL;
}

static const struct tag_row *tag_find(uint32_t tag)
{
	size_t low = 0;
	size_t high = COUNT(tags);

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (tags[middle].tag == tag)
			return &tags[middle];
		if (tags[middle].tag < tag)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const char *kmip_tag_name(uint32_t tag)
{
	const struct tag_row *row = tag_find(tag);

	return row != NULL ? row->name : NULL;
}

bool kmip_tag_is_sensitive(uint32_t tag)
{
	const struct tag_row *row = tag_find(tag);

	return row == NULL || row->is_sensitive;
}

enum kmip_set kmip_tag_set(uint32_t tag)
{
	const char *name = kmip_tag_name(tag);

	if (tag == KMIP_TAG_MASK_GENERATOR_HASHING_ALGORITHM)
		return KMIP_SET_HASHING_ALGORITHM;
	if (name == NULL)
		return KMIP_SET_NONE;
	for (size_t i = 0; i < KMIP_SET_COUNT; i++)
		if (strcmp(sets[i].name, name) == 0)
			return (enum kmip_set) i;
	return KMIP_SET_NONE;
}

static const struct member *member_find(enum kmip_set set, uint32_t value)
{
	const struct set_row *row = &sets[set];

	for (size_t i = 0; i < row->count; i++)
		if (row->members[i].value == value)
			return &row->members[i];
	return NULL;
}

const char *kmip_enum_name(enum kmip_set set, uint32_t value)
{
	const struct member *member = member_find(set, value);

	return member != NULL ? member->name : NULL;
}

bool kmip_enum_is_known(enum kmip_set set, uint32_t value, enum kmip_version version)
{
	if (value >= KMIP_VENDOR_VALUE || set == KMIP_SET_NONE)
		return true;
	const struct member *member = member_find(set, value);
	return member != NULL && member->since <= version && version <= member->until;
}

const char *kmip_version_name(enum kmip_version version)
{
	switch (version) {
	case KMIP_1_0:
		return "1.0";
	case KMIP_1_1:
		return "1.1";
	case KMIP_1_2:
		return "1.2";
	case KMIP_1_3:
		return "1.3";
	case KMIP_1_4:
		return "1.4";
	case KMIP_2_0:
		return "2.0";
	case KMIP_2_1:
		return "2.1";
	default:
		return "?";
	}
}

#define TAG(value, name, display, type, secrecy, since, until) \
	static const char name_##name[] __attribute__((unused)) = display;
#include "kmip/spec/tags.def"
#undef TAG

#define PLAIN .set = KMIP_SET_NONE
#define IN(name) .set = KMIP_SET_##name
#define OF(name) .structure = &kmip_##name##_table
#define ALWAYS .is_always_set = true
#define SOMETIMES .is_always_set = false
#define ATTRIBUTE(tag_name, wire_type, content, first, last, presence, by, server, modify, delete, \
	several, implicitly, objects) \
	[KMIP_ATTRIBUTE_##tag_name] = { \
		.name = name_##tag_name, \
		.tag = KMIP_TAG_##tag_name, \
		.type = KMIP_TYPE_##wire_type, \
		content, \
		.since = first, \
		.until = last, \
		presence, \
		.set_by = by, \
		.server_changes = server, \
		.client_modifies = modify, \
		.client_deletes = delete, \
		.instances = several, \
		.implicit = implicitly, \
		.applies_to = objects, \
	},
static const struct kmip_attribute_row attributes[KMIP_ATTRIBUTE_COUNT] = {
#include "kmip/spec/attributes.def"
};
#undef ATTRIBUTE

const struct kmip_attribute_row *kmip_attribute_row(enum kmip_attribute_id id)
{
	ASSERT(id < KMIP_ATTRIBUTE_COUNT);
	return &attributes[id];
}

enum kmip_attribute_id kmip_attribute_id(const struct kmip_attribute_row *row)
{
	return (enum kmip_attribute_id)(row - attributes);
}

bool kmip_attribute_is_custom(struct slice name)
{
	return name.len > 2 && (name.data[0] == 'x' || name.data[0] == 'y') && name.data[1] == '-';
}

const struct kmip_attribute_row *kmip_attribute_find(struct slice name)
{
	if (kmip_attribute_is_custom(name))
		return &attributes[KMIP_ATTRIBUTE_CUSTOM_ATTRIBUTE];
	for (size_t i = 0; i < KMIP_ATTRIBUTE_COUNT; i++)
		if (i != KMIP_ATTRIBUTE_CUSTOM_ATTRIBUTE &&
			slice_equal_text(name, attributes[i].name))
			return &attributes[i];
	return NULL;
}

bool kmip_attribute_exists(const struct kmip_attribute_row *row, enum kmip_version version)
{
	return row->since <= version && version <= row->until;
}
