/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/locate_filter.h"

/* The same date a second time makes a range of both. */
static enum err date_extend(struct locate_filter *filter, int64_t date)
{
	if (filter->is_range)
		return ERR_FIELD;
	filter->is_range = true;
	filter->last = filter->value.i64 < date ? date : filter->value.i64;
	filter->value.i64 = filter->value.i64 < date ? filter->value.i64 : date;
	return ERR_OK;
}

/* Custom ones are told apart by their names. */
static struct locate_filter *date_find(
	struct locate_filters *filters, const struct kmip_attribute *attribute)
{
	if (attribute->value.type != KMIP_TYPE_DATE_TIME)
		return NULL;
	for (size_t i = 0; i < filters->count; i++) {
		if (filters->items[i].value.type == KMIP_TYPE_DATE_TIME &&
			slice_equal(filters->items[i].name, attribute->name))
			return &filters->items[i];
	}
	return NULL;
}

static enum err filter_add(
	struct locate_filters *filters, struct codec *codec, const struct kmip_attribute *attribute)
{
	const struct kmip_attribute_row *row;
	struct locate_filter *filter;
	enum err err;

	err = kmip_attribute_check(&row, codec, attribute);
	TRY(err == ERR_MESSAGE ? ERR_FIELD : err);
	filter = date_find(filters, attribute);
	if (filter != NULL)
		return date_extend(filter, attribute->value.i64);
	if (filters->count == LOCATE_FILTERS_MAX)
		TRY(ERR_FIELD);
	filter = &filters->items[filters->count];
	*filter = (struct locate_filter){
		.row = row, .name = attribute->name, .value = attribute->value
	};
	if (attribute->value.type != KMIP_TYPE_ANY) {
		TRY(kmip_value_encode(&filter->encoded, codec->arena, &attribute->value));
		/* In canonical form, so that parts can be compared byte by byte. */
		TRY(kmip_value_decode(&filter->value, filter->encoded));
	}
	filters->count++;
out:
	return err;
}

enum err locate_filters_add(struct locate_filters *filters, struct codec *codec,
	const struct kmip_attribute *attributes, size_t count)
{
	enum err err = ERR_OK;

	for (size_t i = 0; i < count; i++)
		TRY(filter_add(filters, codec, &attributes[i]));
out:
	return err;
}

const struct locate_filter *locate_filters_find(
	const struct locate_filters *filters, enum kmip_attribute_id id)
{
	for (size_t i = 0; i < filters->count; i++) {
		if (kmip_attribute_id(filters->items[i].row) == id)
			return &filters->items[i];
	}
	return NULL;
}

const struct cache_span *locate_filters_initial(
	const struct locate_filters *filters, struct cache_span *out)
{
	const struct locate_filter *filter =
		locate_filters_find(filters, KMIP_ATTRIBUTE_INITIAL_DATE);

	if (filter == NULL || filter->value.type != KMIP_TYPE_DATE_TIME)
		return NULL;
	out->first = filter->value.i64;
	out->last = filter->is_range ? filter->last : filter->value.i64;
	return out;
}

/* As many uses as asked for must be left (4.9). */
static bool usage_limits_match(const struct kmip_value *asked, const struct kmip_value *held)
{
	struct codec codec = { .version = KMIP_NEWEST, .flags = CODEC_PARTIAL };
	struct kmip_usage_limits want;
	struct kmip_usage_limits have;

	if (kmip_value_read(&want, &codec, &kmip_usage_limits_table, asked) != ERR_OK ||
		kmip_value_read(&have, &codec, &kmip_usage_limits_table, held) != ERR_OK)
		return false;
	if (want.unit.has && want.unit.value != have.unit.value)
		return false;
	return (!want.total.has || have.total.value >= want.total.value) &&
	       (!want.count.has || have.count.value >= want.count.value);
}

static bool value_matches(const struct locate_filter *filter, const struct kmip_value *held)
{
	const struct kmip_value *asked = &filter->value;
	enum kmip_attribute_id id = kmip_attribute_id(filter->row);

	if (asked->type == KMIP_TYPE_ANY)
		return true;
	if (asked->type != held->type)
		return false;
	if (id == KMIP_ATTRIBUTE_CRYPTOGRAPHIC_USAGE_MASK)
		return (held->integer & asked->integer) == asked->integer;
	if (id == KMIP_ATTRIBUTE_USAGE_LIMITS)
		return usage_limits_match(asked, held);
	if (filter->is_range)
		return held->i64 >= asked->i64 && held->i64 <= filter->last;
	switch (asked->type) {
	case KMIP_TYPE_STRUCTURE:
		return kmip_value_covers(held, asked);
	case KMIP_TYPE_TEXT_STRING:
	case KMIP_TYPE_BYTE_STRING:
	case KMIP_TYPE_BIG_INTEGER:
		return slice_equal(asked->bytes, held->bytes);
	case KMIP_TYPE_INTEGER:
	case KMIP_TYPE_ENUMERATION:
	case KMIP_TYPE_INTERVAL:
		return asked->u32 == held->u32;
	case KMIP_TYPE_BOOLEAN:
		return asked->boolean == held->boolean;
	default:
		return asked->i64 == held->i64;
	}
}

/* The largest date stands for none (4.9). */
static bool wants_undefined(const struct locate_filter *filter)
{
	return filter->row->type == KMIP_TYPE_DATE_TIME &&
	       filter->value.type == KMIP_TYPE_DATE_TIME &&
	       (filter->is_range ? filter->last : filter->value.i64) == INT64_MAX;
}

static enum err filter_match(
	bool *out, const struct locate_filter *filter, const struct object_attributes *seen)
{
	struct object_attributes list = *seen;
	enum err err;

	TRY(object_attributes_collect(&list, filter->row, filter->name));
	*out = list.count == 0 && wants_undefined(filter);
	for (size_t i = 0; i < list.count && !*out; i++)
		*out = value_matches(filter, &list.items[i].value);
out:
	return err;
}

enum err locate_filters_match(
	bool *out, const struct locate_filters *filters, const struct object_attributes *seen)
{
	enum err err = ERR_OK;

	*out = true;
	for (size_t i = 0; i < filters->count && *out; i++)
		TRY(filter_match(out, &filters->items[i], seen));
out:
	return err;
}
