/* SPDX-License-Identifier: Apache-2.0 */
/* Batches: what runs after a failure, ids, the ID Placeholder, the largest answer, the audit. */
#include <time.h>
#include "kmip/asymmetric.h"
#include "served.h"

static const struct ask missing = ASK(GET, get,
	.unique_identifier = { (const uint8_t *) "00000000-0000-4000-8000-000000000000", 36 });
static const struct ask discover = ASK(DISCOVER_VERSIONS, discover_versions);

/* vSphere Q5: by default nothing runs behind a failure, and only what ran is answered. */
Test(batch, stops)
{
	struct served served = { 0 };
	struct kmip_response *response;

	served_start(&served, false);
	response = served_ask(&served, (struct ask[]){ discover, missing, discover }, 3);
	cr_assert_eq(response->count, 2);
	assert_success(&response->items[0]);
	assert_reason(&response->items[1], ITEM_NOT_FOUND);
	cr_assert_eq(response->items[1].operation.value, KMIP_OPERATION_GET);
	cr_assert_eq(response->items[1].id.data[4], 2);
	served_stop(&served);
}

/* Continue answers all. */
Test(batch, continues)
{
	struct served served = { 0 };
	struct kmip_response *response;

	served_start(&served, false);
	served.header.batch_error_option = KMIP_UINT(KMIP_BATCH_ERROR_CONTINUATION_OPTION_CONTINUE);
	served.header.batch_order = KMIP_BOOL(true);
	response = served_ask(&served, (struct ask[]){ missing, discover, missing }, 3);
	cr_assert_eq(response->count, 3);
	assert_success(&response->items[1]);
	assert_reason(&response->items[2], ITEM_NOT_FOUND);
	served_stop(&served);
}

/* vSphere Q11: an operation that is not there, or not yet in that version. */
Test(batch, unknown_operation)
{
	struct served served = { 0 };
	const struct kmip_response_item *item;

	served_start(&served, false);
	item = served_one(&served, (struct ask){ .operation = KMIP_OPERATION_ENCRYPT });
	assert_reason(item, OPERATION_NOT_SUPPORTED);
	cr_assert_eq(item->operation.value, KMIP_OPERATION_ENCRYPT);
	cr_assert_not(served.is_closed);
	served.version = KMIP_1_0;
	assert_reason(served_one(&served, discover), OPERATION_NOT_SUPPORTED);
	served_stop(&served);
}

/* A payload that lacks a field fails its item alone. */
Test(batch, bad_payload)
{
	struct served served = { 0 };
	struct kmip_response *response;

	served_start(&served, false);
	served.header.batch_error_option = KMIP_UINT(KMIP_BATCH_ERROR_CONTINUATION_OPTION_CONTINUE);
	response = served_ask(
		&served, (struct ask[]){ { .operation = KMIP_OPERATION_QUERY }, discover }, 2);
	assert_reason(&response->items[0], INVALID_MESSAGE);
	assert_success(&response->items[1]);
	served_stop(&served);
}

/* vSphere Q2: a field that an operation does not have is an error in the version that we know best,
 * and is passed over in older and newer ones. */
Test(batch, unknown_field)
{
	struct served served = { 0 };
	struct slice uid;

	served_start(&served, false);
	uid = served_key(&served);
	const struct kmip_check_request more = { .unique_identifier = uid,
		.cryptographic_usage_mask = KMIP_INT(4) };
	const struct ask get = { KMIP_OPERATION_GET, &kmip_check_request_table, &more };
	served.version = KMIP_1_4;
	assert_reason(served_one(&served, get), INVALID_FIELD);
	served.version = KMIP_1_1;
	assert_success(served_one(&served, get));
	served.version = (enum kmip_version) KMIP_VERSION(1, 9);
	assert_success(served_one(&served, get));
	cr_assert_eq(served_response(&served)->version, KMIP_1_4);
	served_stop(&served);
}

/* The placeholder leads from Create to the operations behind it, and is empty at first. */
Test(batch, placeholder)
{
	struct served served = { 0 };
	struct kmip_response *response;
	struct kmip_attribute attributes[] = {
		attribute_of("Cryptographic Algorithm",
			kmip_value_enum(KMIP_CRYPTOGRAPHIC_ALGORITHM_AES)),
		attribute_of("Cryptographic Length", kmip_value_integer(128)),
	};
	struct kmip_template_attribute template = { .attributes = { attributes, 2 } };
	struct ask create =
		ASK(CREATE, create, .object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SYMMETRIC_KEY),
			.template_attribute = &template);
	struct ask get = ASK(GET, get);
	struct ask activate = ASK(ACTIVATE, activate);

	served_start(&served, false);
	response = served_ask(&served, (struct ask[]){ create, get, activate, get }, 4);
	cr_assert_eq(response->count, 4);
	struct slice uid = PAYLOAD(&served, &response->items[0], create)->unique_identifier;
	cr_assert(slice_equal(PAYLOAD(&served, &response->items[3], get)->unique_identifier, uid));
	cr_assert_eq(served_state(&served, uid), KMIP_STATE_ACTIVE);
	assert_reason(served_one(&served, get), ITEM_NOT_FOUND);

	/* A Check that fails empties it. */
	struct ask check = ASK(
		CHECK, check, .unique_identifier = uid, .cryptographic_usage_mask = KMIP_INT(1));
	served.header.batch_error_option = KMIP_UINT(KMIP_BATCH_ERROR_CONTINUATION_OPTION_CONTINUE);
	response = served_ask(&served, (struct ask[]){ create, check, get }, 3);
	assert_reason(&response->items[1], PERMISSION_DENIED);
	assert_reason(&response->items[2], ITEM_NOT_FOUND);
	served_stop(&served);
}

/* Maximum Response Size: exactly the answer's length is enough, one byte less is not. */
Test(batch, response_size)
{
	struct served served = { 0 };
	const struct kmip_response_item *item;
	int32_t len;

	served_start(&served, false);
	assert_success(served_one(&served, discover));
	len = (int32_t) served.answer.len;
	served.header.response_len_max = KMIP_INT(len);
	assert_success(served_one(&served, discover));
	served.header.response_len_max = KMIP_INT(len - 1);
	item = served_one(&served, discover);
	assert_reason(item, RESPONSE_TOO_LARGE);
	cr_assert_eq(item->operation.value, KMIP_OPERATION_DISCOVER_VERSIONS);
	served.header.response_len_max = KMIP_INT(-1);
	assert_reason(served_one(&served, discover), RESPONSE_TOO_LARGE);
	served_stop(&served);
}

/* Whether the largest answer that is too small keeps the item from doing anything, and the smallest
 * that is large enough does not. */
static void assert_foreseen(
	struct served *served, struct ask ask, uint64_t (*done)(struct served *))
{
	uint64_t before = done(served);
	int32_t len;

	served->header.response_len_max = KMIP_INT(0);
	assert_reason(served_one(served, ask), RESPONSE_TOO_LARGE);
	cr_assert_eq(done(served), before);
	assert_success(served_one(served, ask));
	len = (int32_t) served->answer.len;
	before = done(served);
	served->header.response_len_max = KMIP_INT(len - 1);
	assert_reason(served_one(served, ask), RESPONSE_TOO_LARGE);
	cr_assert_eq(done(served), before);
	served->header.response_len_max = KMIP_INT(len);
	assert_success(served_one(served, ask));
	cr_assert_neq(done(served), before);
}

static uint64_t keys_made(struct served *served)
{
	return fake_service_count(&served->store->service, "kmip-instance-1-");
}

static struct slice limited; /* the key whose units are counted */

static uint64_t units_left(struct served *served)
{
	struct kmip_value value = served_value(served, limited, "Usage Limits");
	struct codec codec = { .arena = served->arena, .version = KMIP_NEWEST };
	struct kmip_usage_limits limits;

	cr_assert_eq(kmip_value_read(&limits, &codec, &kmip_usage_limits_table, &value), ERR_OK);
	return (uint64_t) limits.count.value;
}

/* Of what changes something an answer that would be too large is foreseen: nothing is made, no unit
 * is used. */
Test(batch, response_size_of_changes)
{
	struct served served = { 0 };
	struct kmip_usage_limits limits = { .total = KMIP_LONG(1000),
		.unit = KMIP_UINT(KMIP_USAGE_LIMITS_UNIT_OBJECT) };
	struct kmip_attribute attributes[] = {
		attribute_of("Cryptographic Algorithm",
			kmip_value_enum(KMIP_CRYPTOGRAPHIC_ALGORITHM_AES)),
		attribute_of("Cryptographic Length", kmip_value_integer(128)),
		attribute_of("Cryptographic Usage Mask", kmip_value_integer(0xFF)),
		attribute_of("Activation Date", kmip_value_date(1)),
		{ .name = slice_text("Usage Limits") },
	};
	struct kmip_template_attribute template = { .attributes = { attributes, 5 } };
	const struct ask create =
		ASK(CREATE, create, .object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SYMMETRIC_KEY),
			.template_attribute = &template);
	struct kmip_cryptographic_parameters how = { .block_cipher_mode = KMIP_UINT(
							     KMIP_BLOCK_CIPHER_MODE_ECB) };

	served_start(&served, false);
	served.version = KMIP_1_4;
	cr_assert_eq(kmip_value_write(
			     &attributes[4].value, served.arena, &kmip_usage_limits_table, &limits),
		ERR_OK);
	assert_foreseen(&served, create, keys_made);
	limited = PAYLOAD(&served, served_one(&served, create), create)->unique_identifier;
	const struct ask encrypt = ASK(ENCRYPT, encrypt, .unique_identifier = limited,
		.parameters = &how, .data = SLICE_LITERAL("sixteen bytes ok"));
	assert_foreseen(&served, encrypt, units_left);
	served_stop(&served);
}

/* A batch that asks for more than one answer may hold: its items are answered as far as there is
 * room, those that are left say so, and the connection stays. */
Test(batch, more_than_an_answer_holds)
{
	enum { ITEMS = KMIP_BATCH_MAX, EACH = 65536, ARENA_LEN = 64 << 20 };
	struct served served = { 0 };
	struct kmip_protocol_version version = kmip_protocol_version(KMIP_1_4);
	struct kmip_request_header header = { .version = &version,
		.batch_error_option = KMIP_UINT(KMIP_BATCH_ERROR_CONTINUATION_OPTION_CONTINUE),
		.batch_count = KMIP_INT(ITEMS) };
	struct kmip_request_item *items;
	struct kmip_rng_retrieve_request request = { .data_len = KMIP_INT(EACH) };
	struct codec codec = { .version = KMIP_1_4 };
	struct kmip_response *response;
	struct slice payload;
	size_t good = 0;
	struct buf frame;

	served_start(&served, false);
	served.version = KMIP_1_4;
	arena_free(served.arena);
	cr_assert_eq(arena_new_public(&served.arena, ARENA_LEN), ERR_OK);
	codec.arena = served.arena;
	items = arena_array(served.arena, ITEMS, sizeof(*items));
	cr_assert_eq(
		kmip_payload_encode(&payload, &codec, &kmip_rng_retrieve_request_table, &request),
		ERR_OK);
	for (size_t i = 0; i < ITEMS; i++) {
		items[i].operation = KMIP_UINT(KMIP_OPERATION_RNG_RETRIEVE);
		items[i].id = SLICE_LITERAL("an id");
		items[i].payload = payload;
	}
	buf_init(&frame, KMIP_FRAME_LEN_MAX);
	cr_assert_eq(kmip_request_encode(&frame, &header, items), ERR_OK);
	served_send(&served, buf_slice(&frame));
	buf_free(&frame);
	cr_assert_not(served.is_closed);
	response = served_response(&served);
	cr_assert_eq(response->count, ITEMS);
	while (good < ITEMS && reason_of(&response->items[good]) == 0)
		good++;
	cr_assert_gt(good, ITEMS / 2);
	cr_assert_lt(good, ITEMS);
	for (size_t i = good; i < ITEMS; i++)
		assert_reason(&response->items[i], RESPONSE_TOO_LARGE);
	served_stop(&served);
}

/* The longest time, of the processor's, for which nobody else had the loop. */
struct turns {
	struct loop *loop;
	struct loop_task task;
	clock_t last, longest;
};

static void note(struct turns *turns)
{
	clock_t now = clock();

	if (now - turns->last > turns->longest)
		turns->longest = now - turns->last;
	turns->last = now;
}

static void turn(void *ctx)
{
	struct turns *turns = ctx;

	note(turns);
	loop_defer(turns->loop, &turns->task);
}

static clock_t longest_of(
	struct turns *turns, struct served *served, const struct ask *asks, size_t count)
{
	struct kmip_response *response;

	turns->last = clock();
	turns->longest = 0;
	response = served_ask(served, asks, count);
	note(turns);
	cr_assert_eq(response->count, count);
	for (size_t i = 0; i < count; i++)
		assert_success(&response->items[i]);
	return turns->longest;
}

/* An RSA key without its factors: slow. */
static struct slice slow_key(struct served *served)
{
	struct pkey_wish wish = { .algorithm = "RSA", .bits = PKEY_POWER_BITS_MAX };
	struct kmip_attribute attributes[] = {
		attribute_of("Cryptographic Usage Mask", kmip_value_integer(1)),
		attribute_of("Activation Date", kmip_value_date(1)),
	};
	struct kmip_template_attribute template = { .attributes = { attributes, 2 } };
	struct kmip_transparent_key numbers = { 0 };
	struct kmip_key_value value = { .transparent = &numbers };
	struct kmip_key_block block = { .format = KMIP_UINT(
						KMIP_KEY_FORMAT_TYPE_TRANSPARENT_RSA_PRIVATE_KEY),
		.value = &value,
		.cryptographic_algorithm = KMIP_UINT(KMIP_CRYPTOGRAPHIC_ALGORITHM_RSA),
		.cryptographic_length_bits = KMIP_INT((int32_t) wish.bits) };
	struct kmip_private_key private_key = { .key_block = &block };
	struct kmip_item item = { .arena = served->arena };
	struct pkey_numbers made;
	struct pkey *key;
	struct buf memory;

	buf_init(&memory, PKEY_LEN_MAX);
	cr_assert_eq(pkey_generate(&key, &wish), ERR_OK);
	cr_assert_eq(pkey_numbers(&made, key, true, &memory), ERR_OK);
	cr_assert_eq(asymmetric_big(&item, &numbers.modulus, made.n), ERR_OK);
	cr_assert_eq(asymmetric_big(&item, &numbers.public_exponent, made.e), ERR_OK);
	cr_assert_eq(asymmetric_big(&item, &numbers.private_exponent, made.d), ERR_OK);
	pkey_free(key);
	buf_free(&memory);
	return PAYLOAD(served,
		ONE(served, REGISTER, register,
			.object_type = KMIP_UINT(KMIP_OBJECT_TYPE_PRIVATE_KEY),
			.template_attribute = &template, .object = { .private_key = &private_key }),
		register)
		->unique_identifier;
}

/* A batch of slow items leaves the loop to others now and then, and is answered whole. A worker
 * leaves it to the keeper. */
Test(batch, takes_turns)
{
	struct served served = { 0 };
	struct turns turns = { 0 };
	struct kmip_cryptographic_parameters how = {
		.digital_signature_algorithm =
			KMIP_UINT(KMIP_DIGITAL_SIGNATURE_ALGORITHM_SHA_256_WITH_RSA_ENCRYPTION)
	};
	struct kmip_sign_request request = { .parameters = &how, .data = SLICE_LITERAL("text") };
	struct ask asks[SERVED_ITEMS_MAX];
	clock_t alone, all;

	served_start(&served, false);
	served.version = KMIP_1_4;
	request.unique_identifier = slow_key(&served);
	for (size_t i = 0; i < SERVED_ITEMS_MAX; i++)
		asks[i] = (struct ask){ KMIP_OPERATION_SIGN, &kmip_sign_request_table, &request };
	turns.loop = served.loop;
	loop_task_init(&turns.task, turn, &turns);
	turn(&turns);
	alone = longest_of(&turns, &served, asks, 1);
	all = longest_of(&turns, &served, asks, SERVED_ITEMS_MAX);
	cr_assert_lt(all, SERVED_ITEMS_MAX / 2 * alone, "%ld, and %ld for one item", (long) all,
		(long) alone);
	cr_assert_eq(
		served_send_worker(&served, served_frame(&served, asks, SERVED_ITEMS_MAX, false)),
		ERR_FORWARD);
	loop_task_cancel(&turns.task);
	served_stop(&served);
}

/* Each item that ran leaves one record, with what it was about. */
Test(batch, audit)
{
	struct served served = { 0 };
	struct slice uid;

	served_start(&served, false);
	uid = served_key(&served);
	cr_assert_eq(served.record_count, 1);
	cr_assert_str_eq(served.records[0].operation, "Create");
	cr_assert(slice_equal_text(uid, served.records[0].uid));
	served_ask(&served, (struct ask[]){ discover, missing, discover }, 3);
	cr_assert_eq(served.record_count, 3);
	cr_assert_str_eq(served.records[1].uid, "");
	cr_assert_eq(served.records[2].err, ERR_NOT_FOUND);
	cr_assert_str_eq(served.records[2].uid, "00000000-0000-4000-8000-000000000000");
	served_stop(&served);
}

/* A vendor's extension that must be understood fails the item; another one is passed over. */
Test(batch, message_extension)
{
	struct served served = { 0 };
	struct kmip_protocol_version version = kmip_protocol_version(KMIP_1_1);
	struct kmip_request_header header = { .version = &version, .batch_count = KMIP_INT(1) };
	struct kmip_message_extension extension = { .vendor = slice_text("x"),
		.critical = KMIP_BOOL(true),
		.extension = SLICE_LITERAL("") };
	struct kmip_request_item request = { .operation =
						     KMIP_UINT(KMIP_OPERATION_DISCOVER_VERSIONS),
		.payload = SLICE_LITERAL(""),
		.extension = &extension };
	struct buf buf;

	served_start(&served, false);
	buf_init(&buf, 4096);
	cr_assert_eq(kmip_request_encode(&buf, &header, &request), ERR_OK);
	served_send(&served, buf_slice(&buf));
	assert_reason(&served_response(&served)->items[0], FEATURE_NOT_SUPPORTED);
	extension.critical = KMIP_BOOL(false);
	buf_clear(&buf);
	cr_assert_eq(kmip_request_encode(&buf, &header, &request), ERR_OK);
	served_send(&served, buf_slice(&buf));
	assert_success(&served_response(&served)->items[0]);
	buf_free(&buf);
	served_stop(&served);
}

/* Credentials are whole, and one alone before 1.2; whose they are changes nothing. Those of a kind
 * that the version does not have are passed over. */
Test(batch, credentials)
{
	struct served served = { 0 };
	const struct slice word = slice_text("w");
	struct kmip_nonce nonce = { .id = word, .value = word };
	struct kmip_credential_value values[] = { { .username = word }, { .password = word },
		{ .device_serial_number = word }, { .nonce = &nonce },
		{ .nonce = &nonce,
			.attestation_type = KMIP_UINT(KMIP_ATTESTATION_TYPE_TPM_QUOTE) } };
	enum { USER = 1, DEVICE, ATTESTATION, FUTURE };
	static const struct {
		enum kmip_version version;
		uint32_t type;
		size_t value, count;
		bool is_whole;
	} rows[] = {
		{ KMIP_1_0, USER, 0, 1, true },
		{ KMIP_1_4, USER, 0, 1, true },
		{ KMIP_1_0, USER, 1, 1, false },
		{ KMIP_1_4, USER, 2, 1, false },
		{ KMIP_1_1, USER, 0, 2, false },
		{ KMIP_1_2, USER, 0, 2, true },
		{ KMIP_1_0, DEVICE, 0, 1, true },
		{ KMIP_1_1, DEVICE, 0, 1, false },
		{ KMIP_1_1, DEVICE, 1, 1, true },
		{ KMIP_1_4, DEVICE, 2, 1, true },
		{ KMIP_1_2, ATTESTATION, 3, 1, false },
		{ KMIP_1_2, ATTESTATION, 4, 1, true },
		{ KMIP_1_1, ATTESTATION, 0, 1, true },
		{ KMIP_1_4, FUTURE, 0, 1, true },
	};

	served_start(&served, false);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kmip_credential credential = { .type = KMIP_UINT(rows[i].type),
			.value = &values[rows[i].value] };
		struct kmip_credential several[] = { credential, credential };
		struct kmip_authentication authentication = { .credentials = {
								      several, rows[i].count } };
		const struct kmip_response_item *item;

		served.version = rows[i].version;
		served.header.authentication = &authentication;
		item = served_one(&served,
			(struct ask) ASK(QUERY, query, .functions = { (uint32_t[]){ 3 }, 1 }));
		cr_assert_eq(item->operation.has, rows[i].is_whole, "row %zu", i);
		if (rows[i].is_whole)
			assert_success(item);
		else
			assert_reason(item, INVALID_MESSAGE);
	}
	served_stop(&served);
}
