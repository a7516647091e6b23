/* SPDX-License-Identifier: Apache-2.0 */
/* What the peer's HELLO says of it, and of this node's own disk (design D20, D22). */
#include "replication/core_private.h"
#include "replication/mutant.h"

const char *hello_judge(const struct core *core, const struct wire_hello *hello)
{
	if (!slice_equal_text(hello->cluster, core->options.cluster))
		return "the peer belongs to another cluster";
	if (hello->node != core->options.peer_node)
		return "the peer has another node number than configured";
	if (hello->version_min > core->options.version_max || hello->version_max < WIRE_VERSION_MIN)
		return "no protocol version in common with the peer";
	return NULL;
}

/* Of an incarnation in common, there is no such place in this node's log. */
static bool is_unknown_place(
	const struct wire_position *theirs, const struct wire_position *own, const uint8_t *hash_at)
{
	if (theirs->seq == 0 || !wire_incarnation_equal(theirs, own))
		return false;
	if (theirs->seq > own->seq)
		return !MUTANT(rollback_not_noticed);
	return !MUTANT(hash_not_compared) && hash_at != NULL &&
	       !slice_equal(slice_of(hash_at, 32), slice_of(theirs->hash, 32));
}

bool hello_shows_rollback(const struct core_event *event)
{
	const struct wire_hello *hello = &event->frame.frame->hello;
	const struct wire_position *own = &event->frame.own;

	return is_unknown_place(&hello->applied.position, own, event->frame.hash_at) ||
	       (is_unknown_place(&hello->seen, own, event->frame.seen_hash_at) &&
		       !MUTANT(seen_not_compared));
}

static bool is_none(const struct wire_position *position)
{
	static const struct wire_position none;

	return position->seq == 0 && wire_incarnation_equal(position, &none);
}

/* An incarnation in which nothing was changed yet has a place, too. */
static bool is_proven_place(
	const struct wire_position *theirs, const struct wire_position *own, const uint8_t *hash_at)
{
	return wire_incarnation_equal(theirs, own) && (theirs->seq == 0 || hash_at != NULL);
}

/* How far the records reach that the peer has is known to be no further than this node's log. An
 * older release does not keep it: then only what happened in this life is known. */
static bool is_reach_proven(const struct core *core, const struct core_event *event)
{
	const struct wire_hello *hello = &event->frame.frame->hello;
	const struct wire_position *applied = &hello->applied.position, *seen = &hello->seen;

	if (core->proven && !wire_incarnation_equal(seen, &event->frame.own))
		return true;
	if (is_none(seen))
		return is_none(applied);
	return is_proven_place(seen, &event->frame.own, event->frame.seen_hash_at) ||
	       (wire_incarnation_equal(seen, applied) && seen->seq <= applied->seq);
}

bool hello_is_unproven(const struct core *core, const struct core_event *event)
{
	const struct wire_position *applied = &event->frame.frame->hello.applied.position;
	bool proven = is_none(applied) ||
		      is_proven_place(applied, &event->frame.own, event->frame.hash_at);

	return !MUTANT(rollback_not_noticed) && !core->full_wanted &&
	       !(proven && is_reach_proven(core, event));
}
