/* SPDX-License-Identifier: Apache-2.0 */
/* What clients were promised by the answers that they got, and whether it is kept. */
#ifndef SIMULATION_MODEL_H
#define SIMULATION_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "keystore/object.h"

struct world;
struct world_node;
struct world_flow;

enum {
	MODEL_OBJECTS = 56,
	MODEL_CLIENTS = 4,
	MODEL_SLOTS = MODEL_OBJECTS + MODEL_CLIENTS, /* objects first */
	MODEL_ADDS = 6,
	MODEL_NOTES = 2048,
};

#define MODEL_ALL_SLOTS ((1ull << MODEL_SLOTS) - 1)

struct model_key {
	bool created; /* the creation was answered */
	bool gone; /* a destroy was answered, and the owner did not restore it */
	bool lost; /* a disk with the only copy of something fell back: no promise but the key
		      manager's */
	unsigned life; /* enum object_life, as answered */
	bool compromised;
	uint32_t adds, adds_begun;
	struct stamp added[MODEL_ADDS]; /* what tells them apart; time 0: not made */
	bool noted;
};

struct model_client {
	bool written; /* an installation or removal was answered */
	bool lost;
};

struct model {
	struct model_key keys[MODEL_OBJECTS];
	struct model_client clients[MODEL_CLIENTS];
	/* Every write to a register (x-note, a client) has a number; what it saw; and whether a
	 * write that saw it was answered: then it must not be shown any more. */
	uint32_t note_parent[MODEL_NOTES];
	bool note_superseded[MODEL_NOTES];
	uint32_t note_count;
	const char *violation;
};

/* Of the moment when a flow began. */
struct model_seen {
	bool gone, created;
};

void model_on_begin(struct world *world, struct world_flow *flow);
void model_on_end(struct world_node *node, struct world_flow *flow, enum err err);
/* An addition is about to be stored. */
void model_on_addition(
	struct world *world, const struct world_flow *flow, const struct object *object);
/* A disk is about to turn into `then`; one slot of it has turned, and was `before`. */
struct world_disk;
struct world_slot;
void model_on_loss(struct world_node *node, const struct world_disk *then);
void model_on_slot_lost(struct world_node *node, size_t slot, const struct world_slot *before);
void model_on_trim(struct world *world, size_t slot);
void model_on_damage(struct world *world, size_t slot);
/* At every tick: what could be served under a lease, as far as it or its promises changed. */
void model_check(struct world_node *node);
uint64_t model_bit(size_t slot);
/* When the faults are long over; NULL: all is well. */
const char *model_judge_end(struct world *world);

#endif
