/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulation/model.h"
#include "tests/simulation/world.h"

static bool is_object(size_t slot)
{
	return slot < MODEL_OBJECTS;
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
	flow->seen =
		(struct model_seen){ .gone = key->gone, .created = world->keys[flow->slot].used };
	if (flow->kind == FLOW_ADD)
		flow->write = key->adds_begun++;
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
	if (err == ERR_NOT_FOUND && flow->seen.created)
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
	bool stored = world->nodes[0].disk.slots[flow->slot].len > 0 ||
		      world->nodes[1].disk.slots[flow->slot].len > 0;

	world->model.keys[flow->slot].created = true;
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

/* ---- rollback ---- */

void model_on_rollback(struct world_node *node)
{
	struct model *model = &node->world->model;
	const struct world_disk *peer = &node_peer(node)->disk;

	for (size_t i = 0; i < MODEL_SLOTS; i++) {
		struct slice now = slice_of(node->disk.slots[i].bytes, node->disk.slots[i].len);
		struct slice then =
			slice_of(node->backup.slots[i].bytes, node->backup.slots[i].len);
		struct slice other = slice_of(peer->slots[i].bytes, peer->slots[i].len);

		if (slice_equal(now, then) || slice_equal(now, other))
			continue;
		if (is_object(i))
			model->keys[i].lost = true;
		else
			model->clients[i - MODEL_OBJECTS].lost = true;
	}
}

/* ---- what a lease allows to be served ---- */

static const char *judge_key(
	const struct model *model, const struct model_key *key, const struct world_view *view)
{
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

void model_check(struct world_node *node)
{
	struct world *world = node->world;
	const struct model *model = &world->model;
	const char *violation = NULL;

	if (!node_is_vouched(node))
		return;
	world->counts.vouched_ms++;
	for (size_t i = 0; i < MODEL_SLOTS && violation == NULL; i++) {
		const struct world_view *view = &node->disk.slots[i].view;

		if (is_object(i) && !model->keys[i].lost)
			violation = judge_key(model, &model->keys[i], view);
		else if (!is_object(i) && !model->clients[i - MODEL_OBJECTS].lost)
			violation = judge_client(model, &model->clients[i - MODEL_OBJECTS], view);
		if (violation != NULL)
			world_say(world, node, "slot %zu: %s", i, violation);
	}
	if (violation != NULL)
		world_fail(world, violation);
}

/* ---- the end ---- */

/* The node's clock was ahead when the key was destroyed: its restoration came too early to be
 * told from an old state. */
static bool is_restored_too_early(const struct manager_key *key, const struct world_view *view)
{
	return key->restores > 0 && key->updated < (int64_t) (view->epoch / 2) + 30;
}

static const char *judge_manager(const struct manager_key *key, const struct world_view *view)
{
	if (!key->used)
		return view->exists ? "a key was invented" : NULL;
	if (key->dead)
		return view->exists && !view->dead ? "a destroyed key is still alive at the end"
						   : NULL;
	if (!view->exists)
		return "a key was not adopted";
	return view->dead && !is_restored_too_early(key, view) ? "a living key is dead at the end"
							       : NULL;
}

static const char *judge_node(struct world *world, const struct world_node *node)
{
	const struct model *model = &world->model;
	const char *violation = NULL;

	for (size_t i = 0; i < MODEL_OBJECTS && violation == NULL; i++) {
		violation = judge_manager(&world->keys[i], &node->disk.slots[i].view);
		if (violation == NULL && !model->keys[i].lost)
			violation = judge_key(model, &model->keys[i], &node->disk.slots[i].view);
		if (violation != NULL)
			world_say(world, node, "slot %zu: %s", i, violation);
	}
	for (size_t i = 0; i < WORLD_INTENTS && violation == NULL; i++)
		if (node->disk.intents[i].kind != INTENT_NONE)
			violation = "an intent was never settled";
	return violation;
}

const char *model_judge_end(struct world *world)
{
	const char *violation = judge_node(world, &world->nodes[0]);

	for (size_t i = 0; i < MODEL_SLOTS; i++) {
		const struct world_slot *a = &world->nodes[0].disk.slots[i];
		const struct world_slot *b = &world->nodes[1].disk.slots[i];

		if (violation == NULL &&
			!slice_equal(slice_of(a->bytes, a->len), slice_of(b->bytes, b->len))) {
			world_say(world, NULL, "slot %zu differs", i);
			violation = "the nodes disagree after the faults were over";
		}
	}
	return violation != NULL ? violation : judge_node(world, &world->nodes[1]);
}
