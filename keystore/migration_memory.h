/* SPDX-License-Identifier: Apache-2.0 */
/* What an instance's migration keeps in the fact "migration-<instance>", for its own next life. */
#ifndef KEYSTORE_MIGRATION_MEMORY_H
#define KEYSTORE_MIGRATION_MEMORY_H

#include "keystore/cache.h"

enum migration_stage {
	MIGRATION_STAGE_NONE,
	MIGRATION_STAGE_MOVING,
	MIGRATION_STAGE_MOVED, /* everything is under the root key; the old keys are there */
	MIGRATION_STAGE_DELETING, /* them, as an operator confirmed */
	MIGRATION_STAGE_FINISHED,
};

struct migration_memory {
	enum migration_stage stage;
	struct uid root, from; /* the root keys */
	int64_t since; /* what was moved since then, by the key manager's clock, is done; 0: not
			  known yet */
	uint32_t rate;
};

/* All zero where there is none. */
MUST_USE enum err migration_memory_load(
	struct migration_memory *out, struct cache_read *read, const struct instance_id *instance);
MUST_USE enum err migration_memory_save(struct cache_write *write,
	const struct instance_id *instance, const struct migration_memory *memory);

#endif
