/* SPDX-License-Identifier: Apache-2.0 */
#include "replication/gate.h"

static void list_append(struct gate_list *list, struct keystore_hold *hold)
{
	hold->next = NULL;
	hold->previous = list->last;
	if (list->last != NULL)
		list->last->next = hold;
	else
		list->first = hold;
	list->last = hold;
}

static void list_remove(struct gate_list *list, struct keystore_hold *hold)
{
	if (hold->previous != NULL)
		hold->previous->next = hold->next;
	else
		list->first = hold->next;
	if (hold->next != NULL)
		hold->next->previous = hold->previous;
	else
		list->last = hold->previous;
	hold->next = NULL;
	hold->previous = NULL;
}

static bool list_has(const struct gate_list *list, const struct keystore_hold *hold)
{
	return hold->previous != NULL || hold->next != NULL || list->first == hold;
}

void gate_hold(struct gate *gate, struct keystore_hold *hold, uint64_t deadline_ms)
{
	hold->deadline_ms = deadline_ms;
	hold->held = true;
	list_append(&gate->held, hold);
	gate->count++;
}

void gate_cancel(struct gate *gate, struct keystore_hold *hold)
{
	if (hold->held) {
		list_remove(&gate->held, hold);
		gate->count--;
	} else if (list_has(&gate->released, hold)) {
		list_remove(&gate->released, hold);
	}
	hold->held = false;
}

static bool is_acked(const struct gate_pass *pass, const struct keystore_hold *hold)
{
	return pass->acked && hold->seq <= pass->acked_seq;
}

static bool may_pass(const struct gate_pass *pass, const struct keystore_hold *hold)
{
	bool all = hold->class == KEYSTORE_GATE_CREATE ? pass->creates : pass->changes;
	bool heard = is_acked(pass, hold), late = hold->deadline_ms <= pass->now_ms;

	if (hold->class == KEYSTORE_GATE_CHARGE) {
		heard = heard && hold->behind_ms != 0 && pass->leased_ms >= hold->behind_ms;
		late = late && pass->alone;
	}
	return all || heard || late;
}

void gate_note(struct gate *gate, const struct gate_pass *pass, uint64_t behind_ms)
{
	for (struct keystore_hold *hold = gate->held.first; hold != NULL; hold = hold->next)
		if (hold->class == KEYSTORE_GATE_CHARGE && hold->behind_ms == 0 &&
			is_acked(pass, hold))
			hold->behind_ms = behind_ms;
}

void gate_forget(struct gate *gate)
{
	for (struct keystore_hold *hold = gate->held.first; hold != NULL; hold = hold->next)
		hold->behind_ms = 0;
}

uint64_t gate_behind(const struct gate *gate)
{
	uint64_t latest_ms = 0;

	for (const struct keystore_hold *hold = gate->held.first; hold != NULL; hold = hold->next)
		if (hold->behind_ms > latest_ms)
			latest_ms = hold->behind_ms;
	return latest_ms;
}

static void note_wait(
	struct gate_waits *waits, const struct gate_pass *pass, const struct keystore_hold *hold)
{
	waits->count++;
	waits->unacknowledged += is_acked(pass, hold) ? 0 : 1;
	waits->last_ms = pass->now_ms - hold->since_ms;
	if (waits->last_ms > waits->max_ms)
		waits->max_ms = waits->last_ms;
}

void gate_release(struct gate *gate, const struct gate_pass *pass)
{
	struct keystore_hold *next;

	for (struct keystore_hold *hold = gate->held.first; hold != NULL; hold = next) {
		next = hold->next;
		if (!may_pass(pass, hold))
			continue;
		list_remove(&gate->held, hold);
		gate->count--;
		hold->held = false;
		note_wait(&gate->waits, pass, hold);
		list_append(&gate->released, hold);
	}
}

uint64_t gate_deadline(const struct gate *gate, uint64_t now_ms)
{
	uint64_t earliest_ms = UINT64_MAX;

	for (const struct keystore_hold *hold = gate->held.first; hold != NULL; hold = hold->next)
		if (hold->deadline_ms > now_ms && hold->deadline_ms < earliest_ms)
			earliest_ms = hold->deadline_ms;
	return earliest_ms;
}

struct keystore_hold *gate_take_released(struct gate *gate)
{
	struct keystore_hold *hold = gate->released.first;

	if (hold != NULL)
		list_remove(&gate->released, hold);
	return hold;
}
