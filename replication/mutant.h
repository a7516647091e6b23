/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deliberate breakages, by which the simulation shows that it would notice the true ones. In the
 * product MUTANT(name) is the constant false and costs nothing; only the test program
 * pair_sim_mutant is compiled with PAIR_MUTANTS, and breaks one rule by name.
 *
 * X(name, kind of world, seeds within which it is found there, the rule that it breaks)
 */
#ifndef REPLICATION_MUTANT_H
#define REPLICATION_MUTANT_H

/* clang-format off */
#define MUTANTS(X) \
	X(no_leases, any, 20, "a change waits for the peer's lease, not only for ack-wait") \
	X(lease_from_receipt, any, 400, "a lease counts from when it was asked for") \
	X(no_drift_margin, any, 400, "the granter waits longer than the holder may serve") \
	X(grant_forgotten, any, 400, "a restarted node assumes that it granted just before") \
	X(acknowledged_early, any, 20, "an acknowledgement means durable") \
	X(grant_overtakes_log, any, 200, "a grant leaves behind everything that was logged") \
	X(grant_overtakes_merge, any, 400, "a grant counts when what came before it is durable") \
	X(released_when_sent, any, 100, "an answer waits for the acknowledgement, not for the sending") \
	X(released_one_early, any, 100, "an answer waits for its own change, not for the one before") \
	X(released_when_down, any, 50, "a lost link does not let changes go") \
	X(hash_not_compared, falling, 100, "HELLO compares the running hash") \
	X(rollback_not_noticed, any, 400, "a peer that knows more than this node does means a rollback") \
	X(reach_not_told, any, 20, "the peer is told before how far the records reach that it is sent") \
	X(seen_not_compared, falling, 400, "a peer whose records reach further than the log means a rollback") \
	X(merges_left_behind, falling, 1000, "a link begins when what the last one brought is stored") \
	X(incarnation_not_compared, any, 400, "positions of another incarnation mean nothing") \
	X(trimmed_skipped, any, 200, "a log that does not reach back means a snapshot") \
	X(snapshot_base_late, any, 400, "the stream goes on from where the snapshot began") \
	X(chain_not_broken, any, 4000, "after a merge that failed no later one moves the position") \
	X(fenced_while_up, any, 400, "a peer that is heard cannot be fenced") \
	X(stop_keeps_vouch, any, 200, "a node that says that it stops has stopped serving") \
	X(tombstone_unknown, any, 100, "a tombstone is stored also for a key never seen") \
	X(fill_overwrites, any, 400, "what is read of the key manager is merged") \
	X(sequence_outside, any, 200, "the sequence number is given in the transaction of the change") \
	X(stamps_unsalted, falling, 4000, "a node that fell back gives no stamp a second time") \
	X(absence_deletes, any, 50, "absence in a snapshot deletes nothing") \
	X(epoch_ignored, any, 200, "a restored key lives in a later epoch") \
	X(absence_is_not_found, any, 20, "Item Not Found is said by the key manager's word only") \
	X(intents_forgotten, any, 50, "what was begun at the key manager is settled after a crash") \
	X(vouch_not_read, any, 100, "a node without a lease asks the key manager") \
	X(digest_not_compared, diverging, 100, "caches are compared, and what differs is repaired") \
	X(repair_not_sent, diverging, 400, "both nodes send what differs") \
	X(damage_kept, diverging, 100, "a damaged record gives way to the peer's") \
	X(trimmed_alone, old, 2000, "a tombstone goes only where both nodes hold it") \
	X(trimmed_young, old, 100, "a tombstone goes only when the key manager cannot restore its key") \
	X(old_disk_kept, old, 2000, "a disk older than the tombstones that are kept is not used") \
	X(version_ignored, versions, 200, "a peer is sent only what its version knows") \
	X(lease_for_all, tenants, 100, "a lease is silent on an instance that the peer has otherwise")
/* clang-format on */

#ifdef PAIR_MUTANTS
enum mutant {
	MUTANT_none,
#define X(name, world, seeds, rule) MUTANT_##name,
	MUTANTS(X)
#undef X
		MUTANT_COUNT
};
extern enum mutant mutant_chosen;
#define MUTANT(name) (mutant_chosen == MUTANT_##name)
#else
#define MUTANT(name) false
#endif

#endif
