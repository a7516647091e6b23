/* SPDX-License-Identifier: Apache-2.0 */
/* Batches that are undone (KMIP 1.4, section 6.13): what is taken back when an item fails, what
 * holds where that cannot be, and which batches are refused before they begin. */
#include "served.h"

static const struct ask missing = ASK(GET, get,
	.unique_identifier = { (const uint8_t *) "00000000-0000-4000-8000-000000000000", 36 });
static const struct ask everything = ASK(LOCATE, locate);

/* Each test is a process of its own. */
static struct served *start(void)
{
	static struct served served;

	served_start(&served, false);
	served.version = KMIP_1_4;
	return &served;
}

static struct kmip_response *undo(struct served *served, const struct ask *asks, size_t count)
{
	served->header.batch_error_option = KMIP_UINT(KMIP_BATCH_ERROR_CONTINUATION_OPTION_UNDO);
	served->header.batch_order = KMIP_BOOL(true);
	return served_ask(served, asks, count);
}

static void assert_undone(const struct kmip_response_item *item)
{
	cr_assert_eq(item->status.value, KMIP_RESULT_STATUS_OPERATION_UNDONE);
	cr_assert_not(item->reason.has);
	cr_assert_null(item->payload.data);
	cr_assert(item->operation.has);
}

static size_t located(struct served *served)
{
	return PAYLOAD(served, served_one(served, everything), locate)->unique_identifiers.count;
}

static struct ask create_ask(void)
{
	static struct kmip_attribute attributes[3];
	static struct kmip_template_attribute template = { .attributes = { attributes, 3 } };
	static const struct kmip_create_request request = {
		.object_type = { true, KMIP_OBJECT_TYPE_SYMMETRIC_KEY },
		.template_attribute = &template
	};

	attributes[0] = attribute_of(
		"Cryptographic Algorithm", kmip_value_enum(KMIP_CRYPTOGRAPHIC_ALGORITHM_AES));
	attributes[1] = attribute_of("Cryptographic Length", kmip_value_integer(256));
	attributes[2] = attribute_of("Activation Date", kmip_value_date(1));
	return (struct ask){ KMIP_OPERATION_CREATE, &kmip_create_request_table, &request };
}

/* What AX-M-1 sends: nothing fails, nothing is undone. */
Test(batch_undo, nothing_fails)
{
	struct served *served = start();
	const struct ask get = ASK(GET, get);
	struct kmip_response *response;

	response = undo(served, (struct ask[]){ create_ask(), get, create_ask(), get }, 4);
	cr_assert_eq(response->count, 4);
	for (size_t i = 0; i < 4; i++)
		assert_success(&response->items[i]);
	cr_assert_eq(located(served), 2);
	served_stop(served);
}

/* What was made goes, also when it is active by now; a key that was read is not handed out; reads
 * are undone in name. */
Test(batch_undo, made)
{
	struct served *served = start();
	const struct ask get = ASK(GET, get);
	struct kmip_response *response;
	size_t records = served->record_count;

	response = undo(served, (struct ask[]){ create_ask(), get, create_ask(), missing, get }, 5);
	cr_assert_eq(response->count, 4);
	for (size_t i = 0; i < 3; i++)
		assert_undone(&response->items[i]);
	assert_reason(&response->items[3], ITEM_NOT_FOUND);
	cr_assert_eq(located(served), 0);
	cr_assert_eq(fake_service_count(&served->store->service, "kmip-instance-1-"), 0);

	size_t undone = 0;
	for (size_t i = records; i < served->record_count; i++)
		undone += served->records[i].err == ERR_UNDONE ? 1 : 0;
	cr_assert_eq(undone, 3);
	served_stop(served);
}

/* Attributes that were added, changed and deleted are as they were, the latest first. */
Test(batch_undo, attributes)
{
	struct served *served = start();
	struct slice uid = served_key(served);
	struct kmip_attribute old = text_of("x-Old", "before"), new = text_of("x-New", "new");
	struct kmip_attribute changed = text_of("x-Old", "after"), again = text_of("x-Old", "last");
	struct kmip_attribute comment = text_of("Comment", "kept");
	const struct ask asks[] = {
		ASK(ADD_ATTRIBUTE, add_attribute, .unique_identifier = uid, .attribute = &new),
		ASK(MODIFY_ATTRIBUTE, modify_attribute, .unique_identifier = uid,
			.attribute = &changed),
		ASK(MODIFY_ATTRIBUTE, modify_attribute, .unique_identifier = uid,
			.attribute = &again),
		ASK(DELETE_ATTRIBUTE, delete_attribute, .unique_identifier = uid,
			.attribute_name = comment.name),
		missing,
	};
	struct kmip_response *response;

	assert_success(served_add(served, uid, old));
	assert_success(served_add(served, uid, comment));
	response = undo(served, asks, 5);
	cr_assert_eq(response->count, 5);
	for (size_t i = 0; i < 4; i++)
		assert_undone(&response->items[i]);
	cr_assert_eq(served_value(served, uid, "x-New").type, KMIP_TYPE_ANY);
	cr_assert(slice_equal_text(served_value(served, uid, "x-Old").bytes, "before"));
	cr_assert(slice_equal_text(served_value(served, uid, "Comment").bytes, "kept"));
	served_stop(served);
}

/* A pair whose further item fails: both halves go. */
Test(batch_undo, key_pair)
{
	struct served *served = start();
	struct kmip_attribute attributes[] = {
		attribute_of("Cryptographic Algorithm",
			kmip_value_enum(KMIP_CRYPTOGRAPHIC_ALGORITHM_ECDSA)),
		attribute_of("Cryptographic Length", kmip_value_integer(256)),
	};
	struct kmip_template_attribute template = { .attributes = { attributes, 2 } };
	const struct ask pair = ASK(CREATE_KEY_PAIR, create_key_pair, .common = &template);
	struct kmip_response *response = undo(served, (struct ask[]){ pair, missing }, 2);

	assert_undone(&response->items[0]);
	cr_assert_eq(located(served), 0);
	served_stop(served);
}

/* What cannot be taken back, since the key manager does not delete it, holds, and is answered so.
 */
Test(batch_undo, holds)
{
	struct served *served = start();
	struct kmip_response *response;
	const struct ask get = ASK(GET, get);

	fake_service_fault(&served->store->service,
		(struct fake_fault){ .call = FAKE_DELETE, .repeat = 1, .err = ERR_UNAVAILABLE });
	response = undo(served, (struct ask[]){ create_ask(), get, missing }, 3);
	cr_assert_eq(response->count, 3);
	assert_success(&response->items[0]);
	assert_undone(&response->items[1]);
	cr_assert_eq(located(served), 1);
	served_stop(served);
}

struct other {
	struct served *served;
	struct slice answer;
};

static void on_other(void *ctx, const struct kmip_served *answer)
{
	struct other *other = ctx;

	other->answer = arena_copy(other->served->arena, answer->response);
	loop_stop(other->served->loop);
}

/* An attribute that another request changes while the batch waits is not overwritten. */
Test(batch_undo, meanwhile)
{
	struct served *served = start();
	struct other other = { .served = served };
	struct slice uid = served_key(served), frame;
	struct kmip_attribute first = text_of("x-A", "batch"), second = text_of("x-B", "batch");
	const struct ask asks[] = {
		ASK(ADD_ATTRIBUTE, add_attribute, .unique_identifier = uid, .attribute = &first),
		ASK(ADD_ATTRIBUTE, add_attribute, .unique_identifier = uid, .attribute = &second),
		missing,
	};
	struct kmip_response response;
	struct kmip_pending *pending;

	fake_service_fault(&served->store->service,
		(struct fake_fault){ .call = FAKE_GET, .repeat = 1, .delay_ms = 300 });
	served->header.batch_error_option = KMIP_UINT(KMIP_BATCH_ERROR_CONTINUATION_OPTION_UNDO);
	frame = served_frame(served, asks, 3, false);
	cr_assert_eq(kmip_serve_start(
			     &pending, served->server, &served->identity, frame, on_other, &other),
		ERR_OK);
	while (served_value(served, uid, "x-B").type == KMIP_TYPE_ANY)
		cr_assert_null(other.answer.data);
	assert_success(served_modify(served, uid, text_of("x-A", "another's")));
	cr_assert_null(other.answer.data, "the batch still waits");
	cr_assert_eq(loop_run(served->loop), ERR_OK);
	cr_assert_eq(kmip_response_decode(&response, served->arena, other.answer), ERR_OK);
	assert_success(&response.items[0]);
	assert_undone(&response.items[1]);
	cr_assert(slice_equal_text(served_value(served, uid, "x-A").bytes, "another's"));
	cr_assert_eq(served_value(served, uid, "x-B").type, KMIP_TYPE_ANY);
	served_stop(served);
}

/* Two keys that are active. */
static void two_keys(struct served *served, struct slice uids[2])
{
	for (size_t i = 0; i < 2; i++) {
		struct kmip_response *response = undo(served, (struct ask[]){ create_ask() }, 1);

		assert_success(&response->items[0]);
		uids[i] = PAYLOAD(served, &response->items[0], create)->unique_identifier;
	}
}

static uint32_t state_of(struct served *served, struct slice uid)
{
	return served_value(served, uid, "State").u32;
}

static const struct kmip_revocation_reason superseded = {
	.code = { true, KMIP_REVOCATION_REASON_CODE_SUPERSEDED }
};
#define REVOKE_ASK(uid) \
	ASK(REVOKE, revoke, .unique_identifier = (uid), \
		.revocation_reason = (struct kmip_revocation_reason *) &superseded)
#define DESTROY_ASK(uid) ASK(DESTROY, destroy, .unique_identifier = (uid))

/* What AX-M-1 ends with: nothing of it can be taken back, and nothing of it fails. */
Test(batch_undo, final)
{
	struct served *served = start();
	struct kmip_response *response;
	struct slice uids[2];

	two_keys(served, uids);
	response = undo(served, (struct ask[]){ REVOKE_ASK(uids[0]), REVOKE_ASK(uids[1]) }, 2);
	cr_assert_eq(response->count, 2);
	assert_success(&response->items[0]);
	assert_success(&response->items[1]);
	cr_assert_eq(state_of(served, uids[0]), KMIP_STATE_DEACTIVATED);
	cr_assert_eq(state_of(served, uids[1]), KMIP_STATE_DEACTIVATED);
	response = undo(served,
		(struct ask[]){ create_ask(), DESTROY_ASK(uids[0]), DESTROY_ASK(uids[1]) }, 3);
	cr_assert_eq(response->count, 3);
	for (size_t i = 0; i < 3; i++)
		assert_success(&response->items[i]);
	cr_assert_eq(located(served), 1);
	served_stop(served);
}

/* One of them would fail: none is done, though it comes before. */
Test(batch_undo, final_judged_before)
{
	struct served *served = start();
	struct kmip_response *response;
	struct slice uids[2];

	two_keys(served, uids);
	response = undo(served,
		(struct ask[]){ create_ask(), REVOKE_ASK(uids[0]), REVOKE_ASK(uids[1]),
			DESTROY_ASK(SLICE_LITERAL("none")) },
		4);
	cr_assert_eq(response->count, 4);
	for (size_t i = 0; i < 3; i++)
		assert_undone(&response->items[i]);
	assert_reason(&response->items[3], ITEM_NOT_FOUND);
	cr_assert_eq(state_of(served, uids[0]), KMIP_STATE_ACTIVE);
	cr_assert_eq(state_of(served, uids[1]), KMIP_STATE_ACTIVE);
	cr_assert_eq(located(served), 2);
	served_stop(served);
}

/* The key manager goes away in between: what is done holds and is answered so, what comes before is
 * taken back. */
Test(batch_undo, final_holds)
{
	struct served *served = start();
	struct kmip_attribute added = text_of("x-New", "new");
	struct kmip_response *response;
	struct slice uids[2];

	two_keys(served, uids);
	assert_success(&undo(served, (struct ask[]){ REVOKE_ASK(uids[0]) }, 1)->items[0]);
	fake_service_fault(&served->store->service,
		(struct fake_fault){ .call = FAKE_DELETE, .repeat = 1, .err = ERR_UNAVAILABLE });
	response = undo(served,
		(struct ask[]){ ASK(ADD_ATTRIBUTE, add_attribute, .unique_identifier = uids[1],
					.attribute = &added),
			REVOKE_ASK(uids[1]), DESTROY_ASK(uids[0]) },
		3);
	cr_assert_eq(response->count, 3);
	assert_undone(&response->items[0]);
	assert_success(&response->items[1]);
	cr_assert_neq(response->items[2].status.value, KMIP_RESULT_STATUS_SUCCESS);
	cr_assert_eq(state_of(served, uids[1]), KMIP_STATE_DEACTIVATED);
	cr_assert_eq(state_of(served, uids[0]), KMIP_STATE_DEACTIVATED);
	cr_assert_eq(served_value(served, uids[1], "x-New").type, KMIP_TYPE_ANY);
	served_stop(served);
}

/* One that depends on another one cannot be judged before: the same object, or that of the ID
 * Placeholder; nor can what comes behind be taken back. */
Test(batch_undo, final_refused)
{
	struct served *served = start();
	struct slice uids[2];

	two_keys(served, uids);
	const struct ask batches[][2] = {
		{ REVOKE_ASK(uids[0]), DESTROY_ASK(uids[0]) },
		{ REVOKE_ASK(uids[0]), ASK(DESTROY, destroy) },
		{ REVOKE_ASK(uids[0]), ASK(GET, get, .unique_identifier = uids[1]) },
	};

	for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++) {
		struct kmip_response *response = undo(served, batches[i], 2);

		cr_assert_eq(response->count, 1);
		assert_reason(&response->items[0], FEATURE_NOT_SUPPORTED);
		cr_assert_eq(state_of(served, uids[0]), KMIP_STATE_ACTIVE);
	}
	served_stop(served);
}

/* Refused as a whole: what cannot be taken back, even if it is never reached; as the last item it
 * is done, or it fails and the others are undone. */
Test(batch_undo, refused)
{
	struct served *served = start();
	struct slice uid = served_key(served);
	struct kmip_attribute date = attribute_of("Deactivation Date", kmip_value_date(1));
	struct kmip_attribute mask =
		attribute_of("Cryptographic Usage Mask", kmip_value_integer(4));
	const struct ask final[] = {
		ASK(ACTIVATE, activate, .unique_identifier = uid),
		ASK(DESTROY, destroy, .unique_identifier = uid),
		ASK(RE_KEY, re_key, .unique_identifier = uid),
		ASK(ADD_ATTRIBUTE, add_attribute, .unique_identifier = uid, .attribute = &date),
		ASK(MODIFY_ATTRIBUTE, modify_attribute, .unique_identifier = uid,
			.attribute = &mask),
	};

	for (size_t i = 0; i < sizeof(final) / sizeof(final[0]); i++) {
		struct kmip_response *response =
			undo(served, (struct ask[]){ missing, final[i], create_ask() }, 3);

		cr_assert_eq(response->count, 1);
		cr_assert_not(response->items[0].operation.has);
		assert_reason(&response->items[0], FEATURE_NOT_SUPPORTED);
		cr_assert_eq(located(served), 1);
	}
	struct kmip_response *response = undo(served, (struct ask[]){ create_ask(), final[0] }, 2);
	assert_success(&response->items[0]);
	assert_success(&response->items[1]);
	response = undo(served, (struct ask[]){ create_ask(), final[1] }, 2);
	assert_undone(&response->items[0]);
	assert_reason(&response->items[1], PERMISSION_DENIED);
	cr_assert_eq(located(served), 2);
	/* Alone it means nothing. */
	assert_success(&undo(served, &everything, 1)->items[0]);
	served_stop(served);
}

/* The worker answers a batch of reads itself. */
Test(batch_undo, worker)
{
	struct served *served = start();
	struct kmip_response *response;

	served->header.batch_error_option = KMIP_UINT(KMIP_BATCH_ERROR_CONTINUATION_OPTION_UNDO);
	cr_assert_eq(served_send_worker(served,
			     served_frame(served, (struct ask[]){ everything, ASK(GET, get) }, 2,
				     false)),
		ERR_OK);
	response = served_response(served);
	assert_undone(&response->items[0]);
	assert_reason(&response->items[1], ITEM_NOT_FOUND);
	served_stop(served);
}

/* Items whose payloads lack a field, or break off, fail by themselves as in any batch. */
Test(batch_undo, broken)
{
	static const struct ask attribute_asks[] = {
		{ .operation = KMIP_OPERATION_ADD_ATTRIBUTE },
		{ .operation = KMIP_OPERATION_MODIFY_ATTRIBUTE },
		{ .operation = KMIP_OPERATION_DELETE_ATTRIBUTE },
		{ .operation = KMIP_OPERATION_REVOKE },
	};
	struct served *served = start();
	struct slice uid = served_key(served);
	const struct kmip_get_request named = { .unique_identifier = uid };

	for (size_t i = 0; i < sizeof(attribute_asks) / sizeof(attribute_asks[0]); i++) {
		struct ask broken = attribute_asks[i];
		struct kmip_response *response;

		for (int with_uid = 0; with_uid <= 1; with_uid++) {
			broken.table = with_uid == 1 ? &kmip_get_request_table : NULL;
			broken.request = &named;
			response = undo(served, (struct ask[]){ create_ask(), broken, missing }, 3);
			cr_assert_eq(response->count, 2);
			assert_undone(&response->items[0]);
			assert_reason(&response->items[1], INVALID_MESSAGE);
		}
	}
	cr_assert_eq(located(served), 1);
	served_stop(served);
}
