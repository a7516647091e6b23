/* SPDX-License-Identifier: Apache-2.0 */
/* What several nodes counted, read from one record. */
#include "keystore/usage.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "record_random.h"

enum { ARENA_MAX = 1 << 22, NODES = 2, CASES = 300, STEPS = 40 };

static struct arena *arena;

static void setup(void)
{
	cr_assert_eq(arena_new(&arena, ARENA_MAX), ERR_OK);
}

static void teardown(void)
{
	arena_free(arena);
}

TestSuite(usage, .init = setup, .fini = teardown);

static void write(
	struct object *object, struct stamp place, const struct usage *usage, struct stamp now)
{
	struct object_edit edit;
	struct object_change change = { .edits = &edit, .edit_count = 1 };

	cr_assert_eq(usage_edit(&edit, arena, place, usage), ERR_OK);
	cr_assert_eq(object_apply(object, arena, &change, now, NULL), ERR_OK);
}

static void write_at(struct object *object, uint64_t life, uint16_t node, struct usage usage)
{
	static uint64_t time = 100;

	write(object, (struct stamp){ life, node }, &usage, (struct stamp){ time++, node });
}

/* Registers of all nodes and lives add up; what an earlier life left open is nobody's to take back.
 */
Test(usage, sum)
{
	struct object object = { .uid = { { 7 } } };
	struct usage sum = usage_sum(&object);

	cr_assert_eq(usage_used(&sum), 0);
	write_at(&object, 1, 1, (struct usage){ 10, 1 });
	write_at(&object, 2, 2, (struct usage){ 20, 2 });
	write_at(&object, 3, 1, (struct usage){ 30, 3 });
	sum = usage_sum(&object);
	cr_assert_eq(sum.settled, 61);
	cr_assert_eq(sum.open, 5);
	write_at(&object, 4, 1, (struct usage){ INT64_MAX, 1 });
	sum = usage_sum(&object);
	cr_assert_eq(sum.settled, INT64_MAX);
	cr_assert_eq(usage_used(&sum), INT64_MAX);
}

/* A value that is none of ours counts as all that there can be, and takes nobody's life. */
Test(usage, unreadable)
{
	static const uint8_t bytes[17] = { 0xff };

	for (size_t len = 0; len <= sizeof(bytes); len++) {
		struct object object = { .uid = { { 7 } } };
		struct object_edit edit = { .kind = OBJECT_EDIT_SET,
			.name = SLICE_LITERAL("usage"),
			.added = { 1, 1 },
			.value = slice_of(bytes, len) };
		struct object_change change = { .edits = &edit, .edit_count = 1 };
		struct usage sum;

		cr_assert_eq(object_apply(&object, arena, &change, (struct stamp){ 1, 1 }, NULL),
			ERR_OK);
		sum = usage_sum(&object);
		cr_assert_eq(usage_used(&sum), INT64_MAX);
	}
}

/* A life goes on with what its node counted only when it can know that to be the whole. */
Test(usage, place)
{
	struct object object = { .uid = { { 7 } } };
	struct usage_owner owner = { { 9, 1 }, .current = false };
	struct stamp place;

	write_at(&object, 1, 1, (struct usage){ 1, 0 });
	write_at(&object, 2, 1, (struct usage){ 1, 0 });
	write_at(&object, 3, 2, (struct usage){ 1, 0 });
	place = usage_place(&object, &owner);
	cr_assert_eq(stamp_compare(place, owner.life), 0);
	owner.current = true;
	place = usage_place(&object, &owner);
	cr_assert_eq(place.time, 2);
	write_at(&object, 9, 1, (struct usage){ 1, 0 });
	owner.current = false;
	cr_assert_eq(usage_place(&object, &owner).time, 9);
	for (uint64_t life = 10; life < 10 + USAGE_LIVES_MAX - 3; life++)
		write_at(&object, life, 1, (struct usage){ 1, 0 });
	owner.life.time = 99;
	place = usage_place(&object, &owner);
	cr_assert_eq(place.time, 10 + USAGE_LIVES_MAX - 4, "no more registers");
}

/* The registers take none of the room that clients have, and are no attribute of theirs. */
Test(usage, takes_no_room)
{
	struct object object = { .uid = { { 7 } } };
	char value[OBJECT_ATTRIBUTES_BYTES_MAX] = { 0 };
	struct object_edit edit = { .kind = OBJECT_EDIT_SET,
		.name = SLICE_LITERAL("x-all"),
		.value = slice_of((const uint8_t *) value, sizeof(value) - 5) };
	struct object_change change = { .edits = &edit, .edit_count = 1 };

	cr_assert_eq(object_apply(&object, arena, &change, (struct stamp){ 1, 1 }, NULL), ERR_OK);
	write_at(&object, 1, 1, (struct usage){ 1, 0 });
	cr_assert_eq(object_attributes_bytes(&object), OBJECT_ATTRIBUTES_BYTES_MAX);
}

/* ---- random histories ---- */

struct node {
	struct record now, older;
	struct usage_owner owner;
	uint64_t time;
};

static void merge_into(struct record *to, const struct record *from)
{
	struct record out;

	cr_assert_eq(record_merge(&out, arena, to, from), ERR_OK);
	*to = out;
}

static int64_t used(const struct record *record)
{
	struct usage sum = usage_sum(&record->object);

	return usage_used(&sum);
}

/* Takes and, sometimes, settles; a later one settles what an earlier one left open. */
static int64_t charge(struct dice *dice, struct node *node)
{
	int64_t units = 1 + dice_below(dice, 9);
	struct object *object = &node->now.object;
	struct stamp place = usage_place(object, &node->owner);
	struct usage usage = usage_at(object, place);

	usage = (struct usage){ usage_used(&usage), units };
	node->time++;
	write(object, place, &usage, (struct stamp){ node->time, node->owner.life.node });
	return units;
}

/* A new life on the disk as it is, or as it was some time ago. */
static void restart(struct dice *dice, struct node *node)
{
	if (dice_below(dice, 2) == 0)
		node->now = node->older;
	node->time += 1 + dice_below(dice, 5);
	node->owner.life.time = node->time;
	node->owner.current = false;
}

/* The full exchange after which a node is in step. */
static void exchange(struct node *nodes)
{
	for (size_t i = 0; i < NODES; i++)
		merge_into(&nodes[i].now, &nodes[1 - i].now);
	for (size_t i = 0; i < NODES; i++)
		nodes[i].owner.current = true;
}

static void play(uint64_t seed)
{
	struct dice dice = { seed };
	struct node nodes[NODES];
	int64_t known = 0;

	for (uint16_t i = 0; i < NODES; i++)
		nodes[i] = (struct node){ .now = { .kind = RECORD_OBJECT,
						  .object = { .uid = { { 7 } } } },
			.owner = { { 1, i }, .current = true },
			.time = 10 };
	for (size_t i = 0; i < NODES; i++)
		nodes[i].older = nodes[i].now;
	for (size_t step = 0; step < STEPS; step++) {
		size_t i = dice_below(&dice, NODES);
		struct node *node = &nodes[i], *peer = &nodes[1 - i];

		switch (dice_below(&dice, 6)) {
		case 0:
			restart(&dice, node);
			break;
		case 1:
			node->older = node->now;
			break;
		case 2:
			exchange(nodes);
			break;
		default:
			known += charge(&dice, node);
			merge_into(&peer->now, &node->now); /* acknowledged */
			peer->older = peer->now; /* one of two disks falls back */
		}
	}
	exchange(nodes);
	cr_assert_eq(used(&nodes[0].now), used(&nodes[1].now));
	cr_assert_eq(used(&nodes[0].now), known, "seed %lu: %ld of %ld", seed,
		(long) used(&nodes[0].now), (long) known);
}

/* Whatever is merged in which order, and whichever disk falls back: all that the peer acknowledged
 * is counted, once. From a seed that is printed and that PAIR_USAGE_SEED replays. */
Test(usage, nothing_is_lost)
{
	const char *text = getenv("PAIR_USAGE_SEED");
	uint64_t seed = text == NULL ? clock_wall_ms() << 20 : strtoull(text, NULL, 10);

	fprintf(stderr, "usage: PAIR_USAGE_SEED=%lu\n", seed);
	for (uint64_t i = 0; i < CASES; i++) {
		play(seed + i);
		arena_reset(arena);
	}
}
