/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include "base/clock.h"
#include "keystore/intent.h"
#include "keystore/resolve.h"
#include "tests/harness/store_world.h"

static struct world world;
static const struct slice material = SLICE_LITERAL("0123456789abcdef0123456789abcdef");

static void setup(void)
{
	world_make(&world);
	world_start(&world);
}

static void teardown(void)
{
	world_remove(&world);
}

TestSuite(create, .init = setup, .fini = teardown, .timeout = 60);

/* Shows that a created key is one standard key, is cached, leaves no intent, and is warm: no unwrap
 * for the first Get. */
Test(create, makes_one_key)
{
	struct object object;

	cr_assert_eq(world_create(&world, material), ERR_OK);
	cr_assert_eq(fake_service_count(&world.service, "kmip-instance-one-"), 1);
	cr_assert(world_object(&world, &world.uid, &object));
	cr_assert_eq(object.life, OBJECT_PRE_ACTIVE);
	cr_assert_not(object.unclaimed);
	cr_assert_eq(object.dates[OBJECT_DATE_INITIAL], 1000);
	cr_assert_eq(object.attribute_count, 1);
	cr_assert_eq(world_intents(&world), 0);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
	cr_assert_eq(world.service.calls[FAKE_UNWRAP], 1, "only to prove the wrapped form");
}

/* Shows that no key is made whose wrapped form does not open, or opens to something else: its
 * material would be lost after its UID was told. */
Test(create, proves_the_wrapped_form)
{
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_WRAP, .repeat = 1, .alter = true });
	cr_assert_eq(world_create(&world, material), ERR_UNAVAILABLE);
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_UNWRAP, .repeat = 1, .err = ERR_CORRUPT });
	cr_assert_eq(world_create(&world, material), ERR_UNAVAILABLE);
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_UNWRAP, .repeat = 1, .err = ERR_ROOT_DISABLED });
	cr_assert_eq(world_create(&world, material), ERR_ROOT_DISABLED);
	cr_assert_eq(world.service.key_count, 0);
	cr_assert_eq(world_intents(&world), 0);
}

/* Shows that a lost answer is looked up by name and the key adopted, with a single POST. */
Test(create, finds_the_key_of_a_lost_answer)
{
	fake_service_fault(&world.service,
		(struct fake_fault){
			.call = FAKE_CREATE, .repeat = 1, .err = ERR_AMBIGUOUS, .effect = true });
	cr_assert_eq(world_create(&world, material), ERR_OK);
	cr_assert_eq(world.service.calls[FAKE_CREATE], 1);
	cr_assert_eq(world_intents(&world), 0);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
}

/* Shows that an unknown outcome that cannot be resolved ends in time, keeps the intent, and is
 * never sent again. */
Test(create, keeps_the_intent_of_a_key_not_found)
{
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_CREATE, .repeat = 1, .err = ERR_AMBIGUOUS });
	cr_assert_eq(world_create(&world, material), ERR_UNAVAILABLE);
	cr_assert_eq(world.service.calls[FAKE_CREATE], 1);
	cr_assert_eq(world_intents(&world), 1);
}

/* Shows that a refusal makes nothing, leaves nothing, and is told as one. */
Test(create, is_refused)
{
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_CREATE, .repeat = 1, .err = ERR_FIELD });
	cr_assert_eq(world_create(&world, material), ERR_REFUSED);
	cr_assert_eq(world_intents(&world), 0);
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_WRAP, .repeat = 1, .err = ERR_THROTTLED });
	cr_assert_eq(world_create(&world, material), ERR_UNAVAILABLE);
	world.service.root = KEYMANAGER_ROOT_DISABLED;
	cr_assert_eq(world_create(&world, material), ERR_ROOT_DISABLED);
	cr_assert_eq(world.service.key_count, 0);
}

/* Shows that material too long to be wrapped is sealed, and comes back from the key manager. */
Test(create, seals_long_material)
{
	static uint8_t bytes[KEYMANAGER_WRAP_LEN_MAX + 100];
	struct slice longer = slice_of(bytes, sizeof(bytes));

	bytes[77] = 7;
	cr_assert_eq(world_create(&world, longer), ERR_OK);
	world_lose_cache(&world);
	world_start(&world);
	cr_assert_eq(world_get(&world, &world.uid, longer), ERR_OK);
}

static bool key_is_made(struct world *in)
{
	return in->service.key_count == 1;
}

static bool has_intent(struct world *in)
{
	return world_intents(in) == 1;
}

static bool intent_is_settled(struct world *in)
{
	return world_intents(in) == 0;
}

/* Shows that a crash between the POST and its record loses no key: the next life adopts it as
 * unclaimed, since nobody was told of it. */
Test(create, survives_a_crash_before_the_record)
{
	struct object object;

	fake_service_fault(&world.service,
		(struct fake_fault){
			.call = FAKE_CREATE, .repeat = 1, .effect = true, .stall = true });
	cr_assert_eq(world_create_begin(&world, material), ERR_OK);
	world_until(&world, key_is_made);
	world_stop(&world);
	world_start(&world);
	world_until(&world, intent_is_settled);
	world.uid = world.service.keys[0].key.id;
	cr_assert(world_object(&world, &world.uid, &object));
	cr_assert(object.unclaimed);
	cr_assert_eq(world_get(&world, &world.uid, material), ERR_OK);
	cr_assert_eq(world.service.calls[FAKE_CREATE], 1);
	cr_assert_eq(world.service.calls[FAKE_DELETE], 0);
}

static void put_intent(uint8_t mark, int64_t age_s)
{
	struct intent intent = { .kind = INTENT_CREATE,
		.nonce = { mark },
		.instance = world.instances[0].id,
		.time = clock_wall_seconds() - age_s };
	struct cache_write *write;
	struct buf body;

	buf_init(&body, INTENT_LEN_MAX);
	cr_assert_eq(intent_encode(&body, &intent), ERR_OK);
	cr_assert_eq(cache_write_begin(&write, world.cache), ERR_OK);
	cr_assert_eq(cache_put_intent(write, intent.nonce, buf_slice(&body)), ERR_OK);
	cr_assert_eq(cache_commit(write), ERR_OK);
	buf_free(&body);
}

/* Shows that an intent to create is given up when its key was not listed long after, and not
 * before. */
Test(create, gives_up_a_key_that_never_came)
{
	put_intent(1, RESOLVE_HOPELESS_S + 60);
	put_intent(2, RESOLVE_HOPELESS_S - 60);
	world_stop(&world);
	world_start(&world);
	world_until(&world, has_intent);
	world_until(&world, world_is_listed);
	cr_assert_eq(world_intents(&world), 1);
	cr_assert_eq(world.service.key_count, 0);
}

static bool has_one_intent(struct world *in)
{
	return world_intents(in) == 1;
}

static void on_open(void *ctx)
{
	(void) ctx;
}

/* Shows that an intent whose key is sought among too many does not keep the next ones waiting. */
Test(create, gives_up_a_search_that_is_too_long)
{
	put_intent(1, RESOLVE_HOPELESS_S - 60);
	put_intent(2, RESOLVE_HOPELESS_S + 60);
	world_stop(&world);
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_LIST, .repeat = 1000, .err = ERR_LIMIT });
	world_open(&world);
	keystore_start(world.keystore, on_open, NULL);
	world_until(&world, has_one_intent);
}

static enum err refusal;

static void on_refused(void *ctx, enum err err, const struct uid *uid)
{
	(void) ctx;
	(void) uid;
	refusal = err;
}

static bool nothing_is_unwrapped(struct world *in)
{
	return kek_table_count(in->table) == 0;
}

/* Shows that a key whose creation outlives the root key's disabling is not kept unwrapped: the
 * owner took it away. */
Test(create, keeps_nothing_unwrapped_under_a_disabled_root_key)
{
	struct object_change nothing = { 0 };
	struct keystore_create other = { .instance = world.instances[0].id,
		.type = 2,
		.material = material,
		.change = &nothing };
	struct keystore_pending *pending;

	fake_service_fault(&world.service,
		(struct fake_fault){
			.call = FAKE_CREATE, .repeat = 1, .effect = true, .delay_ms = 300 });
	cr_assert_eq(world_create_begin(&world, material), ERR_OK);
	world_until(&world, has_intent);
	world.service.root = KEYMANAGER_ROOT_DISABLED;
	cr_assert_eq(
		keystore_create_start(&pending, world.keystore, &other, on_refused, NULL), ERR_OK);
	world_until(&world, world_is_answered);
	cr_assert_eq(world.err, ERR_OK);
	cr_assert_eq(refusal, ERR_ROOT_DISABLED);
	world_until(&world, nothing_is_unwrapped);
}

/* Shows that a root key which does not wrap any more, and still unwraps (expired), takes no key
 * away: Create is refused, warm keys stay warm. */
Test(create, is_refused_by_an_expired_root_key)
{
	world_until(&world, world_is_listed);
	cr_assert_eq(world_create(&world, material), ERR_OK);
	fake_service_fault(&world.service,
		(struct fake_fault){ .call = FAKE_WRAP, .repeat = 1, .err = ERR_ROOT_DISABLED });
	struct uid uid = world.uid;
	cr_assert_eq(world_create(&world, material), ERR_ROOT_DISABLED);
	cr_assert_eq(kek_table_count(world.table), 1);
	cr_assert_eq(world_get_warm(&world, &uid), ERR_OK);
}

struct held {
	struct keystore_hold *hold;
	unsigned cancelled;
};

static void gate_hold(void *ctx, struct keystore_hold *hold)
{
	((struct held *) ctx)->hold = hold;
}

static void gate_cancel(void *ctx, struct keystore_hold *hold)
{
	struct held *held = ctx;

	cr_assert_eq(held->hold, hold);
	held->cancelled++;
}

static struct held held;

static bool is_held(struct world *in)
{
	(void) in;
	return held.hold != NULL;
}

/* Shows that the answer waits at the gate with the sequence of its change, and that a store that
 * closes takes its holds back. */
Test(create, waits_at_the_gate)
{
	struct keystore_gate gate = { .hold = gate_hold, .cancel = gate_cancel, .ctx = &held };

	held = (struct held){ 0 };
	keystore_set_gate(world.keystore, &gate);
	cr_assert_eq(world_create_begin(&world, material), ERR_OK);
	world_until(&world, is_held);
	cr_assert_not(world.answered);
	cr_assert_eq(held.hold->class, KEYSTORE_GATE_CREATE);
	cr_assert_eq(held.hold->seq, 1);
	held.hold->on_release(held.hold->ctx);
	cr_assert(world.answered);
	held.hold = NULL;
	cr_assert_eq(world_create_begin(&world, material), ERR_OK);
	world_until(&world, is_held);
	world_stop(&world);
	cr_assert_eq(held.cancelled, 1);
	cr_assert_not(world.answered);
}
