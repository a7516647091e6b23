/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deliberate breakages, by which the simulation shows that it would notice the true ones. In the
 * product MUTANT(name) is the constant false and costs nothing; only the test program
 * pair_sim_mutant is compiled with PAIR_MUTANTS, and breaks one rule by name.
 *
 * X(name, seeds within which it is found, the rule that it breaks)
 */
#ifndef REPLICATION_MUTANT_H
#define REPLICATION_MUTANT_H

/* clang-format off */
#define MUTANTS(X) \
	X(no_leases, 20, "a change waits for the peer's lease, not only for ack-wait") \
	X(lease_from_receipt, 400, "a lease counts from when it was asked for") \
	X(no_drift_margin, 400, "the granter waits longer than the holder may serve") \
	X(grant_forgotten, 400, "a restarted node assumes that it granted just before") \
	X(acknowledged_early, 20, "an acknowledgement means durable") \
	X(grant_overtakes_log, 200, "a grant leaves behind everything that was logged") \
	X(grant_overtakes_merge, 400, "a grant counts when what came before it is durable") \
	X(released_when_sent, 100, "an answer waits for the acknowledgement, not for the sending") \
	X(released_one_early, 100, "an answer waits for its own change, not for the one before") \
	X(released_when_down, 50, "a lost link does not let changes go") \
	X(hash_not_compared, 1000, "HELLO compares the running hash") \
	X(rollback_not_noticed, 400, "a peer that knows more than this node does means a rollback") \
	X(incarnation_not_compared, 400, "positions of another incarnation mean nothing") \
	X(trimmed_skipped, 200, "a log that does not reach back means a snapshot") \
	X(snapshot_base_late, 400, "the stream goes on from where the snapshot began") \
	X(chain_not_broken, 4000, "after a merge that failed no later one moves the position") \
	X(fenced_while_up, 400, "a peer that is heard cannot be fenced") \
	X(stop_keeps_vouch, 200, "a node that says that it stops has stopped serving") \
	X(tombstone_unknown, 100, "a tombstone is stored also for a key never seen") \
	X(fill_overwrites, 400, "what is read of the key manager is merged") \
	X(sequence_outside, 200, "the sequence number is given in the transaction of the change") \
	X(stamps_unsalted, 40000, "a node that fell back gives no stamp a second time") \
	X(absence_deletes, 50, "absence in a snapshot deletes nothing") \
	X(epoch_ignored, 200, "a restored key lives in a later epoch") \
	X(absence_is_not_found, 20, "Item Not Found is said by the key manager's word only") \
	X(intents_forgotten, 50, "what was begun at the key manager is settled after a crash") \
	X(vouch_not_read, 100, "a node without a lease asks the key manager") \
	X(digest_not_compared, 100, "caches are compared, and what differs is repaired") \
	X(repair_not_sent, 400, "both nodes send what differs") \
	X(damage_kept, 100, "a damaged record gives way to the peer's") \
	X(trimmed_alone, 4000, "a tombstone goes only where both nodes hold it") \
	X(trimmed_young, 100, "a tombstone goes only when the key manager cannot restore its key") \
	X(old_disk_kept, 4000, "a disk older than the tombstones that are kept is not used") \
	X(version_ignored, 200, "a peer is sent only what its version knows") \
	X(lease_for_all, 100, "a lease is silent on an instance that the peer has otherwise")
/* clang-format on */

#ifdef PAIR_MUTANTS
enum mutant {
	MUTANT_none,
#define X(name, seeds, rule) MUTANT_##name,
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
