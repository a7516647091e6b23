/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys that the key manager does not show by id any more, while the same credential works (design
 * D12): not served, not deleted. Each node finds that out for itself, so it is a fact of its cache,
 * "missing-<uid>", and no part of the record.
 */
#ifndef KEYSTORE_MISSING_H
#define KEYSTORE_MISSING_H

#include "keystore/cache.h"

bool missing_is(struct cache_read *read, const struct uid *uid);
MUST_USE enum err missing_note(
	struct cache_write *write, const struct uid *uid, const struct instance_id *instance);
MUST_USE enum err missing_clear(struct cache_write *write, const struct uid *uid);
/* How many live objects of the instance are. */
MUST_USE enum err missing_count(
	uint64_t *out, struct cache_read *read, const struct instance_id *instance);

#endif
