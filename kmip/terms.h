/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What objects are found by without being read: their type, state, and the attributes of which
 * terms.def has a row. The same rows say what a Locate's filter looks up.
 */
#ifndef KMIP_TERMS_H
#define KMIP_TERMS_H

#include "keystore/cache.h"
#include "kmip/locate_filter.h"

/* For cache_options. */
extern const struct cache_terms kmip_terms;

/* The terms of which a matching object has one, in the arena; false: none is known for the filter.
 */
MUST_USE enum err terms_of_filter(
	bool *has, struct cache_any *out, struct arena *arena, const struct locate_filter *filter);
/* The same for a value in stored form. */
MUST_USE enum err terms_of_stored(bool *has, struct cache_any *out, struct arena *arena,
	struct slice name, struct slice value);
/* Every type: what each object has one of. */
MUST_USE enum err terms_of_all(struct cache_any *out, struct arena *arena);

#endif
