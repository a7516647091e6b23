/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Named JSON documents in one LMDB file. Everything written is on disk when the call returns. A
 * failed write ends the process: memory would be ahead of the disk, and a promise would be broken.
 */
#ifndef EMULATOR_STORE_H
#define EMULATOR_STORE_H

#include <cjson/cJSON.h>

#include "base/err.h"

struct store;

MUST_USE enum err store_new(struct store **out, const char *folder);
void store_free(struct store *store);
/* Calls visit for each document whose name begins with prefix, in order of names; the document is
 * borrowed. */
typedef void store_visit(void *ctx, const char *name, const cJSON *document);
void store_each(struct store *store, const char *prefix, store_visit *visit, void *ctx);
/* Several changes in one transaction: begin, put and drop, commit. */
void store_begin(struct store *store);
void store_put(struct store *store, const char *name, const cJSON *document);
void store_drop(struct store *store, const char *name);
void store_commit(struct store *store);

#endif
