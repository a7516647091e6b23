/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that requests under way are about to give (Name is unique, KMIP 1.4, section 3.2). Between
 * plan, which finds a name free, and the commit that takes it another request could find it free,
 * too. All changes of a node go through its keeper, in whose memory this lives; two nodes do not
 * know of each other's.
 */
#ifndef KMIP_CLAIMS_H
#define KMIP_CLAIMS_H

#include "keystore/ids.h"
#include "base/err.h"
#include "base/slice.h"

/* Ours, of all requests together; a keeper runs fewer items at once, of a name or two each. */
enum { CLAIMS_MAX = 4096 };

struct claims;

MUST_USE enum err claims_new(struct claims **out);
void claims_free(struct claims *claims);
struct claim {
	struct instance_id instance;
	struct slice name, value; /* of the attribute, in stored form */
};
/* For the holder, any pointer that is its own until it lets go; again is fine. ERR_EXISTS: another
 * one's; ERR_UNAVAILABLE: too many. */
MUST_USE enum err claims_take(struct claims *claims, const void *holder, const struct claim *claim);
/* All of the holder's; claims may be NULL. */
void claims_let_go(struct claims *claims, const void *holder);

#endif
