/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper's care for its cache's file (design D11, D29): proved whole before it is used, by a
 * process that may die of it; moved aside when it is not; room on the disk taken ahead of need; and
 * what is said when the file fails while the node runs.
 */
#ifndef NODE_CACHE_GUARD_H
#define NODE_CACHE_GUARD_H

#include "keystore/cache.h"
#include "node/config.h"

/*
 * Opened for writing. A file that is damaged, of another format, or older than tombstones are kept,
 * is moved aside whole and begun anew: a single record that is read again from the key manager
 * alone could have lost a revocation that the peer still knows. ERR_FULL, ERR_DENIED: the disk
 * cannot take what this node would have to keep, so that it must not run; `why` says what to do.
 */
MUST_USE enum err cache_guard_open(struct cache **out, const char *config_path,
	const struct config *config, char why[CONFIG_WHY_MAX]);
/* From time to time: extends the reserve, and says once when the disk does not give it. */
struct cache_guard {
	bool told;
};
void cache_guard_tick(struct cache_guard *guard, struct cache *cache);
/* A process of ours died of what it read of the file: ends the node, which is to start again and
 * look at the whole file. */
_Noreturn void cache_guard_lost(int worker);
/* The role `verify` of kmipd: the exit status tells cache_guard_open what was found. */
_Noreturn void cache_guard_verify_run(const char *config_path);
/* For each role: a page that cannot be read (SIGBUS) ends the process with a line that says so. */
void cache_guard_explain_bus_errors(void);

#endif
