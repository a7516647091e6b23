/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random records from a seed, out of so few different values that any two of them collide in every
 * way that a merge must settle: equal stamps, equal epochs, equal attribute identities.
 */
#ifndef TESTS_RECORD_RANDOM_H
#define TESTS_RECORD_RANDOM_H

#include "keystore/record.h"

struct dice {
	uint64_t state;
};

/* splitmix64: enough for tests, and the same everywhere. */
static inline uint32_t dice_below(struct dice *dice, uint32_t bound)
{
	uint64_t z = dice->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (uint32_t) ((z ^ z >> 31) >> 32) % bound;
}

static inline struct stamp random_stamp(struct dice *dice)
{
	return (struct stamp){ .time = dice_below(dice, 3),
		.node = (uint16_t) dice_below(dice, 2) };
}

static inline struct slice random_text(struct dice *dice)
{
	static const struct slice texts[] = { SLICE_LITERAL("a"), SLICE_LITERAL("b"),
		SLICE_LITERAL("ab"), SLICE_LITERAL("\xff") };

	return texts[dice_below(dice, 4)];
}

static inline void random_attributes(struct dice *dice, struct arena *arena, struct object *object)
{
	static const struct slice names[] = { SLICE_LITERAL("Link"), SLICE_LITERAL("Name"),
		SLICE_LITERAL("x-tag") };

	object->attributes = arena_array(arena, 3 * 3, sizeof(*object->attributes));
	ASSERT(object->attributes != NULL);
	for (size_t i = 0; i < 3; i++) {
		for (uint64_t added = 0; added < 3; added++) {
			struct object_attribute *attribute;

			if (dice_below(dice, 3) != 0)
				continue;
			attribute = &object->attributes[object->attribute_count++];
			attribute->name = names[i];
			attribute->added = (struct stamp){ .time = added };
			attribute->index = dice_below(dice, 2);
			attribute->deleted = dice_below(dice, 3) == 0;
			attribute->value = attribute->deleted ? SLICE_EMPTY : random_text(dice);
			attribute->written = random_stamp(dice);
		}
	}
}

static inline void random_material(struct dice *dice, struct object *object)
{
	object->has_material = dice_below(dice, 4) != 0;
	if (!object->has_material)
		return;
	object->envelope_hash[0] = dice_below(dice, 8) == 0 ? 1 : 2;
	if (object->dead || dice_below(dice, 6) == 0)
		return;
	object->wrapped.ciphertext = random_text(dice);
	object->wrapped.sealed = dice_below(dice, 2) == 0 ? SLICE_EMPTY : random_text(dice);
	object->wrapped.nonce[3] = (uint8_t) dice_below(dice, 2);
	object->wrapped.version_label = dice_below(dice, 3);
	object->wrapped.written = random_stamp(dice);
}

static inline void random_object(struct dice *dice, struct arena *arena, struct object *object)
{
	*object = (struct object){ .uid = { { 7 } }, .key_id = { { 7 } } };
	if (dice_below(dice, 3) == 0)
		object->key_id.bytes[0] = (uint8_t) (8 + dice_below(dice, 2));
	object->moved = dice_below(dice, 2) == 0 ? (struct stamp){ 0 }
						 : object_moved_at(1 + dice_below(dice, 2));
	if (dice_below(dice, 3) == 0)
		object_let_go(object);
	if (dice_below(dice, 4) != 0)
		ASSERT(instance_id_parse(&object->instance,
			       slice_text(dice_below(dice, 9) == 0 ? "instance-b"
								   : "instance-a")) == ERR_OK);
	object->type = dice_below(dice, 10) == 0 ? 7 : dice_below(dice, 2) * 2;
	object->format = dice_below(dice, 3);
	object->life = (enum object_life) dice_below(dice, 3);
	object->compromised = dice_below(dice, 3) == 0;
	object->dead_epoch = dice_below(dice, 5);
	object->dead = object->dead_epoch == 0 ? dice_below(dice, 2) == 0
					       : object_epoch_is_dead(object->dead_epoch);
	object->unclaimed = dice_below(dice, 2) == 0;
	object->quarantined = dice_below(dice, 8) == 0;
	object->disputed = dice_below(dice, 8) == 0;
	for (size_t i = 0; i < OBJECT_DATE_COUNT; i++)
		object->dates[i] = (int64_t) dice_below(dice, 4) - 1;
	object->last_change = dice_below(dice, 4);
	random_material(dice, object);
	random_attributes(dice, arena, object);
}

static inline void random_client(struct dice *dice, struct client *client)
{
	*client = (struct client){ .fingerprint = { { 9 } } };
	ASSERT(instance_id_parse(&client->instance,
		       slice_text(dice_below(dice, 2) == 0 ? "instance-b" : "instance-a")) ==
		ERR_OK);
	ASSERT(text_copy(client->name, sizeof(client->name), random_text(dice)) == ERR_OK);
	client->added_at = (int64_t) dice_below(dice, 3) - 1;
	client->not_after = dice_below(dice, 2);
	client->removed = dice_below(dice, 2) == 0;
	client->written = random_stamp(dice);
}

/* One key for all objects, and one for all clients. */
static inline struct record record_random(
	struct dice *dice, struct arena *arena, enum record_kind kind)
{
	struct record record = { .kind = kind };

	if (dice_below(dice, 4) == 0) {
		record.minor = (uint8_t) (RECORD_MINOR + 1 + dice_below(dice, 2));
		record.extension = dice_below(dice, 2) == 0 ? SLICE_EMPTY : random_text(dice);
	}
	if (kind == RECORD_OBJECT)
		random_object(dice, arena, &record.object);
	else
		random_client(dice, &record.client);
	return record;
}

#endif
