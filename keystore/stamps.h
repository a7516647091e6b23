/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node's stamp clock on disk. It is a fact of the cache that is written in the same transaction
 * as each change that may have moved it, so that after a restart no stamp is given twice, whatever
 * the wall clock says; a cache that fell back has forgotten some, for which there is the salt
 * (stamp.h). Stamps of merged records are seen first, so that a later own write beats them.
 */
#ifndef KEYSTORE_STAMPS_H
#define KEYSTORE_STAMPS_H

#include "keystore/keystore_private.h"

MUST_USE enum err stamps_load(struct keystore *keystore, uint16_t node);
MUST_USE enum err stamps_save(struct keystore *keystore, struct cache_write *write);
/* `last`, unless what is stored is later: for a write that begins behind its clock. */
MUST_USE enum err stamps_save_seen(struct cache_write *write, uint64_t last);
void stamps_see(struct keystore *keystore, const struct record *record);

#endif
