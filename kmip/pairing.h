/* SPDX-License-Identifier: Apache-2.0 */
/* The two keys of a pair that the server makes: Create Key Pair and Re-key Key Pair. */
#ifndef KMIP_PAIRING_H
#define KMIP_PAIRING_H

#include "base/pkey.h"
#include "kmip/attribute_rules.h"
#include "kmip/item.h"

/* Lives in the arena, since the steps after the first need it. */
struct pairing {
	struct attribute_edits private_edits, public_edits;
	struct kmip_object public_object; /* filled by pairing_make_private */
	struct slice public_digested;
};

/* ERR_FIELD: both keys would have one Name (3.2). */
MUST_USE enum err pairing_judge_names(const struct pairing *pairing);
/* Has the pair computed on another thread: ERR_AGAIN, to be handed on. plan is run again, with
 * plan_memory set. */
MUST_USE enum err pairing_begin(struct kmip_item *item, const struct pkey_wish *wish);
/* The item's first effect: the private key. Names were judged. Errors of pkey_generate also. */
MUST_USE enum err pairing_make_private(struct kmip_item *item, struct pairing *pairing);
/* The item's second effect: the public key, linked to the private one. */
MUST_USE enum err pairing_make_public(struct kmip_item *item, struct pairing *pairing);
/* The item's third effect, to which others may be added (settling.h): both have their names, and
 * know each other. */
MUST_USE enum err pairing_settle(struct kmip_item *item);

#endif
