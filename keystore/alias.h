/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard keys that hold an object of another id (design D8): an object keeps its uid when it is
 * migrated, and its new key has an id of its own. The fact "alias-<key id>" is the uid, for each
 * such id that any merged record ever named, whether that key counts still or was superseded.
 */
#ifndef KEYSTORE_ALIAS_H
#define KEYSTORE_ALIAS_H

#include "keystore/cache.h"

/* In the write that merges the object. */
MUST_USE enum err alias_note(struct cache_write *write, const struct object *object);
MUST_USE enum err alias_forget(struct cache_write *write, const struct uid *key_id);
/* The uid of the object that the standard key holds; ERR_MISS: not known, or the key's own id. */
MUST_USE enum err alias_find(struct uid *out, struct cache_read *read, const struct uid *key_id);
/* The cached object that the standard key holds or held; ERR_MISS. */
MUST_USE enum err alias_get_object(struct cache_read *read, struct arena *arena,
	const struct uid *key_id, struct object **out);
/* Those behind `after` (NULL: all), in the order of key ids; what visit returns ends the walk
 * unless it is ERR_OK. */
MUST_USE enum err alias_walk(struct cache_read *read, const struct uid *after,
	enum err (*visit)(void *ctx, const struct uid *key_id, const struct uid *uid), void *ctx);

#endif
