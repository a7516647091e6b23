/* SPDX-License-Identifier: Apache-2.0 */
/* The plain content of one ledger record (ledger.h), merged and noted in one write: by the node
 * that wrote it, and by every one that reads it. */
#ifndef KEYSTORE_LEDGER_CONTENT_H
#define KEYSTORE_LEDGER_CONTENT_H

#include "keystore/flow.h"

struct ledger_content {
	struct keystore_pending *flow; /* in whose commit this is */
	struct uid id; /* of the ledger record */
	struct slice plain;
	enum keymanager_crk crk; /* the root key that it is wrapped with */
	bool is_new; /* out: not known here before */
};
/* All are decoded before the first is put. ERR_CORRUPT, ERR_VERSION: nothing may be kept. */
MUST_USE enum err ledger_content_merge(
	struct ledger_content *content, struct cache_write *write, struct arena *arena);

#endif
