/* SPDX-License-Identifier: Apache-2.0 */
/* A Name belongs to one live object (KMIP 1.4, section 3.2), also where several requests want it at
 * the same moment. */
#include "served.h"

enum { RACERS = 4 };

struct race {
	struct served *served;
	size_t answered, won, refused;
};

static void on_answer(void *ctx, const struct kmip_served *answer)
{
	struct race *race = ctx;
	struct kmip_response response;
	const struct kmip_response_item *item;

	cr_assert_eq(
		kmip_response_decode(&response, race->served->arena, answer->response), ERR_OK);
	item = &response.items[0];
	race->won += reason_of(item) == 0;
	race->refused += reason_of(item) == KMIP_RESULT_REASON_INVALID_FIELD ||
			 reason_of(item) == KMIP_RESULT_REASON_ILLEGAL_OPERATION;
	if (++race->answered == RACERS)
		loop_stop(race->served->loop);
}

static struct slice create_frame(struct served *served, const char *name)
{
	struct kmip_attribute attributes[] = {
		attribute_of("Cryptographic Algorithm",
			kmip_value_enum(KMIP_CRYPTOGRAPHIC_ALGORITHM_AES)),
		attribute_of("Cryptographic Usage Mask", kmip_value_integer(12)),
		name_of(served, name),
	};
	struct kmip_template_attribute template = { .attributes = { attributes, 3 } };
	struct ask ask =
		ASK(CREATE, create, .object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SYMMETRIC_KEY),
			.template_attribute = &template);

	return served_frame(served, &ask, 1, false);
}

static struct slice add_frame(struct served *served, struct slice uid, const char *name)
{
	struct kmip_attribute attribute = name_of(served, name);
	struct ask ask = ASK(
		ADD_ATTRIBUTE, add_attribute, .unique_identifier = uid, .attribute = &attribute);

	return served_frame(served, &ask, 1, false);
}

static void run(struct race *race, const struct slice frames[RACERS])
{
	struct kmip_pending *pending;

	for (size_t i = 0; i < RACERS; i++)
		cr_assert_eq(kmip_serve_start(&pending, race->served->server,
				     &race->served->identity, frames[i], on_answer, race),
			ERR_OK);
	cr_assert_eq(loop_run(race->served->loop), ERR_OK);
}

static size_t holders(struct served *served, const char *name)
{
	struct kmip_attribute filter = name_of(served, name);

	return PAYLOAD(served, ONE(served, LOCATE, locate, .attributes = { &filter, 1 }), locate)
		->unique_identifiers.count;
}

/* Requests that want one name at the same moment, of new keys and of keys that there are: one gets
 * it. */
Test(unique_name, at_the_same_moment)
{
	struct served served = { 0 };
	struct race race = { .served = &served };
	struct slice one, two;

	served_start(&served, false);
	one = served_key(&served);
	two = served_key(&served);
	const struct slice frames[RACERS] = { create_frame(&served, "wanted"),
		add_frame(&served, one, "wanted"), create_frame(&served, "wanted"),
		add_frame(&served, two, "wanted") };

	run(&race, frames);
	cr_assert_eq(race.won, 1);
	cr_assert_eq(race.refused, RACERS - 1);
	cr_assert_eq(holders(&served, "wanted"), 1);
	served_stop(&served);
}

/* Different names do not meet, nor does a name wait for a request that has ended: it was destroyed,
 * or refused. */
Test(unique_name, is_let_go)
{
	struct served served = { 0 };
	struct race race = { .served = &served };
	struct kmip_attribute name;
	struct slice uid;

	served_start(&served, false);
	const struct slice frames[RACERS] = { create_frame(&served, "a"),
		create_frame(&served, "b"), create_frame(&served, "c"),
		create_frame(&served, "d") };

	run(&race, frames);
	cr_assert_eq(race.won, RACERS);
	name = name_of(&served, "e");
	uid = served_key_with(&served, &name, 1);
	assert_reason(served_create(&served, &name, 1), INVALID_FIELD);
	assert_success(served_destroy(&served, uid));
	(void) served_key_with(&served, &name, 1);
	cr_assert_eq(holders(&served, "e"), 1);
	served_stop(&served);
}

/* A request that fails behind plan leaves the name to the next. */
Test(unique_name, failure_lets_go)
{
	struct served served = { 0 };
	struct kmip_attribute name;

	served_start(&served, false);
	name = name_of(&served, "later");
	served.store->service.down = true;
	cr_assert_neq(reason_of(served_create(&served, &name, 1)), 0);
	served.store->service.down = false;
	(void) served_key_with(&served, &name, 1);
	served_stop(&served);
}
