/* SPDX-License-Identifier: Apache-2.0 */
/* The attributes that a Locate asks for, and whether an object has them (KMIP 1.4, section 4.9). */
#ifndef KMIP_LOCATE_FILTER_H
#define KMIP_LOCATE_FILTER_H

#include "keystore/cache.h"
#include "kmip/object_attributes.h"

enum { LOCATE_FILTERS_MAX = 64 }; /* ours */

struct locate_filter {
	const struct kmip_attribute_row *row;
	struct slice name;
	struct kmip_value value; /* KMIP_TYPE_ANY: any value will do */
	struct slice encoded; /* the value in stored form */
	bool is_range; /* a date that came twice: value.i64 up to last */
	int64_t last;
};

struct locate_filters {
	struct locate_filter items[LOCATE_FILTERS_MAX];
	size_t count;
};

/* Adds the attributes of a request. ERR_FIELD: one that does not exist, or more than two dates, or
 * too many. */
MUST_USE enum err locate_filters_add(struct locate_filters *filters, struct codec *codec,
	const struct kmip_attribute *attributes, size_t count);
/* The filter of an attribute; NULL: there is none. */
const struct locate_filter *locate_filters_find(
	const struct locate_filters *filters, enum kmip_attribute_id id);
/* The Initial Date that is asked for, in `out`; NULL: any. */
const struct cache_span *locate_filters_initial(
	const struct locate_filters *filters, struct cache_span *out);
/* `seen` says whose attributes, for which version, and lends its arena; its list must be empty. */
MUST_USE enum err locate_filters_match(
	bool *out, const struct locate_filters *filters, const struct object_attributes *seen);

#endif
