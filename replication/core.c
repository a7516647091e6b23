/* SPDX-License-Identifier: Apache-2.0 */
#include "replication/core.h"
#include <stdio.h>
#include <stdlib.h>
#include "replication/core_private.h"
#include "replication/mutant.h"

enum err core_new(struct core **out, const struct core_options *options)
{
	struct core *core = calloc(1, sizeof(*core));

	if (core == NULL)
		return ERR_NOMEM;
	ASSERT(options->instances.len <= (size_t) WIRE_INSTANCES_MAX * WIRE_INSTANCE_LEN);
	core->options = *options;
	core->state = CORE_DOWN;
	core->since_ms = options->now_ms;
	core->timer_ms = UINT64_MAX;
	if (core->options.version_max == 0)
		core->options.version_max = WIRE_VERSION_MAX;
	if (core->options.compare_ms == 0)
		core->options.compare_ms = CORE_COMPARE_MS;
	lease_init(&core->lease, options->now_ms);
	*out = core;
	return ERR_OK;
}

void core_free(struct core *core)
{
	free(core);
}

struct core_action *core_add(struct core *core, enum core_action_kind kind)
{
	struct core_action *action;

	ASSERT(core->actions->count < CORE_ACTIONS_MAX);
	action = &core->actions->items[core->actions->count++];
	*action = (struct core_action){ .kind = kind };
	return action;
}

struct wire_frame *core_send(struct core *core, enum wire_type type)
{
	struct core_action *action = core_add(core, CORE_ACTION_SEND);

	action->frame.type = type;
	return &action->frame;
}

void core_move(struct core *core, enum core_state state, const char *why)
{
	struct core_action *action;

	if (why != core->why)
		(void) snprintf(core->why, sizeof(core->why), "%s", why);
	if (state == core->state)
		return;
	core->state = state;
	core->since_ms = core->now_ms;
	action = core_add(core, CORE_ACTION_STATE);
	action->move.state = state;
	action->move.why = core->why;
}

bool core_is_up(const struct core *core)
{
	return core->state == CORE_CATCHING_UP || core->state == CORE_STREAMING;
}

static void give_up(struct core *core, enum core_state state, const char *why)
{
	struct core_action *action;

	if (core->state != CORE_HELLO && !core_is_up(core))
		return;
	feed_stop(core);
	core_move(core, state, why);
	action = core_add(core, CORE_ACTION_CLOSE);
	action->close.why = core->why;
	action->close.slow = state == CORE_REFUSED;
}

void core_close(struct core *core, const char *why)
{
	give_up(core, CORE_DOWN, why);
}

static void refuse(struct core *core, const char *why)
{
	struct wire_frame *frame = core_send(core, WIRE_BYE);

	frame->bye = (struct wire_bye){ WIRE_BYE_REFUSED, slice_text(why) };
	give_up(core, CORE_REFUSED, why);
}

void core_on_granted(struct core *core)
{
	if (core->state == CORE_CATCHING_UP && core->feed.granted && core->intake.taken) {
		core->full_wanted = false;
		core->proven = true;
		core_move(core, CORE_STREAMING, "both directions are up to date");
	}
}

/* ---- link ---- */

static void on_link_down(struct core *core, const char *why)
{
	if (core->state == CORE_DOWN || core->state == CORE_REFUSED)
		return;
	feed_stop(core);
	core_move(core, CORE_DOWN, why);
}

/* NULL when a link can be used. While merges of an earlier one are under way this node does not
 * know what it will have seen of the peer. */
static const char *cannot_begin(const struct core *core)
{
	if (core->stopping)
		return "stopping";
	if (core->incarnation_pending || core->intake.forget_due)
		return "a full exchange is being prepared";
	if (core->intake.started != core->intake.done && !MUTANT(merges_left_behind))
		return "what the last connection brought is being stored";
	return NULL;
}

static void on_link_up(struct core *core, const struct core_event *event)
{
	struct wire_applied applied = event->up.applied;
	const char *obstacle = cannot_begin(core);
	struct wire_hello *hello;

	if (core->state != CORE_CONNECTING)
		on_link_down(core, "replaced by a new connection");
	core->link++;
	core->heard_ms = core->now_ms;
	core->pinged_ms = core->answered_ms = 0;
	gate_forget(&core->gate);
	core_move(core, CORE_HELLO,
		core->fenced_ms != 0 ? "connected; the fence is over" : "connected");
	core->fenced_ms = 0;
	if (obstacle != NULL) {
		core_close(core, obstacle);
		intake_forget(core);
		return;
	}
	/* The position stays: by it the peer sees whether it was rolled back. */
	if (core->full_wanted)
		bytes_zero(applied.scope, sizeof(applied.scope));
	pace_start(core);
	intake_start(core, &applied.position);
	hello = &core_send(core, WIRE_HELLO)->hello;
	*hello = (struct wire_hello){
		.version_min = WIRE_VERSION_MIN,
		.version_max = core->options.version_max,
		.node = core->options.node,
		.cluster = slice_text(core->options.cluster),
		.software = slice_text(core->options.software),
		.own = event->up.own,
		.applied = applied,
		.instances = core->options.instances,
		.seen = event->up.seen,
		.settings = core->options.settings,
	};
}

/* ---- HELLO ---- */

/* The new incarnation is for the disk as it is before, should it come back: what the peer then
 * knows of this node is not of that disk's. */
static void begin_anew(struct core *core, bool rolled_back)
{
	core_close(core, rolled_back
				 ? "this node was rolled back: the peer knows later changes of it"
				 : "this node may have been rolled back: the log does not tell");
	intake_want_all(core);
	core->incarnation_pending = true;
	core_add(core, CORE_ACTION_NEW_INCARNATION)->rolled_back = rolled_back;
}

static void on_hello(struct core *core, const struct core_event *event)
{
	const struct wire_hello *hello = &event->frame.frame->hello;
	const char *refusal = hello_judge(core, hello);

	if (refusal != NULL) {
		refuse(core, refusal);
		return;
	}
	if (hello_shows_rollback(event) || hello_is_unproven(core, event)) {
		begin_anew(core, hello_shows_rollback(event));
		return;
	}
	(void) snprintf(core->peer_software, sizeof(core->peer_software), "%.*s",
		(int) hello->software.len, (const char *) hello->software.data);
	core_compare_instances(core, hello->instances);
	if (core->state != CORE_HELLO)
		return;
	core->intake.peer = hello->own;
	core->version = hello->version_max < core->options.version_max && !MUTANT(version_ignored)
				? hello->version_max
				: core->options.version_max;
	core_move(core, CORE_CATCHING_UP, "the peer is the right one");
	compare_start(core);
	feed_start(core, event);
}

/* ---- frames ---- */

/* The peer serves from its cache no more. */
static void stop_waiting(struct core *core)
{
	lease_give_back(&core->lease, core->now_ms);
	gate_release(&core->gate, &(struct gate_pass){ .now_ms = core->now_ms, .changes = true });
}

static void on_bye(struct core *core, const struct wire_bye *bye)
{
	char why[CORE_WHY_MAX];

	if (bye->code != WIRE_BYE_STOP) {
		(void) snprintf(why, sizeof(why), "refused by the peer: %.*s", (int) bye->why.len,
			(const char *) bye->why.data);
		give_up(core, CORE_REFUSED, why);
		return;
	}
	core_close(core, "the peer stops");
	stop_waiting(core);
}

static void on_frame(struct core *core, const struct core_event *event)
{
	const struct wire_frame *frame = event->frame.frame;

	if (core->state != CORE_HELLO && !core_is_up(core))
		return;
	core->heard_ms = core->now_ms;
	core->ever_heard_ms = core->now_ms;
	if ((core->state == CORE_HELLO) != (frame->type == WIRE_HELLO) && frame->type != WIRE_BYE) {
		core_close(core, "the peer did not keep to the order of HELLO");
		return;
	}
	if (frame->type != WIRE_HELLO && core->version < wire_since(frame->type)) {
		core_close(core, "the peer did not keep to the version");
		return;
	}
	switch (frame->type) {
	case WIRE_HELLO:
		on_hello(core, event);
		break;
	case WIRE_DATA:
		intake_on_data(core, event);
		break;
	case WIRE_ACK:
		feed_on_ack(core, &frame->position);
		break;
	case WIRE_PING:
		feed_on_ping(core, frame->ping_ms);
		break;
	case WIRE_GRANT:
		intake_on_grant(core, &frame->grant);
		break;
	case WIRE_SNAP_BEGIN:
	case WIRE_SNAP:
	case WIRE_SNAP_END:
		intake_on_snap(core, event);
		break;
	case WIRE_BYE:
		on_bye(core, &frame->bye);
		break;
	case WIRE_DIGEST:
		compare_on_digest(core, &frame->digest);
		break;
	case WIRE_DIFFER:
		compare_on_differ(core, &frame->differ);
		break;
	case WIRE_REPAIR:
		intake_on_repair(core, event);
		break;
	case WIRE_AS_OF:
		intake_on_as_of(core, &frame->position);
		break;
	case WIRE_TYPE_END:
		break;
	}
}

/* ---- the rest ---- */

static void drop_lease(struct core *core)
{
	lease_drop(&core->lease, core->now_ms);
	core_add(core, CORE_ACTION_VOUCH)->until_ms = 0;
}

static void on_stop(struct core *core)
{
	core->stopping = true;
	drop_lease(core);
	if (core->state == CORE_HELLO || core_is_up(core)) {
		core_send(core, WIRE_BYE)->bye =
			(struct wire_bye){ WIRE_BYE_STOP, SLICE_LITERAL("stopping") };
		core_close(core, "stopping");
	}
}

static void on_resume(struct core *core)
{
	core->stopping = false;
}

/* The operator knows that the peer is off. That is forgotten when it is heard again: it is granted
 * nothing before HELLO and what follows it, as after any loss of the link. */
static void on_fence(struct core *core)
{
	if ((core->state == CORE_HELLO || core_is_up(core)) && !MUTANT(fenced_while_up))
		return;
	core->fenced_ms = core->now_ms;
	stop_waiting(core);
}

static void on_incarnation(struct core *core, const struct wire_position *own)
{
	core->incarnation_pending = false;
	core->feed.own = *own;
	core->lag = (struct lag){ 0 };
}

static void dispatch(struct core *core, const struct core_event *event)
{
	switch (event->kind) {
	case CORE_EVENT_CONNECTING:
		if (core->state == CORE_DOWN)
			core_move(core, CORE_CONNECTING, core->why);
		break;
	case CORE_EVENT_LINK_UP:
		on_link_up(core, event);
		break;
	case CORE_EVENT_LINK_DOWN:
		on_link_down(core, event->why);
		break;
	case CORE_EVENT_FRAME:
		on_frame(core, event);
		break;
	case CORE_EVENT_COMMITTED:
		core->feed.dirty = true;
		lag_on_logged(core, event->committed_seq);
		break;
	case CORE_EVENT_MERGED:
		intake_on_merged(core, event);
		break;
	case CORE_EVENT_LOG_READ:
		feed_on_log(core, event);
		break;
	case CORE_EVENT_SNAPSHOT_READ:
		feed_on_snapshot(core, event);
		break;
	case CORE_EVENT_DIGEST_READ:
		compare_on_read(core, event);
		break;
	case CORE_EVENT_BUCKET_READ:
		compare_on_bucket(core, event);
		break;
	case CORE_EVENT_INCARNATION:
		on_incarnation(core, &event->incarnation);
		break;
	case CORE_EVENT_HOLD:
		holds_add(core, event->hold);
		break;
	case CORE_EVENT_GAP:
		drop_lease(core);
		break;
	case CORE_EVENT_STOP:
		on_stop(core);
		break;
	case CORE_EVENT_RESUME:
		on_resume(core);
		break;
	case CORE_EVENT_FENCE:
		on_fence(core);
		break;
	case CORE_EVENT_DRAINED:
	case CORE_EVENT_TIMER:
		break;
	}
}

/* ---- what follows from time ---- */

static void watch_link(struct core *core)
{
	if (core->state != CORE_HELLO && !core_is_up(core))
		return;
	if (!core->intake.paused && core->now_ms >= core->heard_ms + CORE_SILENCE_MS) {
		core_close(core, "the peer is silent");
		return;
	}
	if (core_is_up(core) &&
		(core->pinged_ms == 0 || core->now_ms >= core->pinged_ms + CORE_PING_MS ||
			pace_wants_answer(core) || holds_question_ms(core) <= core->now_ms)) {
		core->pinged_ms = core->now_ms;
		pace_on_asked(core);
		core_send(core, WIRE_PING)->ping_ms = core->now_ms;
	}
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void set_timer(struct core *core)
{
	uint64_t at_ms = earlier(gate_deadline(&core->gate, core->now_ms), compare_due_ms(core));

	if (core_is_up(core))
		at_ms = earlier(
			earlier(at_ms, core->pinged_ms + CORE_PING_MS), holds_question_ms(core));
	if ((core->state == CORE_HELLO || core_is_up(core)) && !core->intake.paused)
		at_ms = earlier(at_ms, core->heard_ms + CORE_SILENCE_MS);
	if (at_ms == core->timer_ms)
		return;
	core->timer_ms = at_ms;
	core_add(core, CORE_ACTION_TIMER)->at_ms = at_ms;
}

void core_step(struct core *core, const struct core_event *event, struct core_actions *actions)
{
	actions->count = 0;
	core->actions = actions;
	core->now_ms = event->now_ms;
	core->unsent = event->unsent;
	dispatch(core, event);
	holds_note(core);
	watch_link(core);
	feed_poke(core);
	holds_release(core);
	set_timer(core);
	core->actions = NULL;
}

void core_cancel(struct core *core, struct keystore_hold *hold)
{
	gate_cancel(&core->gate, hold);
}

struct keystore_hold *core_take_released(struct core *core)
{
	return gate_take_released(&core->gate);
}
