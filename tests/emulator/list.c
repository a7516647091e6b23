/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/emulator/list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

enum { FILTER_TEXT_MAX = 1024, FILTERS_PER_PROPERTY_MAX = 3 };

enum property_kind { PROPERTY_TEXT, PROPERTY_NUMBER, PROPERTY_BOOL, PROPERTY_DATE };

static const struct {
	const char *name;
	enum property_kind kind;
	bool filterable_date; /* state and extractable have parsers of their own */
	size_t offset;
} properties[] = {
	{ "id", PROPERTY_TEXT, false, offsetof(struct key, id) },
	{ "state", PROPERTY_NUMBER, false, offsetof(struct key, state) },
	{ "extractable", PROPERTY_BOOL, false, offsetof(struct key, extractable) },
	{ "imported", PROPERTY_BOOL, false, offsetof(struct key, imported) },
	{ "creationDate", PROPERTY_DATE, true, offsetof(struct key, created) },
	{ "lastUpdateDate", PROPERTY_DATE, true, offsetof(struct key, updated) },
	{ "lastRotateDate", PROPERTY_DATE, true, offsetof(struct key, rotated) },
	{ "deletionDate", PROPERTY_DATE, true, offsetof(struct key, deleted) },
	{ "expirationDate", PROPERTY_DATE, true, offsetof(struct key, expires) },
};

enum { PROPERTY_COUNT = sizeof(properties) / sizeof(properties[0]) };

static const struct {
	const char *prefix;
	enum list_operator operator;
} operators[] = {
	{ "lte:", LIST_LTE },
	{ "lt:", LIST_LT },
	{ "gte:", LIST_GTE },
	{ "gt:", LIST_GT },
	{ "", LIST_EQ },
};

static size_t property_named(const char *name)
{
	size_t i = 0;

	while (i < PROPERTY_COUNT && strcmp(properties[i].name, name) != 0)
		i++;
	return i;
}

static enum err parse_number(size_t *out, const char *text, uint64_t min, uint64_t max)
{
	uint64_t value = 0;
	enum err err = text_u64(&value, slice_text(text), max);

	if (err != ERR_OK || value < min)
		return ERR_INVALID;
	*out = (size_t) value;
	return ERR_OK;
}

static enum err parse_page(
	struct list_query *out, const struct list_texts *texts, const char **bad, const char **must)
{
	out->limit = LIST_LIMIT_DEFAULT;
	out->offset = 0;
	if (texts->limit != NULL &&
		parse_number(&out->limit, texts->limit, 1, LIST_LIMIT_MAX) != ERR_OK) {
		*bad = "limit";
		*must = "an integer between 1 and 5000 (inclusive)";
		return ERR_INVALID;
	}
	if (texts->offset != NULL &&
		parse_number(&out->offset, texts->offset, 0, INT32_MAX) != ERR_OK) {
		*bad = "offset";
		*must = "an integer greater than or equal to 0";
		return ERR_INVALID;
	}
	return ERR_OK;
}

static enum err parse_states(struct list_query *out, const char *text)
{
	char copy[FILTER_TEXT_MAX];
	char *rest = copy;
	size_t state = 0;

	if (text_copy(copy, sizeof(copy), slice_text(text)) != ERR_OK)
		return ERR_INVALID;
	out->states = 0;
	for (char *part = strsep(&rest, ","); part != NULL; part = strsep(&rest, ",")) {
		if (parse_number(&state, part, 0, KEY_DESTROYED) != ERR_OK || state == 4)
			return ERR_INVALID;
		out->states |= KEY_IN(state);
	}
	return ERR_OK;
}

bool list_parse_bool(bool *out, const char *text)
{
	static const char *const forms[2][6] = { { "0", "f", "F", "false", "False", "FALSE" },
		{ "1", "t", "T", "true", "True", "TRUE" } };

	for (size_t value = 0; value < 2; value++) {
		for (size_t i = 0; i < 6; i++) {
			if (strcmp(forms[value][i], text) != 0)
				continue;
			*out = value == 1;
			return true;
		}
	}
	return false;
}

static enum err parse_extractable(struct list_query *out, const char *text)
{
	bool value = false;

	if (!list_parse_bool(&value, text))
		return ERR_INVALID;
	out->extractable = value;
	return ERR_OK;
}

static enum err parse_date_filter(struct list_filter *out, const char *text)
{
	size_t i = 0;

	if (strcmp(text, "none") == 0) {
		out->operator= LIST_NONE;
		return ERR_OK;
	}
	while (strncmp(text, operators[i].prefix, strlen(operators[i].prefix)) != 0)
		i++;
	out->operator= operators[i].operator;
	struct slice date = slice_text(text + strlen(operators[i].prefix));
	if (date.len >= 2 && date.data[0] == '"' && date.data[date.len - 1] == '"')
		date = slice_cut(date, 1, date.len - 2);
	return text_rfc3339(&out->value, date);
}

/* One prop=value. `seen` counts how often each property came. */
static enum err parse_filter(
	struct list_query *out, char *text, const struct list_texts *texts, unsigned *seen)
{
	char *value = strchr(text, '=');

	if (value == NULL)
		return ERR_INVALID;
	*value++ = '\0';
	size_t property = property_named(text);
	if (property == PROPERTY_COUNT || ++seen[property] > FILTERS_PER_PROPERTY_MAX)
		return ERR_INVALID;
	if (strcmp(text, "state") == 0)
		return texts->state != NULL ? ERR_INVALID : parse_states(out, value);
	if (strcmp(text, "extractable") == 0)
		return texts->extractable != NULL ? ERR_INVALID : parse_extractable(out, value);
	if (!properties[property].filterable_date || out->filter_count == LIST_FILTERS_MAX)
		return ERR_INVALID;
	struct list_filter *filter = &out->filters[out->filter_count++];
	filter->date_offset = properties[property].offset;
	return parse_date_filter(filter, value);
}

static enum err parse_filters(struct list_query *out, const struct list_texts *texts)
{
	char copy[FILTER_TEXT_MAX];
	char *rest = copy;
	unsigned seen[PROPERTY_COUNT] = { 0 };

	if (text_copy(copy, sizeof(copy), slice_text(texts->filter)) != ERR_OK)
		return ERR_INVALID;
	for (char *part = strsep(&rest, " "); part != NULL; part = strsep(&rest, " ")) {
		if (*part == '\0')
			continue;
		if (parse_filter(out, part, texts, seen) != ERR_OK)
			return ERR_INVALID;
	}
	return ERR_OK;
}

static enum err parse_sort(struct list_query *out, const char *text)
{
	char copy[FILTER_TEXT_MAX];
	char *rest = copy;

	if (text_copy(copy, sizeof(copy), slice_text(text)) != ERR_OK)
		return ERR_INVALID;
	for (char *part = strsep(&rest, ","); part != NULL; part = strsep(&rest, ",")) {
		bool descending = *part == '-';
		size_t property = property_named(part + descending);
		if (property == PROPERTY_COUNT || out->sort_count == LIST_SORTS_MAX)
			return ERR_INVALID;
		out->sorts[out->sort_count++] =
			(struct list_sort){ .property = property, .descending = descending };
	}
	return ERR_OK;
}

static bool take_prefix(const char **text, const char *prefix)
{
	size_t len = strlen(prefix);

	if (strncmp(*text, prefix, len) != 0)
		return false;
	*text += len;
	return true;
}

/* Prefixes may come in any order; escape: ends them. */
static enum err parse_search(struct list_query *out, const char *text)
{
	struct list_search *search = &out->search;
	bool more = true;

	while (more) {
		if (take_prefix(&text, "not:"))
			search->not = true;
		else if (take_prefix(&text, "exact:"))
			search->exact = true;
		else if (take_prefix(&text, "alias:"))
			search->in_alias = true;
		else if (take_prefix(&text, "name:"))
			search->in_name = true;
		else
			more = false;
	}
	take_prefix(&text, "escape:");
	if (!search->in_alias && !search->in_name)
		search->in_alias = search->in_name = true;
	enum err err = text_copy(search->text, sizeof(search->text), slice_text(text));
	/* A known client ends the text with a comma. */
	size_t len = strlen(search->text);
	if (err == ERR_OK && len > 0 && search->text[len - 1] == ',')
		search->text[len - 1] = '\0';
	return err;
}

enum err list_parse(
	struct list_query *out, const struct list_texts *texts, const char **bad, const char **must)
{
	*out = (struct list_query){ .extractable = -1 };
	out->states = KEY_IN(KEY_PREACTIVE) | KEY_IN(KEY_ACTIVE) | KEY_IN(KEY_SUSPENDED) |
		      KEY_IN(KEY_DEACTIVATED);
	if (parse_page(out, texts, bad, must) != ERR_OK)
		return ERR_INVALID;
	*bad = "state";
	*must = "a list of the states 0, 1, 2, 3 and 5 separated by commas";
	if (texts->state != NULL && parse_states(out, texts->state) != ERR_OK)
		return ERR_INVALID;
	*bad = "extractable";
	*must = "a boolean";
	if (texts->extractable != NULL && parse_extractable(out, texts->extractable) != ERR_OK)
		return ERR_INVALID;
	*bad = "filter";
	*must = "a list of property=value with known properties, each of them at most three times "
		"and not also given as a query parameter";
	if (texts->filter != NULL && parse_filters(out, texts) != ERR_OK)
		return ERR_INVALID;
	*bad = "search";
	*must = "a text of at most 255 characters";
	if (texts->search != NULL && parse_search(out, texts->search) != ERR_OK)
		return ERR_INVALID;
	*bad = "sort";
	*must = "a list of sortable properties separated by commas";
	if (texts->sort != NULL && parse_sort(out, texts->sort) != ERR_OK)
		return ERR_INVALID;
	return ERR_OK;
}

static bool filter_matches(const struct list_filter *filter, const struct key *key)
{
	int64_t date = *(const int64_t *) ((const char *) key + filter->date_offset);

	if (filter->operator== LIST_NONE || date == 0)
		return filter->operator== LIST_NONE && date == 0;
	switch (filter->operator) {
	case LIST_LT:
		return date < filter->value;
	case LIST_LTE:
		return date <= filter->value;
	case LIST_GT:
		return date > filter->value;
	case LIST_GTE:
		return date >= filter->value;
	default:
		return date == filter->value;
	}
}

static bool text_matches(const struct list_search *search, const char *text)
{
	if (search->exact)
		return strcasecmp(text, search->text) == 0;
	return strcasestr(text, search->text) != NULL;
}

static bool search_matches(const struct list_search *search, const struct key *key)
{
	bool found = search->in_name && text_matches(search, key->name);

	for (size_t i = 0; search->in_alias && !found && i < key->alias_count; i++)
		found = text_matches(search, key->aliases[i].name);
	return found != search->not ;
}

bool list_matches(
	const struct list_query *query, const struct key *key, const struct key_context *context)
{
	if (!(query->states & KEY_IN(key_state_at(key, context))))
		return false;
	if (query->extractable >= 0 && query->extractable != (int) key->extractable)
		return false;
	for (size_t i = 0; i < query->filter_count; i++) {
		if (!filter_matches(&query->filters[i], key))
			return false;
	}
	return query->search.text[0] == '\0' || search_matches(&query->search, key);
}

static int compare_numbers(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int compare_property(size_t property, const struct key *a, const struct key *b)
{
	const char *left = (const char *) a + properties[property].offset;
	const char *right = (const char *) b + properties[property].offset;

	switch (properties[property].kind) {
	case PROPERTY_TEXT:
		return strcmp(*(char *const *) left, *(char *const *) right);
	case PROPERTY_BOOL:
		return compare_numbers(*(const bool *) left, *(const bool *) right);
	default:
		return compare_numbers(*(const int64_t *) left, *(const int64_t *) right);
	}
}

static int compare_keys(const void *a, const void *b, void *ctx)
{
	const struct list_query *query = ctx;
	const struct key *left = *(struct key *const *) a;
	const struct key *right = *(struct key *const *) b;

	for (size_t i = 0; i < query->sort_count; i++) {
		int order = compare_property(query->sorts[i].property, left, right);
		if (order != 0)
			return query->sorts[i].descending ? -order : order;
	}
	/* ties go by id, as the unsorted list does */
	return strcmp(left->id, right->id);
}

void list_sort(const struct list_query *query, struct key **keys, size_t count)
{
	if (query->sort_count > 0)
		qsort_r(keys, count, sizeof(*keys), compare_keys, (void *) (uintptr_t) query);
}
