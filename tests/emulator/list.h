/* SPDX-License-Identifier: Apache-2.0 */
/* What GET /keys understands: states, filter, search, sort, paging. Pure: a query and keys in, keys
 * out. */
#ifndef EMULATOR_LIST_H
#define EMULATOR_LIST_H

#include "base/err.h"
#include "tests/emulator/key.h"

enum {
	LIST_FILTERS_MAX = 12,
	LIST_SORTS_MAX = 9,
	LIST_SEARCH_MAX = 256,
	LIST_LIMIT_DEFAULT = 200,
	LIST_LIMIT_MAX = 5000
};

enum list_operator { LIST_EQ, LIST_LT, LIST_LTE, LIST_GT, LIST_GTE, LIST_NONE };

struct list_filter {
	size_t date_offset; /* of the key's date */
	enum list_operator operator;
	int64_t value;
};

struct list_sort {
	size_t property; /* index into the table of sortable properties */
	bool descending;
};

struct list_search {
	char text[LIST_SEARCH_MAX]; /* empty: no search */
	bool not, exact, in_name, in_alias;
};

struct list_query {
	unsigned states; /* KEY_IN(...) bits */
	int extractable; /* -1: both */
	struct list_filter filters[LIST_FILTERS_MAX];
	size_t filter_count;
	struct list_sort sorts[LIST_SORTS_MAX];
	size_t sort_count;
	struct list_search search;
	size_t limit, offset;
};

/* The texts of the query parameters, NULL when absent. */
struct list_texts {
	const char *state, *extractable, *filter, *search, *sort, *limit, *offset;
};

/* As the service's own language reads a boolean (1, t, T, true, True, TRUE and their opposites):
 * clients write each in their own way. False when it is none. */
bool list_parse_bool(bool *out, const char *text);
/* ERR_INVALID with the parameter's name in *bad and what it must be in *must. */
MUST_USE enum err list_parse(struct list_query *out, const struct list_texts *texts,
	const char **bad, const char **must);
bool list_matches(
	const struct list_query *query, const struct key *key, const struct key_context *context);
/* Stable; without a sort parameter the order is left alone. */
void list_sort(const struct list_query *query, struct key **keys, size_t count);

#endif
