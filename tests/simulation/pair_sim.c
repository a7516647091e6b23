/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pair_sim [--seeds N] [--seed S]: shows that two cores keep their promises in seeded worlds of
 * faults: no key is served after its destroy was answered, only what is durable is acknowledged,
 * both nodes agree when the faults are over. Prints the seed of the first failure; --seed replays
 * it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/crypt.h"
#include "tests/simulation/world.h"

enum { STORM_MS = 20000, CALM_MS = 12000 };

static const char *judge_end(const struct world *world)
{
	for (unsigned i = 0; i < 2; i++) {
		const struct world_node *node = &world->nodes[i];

		if (node->state != CORE_STREAMING)
			return "not streaming after the faults were over";
		for (size_t j = 0; j < WORLD_HOLDS; j++)
			if (node->holds[j].used)
				return "an answer was never released";
	}
	for (size_t key = 0; key < WORLD_KEYS; key++) {
		const struct world_key *a = &world->nodes[0].disk.keys[key];
		const struct world_key *b = &world->nodes[1].disk.keys[key];

		if (a->exists != b->exists || a->dead != b->dead)
			return "the nodes disagree after the faults were over";
	}
	return NULL;
}

static const char *run(uint64_t seed, struct world *total)
{
	struct world *world;
	const char *violation;

	if (world_new(&world, seed) != ERR_OK)
		return "no memory";
	while (world->now < STORM_MS && world->violation == NULL)
		world_tick(world);
	world->calm = true;
	world->cut = false;
	while (world->now < STORM_MS + CALM_MS && world->violation == NULL)
		world_tick(world);
	violation = world->violation != NULL ? world->violation : judge_end(world);
	total->destroys += world->destroys;
	total->rollbacks += world->rollbacks;
	total->crashes += world->crashes;
	total->vouched_ticks += world->vouched_ticks;
	world_free(world);
	return violation;
}

int main(int argc, char **argv)
{
	uint64_t seeds = 200, first = 1;
	struct world *total = calloc(1, sizeof(*total));

	if (total == NULL || crypt_start() != ERR_OK)
		return 2;
	for (int i = 1; i + 1 < argc; i += 2) {
		uint64_t value = strtoull(argv[i + 1], NULL, 10);

		if (strcmp(argv[i], "--seeds") == 0)
			seeds = value;
		else if (strcmp(argv[i], "--seed") == 0)
			first = value, seeds = 1;
	}
	for (uint64_t seed = first; seed < first + seeds; seed++) {
		const char *violation = run(seed, total);

		if (violation != NULL) {
			printf("seed %llu: %s\n", (unsigned long long) seed, violation);
			return 1;
		}
	}
	printf("%llu seeds from %llu: %llu destroys, %llu crashes, %llu rollbacks, %llu vouched "
	       "ms\n",
		(unsigned long long) seeds, (unsigned long long) first,
		(unsigned long long) total->destroys, (unsigned long long) total->crashes,
		(unsigned long long) total->rollbacks, (unsigned long long) total->vouched_ticks);
	free(total);
	return 0;
}
