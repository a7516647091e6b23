/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of one object, or of several that hold together (struct keystore_change): one ledger
 * record, where the key manager is to have them, and one transaction. So a node that dies leaves
 * all of them or none, and so does whoever rebuilds from the key manager. The part of a flow.
 */
#ifndef KEYSTORE_JOINT_H
#define KEYSTORE_JOINT_H

#include "keystore/ledger.h"

struct joint_part;

struct joint {
	struct keystore_pending *flow;
	const struct keystore_change *options;
	struct joint_part *parts;
	size_t count;
	bool is_lowered; /* the ledger has them: they hold */
	bool may_exist; /* or it may */
	struct buf trace; /* of all, as far as one ledger record holds them */
	struct ledger_wait wait;
	void (*on_lowered)(void *ctx, enum err err);
	uint32_t added_index; /* of the first one */
};

/* Copies what is asked: the object's own change, unless `only_with`, then those of the others. The
 * options must live as long. Ends with joint_end. */
struct joint_options {
	struct keystore_pending *flow;
	const struct keystore_change *change;
	bool only_with;
};
MUST_USE enum err joint_begin(struct joint *joint, const struct joint_options *options);
/* Whether the key manager has to have it before a cache has. */
bool joint_lowers(const struct joint *joint);
/* Checks, and writes all of it into one ledger record, which merges it. on_lowered comes once,
 * later, with the flow as ctx; ERR_LIMIT: one record cannot hold it. */
MUST_USE enum err joint_lower(struct joint *joint, void (*on_lowered)(void *ctx, enum err err));
/* In a write: applies all of it, checked unless the ledger has it. */
MUST_USE enum err joint_write(struct joint *joint, struct cache_write *write, struct arena *arena);
/* What is told of a failure: ERR_AMBIGUOUS, when several objects may be changed all the same. */
enum err joint_error(const struct joint *joint, enum err err);
void joint_end(struct joint *joint);

#endif
