/* SPDX-License-Identifier: Apache-2.0 */
/* What a node does for its clients, step by step as the flows of keystore/ do it. */
#include "tests/simulation/world.h"

enum {
	FLOW_ANSWER_MS = 2500,
	CALL_MS_MAX = 60,
	CALL_TIMEOUT_MS = 900,
	LOOKUP_PAUSE_MS = 200,
};

/* ---- the frame ---- */

struct world_flow *flow_take(struct world_node *node, enum flow_kind kind, size_t slot)
{
	for (size_t i = 0; i < WORLD_FLOWS; i++) {
		struct world_flow *flow = &node->flows[i];

		if (flow->state != FLOW_FREE)
			continue;
		*flow = (struct world_flow){ 0 };
		node->active |= 1ull << i;
		node->wake = 0;
		flow->state = FLOW_RUNNING;
		flow->kind = kind;
		flow->slot = slot;
		flow->begun = node->world->now;
		flow->vouched = node_is_vouched(node, slot);
		return flow;
	}
	return NULL;
}

void flow_end(struct world_node *node, struct world_flow *flow, enum err err)
{
	if (flow->kind != FLOW_BACKGROUND) {
		world_say(node->world, node, "%s of flow %d slot %zu", err_name(err),
			(int) flow->kind, flow->slot);
		model_on_end(node, flow, err);
	}
	flow->state = FLOW_FREE;
	node->active &= ~(1ull << (flow - node->flows));
}

void flow_sleep(struct world_flow *flow, uint64_t until, flow_next *next)
{
	flow->state = FLOW_SLEEPING;
	flow->due = until;
	flow->next = next;
}

void flow_call(
	struct world_node *node, struct world_flow *flow, enum call_verb verb, flow_next *next)
{
	struct world *world = node->world;
	uint64_t took = 2 + world_random(world, CALL_MS_MAX);

	flow->state = FLOW_CALLING;
	flow->verb = verb;
	flow->next = next;
	flow->effective = false;
	flow->lost = world_chance(world, 33);
	flow->effect_due = world->now + 1 + world_random(world, took);
	flow->due = world->now + (flow->lost || manager_is_out(node) ? CALL_TIMEOUT_MS : took);
	if (flow->due < flow->effect_due)
		flow->due = flow->effect_due;
}

static bool is_change(enum flow_kind kind)
{
	return kind == FLOW_DESTROY || kind == FLOW_REVOKE || kind == FLOW_NOTE;
}

/* A mutant's: the change has its number before it is made. */
static void number_early(struct world_node *node, struct world_flow *flow)
{
	struct core_event event = { .kind = CORE_EVENT_COMMITTED };

	disk_log(&node->disk, flow->slot);
	flow->seq = node->last_seq = event.committed_seq = node->disk.seq;
	node_step(node, &event);
}

void flow_commit(struct world_node *node, struct world_flow *flow,
	enum err (*apply)(struct world_node *, struct world_flow *), flow_next *next)
{
	flow->state = FLOW_COMMITTING;
	if (MUTANT(sequence_outside) && is_change(flow->kind) &&
		node->disk.slots[flow->slot].len > 0)
		number_early(node, flow);
	flow->apply = apply;
	flow->next = next;
	node_add_job(node)->flow = flow;
}

void flow_on_job(struct world_node *node, struct world_flow *flow)
{
	flow->state = FLOW_RUNNING;
	flow->next(node, flow);
}

void flow_hold(struct world_node *node, struct world_flow *flow, enum keystore_gate_class class,
	flow_next *next)
{
	struct core_event event = { .kind = CORE_EVENT_HOLD, .hold = &flow->hold };

	flow->state = FLOW_HOLDING;
	flow->next = next;
	flow->hold = (struct keystore_hold){ .seq = flow->seq != 0 ? flow->seq : node->last_seq,
		.class = class };
	flow->own = disk_position(&node->disk);
	node_step(node, &event);
}

void flow_release(struct world_node *node, struct world_flow *flow)
{
	const struct world_node *peer = node_peer(node);
	const struct wire_position *applied = &peer->disk.reached;

	ASSERT(flow->state == FLOW_HOLDING);
	world_say(node->world, node,
		"lets go %llu at %llu, due %llu; the peer has %llu and a lease for %lld",
		(unsigned long long) flow->hold.seq, (unsigned long long) node_now(node),
		(unsigned long long) flow->hold.deadline_ms, (unsigned long long) applied->seq,
		(long long) (peer->vouch_until - node_now(peer)));
	/* A number of an incarnation before the change's waits in vain, and long enough. */
	if (flow->hold.class == KEYSTORE_GATE_CHANGE && node_is_vouched(peer, flow->slot) &&
		wire_incarnation_equal(applied, &flow->own) && applied->seq < flow->hold.seq &&
		flow->hold.seq <= flow->own.seq)
		world_fail(node->world, "an answer was released while the peer may contradict it");
	flow_on_job(node, flow);
}

void flow_tick(struct world_node *node)
{
	uint64_t now = node->world->now;

	for (uint64_t left = node->active; left != 0 && !node->dying; left &= left - 1) {
		struct world_flow *flow = &node->flows[__builtin_ctzll(left)];

		if (flow->state == FLOW_CALLING && !flow->effective && flow->effect_due <= now)
			manager_effect(node, flow);
		if ((flow->state == FLOW_CALLING || flow->state == FLOW_SLEEPING) &&
			flow->due <= now)
			flow_on_job(node, flow);
	}
}

uint64_t flow_due(const struct world_node *node)
{
	uint64_t at = UINT64_MAX;

	for (uint64_t left = node->active; left != 0; left &= left - 1) {
		const struct world_flow *flow = &node->flows[__builtin_ctzll(left)];
		uint64_t due = flow->due;

		if (flow->state != FLOW_CALLING && flow->state != FLOW_SLEEPING)
			continue;
		if (flow->state == FLOW_CALLING && !flow->effective)
			due = flow->effect_due;
		at = due < at ? due : at;
	}
	return at;
}

static bool is_late(const struct world_node *node, const struct world_flow *flow)
{
	return node->world->now > flow->begun + FLOW_ANSWER_MS;
}

struct stamp flow_stamp(struct world_node *node)
{
	return stamp_next(&node->clock, node_wall_ms(node));
}

void flow_see(struct world_node *node, const struct record *record)
{
	uint64_t wall_ms = node_wall_ms(node);

	if (record->kind == RECORD_CLIENT) {
		stamp_see(&node->clock, record->client.written, wall_ms);
		return;
	}
	stamp_see(&node->clock, record->object.wrapped.written, wall_ms);
	for (size_t i = 0; i < record->object.attribute_count; i++)
		stamp_see(&node->clock, record->object.attributes[i].written, wall_ms);
}

enum err flow_put(struct world_node *node, struct world_flow *flow, const struct record *record)
{
	uint64_t seq;
	bool numbered = MUTANT(sequence_outside) && flow->seq != 0;
	enum err err = disk_put(node, record, !numbered, &seq);

	if (seq > flow->seq)
		flow->seq = seq;
	node->disk.stamp = node->clock.last;
	return err;
}

static int64_t wall_seconds(const struct world_node *node)
{
	return (int64_t) (node_wall_ms(node) / 1000);
}

static void on_released(struct world_node *node, struct world_flow *flow)
{
	flow_end(node, flow, ERR_OK);
}

static enum err apply_drop_intent(struct world_node *node, struct world_flow *flow)
{
	disk_drop_intent(&node->disk, flow->nonce);
	return ERR_OK;
}

static void on_given_up(struct world_node *node, struct world_flow *flow)
{
	flow_end(node, flow, ERR_UNAVAILABLE);
}

static void give_up(struct world_node *node, struct world_flow *flow)
{
	flow_commit(node, flow, apply_drop_intent, on_given_up);
}

/* ---- create ---- */

static void create_on_recorded(struct world_node *node, struct world_flow *flow)
{
	node->resident[flow->slot] = true;
	node->fresh_until[flow->slot] = node_now(node) + 6000;
	flow_hold(node, flow, KEYSTORE_GATE_CREATE, on_released);
}

static enum err create_apply_record(struct world_node *node, struct world_flow *flow)
{
	struct record record = { .kind = RECORD_OBJECT };
	enum err err;

	fetch_object(&record.object, &node->world->keys[flow->slot], flow->slot);
	TRY(flow_put(node, flow, &record));
	disk_drop_intent(&node->disk, flow->nonce);
out:
	return err;
}

static void create_look_up(struct world_node *node, struct world_flow *flow);

static void create_on_found(struct world_node *node, struct world_flow *flow)
{
	if (flow->err == ERR_OK)
		flow_commit(node, flow, create_apply_record, create_on_recorded);
	else if (is_late(node, flow))
		flow_end(node, flow, ERR_UNAVAILABLE);
	else
		flow_sleep(flow, node->world->now + LOOKUP_PAUSE_MS, create_look_up);
}

static void create_look_up(struct world_node *node, struct world_flow *flow)
{
	flow_call(node, flow, CALL_LOOKUP, create_on_found);
}

static void create_on_posted(struct world_node *node, struct world_flow *flow)
{
	if (flow->err == ERR_OK)
		flow_commit(node, flow, create_apply_record, create_on_recorded);
	else if (flow->err == ERR_AMBIGUOUS)
		create_look_up(node, flow);
	else
		give_up(node, flow);
}

static void create_on_intent(struct world_node *node, struct world_flow *flow)
{
	if (flow->err != ERR_OK)
		flow_end(node, flow, flow->err);
	else
		flow_call(node, flow, CALL_POST, create_on_posted);
}

static enum err create_apply_intent(struct world_node *node, struct world_flow *flow)
{
	struct world_intent *intent = disk_intent(&node->disk, INTENT_CREATE, flow->nonce);

	flow->err = intent == NULL ? ERR_LIMIT : ERR_OK;
	if (intent != NULL)
		intent->time = wall_seconds(node);
	return ERR_OK;
}

static void create_on_wrapped(struct world_node *node, struct world_flow *flow)
{
	if (flow->err != ERR_OK)
		flow_end(node, flow, flow->err);
	else
		flow_commit(node, flow, create_apply_intent, create_on_intent);
}

/* ---- change ---- */

static enum err change_edit(struct world_node *node, struct world_flow *flow, struct record *record)
{
	uint8_t value[4] = { 0 };
	struct object_edit edit = { .value = slice_of(value, sizeof(value)) };
	struct object_change change = { .now = wall_seconds(node), .edits = &edit };

	be32_put(value, flow->write);
	change.activate = flow->kind == FLOW_ACTIVATE;
	change.deactivate = flow->kind == FLOW_REVOKE && !flow->compromise;
	change.compromise = flow->kind == FLOW_REVOKE && flow->compromise;
	if (change.activate)
		change.dates[OBJECT_DATE_ACTIVATED] = change.now;
	if (change.deactivate)
		change.dates[OBJECT_DATE_DEACTIVATED] = change.now;
	if (change.compromise)
		change.dates[OBJECT_DATE_COMPROMISED] = change.now;
	change.edit_count = flow->kind == FLOW_ADD || flow->kind == FLOW_NOTE;
	edit.kind = flow->kind == FLOW_ADD ? OBJECT_EDIT_ADD : OBJECT_EDIT_SET;
	edit.name = flow->kind == FLOW_ADD ? SLICE_LITERAL("x-add") : SLICE_LITERAL("x-note");
	return object_apply(&record->object, node->arena, &change, flow_stamp(node), NULL);
}

static enum err change_apply(struct world_node *node, struct world_flow *flow)
{
	struct record record;
	enum err err = disk_get(node, flow->slot, &record);

	flow->err = err == ERR_MISS ? ERR_AGAIN : err;
	if (err == ERR_OK && record.object.dead)
		flow->err = ERR_DESTROYED;
	if (flow->err != ERR_OK)
		return ERR_OK;
	flow_see(node, &record);
	if (flow->kind == FLOW_NOTE)
		node->world->model.note_parent[flow->write] =
			node->disk.slots[flow->slot].view.note;
	TRY(change_edit(node, flow, &record));
	if (flow->kind == FLOW_ADD)
		model_on_addition(node->world, flow, &record.object);
	TRY(flow_put(node, flow, &record));
out:
	return err;
}

static void change_on_committed(struct world_node *node, struct world_flow *flow)
{
	if (flow->err != ERR_OK)
		flow_end(node, flow, flow->err);
	else
		flow_hold(node, flow, KEYSTORE_GATE_CHANGE, on_released);
}

/* Operations judge the object as it is cached or, where it is not, as it was read through. */
static void change_on_fetched(struct world_node *node, struct world_flow *flow)
{
	if (flow->err != ERR_OK)
		flow_end(node, flow, flow->err);
	else
		flow_commit(node, flow, change_apply, change_on_committed);
}

/* ---- destroy ---- */

static enum err destroy_apply_tombstone(struct world_node *node, struct world_flow *flow)
{
	struct object_change change = { .destroy = true, .now = wall_seconds(node) };
	struct record record;
	enum err err = disk_get(node, flow->slot, &record);

	/* Gone meanwhile: the intent stays, and is settled later. */
	flow->err = err == ERR_MISS ? ERR_UNAVAILABLE : err;
	if (err == ERR_MISS)
		return ERR_OK;
	TRY(err);
	change.dates[OBJECT_DATE_DESTROYED] = flow->got.deletion;
	flow_see(node, &record);
	TRY(object_apply(&record.object, node->arena, &change, flow_stamp(node), NULL));
	TRY(flow_put(node, flow, &record));
	disk_drop_intent(&node->disk, flow->nonce);
out:
	return err;
}

static void destroy_on_recorded(struct world_node *node, struct world_flow *flow)
{
	if (flow->err != ERR_OK) {
		flow_end(node, flow, flow->err);
		return;
	}
	node->resident[flow->slot] = false;
	flow_hold(node, flow, KEYSTORE_GATE_CHANGE, on_released);
}

/* Without the key manager's date the intent stays, and is settled later. */
static void destroy_on_dated(struct world_node *node, struct world_flow *flow)
{
	if (flow->err != ERR_OK || !flow->got.dead)
		flow_end(node, flow, ERR_UNAVAILABLE);
	else
		flow_commit(node, flow, destroy_apply_tombstone, destroy_on_recorded);
}

static void destroy_on_deleted(struct world_node *node, struct world_flow *flow)
{
	if (flow->err != ERR_OK)
		give_up(node, flow);
	else
		flow_call(node, flow, CALL_GET, destroy_on_dated);
}

static void destroy_on_intent(struct world_node *node, struct world_flow *flow)
{
	if (flow->err != ERR_OK)
		flow_end(node, flow, flow->err);
	else
		flow_call(node, flow, CALL_DELETE, destroy_on_deleted);
}

static enum err destroy_apply_intent(struct world_node *node, struct world_flow *flow)
{
	const struct world_view *view = &node->disk.slots[flow->slot].view;
	struct world_intent *intent;

	flow->err = !view->exists ? ERR_AGAIN : view->dead ? ERR_DESTROYED : ERR_OK;
	if (flow->err != ERR_OK)
		return ERR_OK;
	intent = disk_intent(&node->disk, INTENT_DESTROY, flow->nonce);
	flow->err = intent == NULL ? ERR_LIMIT : ERR_OK;
	if (intent == NULL)
		return ERR_OK;
	intent->slot = flow->slot;
	intent->time = wall_seconds(node);
	return ERR_OK;
}

static void destroy_on_fetched(struct world_node *node, struct world_flow *flow)
{
	if (flow->err != ERR_OK)
		flow_end(node, flow, flow->err);
	else
		flow_commit(node, flow, destroy_apply_intent, destroy_on_intent);
}

/* ---- get ---- */

static void get_on_fetched(struct world_node *node, struct world_flow *flow)
{
	flow_end(node, flow, flow->err);
}

/* ---- clients ---- */

static enum err client_record(struct world_node *node, struct world_flow *flow, struct record *out)
{
	const struct world_view *stored = &node->disk.slots[flow->slot].view;
	bool removing = flow->kind == FLOW_CLIENT_REMOVE;
	struct record before;

	*out = (struct record){ .kind = RECORD_CLIENT };
	disk_fingerprint(&out->client.fingerprint, flow->slot);
	out->client.instance = world_tenants[disk_tenant(flow->slot)];
	out->client.removed = removing;
	out->client.added_at = flow->write;
	node->world->model.note_parent[flow->write] = stored->note;
	if (disk_get(node, flow->slot, &before) == ERR_OK)
		flow_see(node, &before);
	if (removing && (!stored->exists || stored->removed))
		return ERR_NOT_FOUND;
	return ERR_OK;
}

static enum err client_stamp(
	struct world_node *node, struct world_flow *flow, struct record *record)
{
	const struct world_view *stored = &node->disk.slots[flow->slot].view;

	return stamp_beat(&record->client.written, flow_stamp(node), stored->written);
}

static enum err client_keep(struct world_flow *flow, const struct record *record)
{
	struct buf buf;
	enum err err;

	buf_init(&buf, sizeof(flow->bytes));
	TRY(record_encode(&buf, record));
	flow->len = (uint16_t) buf_slice(&buf).len;
	bytes_copy(flow->bytes, buf_slice(&buf).data, flow->len);
out:
	buf_free(&buf);
	return err;
}

static void client_on_committed(struct world_node *node, struct world_flow *flow)
{
	if (flow->err != ERR_OK)
		flow_end(node, flow, flow->err);
	else
		flow_hold(node, flow, KEYSTORE_GATE_CHANGE, on_released);
}

static enum err client_apply_removal(struct world_node *node, struct world_flow *flow)
{
	struct world_intent *intent;
	struct record record;
	enum err err = ERR_OK;

	flow->err = client_record(node, flow, &record);
	if (flow->err != ERR_OK)
		return ERR_OK;
	TRY(client_stamp(node, flow, &record));
	TRY(client_keep(flow, &record));
	intent = disk_intent(&node->disk, INTENT_LEDGER, flow->nonce);
	flow->err = intent == NULL ? ERR_LIMIT : ERR_OK;
	if (intent == NULL)
		goto out;
	intent->slot = flow->slot;
	intent->len = flow->len;
	bytes_copy(intent->bytes, flow->bytes, flow->len);
	TRY(flow_put(node, flow, &record));
out:
	return err;
}

static enum err client_apply_install(struct world_node *node, struct world_flow *flow)
{
	struct record record;
	enum err err;

	TRY(record_decode(&record, node->arena, slice_of(flow->bytes, flow->len)));
	TRY(flow_put(node, flow, &record));
out:
	return err;
}

static void client_on_written(struct world_node *node, struct world_flow *flow)
{
	if (flow->err != ERR_OK)
		flow_end(node, flow, flow->err);
	else
		flow_commit(node, flow, client_apply_install, client_on_committed);
}

static void client_install(struct world_node *node, struct world_flow *flow)
{
	struct record record;
	enum err err;

	TRY(client_record(node, flow, &record));
	TRY(client_stamp(node, flow, &record));
	TRY(client_keep(flow, &record));
	flow_call(node, flow, CALL_LEDGER, client_on_written);
out:
	if (err != ERR_OK)
		flow_end(node, flow, err);
}

/* ---- begin ---- */

void flow_begin(struct world_node *node, enum flow_kind kind, size_t slot)
{
	struct world *world = node->world;
	struct world_flow *flow = flow_take(node, kind, slot);

	if (flow == NULL)
		return;
	world->counts.operations++;
	flow->nonce = 1 + world_random(world, UINT64_MAX);
	flow->compromise = world_random(world, 2) == 0;
	model_on_begin(world, flow);
	world_say(world, node, "begin flow %d slot %zu write %u", (int) kind, slot, flow->write);
	switch (kind) {
	case FLOW_CREATE:
		flow_call(node, flow, CALL_WRAP, create_on_wrapped);
		break;
	case FLOW_ACTIVATE:
	case FLOW_ADD:
	case FLOW_NOTE:
	case FLOW_REVOKE:
		fetch_start(node, flow, change_on_fetched);
		break;
	case FLOW_DESTROY:
		fetch_start(node, flow, destroy_on_fetched);
		break;
	case FLOW_GET:
		fetch_start(node, flow, get_on_fetched);
		break;
	case FLOW_CLIENT_ADD:
		client_install(node, flow);
		break;
	case FLOW_CLIENT_REMOVE:
		flow_commit(node, flow, client_apply_removal, client_on_committed);
		break;
	case FLOW_BACKGROUND:
	case FLOW_KIND_COUNT:
		break;
	}
}
