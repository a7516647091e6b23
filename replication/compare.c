/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Comparing the two caches, bucket by bucket, and sending what differs (design D20). Frames keep
 * their order, and the answer is read behind all that was sent before the question; so equal
 * positions in both transactions say that nothing was under way, and that a difference is one.
 */
#include "replication/core_private.h"
#include "replication/mutant.h"

static bool bit_get(const uint8_t *bits, size_t n)
{
	return (bits[n / 8] >> n % 8 & 1) != 0;
}

static void bit_set(uint8_t *bits, size_t n)
{
	bits[n / 8] |= (uint8_t) (1u << n % 8);
}

static bool is_asker(const struct core *core)
{
	return core->options.node < core->options.peer_node;
}

static void rest(struct core *core, uint64_t for_ms)
{
	core->compare.state = COMPARE_RESTING;
	core->compare.due_ms = core->now_ms + for_ms;
}

void compare_start(struct core *core)
{
	struct compare *compare = &core->compare;

	*compare = (struct compare){
		.rounds = compare->rounds,
		.differing = compare->differing,
		.ended_ms = compare->ended_ms,
	};
	rest(core, core->options.compare_ms / CORE_COMPARE_FIRST);
}

/* ---- starting reads ---- */

static bool asks_now(const struct core *core)
{
	return is_asker(core) && core->state == CORE_STREAMING &&
	       core->version >= WIRE_VERSION_DIGESTS;
}

uint64_t compare_due_ms(const struct core *core)
{
	const struct compare *compare = &core->compare;

	if (!asks_now(core) || compare->state != COMPARE_RESTING)
		return UINT64_MAX;
	return compare->due_ms;
}

static void become_due(struct core *core)
{
	struct compare *compare = &core->compare;

	if (core->now_ms >= compare_due_ms(core)) {
		compare->state = COMPARE_DUE;
		if (compare->tries == 0)
			compare->count = CACHE_DIGEST_BUCKETS_MAX;
		if (compare->first + compare->count > WIRE_BUCKETS)
			compare->count = (uint16_t) (WIRE_BUCKETS - compare->first);
	}
	if (compare->state == COMPARE_BEHIND && core->intake.done >= compare->behind)
		compare->state = COMPARE_DUE;
}

static void read_next_bucket(struct core *core)
{
	struct compare *compare = &core->compare;
	struct core_action *action;

	while (!bit_get(compare->repair, compare->repairing))
		compare->repairing = (uint16_t) ((compare->repairing + 1) % WIRE_BUCKETS);
	if (compare->cursor.kind != RECORD_CLIENT && compare->cursor.kind != RECORD_OBJECT)
		compare->cursor = (struct core_cursor){ .kind = RECORD_CLIENT };
	action = core_add(core, CORE_ACTION_READ_BUCKET);
	action->buckets.first = compare->repairing;
	action->buckets.count = 1;
	action->buckets.cursor = compare->cursor;
	core->feed.reading = true;
}

void compare_poke(struct core *core)
{
	struct compare *compare = &core->compare;
	struct core_action *action;

	become_due(core);
	if (compare->state == COMPARE_DUE) {
		action = core_add(core, CORE_ACTION_READ_DIGEST);
		action->buckets.first = compare->first;
		action->buckets.count = compare->count;
		compare->state = COMPARE_READING;
		core->feed.reading = true;
	} else if (compare->repair_count > 0) {
		read_next_bucket(core);
	}
}

/* ---- repair ---- */

static void repair(struct core *core, uint16_t first, const uint8_t *bits, uint16_t count)
{
	struct compare *compare = &core->compare;

	for (uint16_t i = 0; i < count; i++) {
		if (!bit_get(bits, i))
			continue;
		compare->found++;
		if (bit_get(compare->repair, first + i))
			continue;
		bit_set(compare->repair, first + i);
		compare->repair_count++;
	}
}

void compare_on_bucket(struct core *core, const struct core_event *event)
{
	struct compare *compare = &core->compare;

	if (!feed_finish_read(&core->feed) || compare->repair_count == 0)
		return;
	feed_tell_reach(core, &event->snapshot.own);
	if (!MUTANT(repair_not_sent))
		(void) feed_send_records(core, WIRE_REPAIR, event);
	compare->cursor = event->snapshot.at;
	if (!event->snapshot.end)
		return;
	compare->repair[compare->repairing / 8] &= (uint8_t) ~(1u << compare->repairing % 8);
	compare->repair_count--;
	compare->cursor = (struct core_cursor){ 0 };
}

/* What both nodes hold alike, and the earlier of the two clocks finds old enough, needs no
 * tombstone any more (design D20). */
static void trim(struct core *core, const uint8_t *bits, uint16_t count, int64_t cut)
{
	struct compare *compare = &core->compare;
	struct core_action *action;
	size_t kept = 0;

	for (size_t i = 0; i < compare->grave_count; i++) {
		const struct cache_grave *grave = &compare->graves[i];
		unsigned at = (unsigned) grave->bucket - compare->first;

		if (at >= count || (bit_get(bits, at) && !MUTANT(trimmed_alone)) ||
			(grave->date >= cut && !MUTANT(trimmed_young)))
			continue;
		compare->graves[kept++] = *grave;
	}
	compare->grave_count = 0;
	if (kept == 0)
		return;
	action = core_add(core, CORE_ACTION_TRIM);
	action->trim.graves = compare->graves;
	action->trim.count = kept;
}

static void finish_round(struct core *core)
{
	struct compare *compare = &core->compare;

	compare->rounds++;
	compare->differing = compare->found;
	compare->ended_ms = core->now_ms;
	core_add(core, CORE_ACTION_COMPARED)->differing = compare->found;
	compare->again = compare->found > 0 ? compare->again + 1 : 0;
	compare->found = 0;
}

/* ---- asking ---- */

static void ask(struct core *core, const struct core_event *event)
{
	const struct cache_digest *read = event->digest.digest;
	struct compare *compare = &core->compare;
	struct wire_digest *digest = &core_send(core, WIRE_DIGEST)->digest;

	compare->count = (uint16_t) read->count;
	*digest = (struct wire_digest){
		.first = read->first,
		.last = compare->tries + 1 >= CORE_COMPARE_TRIES_MAX,
		.own = event->digest.own,
		.applied = event->digest.applied,
		.cut = read->cut,
		.digests = slice_of(read->hashes, read->count * WIRE_DIGEST_LEN),
	};
	compare->state = COMPARE_ASKED;
}

static bool is_any_set(const uint8_t *bits, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bit_get(bits, i))
			return true;
	return false;
}

static void go_on(struct core *core, uint16_t count)
{
	struct compare *compare = &core->compare;
	bool soon;

	compare->first = (uint16_t) (compare->first + count);
	compare->tries = 0;
	if (compare->first < WIRE_BUCKETS) {
		rest(core, 0);
		return;
	}
	compare->first = 0;
	finish_round(core);
	soon = compare->again > 0 && compare->again <= CORE_COMPARE_AGAIN_MAX;
	rest(core, soon ? core->options.compare_ms / CORE_COMPARE_FIRST : core->options.compare_ms);
}

void compare_on_differ(struct core *core, const struct wire_differ *differ)
{
	struct compare *compare = &core->compare;
	bool last = compare->tries + 1 >= CORE_COMPARE_TRIES_MAX;

	if (!is_asker(core) || compare->state != COMPARE_ASKED || differ->first != compare->first ||
		differ->count > compare->count) {
		core_close(core, "the peer compared what was not asked for");
		return;
	}
	if (is_any_set(differ->bits.data, differ->count) && !differ->sure && !last) {
		compare->tries++;
		rest(core, CORE_COMPARE_PAUSE_MS);
		return;
	}
	repair(core, differ->first, differ->bits.data, differ->count);
	trim(core, differ->bits.data, differ->count, differ->cut);
	go_on(core, differ->count);
}

/* ---- answering ---- */

void compare_on_digest(struct core *core, const struct wire_digest *digest)
{
	struct compare *compare = &core->compare;

	if (is_asker(core) || core->intake.mode != INTAKE_TAIL ||
		compare->state != COMPARE_RESTING) {
		core_close(core, "the peer asked for a comparison out of turn");
		return;
	}
	if (digest->first == 0)
		compare->found = 0;
	compare->asked = *digest;
	compare->asked.digests = slice_of(compare->digests, digest->digests.len);
	bytes_copy(compare->digests, digest->digests.data, digest->digests.len);
	compare->first = digest->first;
	compare->count = (uint16_t) (digest->digests.len / WIRE_DIGEST_LEN);
	compare->behind = core->intake.started;
	compare->state = COMPARE_BEHIND;
}

static bool is_same_place(const struct wire_position *a, const struct wire_position *b)
{
	return a->seq == b->seq && wire_incarnation_equal(a, b);
}

static void answer(struct core *core, const struct core_event *event)
{
	const struct cache_digest *read = event->digest.digest;
	struct compare *compare = &core->compare;
	const struct wire_digest *asked = &compare->asked;
	struct wire_differ *differ = &core_send(core, WIRE_DIFFER)->differ;
	uint16_t count = (uint16_t) read->count;

	bytes_zero(compare->bits, sizeof(compare->bits));
	for (size_t i = 0; i < count && !MUTANT(digest_not_compared); i++)
		if (!slice_equal(slice_of(read->hashes[i], WIRE_DIGEST_LEN),
			    slice_cut(asked->digests, i * WIRE_DIGEST_LEN, WIRE_DIGEST_LEN)))
			bit_set(compare->bits, i);
	*differ = (struct wire_differ){
		.first = read->first,
		.count = count,
		.sure = is_same_place(&event->digest.own, &asked->applied) &&
			is_same_place(&event->digest.applied, &asked->own),
		.cut = read->cut < asked->cut ? read->cut : asked->cut,
		.bits = slice_of(compare->bits, (count + 7u) / 8),
	};
	compare->state = COMPARE_RESTING;
	if (is_any_set(compare->bits, count) && !differ->sure && !asked->last)
		return;
	repair(core, differ->first, compare->bits, count);
	trim(core, compare->bits, count, differ->cut);
	if (differ->first + count == WIRE_BUCKETS)
		finish_round(core);
}

void compare_on_read(struct core *core, const struct core_event *event)
{
	const struct cache_digest *read = event->digest.digest;
	struct compare *compare = &core->compare;

	if (!feed_finish_read(&core->feed) || compare->state != COMPARE_READING)
		return;
	ASSERT(read->first == compare->first && read->count > 0 && read->count <= compare->count);
	compare->grave_count = read->grave_count;
	bytes_copy(compare->graves, read->graves, read->grave_count * sizeof(read->graves[0]));
	if (is_asker(core))
		ask(core, event);
	else
		answer(core, event);
}
