/* SPDX-License-Identifier: Apache-2.0 */
/* Asynchronous items, Poll and Cancel (KMIP 1.4, sections 4.27, 4.28, 6.7): what may be answered
 * later, to whom, how often, and what is called off. */
#include "kmip/later.h"
#include "kmip/operations.h"
#include "served.h"

static const char *const nowhere = "00000000-0000-4000-8000-000000000000";
static const struct ask everything = ASK(LOCATE, locate);
enum { SLOW_MS = 200, REST_MS = 20 };

/* Each test is a process of its own. */
static struct served *start(void)
{
	static struct served served;

	served_start(&served, false);
	served.version = KMIP_1_4;
	return &served;
}

static const struct kmip_response_item *begin(struct served *served, struct ask ask)
{
	served->header.asynchronous = KMIP_BOOL(true);
	return served_one(served, ask);
}

static struct slice pending_id(const struct kmip_response_item *item)
{
	cr_assert_eq(item->status.value, KMIP_RESULT_STATUS_OPERATION_PENDING);
	cr_assert_eq(item->asynchronous_correlation.len, LATER_ID_LEN);
	cr_assert_null(item->payload.data);
	cr_assert_not(item->reason.has);
	return item->asynchronous_correlation;
}

static const struct kmip_response_item *poll_once(struct served *served, struct slice id)
{
	return ONE(served, POLL, poll, .correlation_value = id);
}

static void on_rest(void *ctx)
{
	struct served *served = ctx;

	loop_stop(served->loop);
}

/* Lets the server's loop run between two questions. */
static void rest(struct served *served)
{
	struct loop_timer *timer;

	cr_assert_eq(loop_timer_new(&timer, served->loop, on_rest, served), ERR_OK);
	loop_timer_set(timer, REST_MS);
	cr_assert_eq(loop_run(served->loop), ERR_OK);
	loop_timer_free(timer);
}

/* The item's answer; while it is pending, the same value is told. */
static const struct kmip_response_item *poll(struct served *served, struct slice id)
{
	uint64_t deadline_ms = clock_boot_ms() + 10000;
	const struct kmip_response_item *item = poll_once(served, id);

	while (item->status.value == KMIP_RESULT_STATUS_OPERATION_PENDING) {
		cr_assert(slice_equal(pending_id(item), id));
		cr_assert_lt(clock_boot_ms(), deadline_ms);
		rest(served);
		item = poll_once(served, id);
	}
	return item;
}

static uint32_t cancel(struct served *served, struct slice id)
{
	const struct kmip_cancel_response *response =
		PAYLOAD(served, ONE(served, CANCEL, cancel, .correlation_value = id), cancel);

	cr_assert(slice_equal(response->correlation_value, id));
	return response->result.value;
}

static size_t located(struct served *served)
{
	return PAYLOAD(served, served_one(served, everything), locate)->unique_identifiers.count;
}

/* A read: the answer is that of the operation, as often as it is asked for. */
Test(later, locate)
{
	struct served *served = start();
	struct slice uid = served_key(served);
	const struct kmip_response_item *item = begin(served, everything);
	struct slice id = pending_id(item);

	cr_assert_eq(item->operation.value, KMIP_OPERATION_LOCATE);
	for (size_t i = 0; i < 2; i++) {
		item = poll(served, id);
		cr_assert_eq(item->operation.value, KMIP_OPERATION_LOCATE);
		const struct kmip_locate_response *found = PAYLOAD(served, item, locate);
		cr_assert_eq(found->unique_identifiers.count, 1);
		cr_assert(slice_equal(found->unique_identifiers.items[0], uid));
	}
	cr_assert_eq(cancel(served, id), KMIP_CANCELLATION_RESULT_COMPLETED);
	served_stop(served);
}

/* A change is made once, whether or not anybody polls, and leaves one record. */
Test(later, create)
{
	struct served *served = start();
	struct kmip_attribute attributes[] = {
		attribute_of("Cryptographic Algorithm",
			kmip_value_enum(KMIP_CRYPTOGRAPHIC_ALGORITHM_AES)),
		attribute_of("Cryptographic Length", kmip_value_integer(128)),
	};
	struct kmip_template_attribute template = { .attributes = { attributes, 2 } };
	struct ask create =
		ASK(CREATE, create, .object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SYMMETRIC_KEY),
			.template_attribute = &template);
	struct slice id = pending_id(begin(served, create));
	const struct kmip_create_response *made;
	size_t creates = 0;

	made = PAYLOAD(served, poll(served, id), create);
	cr_assert(text_is_uuid(made->unique_identifier));
	cr_assert(slice_equal(PAYLOAD(served, poll(served, id), create)->unique_identifier,
		made->unique_identifier));
	cr_assert_eq(located(served), 1);
	for (size_t i = 0; i < served->record_count; i++)
		creates += served->records[i].code == KMIP_OPERATION_CREATE ? 1 : 0;
	cr_assert_eq(creates, 1);
	served_stop(served);
}

/* One that fails tells its own error, under its own operation. */
Test(later, failure)
{
	struct served *served = start();
	struct ask destroy = ASK(DESTROY, destroy, .unique_identifier = slice_text(nowhere));
	struct slice id = pending_id(begin(served, destroy));
	const struct kmip_response_item *item = poll(served, id);

	cr_assert_eq(item->operation.value, KMIP_OPERATION_DESTROY);
	assert_reason(item, ITEM_NOT_FOUND);
	cr_assert_eq(cancel(served, id), KMIP_CANCELLATION_RESULT_FAILED);
	served_stop(served);
}

/* An older version is polled without what it does not know. */
Test(later, other_version)
{
	struct served *served = start();
	struct slice id = pending_id(begin(served, everything));
	const struct kmip_locate_response *found;

	found = PAYLOAD(served, poll(served, id), locate);
	cr_assert(found->located_items.has);
	served->version = KMIP_1_0;
	found = PAYLOAD(served, poll(served, id), locate);
	cr_assert_not(found->located_items.has);
	served_stop(served);
}

/* What is fetched first is called off without a trace; what has begun to change something is not.
 */
Test(later, cancel)
{
	struct served *served = start();
	struct slice uid = served_key(served), id;
	struct ask unknown = ASK(ACTIVATE, activate, .unique_identifier = slice_text(nowhere));
	struct ask destroy = ASK(DESTROY, destroy, .unique_identifier = uid);

	fake_service_fault(&served->store->service,
		(struct fake_fault){ .call = FAKE_GET, .repeat = 1, .delay_ms = SLOW_MS });
	id = pending_id(begin(served, unknown));
	cr_assert_eq(cancel(served, id), KMIP_CANCELLATION_RESULT_CANCELED);
	cr_assert_eq(cancel(served, id), KMIP_CANCELLATION_RESULT_CANCELED);
	cr_assert_eq(poll(served, id)->operation.value, KMIP_OPERATION_ACTIVATE);
	assert_reason(poll(served, id), OPERATION_CANCELED_BY_REQUESTER);

	fake_service_fault(&served->store->service,
		(struct fake_fault){ .call = FAKE_DELETE, .repeat = 1, .delay_ms = SLOW_MS });
	id = pending_id(begin(served, destroy));
	cr_assert_eq(cancel(served, id), KMIP_CANCELLATION_RESULT_UNABLE_TO_CANCEL);
	assert_success(poll(served, id));
	cr_assert_eq(served_state(served, uid), KMIP_STATE_DESTROYED);
	served_stop(served);
}

/* Another client's, and one that nobody began; also the worker's way: it hands on. */
Test(later, owner)
{
	struct served *served = start();
	struct slice id = pending_id(begin(served, everything));
	struct ask ask = ASK(POLL, poll, .correlation_value = id);

	cr_assert_eq(served_send_worker(served, served_frame(served, &ask, 1, false)), ERR_FORWARD);
	served->header.asynchronous = KMIP_BOOL(true);
	cr_assert_eq(served_send_worker(served, served_frame(served, &everything, 1, false)),
		ERR_FORWARD);
	served->identity.client.bytes[0] ^= 1;
	assert_reason(poll_once(served, id), ITEM_NOT_FOUND);
	cr_assert_eq(cancel(served, id), KMIP_CANCELLATION_RESULT_UNAVAILABLE);
	assert_reason(poll_once(served, slice_text("x")), ITEM_NOT_FOUND);
	served->identity.client.bytes[0] ^= 1;
	assert_success(poll(served, id));
	served_stop(served);
}

/* With several items, with False, and where the answer would be a key, it is answered at once. */
Test(later, at_once)
{
	struct served *served = start();
	struct slice uid = served_key(served);

	served->header.asynchronous = KMIP_BOOL(false);
	assert_success(served_one(served, everything));
	served->header.asynchronous = KMIP_BOOL(true);
	assert_success(&served_ask(served, (struct ask[]){ everything, everything }, 2)->items[1]);
	assert_success(begin(served, (struct ask) ASK(GET, get, .unique_identifier = uid)));
	assert_success(begin(served, (struct ask) ASK(DISCOVER_VERSIONS, discover_versions)));
	served_stop(served);
}

/* Nothing that a key was used for is kept, nor a key. */
Test(later, no_secrets)
{
	static const uint32_t secret[] = { KMIP_OPERATION_GET, KMIP_OPERATION_EXPORT,
		KMIP_OPERATION_ENCRYPT, KMIP_OPERATION_DECRYPT, KMIP_OPERATION_SIGN,
		KMIP_OPERATION_MAC, KMIP_OPERATION_HASH, KMIP_OPERATION_RNG_RETRIEVE,
		KMIP_OPERATION_GET_ATTRIBUTES };

	for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++) {
		const struct operation *operation = operation_find(secret[i], KMIP_1_4);

		cr_assert(operation == NULL || operation->flags == OPERATION_READS, "%s",
			kmip_operation_name(secret[i]));
	}
}

/* A client has so many places: beyond, it is answered at once; those told give way to new ones. */
Test(later, bounds)
{
	struct served *served = start();
	struct slice first = SLICE_EMPTY, id;

	for (size_t i = 0; i < LATERS_OF_CLIENT_MAX; i++) {
		id = pending_id(begin(served, everything));
		first = i == 0 ? id : first;
	}
	assert_success(begin(served, everything));
	served->identity.client.bytes[0] ^= 1;
	pending_id(begin(served, everything));
	served->identity.client.bytes[0] ^= 1;
	assert_success(poll(served, first));
	assert_success(poll(served, first));
	pending_id(begin(served, everything));
	assert_reason(poll_once(served, first), ITEM_NOT_FOUND);
	assert_success(poll(served, id));
	served_stop(served);
}

static bool stays(void *ctx)
{
	(void) ctx;
	return false;
}

static struct later *run_of(struct laters *laters, const struct kmip_identity *client)
{
	struct later_run run = { .client = *client,
		.operation = KMIP_OPERATION_LOCATE,
		.version = KMIP_1_4,
		.call_off = stays };
	struct later *later;

	cr_assert_eq(laters_put(&later, laters, &run), ERR_OK);
	return later;
}

static enum err err_of(
	struct laters *laters, const struct kmip_identity *client, const struct later *later)
{
	struct later_answer answer;

	cr_assert_eq(laters_poll(&answer, laters, client, later_id(later)), ERR_OK);
	cr_assert_not(answer.is_pending);
	return answer.err;
}

/* Long answers are kept as far as there is room for them, short ones always; what gives way gives
 * its room back. */
Test(later, room)
{
	enum { LONG = LATERS_BYTES_MAX / 3 };
	static const struct kmip_identity client;
	struct slice bytes = slice_of(calloc(1, LONG), LONG);
	struct later *kept[4];
	struct laters *laters;

	cr_assert_not_null(bytes.data);
	cr_assert_eq(laters_new(&laters), ERR_OK);
	for (size_t i = 0; i < 4; i++) {
		kept[i] = run_of(laters, &client);
		later_end(kept[i], ERR_OK, bytes);
		cr_assert_eq(err_of(laters, &client, kept[i]), i < 3 ? ERR_OK : ERR_TOO_LARGE);
	}
	for (size_t i = 4; i < LATERS_OF_CLIENT_MAX; i++) {
		struct later *small = run_of(laters, &client);

		later_end(small, ERR_OK, slice_cut(bytes, 0, LATER_SMALL_LEN));
		cr_assert_eq(err_of(laters, &client, small), ERR_OK);
	}
	struct later *last = run_of(laters, &client);
	later_end(last, ERR_OK, bytes);
	cr_assert_eq(err_of(laters, &client, last), ERR_OK);
	laters_free(laters);
	free((void *) bytes.data);
}

/* The server ends while items are under way. */
Test(later, stopped)
{
	struct served *served = start();
	struct slice uid = served_key(served);

	fake_service_fault(&served->store->service,
		(struct fake_fault){ .call = FAKE_DELETE, .repeat = 1, .stall = true });
	pending_id(begin(served, (struct ask) ASK(DESTROY, destroy, .unique_identifier = uid)));
	served_stop(served);
}
