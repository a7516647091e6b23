/* SPDX-License-Identifier: Apache-2.0 */
/* When answers that wait may go (design D18). */
#include "replication/core_private.h"
#include "replication/mutant.h"

void holds_add(struct core *core, struct keystore_hold *hold)
{
	bool waits_shortly = hold->class == KEYSTORE_GATE_CREATE || MUTANT(no_leases);
	uint64_t deadline_ms = waits_shortly ? core->now_ms + core->options.ack_wait_ms
					     : lease_until(&core->lease);

	hold->since_ms = core->now_ms;
	gate_hold(&core->gate, hold, deadline_ms);
	/* The hold may be heard of before the commit that it waits for. */
	if (hold->seq > core->feed.own.seq)
		core->feed.dirty = true;
}

/* This node may answer by itself: there is no link, or it hears what the peer does, which does not
 * hear it. One that is linked and has not caught up waits until it has. */
static bool is_alone(const struct core *core)
{
	return !core_is_up(core) || (core->lease.held_until_ms > core->now_ms &&
					    lease_until(&core->lease) <= core->now_ms);
}

static struct gate_pass pass_now(const struct core *core)
{
	struct gate_pass pass = {
		.now_ms = core->now_ms,
		.acked = core_is_up(core) && core->feed.has_base,
		.acked_seq = core->feed.acked_seq,
		.creates = !core_is_up(core),
		.changes = MUTANT(released_when_down) && !core_is_up(core),
		.leased_ms = core->intake.taken_ms,
		.alone = is_alone(core),
	};

	if (MUTANT(released_when_sent) && core_is_up(core))
		pass.acked_seq = core->feed.sent.seq;
	if (MUTANT(released_one_early) && core_is_up(core))
		pass.acked_seq++;
	return pass;
}

void holds_note(struct core *core)
{
	struct gate_pass pass = pass_now(core);

	gate_note(&core->gate, &pass,
		core->now_ms > core->pinged_ms ? core->now_ms : core->pinged_ms + 1);
}

/* One question at a time: one that is on its way is answered first. */
uint64_t holds_question_ms(const struct core *core)
{
	uint64_t behind_ms = gate_behind(&core->gate);

	return behind_ms > core->pinged_ms && core->answered_ms == core->pinged_ms ? behind_ms
										   : UINT64_MAX;
}

void holds_release(struct core *core)
{
	struct gate_pass pass = pass_now(core);

	gate_release(&core->gate, &pass);
	if (core->gate.released.first != NULL)
		core_add(core, CORE_ACTION_RELEASE);
}
