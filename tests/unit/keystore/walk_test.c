/* SPDX-License-Identifier: Apache-2.0 */
/* Walks over the cached objects of an instance: order, bounds, trouble, and a later life. */
#include <criterion/criterion.h>
#include "base/clock.h"
#include "keystore/fact.h"
#include "keystore/walk.h"
#include "tests/harness/store_world.h"

enum { KEYS = 24, SLOW_MS = 60000 };

static struct world world;
static const struct slice material = SLICE_LITERAL("0123456789abcdef0123456789abcdef");

/* What is done to a key here: some waiting. */
struct step {
	struct keystore_pending flow;
	struct walk_item *item;
};

/* The owner of the walk. */
static struct owner {
	struct keystore_pending *walk;
	struct uid begun[4 * KEYS];
	size_t begun_count;
	size_t running, running_max;
	bool wants_none, has_unwanted;
	struct uid unwanted;
	bool has_hopeless; /* a key that never gets an answer */
	struct uid hopeless;
	enum err trouble; /* told instead of success, as long as trouble_count lasts */
	size_t trouble_after, trouble_count;
	size_t slow_after; /* from there on, steps do not end */
	enum err start_err;
	bool done;
	enum err err;
	struct walk_progress progress;
} owner;

static void setup(void)
{
	world_make(&world);
	world_start(&world);
	owner = (struct owner){ .slow_after = SIZE_MAX };
}

static void teardown(void)
{
	world_remove(&world);
}

TestSuite(walk, .init = setup, .fini = teardown, .timeout = 60);

static void make_keys(struct uid *uids, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		cr_assert_eq(world_create(&world, material), ERR_OK);
		if (uids != NULL)
			uids[i] = world.uid;
	}
}

static void step_on_end(struct keystore_pending *flow)
{
	(void) flow;
	owner.running--;
}

static void step_over(void *ctx)
{
	struct step *step = ctx;
	struct walk_item *item = step->item;
	enum err err = ERR_OK;

	if (owner.begun_count > owner.trouble_after && owner.trouble_count > 0) {
		owner.trouble_count--;
		err = owner.trouble;
	}
	if (owner.has_hopeless && uid_equal(&item->uid, &owner.hopeless))
		err = ERR_UNAVAILABLE;
	flow_end(&step->flow);
	walk_item_done(item, err);
}

static bool owner_wants(void *ctx, struct cache_read *read, const struct object *object)
{
	cr_assert_eq(ctx, &owner);
	cr_assert_not_null(read);
	cr_assert_not(object->dead);
	if (owner.wants_none)
		return false;
	return !owner.has_unwanted || !uid_equal(&object->uid, &owner.unwanted);
}

static enum err owner_begin(struct walk_item *item)
{
	struct keystore_pending *flow;
	enum err err = owner.start_err;

	owner.start_err = ERR_OK;
	TRY(err);
	TRY(flow_new(&flow, sizeof(struct step), world.keystore, NULL));
	((struct step *) flow)->item = item;
	flow->on_end = step_on_end;
	owner.running++;
	if (owner.running > owner.running_max)
		owner.running_max = owner.running;
	cr_assert_lt(owner.begun_count, sizeof(owner.begun) / sizeof(owner.begun[0]));
	owner.begun[owner.begun_count++] = item->uid;
	TRY(flow_wait(flow, owner.begun_count > owner.slow_after ? SLOW_MS : 1, step_over, flow));
	item->work = flow;
out:
	return err;
}

static void owner_on_done(void *ctx, enum err err, const struct walk_progress *progress)
{
	cr_assert_eq(ctx, &owner);
	cr_assert_not(owner.done);
	owner.done = true;
	owner.err = err;
	owner.progress = *progress;
}

static void begin_walk(size_t instance, uint32_t rate)
{
	struct walk_options options = { .name = "test",
		.rate = rate,
		.at_once = 3,
		.wants = owner_wants,
		.begin = owner_begin,
		.on_done = owner_on_done,
		.ctx = &owner };

	owner.done = false;
	cr_assert_eq(walk_start(&owner.walk,
			     keystore_instance_of(world.keystore, &world.instances[instance].id),
			     &options),
		ERR_OK);
}

static bool is_done(struct world *in)
{
	(void) in;
	return owner.done;
}

static bool was_left(void)
{
	struct cache_read *read;
	bool left;

	cr_assert_eq(cache_read_begin(&read, world.cache), ERR_OK);
	left = walk_was_left(read, "test", &world.instances[0].id);
	cache_read_end(read);
	return left;
}

static bool was_begun(const struct uid *uid)
{
	for (size_t i = 0; i < owner.begun_count; i++) {
		if (uid_equal(&owner.begun[i], uid))
			return true;
	}
	return false;
}

static bool is_ordered(void)
{
	for (size_t i = 1; i < owner.begun_count; i++) {
		if (slice_compare(slice_of(owner.begun[i - 1].bytes, 16),
			    slice_of(owner.begun[i].bytes, 16)) >= 0)
			return false;
	}
	return true;
}

/* Shows that each live key that is wanted comes once, in order, no more at a time than agreed; that
 * a destroyed one and the unwanted one do not come; and that nothing is left behind. */
Test(walk, passes_each_key_once)
{
	struct uid uids[KEYS];

	make_keys(uids, KEYS);
	cr_assert_eq(world_destroy(&world, &uids[3]), ERR_OK);
	owner.has_unwanted = true;
	owner.unwanted = uids[5];
	begin_walk(0, WALK_RATE_MAX);
	world_until(&world, is_done);
	cr_assert_eq(owner.err, ERR_OK);
	cr_assert_eq(owner.begun_count, KEYS - 2);
	cr_assert(is_ordered());
	cr_assert_leq(owner.running_max, 3);
	cr_assert_not(was_begun(&uids[3]));
	cr_assert_not(was_begun(&uids[5]));
	cr_assert_eq(owner.progress.counts.looked, KEYS);
	cr_assert_eq(owner.progress.counts.done, KEYS - 2);
	cr_assert_eq(owner.progress.counts.failed, 0);
	cr_assert_eq(owner.progress.per_mille, 1000);
	cr_assert_not(was_left());
}

/* Shows that another instance's keys are not passed. */
Test(walk, stays_in_its_instance)
{
	make_keys(NULL, 3);
	begin_walk(1, WALK_RATE_MAX);
	world_until(&world, is_done);
	cr_assert_eq(owner.err, ERR_OK);
	cr_assert_eq(owner.begun_count, 0);
	cr_assert_eq(owner.progress.counts.looked, 0);
}

/* Shows that objects beyond what one turn looks at are passed, too. */
Test(walk, goes_on_after_a_part)
{
	enum { MANY = WALK_PART + 10 };

	make_keys(NULL, MANY);
	owner.wants_none = true;
	begin_walk(0, WALK_RATE_MAX);
	world_until(&world, is_done);
	cr_assert_eq(owner.begun_count, 0);
	cr_assert_eq(owner.progress.counts.looked, MANY);
}

/* Shows that no more keys are begun in a second than agreed: a lower bound, since a slow machine
 * takes longer. */
Test(walk, keeps_to_its_rate)
{
	uint64_t began_ms;

	make_keys(NULL, KEYS);
	began_ms = clock_boot_ms();
	begin_walk(0, 50);
	world_until(&world, is_done);
	/* A tenth of a second may be made up for. */
	cr_assert_geq(clock_boot_ms() - began_ms, (KEYS - 1) * 1000 / 50 - 110);
}

static bool is_waiting(struct world *in)
{
	struct walk_progress progress;

	(void) in;
	walk_progress(owner.walk, &progress);
	return progress.waiting == ERR_UNAVAILABLE;
}

/* Shows that an outage makes it wait, says so, and that the keys that met it are begun again: none
 * counts as failed, none is left out. */
Test(walk, waits_for_the_key_manager)
{
	struct uid uids[KEYS];

	make_keys(uids, KEYS);
	owner.trouble = ERR_UNAVAILABLE;
	owner.trouble_after = 10;
	owner.trouble_count = 4;
	begin_walk(0, WALK_RATE_MAX);
	world_until(&world, is_waiting);
	cr_assert_not(owner.done);
	world_until(&world, is_done);
	cr_assert_eq(owner.err, ERR_OK);
	cr_assert_eq(owner.begun_count, KEYS + 4);
	cr_assert_eq(owner.progress.counts.done, KEYS);
	cr_assert_eq(owner.progress.counts.failed, 0);
	cr_assert_eq(owner.progress.waiting, ERR_OK);
}

/* Shows that a call that cannot be begun, the queue being full, is begun later. */
Test(walk, waits_for_a_place_in_the_queue)
{
	make_keys(NULL, 5);
	owner.start_err = ERR_LIMIT;
	begin_walk(0, WALK_RATE_MAX);
	world_until(&world, is_done);
	cr_assert_eq(owner.progress.counts.done, 5);
	cr_assert_eq(owner.progress.counts.failed, 0);
}

/* Shows that what is wrong with one key is counted and named, and stops nothing. */
Test(walk, names_a_key_that_fails)
{
	make_keys(NULL, KEYS);
	owner.trouble = ERR_CORRUPT;
	owner.trouble_after = 4;
	owner.trouble_count = 1;
	begin_walk(0, WALK_RATE_MAX);
	world_until(&world, is_done);
	cr_assert_eq(owner.err, ERR_OK);
	cr_assert_eq(owner.progress.counts.done, KEYS - 1);
	cr_assert_eq(owner.progress.counts.failed, 1);
	cr_assert_eq(owner.progress.failed_count, 1);
	cr_assert_eq(owner.progress.failed[0].err, ERR_CORRUPT);
	cr_assert(was_begun(&owner.progress.failed[0].uid));
}

/* Shows that a key for which the key manager never has an answer is given up in the end, while it
 * answers for others; and that the walk does not end for its sake. */
Test(walk, gives_up_a_key_without_an_answer)
{
	struct uid uids[KEYS];

	make_keys(uids, KEYS);
	owner.has_hopeless = true;
	owner.hopeless = uids[0];
	for (size_t i = 1; i < KEYS; i++) {
		if (slice_compare(slice_of(uids[i].bytes, 16), slice_of(owner.hopeless.bytes, 16)) <
			0)
			owner.hopeless = uids[i];
	}
	begin_walk(0, WALK_RATE_MAX);
	world_until(&world, is_done);
	cr_assert_eq(owner.err, ERR_OK);
	cr_assert_eq(owner.progress.counts.done, KEYS - 1);
	cr_assert_eq(owner.progress.counts.failed, 1);
	cr_assert(uid_equal(&owner.progress.failed[0].uid, &owner.hopeless));
	cr_assert_eq(owner.begun_count, KEYS - 1 + WALK_TRIES_MAX);
}

/* Shows that names are bounded, and counts are not. */
Test(walk, names_no_more_than_it_has_room_for)
{
	make_keys(NULL, KEYS);
	owner.trouble = ERR_CORRUPT;
	owner.trouble_count = KEYS;
	begin_walk(0, WALK_RATE_MAX);
	world_until(&world, is_done);
	cr_assert_eq(owner.progress.counts.failed, KEYS);
	cr_assert_eq(owner.progress.failed_count, WALK_FAILED_MAX);
}

static bool is_half_way(struct world *in)
{
	(void) in;
	return owner.begun_count == KEYS / 2 && owner.running == 3 && was_left();
}

/* Shows that a walk that a crash ended goes on at its place: each key comes, those long over do not
 * come again, and the counts are those of one walk. */
Test(walk, goes_on_in_a_later_life)
{
	struct uid uids[KEYS];
	struct walk_progress progress;

	make_keys(uids, KEYS);
	owner.slow_after = KEYS / 2 - 3;
	begin_walk(0, 25);
	world_until(&world, is_half_way);
	world_stop(&world);
	cr_assert_eq(owner.running, 0);
	cr_assert_not(owner.done);
	world_start(&world);
	cr_assert(was_left());
	owner.slow_after = SIZE_MAX;
	begin_walk(0, 0);
	walk_progress(owner.walk, &progress);
	cr_assert_eq(progress.rate, 25, "it keeps its rate");
	walk_set_rate(owner.walk, WALK_RATE_MAX);
	world_until(&world, is_done);
	cr_assert_eq(owner.err, ERR_OK);
	for (size_t i = 0; i < KEYS; i++)
		cr_assert(was_begun(&uids[i]));
	cr_assert_lt(owner.begun_count, 2 * KEYS);
	cr_assert_eq(owner.progress.counts.looked, KEYS);
	cr_assert_not(was_left());
}

/* Shows that a walk that is stopped lets go of what is under way and is not resumed. */
Test(walk, stops)
{
	make_keys(NULL, KEYS);
	owner.slow_after = KEYS / 2 - 3;
	begin_walk(0, WALK_RATE_MAX);
	world_until(&world, is_half_way);
	walk_stop(owner.walk);
	cr_assert_eq(owner.running, 0);
	cr_assert_not(owner.done);
	world_until(&world, is_done);
	cr_assert_eq(owner.err, ERR_CANCELLED);
	cr_assert_eq(owner.progress.counts.done, KEYS / 2 - 3);
	cr_assert_not(was_left());
}

/* Shows that a place that cannot be read costs a walk from the start, no more. */
Test(walk, begins_anew_when_its_place_is_damaged)
{
	struct instance *instance = keystore_instance_of(world.keystore, &world.instances[0].id);

	make_keys(NULL, 5);
	fact_put(instance, "test-instance-one", "\1no place");
	make_keys(NULL, 1);
	cr_assert(was_left());
	begin_walk(0, WALK_RATE_MAX);
	world_until(&world, is_done);
	cr_assert_eq(owner.progress.counts.done, 6);
	cr_assert_not(was_left());
}
