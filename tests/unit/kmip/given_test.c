/* SPDX-License-Identifier: Apache-2.0 */
/* Fresh (KMIP 1.4, section 3.34) of an object that is handed out, which must never keep a client
 * from its key. */
#include "kmip/object_attributes.h"
#include "served.h"

static bool is_fresh(struct served *served, struct slice uid)
{
	struct kmip_value value = served_value(served, uid, "Fresh");

	cr_assert_eq(value.type, KMIP_TYPE_BOOLEAN);
	return value.boolean;
}

static enum err ask_worker(struct served *served, struct slice uid)
{
	struct ask get = ASK(GET, get, .unique_identifier = uid);

	return served_send_worker(served, served_frame(served, &get, 1, false));
}

/* The first Get takes it, and is the keeper's; a worker answers the next. Nothing else tells of it.
 */
Test(given, first_get)
{
	struct served served = { 0 };
	int64_t changed;
	struct slice uid;

	served_start(&served, false);
	uid = served_key(&served);
	changed = served_value(&served, uid, "Last Change Date").i64;
	cr_assert(is_fresh(&served, uid));
	cr_assert_eq(ask_worker(&served, uid), ERR_FORWARD);
	cr_assert(is_fresh(&served, uid));
	while (clock_wall_seconds() <= changed)
		usleep(1000); /* within one second a change could not be told apart */
	assert_success(served_get(&served, uid));
	cr_assert_not(is_fresh(&served, uid));
	cr_assert_eq(served_value(&served, uid, "Last Change Date").i64, changed);
	cr_assert_eq(ask_worker(&served, uid), ERR_OK);
	cr_assert_eq(fake_service_count(&served.store->service, "kmipl-instance-1-"), 0);
	served_stop(&served);
}

/* An Export hands it out as well; what is refused does not. */
Test(given, export_and_refusal)
{
	struct served served = { 0 };
	struct slice uid;

	served_start(&served, false);
	served.version = KMIP_1_4;
	uid = served_key(&served);
	assert_reason(ONE(&served, GET, get, .unique_identifier = uid,
			      .key_format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_PKCS_8)),
		KEY_FORMAT_TYPE_NOT_SUPPORTED);
	cr_assert(is_fresh(&served, uid));
	assert_success(ONE(&served, EXPORT, export, .unique_identifier = uid));
	cr_assert_not(is_fresh(&served, uid));
	served_stop(&served);
}

/* Fills the object's record to the last byte: with what deleted attributes leave, and one value. */
static void fill_record(struct served *served, struct slice uid)
{
	static char name[200] = "x-", pad[1000];
	struct kmip_attribute once = { .value = kmip_value_integer(1) }, padded;

	for (size_t i = 2; i < sizeof(name) - 1; i++)
		name[i] = 'n';
	once.name = slice_text(name);
	assert_success(served_add(served, uid, text_of("x-pad", "p")));
	while (served_add(served, uid, once)->status.value == KMIP_RESULT_STATUS_SUCCESS) {
		assert_success(ONE(served, DELETE_ATTRIBUTE, delete_attribute,
			.unique_identifier = uid, .attribute_name = once.name));
		served->record_count = 0;
	}
	for (size_t len = 1; len < sizeof(pad); len += 8) {
		for (size_t i = 0; i < len; i++)
			pad[i] = 'p';
		padded = text_of("x-pad", pad);
		served->record_count = 0;
		if (served_modify(served, uid, padded)->status.value != KMIP_RESULT_STATUS_SUCCESS)
			return;
	}
	cr_assert_fail("it does not fill");
}

/* A record that has no room for it: the key is given all the same, each time. */
Test(given, no_room)
{
	struct served served = { 0 };
	struct slice uid;

	served_start(&served, false);
	uid = served_key(&served);
	fill_record(&served, uid);
	for (size_t i = 0; i < 2; i++) {
		assert_success(served_get(&served, uid));
		cr_assert(is_fresh(&served, uid));
	}
	served_stop(&served);
}

static void never_called(void *ctx, const struct kmip_served *answer)
{
	(void) ctx;
	(void) answer;
	cr_assert_fail("nobody waits for it");
}

static void on_cancel(void *ctx)
{
	kmip_cancel(*(struct kmip_pending **) ctx);
}

static void on_settled(void *ctx)
{
	loop_stop(ctx);
}

/* The client is gone when the note fails: nothing else is done to the key in its place. */
Test(given, no_room_and_nobody_waits)
{
	struct served served = { 0 };
	struct kmip_pending *pending;
	struct loop_task task;
	struct slice uid;
	struct ask get;

	served_start(&served, false);
	uid = served_key(&served);
	fill_record(&served, uid);
	get = (struct ask) ASK(GET, get, .unique_identifier = uid);
	cr_assert_eq(kmip_serve_start(&pending, served.server, &served.identity,
			     served_frame(&served, &get, 1, false), never_called, NULL),
		ERR_OK);
	loop_task_init(&task, on_cancel, &pending); /* in its turn: the effect has begun then */
	loop_defer(served.loop, &task);
	kmip_server_settle(served.server, on_settled, served.loop);
	cr_assert_eq(loop_run(served.loop), ERR_OK);
	cr_assert_eq(served_state(&served, uid), KMIP_STATE_PRE_ACTIVE);
	assert_success(served_get(&served, uid));
	served_stop(&served);
}

/* What was handed out before it became a member of a group is no fresh member, and the key manager
 * knows it. */
Test(given, member_later)
{
	struct served served = { 0 };
	struct kmip_attribute group = text_of("Object Group", "dozen");
	struct slice given, fresh;

	served_start(&served, false);
	given = served_key(&served);
	fresh = served_key(&served);
	assert_success(served_get(&served, given));
	assert_success(served_add(&served, given, group));
	assert_success(served_add(&served, fresh, group));
	const struct kmip_locate_response *found = PAYLOAD(&served,
		ONE(&served, LOCATE, locate, .attributes = { &group, 1 },
			.object_group_member =
				KMIP_UINT(KMIP_OBJECT_GROUP_MEMBER_GROUP_MEMBER_FRESH)),
		locate);
	cr_assert_eq(found->unique_identifiers.count, 1);
	cr_assert(slice_equal(found->unique_identifiers.items[0], fresh));

	struct cache_read *read;
	struct object *object;
	struct kmip_value value;
	struct uid id;

	cr_assert_eq(uid_parse(&id, given), ERR_OK);
	cr_assert_eq(cache_read_begin(&read, served.store->cache), ERR_OK);
	cr_assert_eq(cache_get_object(read, served.arena, &id, &object), ERR_OK);
	cr_assert(object_attributes_stored(object, KMIP_ATTRIBUTE_FRESH, &value));
	cr_assert_not(value.boolean);
	cache_read_end(read);
	served_stop(&served);
}

/* A batch that is undone gives nothing out. */
Test(given, undone)
{
	struct served served = { 0 };
	struct slice uid;
	struct kmip_response *response;

	served_start(&served, false);
	uid = served_key(&served);
	served.header.batch_error_option = KMIP_UINT(KMIP_BATCH_ERROR_CONTINUATION_OPTION_UNDO);
	served.header.batch_order = KMIP_BOOL(true);
	response = served_ask(&served,
		(struct ask[]){ ASK(GET, get, .unique_identifier = uid),
			ASK(GET, get, .unique_identifier = slice_text("none")) },
		2);
	cr_assert_eq(response->count, 2);
	cr_assert_eq(response->items[0].status.value, KMIP_RESULT_STATUS_OPERATION_UNDONE);
	served.header = (struct kmip_request_header){ 0 };
	cr_assert(is_fresh(&served, uid));
	served_stop(&served);
}
