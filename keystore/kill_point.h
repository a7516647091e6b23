/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places where a test ends the keeper as kill -9 would: what the row says is done, what follows is
 * not. In the product KILL_POINT() is nothing; only builds with PAIR_KILL_POINTS (presets dev and
 * asan) have them, and there a point strikes only when it was armed at the operator's socket.
 *
 * X(name, what is done by then)
 */
#ifndef KEYSTORE_KILL_POINT_H
#define KEYSTORE_KILL_POINT_H

#include <stdint.h>

#include "base/err.h"

/* clang-format off */
#define KILL_POINTS(X) \
	X(create_wrapped, "the wrapped form is proved") \
	X(create_intent, "the intent is durable; no standard key yet") \
	X(create_posted, "the standard key is made; no record yet") \
	X(create_recorded, "the record is durable; not yet let go by the gate") \
	X(create_released, "let go by the gate; not yet answered") \
	X(destroy_intent, "the intent is durable; the standard key is there") \
	X(destroy_deleted, "the standard key is deleted; its date is not known") \
	X(destroy_dated, "the date is known; no tombstone yet") \
	X(destroy_recorded, "the tombstone is durable; not yet let go by the gate") \
	X(destroy_released, "let go by the gate; not yet answered") \
	X(lower_written, "the ledger record is merged; the rest of the change is not") \
	X(change_recorded, "the changed record is durable; not yet let go by the gate") \
	X(change_released, "let go by the gate; not yet answered") \
	X(charge_taken, "the charge is durable, and open; not yet let go by the gate") \
	X(charge_released, "let go by the gate; not yet settled") \
	X(charge_settled, "the charge is settled; not yet answered") \
	X(ledger_wrapped, "the ledger record's key is wrapped; no standard key yet") \
	X(ledger_posted, "the ledger record is made; not merged, its intents are there") \
	X(ledger_recorded, "the ledger record is merged, its intents are done; nobody was told") \
	X(client_recorded, "the registration or removal is durable here; not yet let go") \
	X(client_released, "let go by the gate; not yet answered") \
	X(checkpoint_filled, "all is in the ledger; the position is the old one") \
	X(checkpoint_saved, "the position is durable; nobody was told") \
	X(compaction_written, "the new records are made; not read back") \
	X(compaction_proved, "the new records were read back; not seen in a listing") \
	X(compaction_listed, "the new records were listed; no old one is deleted") \
	X(compaction_deleted, "one old record is deleted; its note is there") \
	X(compaction_noted, "one old record and its note are deleted; others are there") \
	X(resolve_adopted, "what was begun to be made is adopted; its intent is there") \
	X(resolve_deleted, "what was begun to be deleted is deleted; its intent is there") \
	X(rewrap_answered, "the new form is there; the record has the old one") \
	X(rewrap_recorded, "the new form is durable; the walk was not told") \
	X(walk_saved, "the place of a walk is durable; keys behind it are under way") \
	X(walk_ended, "its place is taken back; nobody was told") \
	X(move_wrapped, "the key is wrapped with the new root key; no intent yet") \
	X(move_intent, "the intent is durable; no new standard key yet") \
	X(move_posted, "the new standard key is made; not read back") \
	X(move_proved, "the new key opens, the old one is there; the record points to that") \
	X(move_recorded, "the record points to the new key; the walk was not told") \
	X(migration_begun, "the stage is durable; nothing is moved, or deleted") \
	X(migration_recorded, "the ledger tells where each object is; nothing follows yet") \
	X(migration_rewritten, "no ledger record needs the old root key; the stage is not over") \
	X(migration_moved, "the end of the stage is durable; nobody was told") \
	X(let_go_recorded, "one old key is let go in the cache; the ledger does not tell yet") \
	X(retire_proved, "both keys open to the same; the old one is there") \
	X(retire_deleted, "the old key is deleted; the walk was not told") \
	X(migration_finished, "the end is durable; nobody was told") \
	X(peer_merged, "the peer's changes are durable here; not yet acknowledged")
/* clang-format on */

enum kill_point {
	KILL_NOWHERE,
#define KILL_POINT_ID(name, done) KILL_##name,
	KILL_POINTS(KILL_POINT_ID)
#undef KILL_POINT_ID
		KILL_POINT_COUNT
};

struct keystore;

#ifdef PAIR_KILL_POINTS

/* Lets `countdown` passes by, then strikes. */
struct kill_arm {
	enum kill_point point;
	uint32_t countdown;
};

#define KILL_POINT(keystore, name) kill_point_pass((keystore), KILL_##name)
void kill_point_pass(struct keystore *keystore, enum kill_point point);
/* One point at a time. ERR_NOT_FOUND: there is none of that name. */
MUST_USE enum err kill_point_arm(struct keystore *keystore, const char *name, uint32_t countdown);
const char *kill_point_name(enum kill_point point);

#else

#define KILL_POINT(keystore, name) ((void) (keystore))

#endif
#endif
