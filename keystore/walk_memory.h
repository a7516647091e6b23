/* SPDX-License-Identifier: Apache-2.0 */
/* What a walk keeps in its fact (keystore/FORMATS.md has the bytes), for its own next life. */
#ifndef KEYSTORE_WALK_MEMORY_H
#define KEYSTORE_WALK_MEMORY_H

#include "keystore/walk.h"

enum { WALK_FACT_LEN = CACHE_FACT_NAME_LEN_MAX };
void walk_memory_fact(
	char out[WALK_FACT_LEN], const char *name, const struct instance_id *instance);

struct walk_memory {
	struct walk_place place;
	uint32_t rate;
	struct walk_failed failed[WALK_FAILED_MAX];
	size_t failed_count;
};

/* Names a key that failed, once, while there is room. */
void walk_memory_fail(struct walk_memory *memory, const struct uid *uid, enum err err);
MUST_USE enum err walk_memory_save(
	struct cache_write *write, const char *fact, const struct walk_memory *memory);
MUST_USE enum err walk_memory_forget(
	struct cache_write *write, const char *name, const struct instance_id *instance);
/* ERR_MISS; ERR_INVALID: of another release. */
MUST_USE enum err walk_memory_load(
	struct walk_memory *out, struct cache_read *read, const char *fact);

#endif
