/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps what is sent in bulk from standing before the questions for a lease (design D19). */
#include "replication/core_private.h"

void pace_start(struct core *core)
{
	core->pace = (struct pace){ 0 };
}

void pace_on_sent(struct core *core, size_t len)
{
	core->pace.sent += len;
}

void pace_on_asked(struct core *core)
{
	struct pace *pace = &core->pace;

	pace->questions[pace->question_next].ping_ms = core->now_ms;
	pace->questions[pace->question_next].sent = pace->sent;
	pace->question_next = (pace->question_next + 1) % PACE_QUESTIONS_MAX;
	pace->asked = pace->sent;
}

void pace_on_answered(struct core *core, uint64_t asked_ms)
{
	struct pace *pace = &core->pace;

	pace->answered_ms = core->now_ms;
	for (size_t i = 0; i < PACE_QUESTIONS_MAX; i++)
		if (pace->questions[i].ping_ms == asked_ms &&
			pace->questions[i].sent > pace->answered)
			pace->answered = pace->questions[i].sent;
}

/* A peer that does not answer, since it has not caught up itself, is not waited for: then there is
 * no lease to be lost. */
bool pace_is_full(const struct core *core)
{
	const struct pace *pace = &core->pace;

	return pace->answered_ms != 0 && core->now_ms < pace->answered_ms + LEASE_LENGTH_MS &&
	       pace->sent - pace->answered >= PACE_BYTES_MAX;
}

bool pace_wants_answer(const struct core *core)
{
	return core->pace.sent - core->pace.asked >= PACE_QUESTION_BYTES &&
	       core->now_ms > core->pinged_ms;
}
