/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/model.h"
#include "tests/simulation/world.h"

static bool is_object(size_t slot)
{
	return slot < MODEL_OBJECTS;
}

uint64_t model_bit(size_t slot)
{
	return 1ull << slot;
}

/* What is promised of the slot is more than before. */
static void judge_again(struct world *world, size_t slot)
{
	world->nodes[0].unjudged |= model_bit(slot);
	world->nodes[1].unjudged |= model_bit(slot);
}

static struct model_client *client_of(struct world *world, const struct world_flow *flow)
{
	return &world->model.clients[flow->slot - MODEL_OBJECTS];
}

/* ---- a flow begins ---- */

static uint32_t new_note(struct model *model)
{
	ASSERT(model->note_count + 1 < MODEL_NOTES);
	return ++model->note_count;
}

void model_on_begin(struct world *world, struct world_flow *flow)
{
	struct model *model = &world->model;
	struct model_key *key = is_object(flow->slot) ? &model->keys[flow->slot] : NULL;

	if (flow->kind == FLOW_CLIENT_ADD || flow->kind == FLOW_CLIENT_REMOVE ||
		flow->kind == FLOW_NOTE)
		flow->write = new_note(model);
	if (key == NULL)
		return;
	flow->seen = (struct model_seen){ .gone = key->gone,
		.created = world->keys[flow->slot].used && !world->keys[flow->slot].purged };
	if (flow->kind == FLOW_ADD)
		flow->write = key->adds_begun++;
}

/* Whatever a disk has forgotten: of two with one identity a merge would keep one. */
void model_on_addition(
	struct world *world, const struct world_flow *flow, const struct object *object)
{
	struct stamp *added = world->model.keys[flow->slot].added;

	for (size_t i = 0; i < object->attribute_count; i++) {
		const struct object_attribute *attribute = &object->attributes[i];

		if (slice_equal_text(attribute->name, "x-add") &&
			be32_get(attribute->value.data) == flow->write)
			added[flow->write] = attribute->added;
	}
	for (uint32_t i = 0; i < MODEL_ADDS; i++)
		if (i != flow->write && added[i].time != 0 &&
			stamp_compare(added[i], added[flow->write]) == 0)
			world_fail(world, "two additions have one identity");
}

/* ---- a flow ends ---- */

static void end_get(struct world_node *node, const struct world_flow *flow, enum err err)
{
	struct world *world = node->world;
	const struct model_key *key = &world->model.keys[flow->slot];
	bool outage = flow->fetch.by_outage;

	if (!is_object(flow->slot))
		return;
	if (err == ERR_OK && flow->seen.gone && key->gone && !outage &&
		!(key->lost && flow->vouched))
		world_fail(world, "a destroyed key was served");
	if (err == ERR_OK && flow->fetch.by_cache && !node_is_vouched(node, flow->slot))
		world_fail(world, "served from the cache without a lease");
	if (err == ERR_OK && flow->fetch.by_cache && node->disk.slots[flow->slot].damaged)
		world_fail(world, "a damaged record was served");
	if (err == ERR_NOT_FOUND && flow->seen.created && !world->keys[flow->slot].purged)
		world_fail(world, "Item Not Found for a key that the key manager holds");
	if (err == ERR_DESTROYED && world->keys[flow->slot].deletions == 0)
		world_fail(world, "a key that nobody destroyed was called destroyed");
	if (err == ERR_UNAVAILABLE && flow->seen.created && node->listed && !flow->troubled)
		world_fail(world, "a key could not be fetched though the key manager answered");
}

/* What a write saw can no longer be what is shown. */
static void supersede(struct model *model, uint32_t note)
{
	for (uint32_t at = model->note_parent[note]; at != 0 && !model->note_superseded[at];
		at = model->note_parent[at])
		model->note_superseded[at] = true;
}

static void end_create(struct world *world, const struct world_flow *flow)
{
	struct model_key *key = &world->model.keys[flow->slot];
	bool stored = world->nodes[0].disk.slots[flow->slot].len > 0 ||
		      world->nodes[1].disk.slots[flow->slot].len > 0 || key->lost;

	key->created = true;
	if (!world->keys[flow->slot].used || !stored)
		world_fail(world, "a creation was answered that is not there");
}

static void end_destroy(struct world *world, const struct world_flow *flow)
{
	const struct manager_key *key = &world->keys[flow->slot];

	if (key->dead)
		world->model.keys[flow->slot].gone = true;
	else if (key->restores == 0)
		world_fail(world, "a destroy was answered that did not happen");
}

static void end_good(struct world *world, const struct world_flow *flow)
{
	struct model_key *key = &world->model.keys[is_object(flow->slot) ? flow->slot : 0];

	world->counts.answered++;
	judge_again(world, flow->slot);
	switch (flow->kind) {
	case FLOW_CREATE:
		end_create(world, flow);
		break;
	case FLOW_ACTIVATE:
		key->life = key->life > OBJECT_ACTIVE ? key->life : OBJECT_ACTIVE;
		break;
	case FLOW_ADD:
		key->adds |= 1u << flow->write;
		break;
	case FLOW_NOTE:
		key->noted = true;
		supersede(&world->model, flow->write);
		break;
	case FLOW_REVOKE:
		if (flow->compromise)
			key->compromised = true;
		else
			key->life = OBJECT_DEACTIVATED;
		break;
	case FLOW_DESTROY:
		end_destroy(world, flow);
		break;
	case FLOW_CLIENT_ADD:
	case FLOW_CLIENT_REMOVE:
		client_of(world, flow)->written = true;
		supersede(&world->model, flow->write);
		break;
	default:
		break;
	}
}

void model_on_end(struct world_node *node, struct world_flow *flow, enum err err)
{
	struct world *world = node->world;

	if (flow->kind == FLOW_GET)
		end_get(node, flow, err);
	if (err == ERR_OK)
		end_good(world, flow);
}

/* ---- losses ---- */

static void lose(struct model *model, size_t slot)
{
	if (is_object(slot))
		model->keys[slot].lost = true;
	else
		model->clients[slot - MODEL_OBJECTS].lost = true;
}

static struct slice slot_bytes(const struct world_slot *slot)
{
	return slice_of(slot->bytes, slot->len);
}

void model_on_slot_lost(struct world_node *node, size_t slot, const struct world_slot *before)
{
	if (!slice_equal(slot_bytes(before), slot_bytes(&node->disk.slots[slot])))
		lose(&node->world->model, slot);
}

void model_on_damage(struct world *world, size_t slot)
{
	lose(&world->model, slot);
}

/* With ages in seconds a tombstone may go before the restoration of its key was noticed; with
 * months between them it does not. */
void model_on_trim(struct world *world, size_t slot)
{
	if (!world->keys[slot].dead)
		lose(&world->model, slot);
}

void model_on_loss(struct world_node *node, const struct world_disk *then)
{
	const struct world_disk *peer = &node_peer(node)->disk;

	for (size_t i = 0; i < MODEL_SLOTS; i++) {
		struct slice now = slot_bytes(&node->disk.slots[i]);

		if (!slice_equal(now, slot_bytes(&then->slots[i])) &&
			!slice_equal(now, slot_bytes(&peer->slots[i])))
			lose(&node->world->model, i);
	}
}

/* ---- what a lease allows to be served ---- */

/* Where there is nothing, the key manager is asked: a trimmed tombstone says no less than it did.
 */
static const char *judge_key(const struct world *world, size_t slot, const struct world_view *view)
{
	const struct model *model = &world->model;
	const struct model_key *key = &model->keys[slot];

	if (!view->exists && world->keys[slot].dead && world->kind == WORLD_OLD_DISKS)
		return NULL;
	if (key->gone && view->exists && !view->dead)
		return "a destroyed key can be served under a lease";
	if (view->dead || key->gone)
		return NULL;
	if (view->life < (enum object_life) key->life || (key->compromised && !view->compromised))
		return "an answered change of state is not seen under a lease";
	if ((key->adds & ~view->adds) != 0)
		return "an answered addition is not seen under a lease";
	if (view->note != 0 ? model->note_superseded[view->note] : key->noted)
		return "an answered write is not seen under a lease";
	return NULL;
}

static const char *judge_client(
	const struct model *model, const struct model_client *client, const struct world_view *view)
{
	if (view->exists ? model->note_superseded[view->note] : client->written)
		return "an answered change of a client is not seen under a lease";
	return NULL;
}

static const char *judge_slot(struct world_node *node, size_t slot)
{
	const struct model *model = &node->world->model;
	const struct world_view *view = &node->disk.slots[slot].view;
	const char *violation = NULL;

	if ((node->disk.missing & model_bit(slot)) != 0 || node->disk.slots[slot].damaged)
		return NULL;
	if (is_object(slot) && !model->keys[slot].lost)
		violation = judge_key(node->world, slot, view);
	else if (!is_object(slot) && !model->clients[slot - MODEL_OBJECTS].lost)
		violation = judge_client(model, &model->clients[slot - MODEL_OBJECTS], view);
	if (violation != NULL)
		world_say(node->world, node, "slot %zu: %s", slot, violation);
	return violation;
}

void model_check(struct world_node *node)
{
	uint64_t left = node->unjudged;

	if (left == 0 || node->core == NULL || node->vouch_until <= node_now(node))
		return;
	for (; left != 0; left &= left - 1) {
		size_t slot = (size_t) __builtin_ctzll(left);
		const char *violation;

		if (!node->leased[disk_tenant(slot)])
			continue;
		violation = judge_slot(node, slot);
		if (violation != NULL)
			world_fail(node->world, violation);
		node->unjudged &= ~model_bit(slot);
	}
}

/* ---- the end ---- */

/* The node's clock was ahead when the key was destroyed: its restoration came too early to be
 * told from an old state. */
static bool is_restored_too_early(const struct manager_key *key, const struct world_view *view)
{
	return key->restores > 0 && key->updated < (int64_t) (view->epoch / 2) + 30;
}

static const char *judge_manager(
	const struct manager_key *key, const struct world_view *view, bool missing)
{
	if (!key->used)
		return view->exists ? "a key was invented" : NULL;
	if (key->dead && missing)
		return NULL; /* purged unseen: alarmed and not served */
	if (key->dead)
		return view->exists && !view->dead ? "a destroyed key is still alive at the end"
						   : NULL;
	if (!view->exists)
		return "a key was not adopted";
	return view->dead && !is_restored_too_early(key, view) ? "a living key is dead at the end"
							       : NULL;
}

/* Nobody has more of a node's changes than it has made. */
static const char *judge_positions(struct world *world, unsigned i)
{
	const struct wire_position *applied = &world->nodes[i].disk.applied.position;
	const struct wire_position own = disk_position(&world->nodes[1 - i].disk);

	if (!wire_incarnation_equal(applied, &own))
		return "a position of another incarnation was kept";
	return applied->seq > own.seq ? "more was applied than was ever sent" : NULL;
}

static const char *judge_node(struct world *world, const struct world_node *node)
{
	const struct model *model = &world->model;
	const char *violation = judge_positions(world, node->number - 1);

	for (size_t i = 0; i < MODEL_OBJECTS && violation == NULL; i++) {
		violation = judge_manager(&world->keys[i], &node->disk.slots[i].view,
			(node->disk.missing & model_bit(i)) != 0);
		if (violation == NULL && !model->keys[i].lost)
			violation = judge_key(world, i, &node->disk.slots[i].view);
		if (violation != NULL)
			world_say(world, node, "slot %zu: %s", i, violation);
	}
	for (size_t i = 0; i < WORLD_INTENTS && violation == NULL; i++)
		if (node->disk.intents[i].kind != INTENT_NONE)
			violation = "an intent was never settled";
	return violation;
}

/* One of them has trimmed it already. */
static bool is_grave(
	const struct world *world, const struct world_slot *there, const struct world_slot *gone)
{
	return world->kind == WORLD_OLD_DISKS && gone->len == 0 && there->view.dead &&
	       there->view.destroyed < manager_seconds(world) - WORLD_PURGE_S;
}

static bool agree(const struct world *world, const struct world_slot *a, const struct world_slot *b)
{
	return slice_equal(slot_bytes(a), slot_bytes(b)) || is_grave(world, a, b) ||
	       is_grave(world, b, a);
}

const char *model_judge_end(struct world *world)
{
	const char *violation = judge_node(world, &world->nodes[0]);

	for (size_t i = 0; i < MODEL_SLOTS; i++) {
		const struct world_slot *a = &world->nodes[0].disk.slots[i];
		const struct world_slot *b = &world->nodes[1].disk.slots[i];

		if (violation == NULL && !agree(world, a, b)) {
			world_say(world, NULL, "slot %zu differs", i);
			violation = "the nodes disagree after the faults were over";
		}
	}
	return violation != NULL ? violation : judge_node(world, &world->nodes[1]);
}
