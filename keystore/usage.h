/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of an object's use was charged (KMIP's Usage Limits): the sum of what every node
 * charged. Each node counts in a register of its own, which it alone writes, so that of two copies
 * the later one is the whole and merging loses nothing (design D7). The registers stand among the
 * object's attributes under a name that no client can use or see; thereby the ledger keeps them,
 * and a release that does not know them hands them on.
 *
 * What is charged is at first open: it counts as used for everybody, but its node may still take it
 * back (keystore/charge.c).
 */
#ifndef KEYSTORE_USAGE_H
#define KEYSTORE_USAGE_H

#include "keystore/object.h"

enum { USAGE_LIVES_MAX = 16 }; /* registers of one node, see usage_place */

struct usage {
	int64_t settled, open; /* units */
};

/* Is it the name of these registers? */
bool usage_is_register(struct slice name);
/* All nodes' together; sums stop at INT64_MAX. Open is what may be taken back: what stands open in
 * a register whose node has a later one was left over by an earlier life. */
struct usage usage_sum(const struct object *object);
/* At most INT64_MAX. */
int64_t usage_add(int64_t a, int64_t b);
int64_t usage_used(const struct usage *usage); /* open or settled */

/*
 * The register that a node counts in, by the stamp of its addition. A cache may have fallen back to
 * an older copy, whose register is not the whole; writing that one would lose what the peer knows
 * of it. So a life has a register of its own, named by `life`, until it is `current`: in step with
 * the peer once, or without one. Then it goes on with the latest that there is; so it does when
 * there are USAGE_LIVES_MAX.
 */
struct usage_owner {
	struct stamp life; /* its node, and when this life began */
	bool current;
};
struct stamp usage_place(const struct object *object, const struct usage_owner *owner);
struct usage usage_at(const struct object *object, struct stamp place);
/* The edit that writes it. */
MUST_USE enum err usage_edit(struct object_edit *out, struct arena *arena, struct stamp place,
	const struct usage *usage);

#endif
