/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sm.h"
#include "base/err.h"
#include "base/log.h"

void sm_init(
	struct sm *sm, const struct sm_state *states, int count, const char *kind, const char *name)
{
	ASSERT(count > 0 && count <= SM_STATES_MAX);
	*sm = (struct sm){ .states = states, .count = count, .kind = kind, .name = name };
}

void sm_move(struct sm *sm, int to, const char *why)
{
	const struct sm_state *from = &sm->states[sm->state];
	enum log_level level = sm->quiet ? LOG_DEBUG : LOG_INFO;

	ASSERT(to >= 0 && to < sm->count);
	ASSERT((from->next & SM_TO(to)) != 0);
	sm->state = to;
	/* Asked here too: quoting costs more than the rest of a move. */
	if (level > log_get_level())
		return;
	log_event(level, "state", "%s=%s from=%s to=%s why=%s", sm->kind,
		log_quoted(slice_text(sm->name)), from->name, sm->states[to].name,
		log_quoted(slice_text(why)));
}

const char *sm_state_name(const struct sm *sm)
{
	return sm->states[sm->state].name;
}
