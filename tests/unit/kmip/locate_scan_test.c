/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locate among more objects than a loop looks at: a worker hands it to the keeper, whose other
 * thread goes on with it; also where an object must be fetched on the way, and where nobody waits
 * for the answer any more.
 */
#include "kmip/locate_scan.h"
#include "served.h"

enum {
	MANY = 3 * LOCATE_LOOKED_MAX,
	ODD_EVERY = 1000,
	FILL = 500,
	FILL_ARENA_MAX = 4 << 20,
	AHEAD_S = 86400 * 365
};

static struct served served;

static void give(struct object *object, const char *name, struct kmip_value value)
{
	struct object_attribute *attribute = &object->attributes[object->attribute_count++];

	attribute->name = slice_text(name);
	attribute->written.time = 1;
	cr_assert_eq(kmip_value_encode(&attribute->value, served.arena, &value), ERR_OK);
}

static void put(struct cache_write *write, struct arena *arena, uint32_t number)
{
	struct object_attribute attributes[2] = { { .name = SLICE_EMPTY } };
	struct record record = { .kind = RECORD_OBJECT };
	struct cache_put one = { .record = &record };
	struct object *object = &record.object;

	be32_put(object->uid.bytes, number);
	object->key_id = object->uid;
	object->instance = served.identity.instance;
	object->type = KMIP_OBJECT_TYPE_SYMMETRIC_KEY;
	object->has_material = true;
	/* Younger than any listing, which does not miss them then. */
	object->dates[OBJECT_DATE_INITIAL] = clock_wall_seconds() + AHEAD_S + number;
	object->attributes = attributes;
	give(object, "Cryptographic Usage Mask", kmip_value_integer(12));
	if (number % ODD_EVERY == 0)
		give(object, "x-Odd", kmip_value_text(slice_text("yes")));
	cr_assert_eq(cache_merge(write, arena, &one), ERR_OK);
}

static void setup(void)
{
	struct cache_write *write;
	struct arena *arena;

	served_start(&served, false);
	served.version = KMIP_1_4;
	cr_assert_eq(arena_new(&arena, FILL_ARENA_MAX), ERR_OK);
	for (uint32_t i = 0; i < MANY; i += FILL) {
		cr_assert_eq(cache_write_begin(&write, served.store->cache), ERR_OK);
		for (uint32_t j = i; j < i + FILL; j++) {
			arena_reset(arena);
			put(write, arena, j);
		}
		cr_assert_eq(cache_commit(write), ERR_OK);
	}
	arena_free(arena);
}

static void teardown(void)
{
	served_stop(&served);
}

TestSuite(locate_scan, .init = setup, .fini = teardown, .timeout = 60);

static struct ask ask_of(struct kmip_locate_request *request, struct kmip_attribute *filter)
{
	request->attributes.items = filter;
	request->attributes.count = 1;
	return (struct ask){ KMIP_OPERATION_LOCATE, &kmip_locate_request_table, request };
}

static struct slice frame_of(struct kmip_attribute *filter)
{
	struct kmip_locate_request request = { 0 };
	struct ask ask = ask_of(&request, filter);

	return served_frame(&served, &ask, 1, false);
}

static const struct kmip_locate_response *located(
	struct kmip_locate_request request, struct kmip_attribute *filter)
{
	return PAYLOAD(&served, served_one(&served, ask_of(&request, filter)), locate);
}

static struct kmip_attribute mask_of(int32_t mask)
{
	return attribute_of("Cryptographic Usage Mask", kmip_value_integer(mask));
}

/* What the index finds a worker answers; what would hold it up it hands on. */
Test(locate_scan, worker_hands_on)
{
	struct kmip_attribute odd = text_of("x-Odd", "yes"), none = mask_of(1);
	const struct kmip_response *response;

	cr_assert_eq(served_send_worker(&served, frame_of(&odd)), ERR_OK);
	response = served_response(&served);
	cr_assert_eq(PAYLOAD(&served, &response->items[0], locate)->unique_identifiers.count,
		MANY / ODD_EVERY);
	cr_assert_eq(served_send_worker(&served, frame_of(&none)), ERR_FORWARD);
}

/* None, all of them in their order, and a slice from far behind. */
Test(locate_scan, keeper_goes_on_elsewhere)
{
	struct kmip_locate_request whole = { 0 }, slice = { .items_max = KMIP_INT(5),
		.offset_items = KMIP_INT(MANY / 2) };
	struct kmip_attribute all = mask_of(12), none = mask_of(1);
	const struct kmip_locate_response *found = located(whole, &none);
	char text[UUID_TEXT_LEN + 1];
	struct uid uid = { 0 };

	cr_assert_eq(found->unique_identifiers.count, 0);
	cr_assert_eq(found->located_items.value, 0);
	found = located(whole, &all);
	cr_assert_eq(found->unique_identifiers.count, MANY);
	cr_assert_eq(found->located_items.value, MANY);
	for (uint32_t i = 0; i < MANY; i++) {
		be32_put(uid.bytes, MANY - 1 - i);
		uid_text(text, &uid);
		cr_assert(slice_equal_text(found->unique_identifiers.items[i], text));
	}
	found = located(slice, &all);
	cr_assert_eq(found->unique_identifiers.count, 5);
	be32_put(uid.bytes, MANY - 1 - MANY / 2);
	uid_text(text, &uid);
	cr_assert(slice_equal_text(found->unique_identifiers.items[0], text));
	cr_assert_not(found->located_items.has, "there are more than were counted");
}

/* An object that must be read anew, behind all others: the search waits for that and goes on. */
Test(locate_scan, one_is_fetched)
{
	struct kmip_attribute name = name_of(&served, "quarantined"), all = mask_of(4);
	struct slice text = served_key_with(&served, &name, 1);
	struct record record = { .kind = RECORD_OBJECT };
	struct cache_put one = { .record = &record };
	struct cache_write *write;
	struct object *object;
	struct uid uid;

	cr_assert_eq(uid_parse(&uid, text), ERR_OK);
	cr_assert_eq(cache_write_begin(&write, served.store->cache), ERR_OK);
	cr_assert_eq(
		cache_get_object(cache_write_read(write), served.arena, &uid, &object), ERR_OK);
	record.object = *object;
	record.object.quarantined = true;
	record.object.dates[OBJECT_DATE_INITIAL] = 1000;
	cr_assert_eq(cache_merge(write, served.arena, &one), ERR_OK);
	cr_assert_eq(cache_commit(write), ERR_OK);
	const struct kmip_locate_response *found = located((struct kmip_locate_request){ 0 }, &all);

	cr_assert_eq(found->unique_identifiers.count, MANY + 1);
	cr_assert(slice_equal(found->unique_identifiers.items[MANY], text));
}

static void on_ignored(void *ctx, const struct kmip_served *answer)
{
	(void) ctx;
	(void) answer;
	cr_assert(false, "it was cancelled");
}

static void cancel_it(void *ctx)
{
	kmip_cancel(ctx);
}

/* Cancelled while the other thread searches, or not begun, it ends quietly. */
Test(locate_scan, cancelled)
{
	struct kmip_attribute none = mask_of(1), odd = text_of("x-Odd", "yes");
	struct kmip_pending *pendings[8];
	struct loop_task cancels[8];

	for (size_t i = 0; i < 8; i++) {
		cr_assert_eq(kmip_serve_start(&pendings[i], served.server, &served.identity,
				     frame_of(&none), on_ignored, NULL),
			ERR_OK);
		loop_task_init(&cancels[i], cancel_it, pendings[i]);
		loop_defer(served.loop, &cancels[i]);
	}
	served_send(&served, frame_of(&odd));
	cr_assert_eq(reason_of(&served_response(&served)->items[0]), 0);
}
