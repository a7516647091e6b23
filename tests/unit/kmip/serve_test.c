/* SPDX-License-Identifier: Apache-2.0 */
/* The frames that vCenter sends, byte for byte, by both roads (worker, keeper); what is no message;
 * versions that are not ours. */
#include "served.h"

/* The header of KMIP 1.1 with one item, as every vCenter request but the batches begins. */
#define HEADER_1_1(total) \
	"42007801 " total " 42007701 00000038 42006901 00000020" \
	"42006A02 00000004 0000000100000000 42006B02 00000004 0000000100000000" \
	"42000D02 00000004 0000000100000000"
#define QLKC_1 "42009308 00000008 514C4B4301000000"
#define DISCOVER \
	HEADER_1_1("00000060") \
	"42000F01 00000018 42005C05 00000004 0000001E00000000" \
	"42007901 00000000"
#define DISCOVER_ID \
	HEADER_1_1("00000070") \
	"42000F01 00000028 42005C05 00000004 0000001E00000000" QLKC_1 "42007901 00000000"

/* vSphere X3: the poll every five minutes; once without an id, once with. */
Test(serve, discover_versions_frames)
{
	struct served served = { 0 };
	struct slice frame;
	struct kmip_response *response;

	served_start(&served, false);
	frame = hex(served.arena, DISCOVER);
	cr_assert_eq(frame.len, 104);
	cr_assert_eq(served_send_worker(&served, frame), ERR_OK);
	response = served_response(&served);
	cr_assert_eq(response->version, KMIP_1_1);
	cr_assert_eq(response->count, 1);
	cr_assert_null(response->items[0].id.data);
	const struct kmip_discover_versions_response *versions =
		PAYLOAD(&served, &response->items[0], discover_versions);
	cr_assert_eq(versions->versions.count, 5);
	cr_assert_eq(kmip_version_of(&versions->versions.items[0]), KMIP_1_4);
	cr_assert_eq(kmip_version_of(&versions->versions.items[3]), KMIP_1_1);

	frame = hex(served.arena, DISCOVER_ID);
	cr_assert_eq(frame.len, 120);
	cr_assert_eq(served_send_worker(&served, frame), ERR_OK);
	assert_bytes(served_response(&served)->items[0].id, hex(served.arena, "514C4B4301000000"));
	cr_assert_not(served.is_closed);
	served_stop(&served);
}

/* vSphere Q15: the answer's header holds version, time stamp and count, nothing else. */
Test(serve, answer_header)
{
	struct served served = { 0 };
	struct kmip_response *response;

	served_start(&served, false);
	served.version = KMIP_1_4;
	served.header.time_stamp = KMIP_LONG(1);
	served.header.asynchronous = KMIP_BOOL(true);
	served.header.attestation_capable = KMIP_BOOL(true);
	response =
		served_ask(&served, (struct ask[]){ ASK(DISCOVER_VERSIONS, discover_versions) }, 1);
	cr_assert_eq(response->items[0].status.value, KMIP_RESULT_STATUS_SUCCESS);
	cr_assert(response->header.time_stamp.value >= clock_wall_seconds() - 5);
	cr_assert_null(response->header.client_correlation.data);
	cr_assert_null(response->header.server_correlation.data);
	cr_assert_null(response->header.nonce);
	served_stop(&served);
}

/* A client that sends a correlation value is told one, which is new each time and counts for the
 * Maximum Response Size; before 1.4 there is none. */
Test(serve, correlation)
{
	struct served served = { 0 };
	struct ask discover = ASK(DISCOVER_VERSIONS, discover_versions);
	struct slice first, second;
	int32_t len;

	served_start(&served, false);
	served.version = KMIP_1_4;
	served.header.client_correlation = slice_text("client's own words");
	first = served_ask(&served, &discover, 1)->header.server_correlation;
	cr_assert(text_is_uuid(first));
	len = (int32_t) served.answer.len;
	for (int32_t short_by = 0; short_by < 2; short_by++) {
		served.header.server_correlation = first;
		served.header.response_len_max = KMIP_INT(len - short_by);
		struct kmip_response *response = served_ask(&served, &discover, 1);

		second = response->header.server_correlation;
		cr_assert(text_is_uuid(second) && !slice_equal(first, second));
		cr_assert_null(response->header.client_correlation.data);
		cr_assert_eq(reason_of(&response->items[0]),
			short_by == 0 ? 0 : KMIP_RESULT_REASON_RESPONSE_TOO_LARGE);
	}
	served.version = KMIP_1_3;
	served.header.client_correlation = slice_text("client's own words");
	cr_assert_null(served_ask(&served, &discover, 1)->header.server_correlation.data);
	served_stop(&served);
}

/* The lengths of vCenter's requests, made here from the same fields. */
Test(serve, vsphere_request_lengths)
{
	struct served served = { 0 };
	uint32_t function = KMIP_QUERY_FUNCTION_SERVER_INFORMATION;
	struct kmip_attribute attributes[] = {
		attribute_of("Cryptographic Algorithm",
			kmip_value_enum(KMIP_CRYPTOGRAPHIC_ALGORITHM_AES)),
		attribute_of("Cryptographic Usage Mask", kmip_value_integer(12)),
		attribute_of("Cryptographic Length", kmip_value_integer(256)),
	};
	struct kmip_template_attribute template = { .attributes = { attributes, 3 } };
	struct ask query = ASK(QUERY, query, .functions = { &function, 1 });
	struct ask create =
		ASK(CREATE, create, .object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SYMMETRIC_KEY),
			.template_attribute = &template);
	struct ask get = ASK(GET, get, .unique_identifier = slice_text("1"));

	served_start(&served, false);
	cr_assert_eq(served_frame(&served, &query, 1, true).len, 136);
	cr_assert_eq(served_frame(&served, &create, 1, true).len, 312);
	cr_assert_eq(served_frame(&served, &get, 1, true).len, 136);
	served_stop(&served);
}

/* vSphere C1 to C8 in vCenter's order: create, look at tags, add three, get, state, activate. */
Test(serve, vsphere_encrypts_a_machine)
{
	struct served served = { 0 };
	struct slice uid;

	served_start(&served, false);
	uid = served_key(&served);
	cr_assert(text_is_uuid(uid));
	cr_assert_eq(served_value(&served, uid, "x-Product_Version").type, KMIP_TYPE_ANY);

	struct kmip_attribute tags[] = { text_of("x-Product_Version", "7.0.3 build-19480866"),
		text_of("x-Vendor", "VMware, Inc."), text_of("x-Product", "VMware vSphere") };
	struct ask adds[] = {
		ASK(ADD_ATTRIBUTE, add_attribute, .unique_identifier = uid, .attribute = &tags[0]),
		ASK(ADD_ATTRIBUTE, add_attribute, .unique_identifier = uid, .attribute = &tags[1]),
		ASK(ADD_ATTRIBUTE, add_attribute, .unique_identifier = uid, .attribute = &tags[2]),
	};
	struct kmip_response *response = served_ask(&served, adds, 3);
	cr_assert_eq(response->count, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct kmip_add_attribute_response *added =
			PAYLOAD(&served, &response->items[i], add_attribute);

		cr_assert_eq(response->items[i].id.data[4], i + 1);
		cr_assert(slice_equal(added->attribute->name, tags[i].name));
		cr_assert(slice_equal(added->attribute->value.bytes, tags[i].value.bytes));
		cr_assert_not(added->attribute->index.has);
	}

	const struct kmip_get_response *got = PAYLOAD(&served, served_get(&served, uid), get);
	cr_assert_eq(got->object.symmetric_key->key_block->value->material.len, 32);
	cr_assert_eq(served_state(&served, uid), KMIP_STATE_PRE_ACTIVE);
	assert_success(served_activate(&served, uid));
	cr_assert_eq(served_state(&served, uid), KMIP_STATE_ACTIVE);
	assert_success(served_add(&served, uid, text_of("x-Name", "Maschine \xc3\xbc")));
	cr_assert(
		slice_equal_text(served_value(&served, uid, "x-Name").bytes, "Maschine \xc3\xbc"));
	served_stop(&served);
}

/* The same 1.1 batch is 440 bytes with a 1-character identifier. */
Test(serve, vsphere_add_attribute_frame)
{
	struct served served = { 0 };
	struct kmip_attribute tags[] = { text_of("x-Product_Version", "7.0.3 build-19480866"),
		text_of("x-Vendor", "VMware, Inc."), text_of("x-Product", "VMware vSphere") };
	struct slice uid = slice_text("1");
	struct ask adds[] = {
		ASK(ADD_ATTRIBUTE, add_attribute, .unique_identifier = uid, .attribute = &tags[0]),
		ASK(ADD_ATTRIBUTE, add_attribute, .unique_identifier = uid, .attribute = &tags[1]),
		ASK(ADD_ATTRIBUTE, add_attribute, .unique_identifier = uid, .attribute = &tags[2]),
	};
	struct slice frame;

	served_start(&served, false);
	frame = served_frame(&served, adds, 3, true);
	cr_assert_eq(frame.len, 440, "%zu bytes", frame.len);
	served_send(&served, frame);
	struct kmip_response *response = served_response(&served);
	cr_assert_eq(response->count, 1);
	assert_reason(&response->items[0], ITEM_NOT_FOUND);
	served_stop(&served);
}

/* Nor do a device's or an attestation's credentials, or several together, say who asks. */
Test(serve, other_credentials)
{
	struct served served = { 0 };
	struct kmip_credential_value device = { .device_serial_number = slice_text("1") };
	struct kmip_nonce nonce = { .id = SLICE_LITERAL("i"), .value = SLICE_LITERAL("v") };
	struct kmip_credential_value attestation = { .nonce = &nonce,
		.attestation_type = KMIP_UINT(KMIP_ATTESTATION_TYPE_TPM_QUOTE),
		.attestation_measurement = SLICE_LITERAL("m") };
	struct kmip_credential credentials[] = {
		{ .type = KMIP_UINT(KMIP_CREDENTIAL_TYPE_DEVICE), .value = &device },
		{ .type = KMIP_UINT(KMIP_CREDENTIAL_TYPE_ATTESTATION), .value = &attestation },
	};
	struct kmip_authentication authentication = { .credentials = { credentials, 2 } };
	uint32_t type = KMIP_ATTESTATION_TYPE_TPM_QUOTE;
	struct slice uid;

	served_start(&served, false);
	served.version = KMIP_1_4;
	uid = served_key(&served);
	served.header.authentication = &authentication;
	served.header.attestation_capable = KMIP_BOOL(true);
	served.header.attestation_types.items = &type;
	served.header.attestation_types.count = 1;
	assert_success(served_get(&served, uid));
	served_stop(&served);
}

/* vSphere X9: credentials may come with any message; the certificate has decided already. */
Test(serve, credential_is_accepted)
{
	struct served served = { 0 };
	struct kmip_credential_value value = { .username = slice_text("vcenter"),
		.password = slice_text("wrong") };
	struct kmip_credential credential = {
		.type = KMIP_UINT(KMIP_CREDENTIAL_TYPE_USERNAME_AND_PASSWORD), .value = &value
	};
	struct kmip_authentication authentication = { .credentials = { &credential, 1 } };

	served_start(&served, false);
	served.header.authentication = &authentication;
	cr_assert(text_is_uuid(served_key(&served)));
	served_stop(&served);
}

/* A worker leaves a frame that may change something untouched, also behind a reading item. */
Test(serve, worker_forwards_changes)
{
	struct served served = { 0 };
	struct slice uid;

	served_start(&served, false);
	uid = served_key(&served);
	struct ask asks[] = {
		ASK(GET, get, .unique_identifier = uid),
		ASK(ACTIVATE, activate, .unique_identifier = uid),
	};
	served.record_count = 0;
	cr_assert_eq(
		served_send_worker(&served, served_frame(&served, asks, 2, true)), ERR_FORWARD);
	cr_assert_eq(served.answer.len, 0);
	cr_assert_eq(served.record_count, 0);
	cr_assert_eq(served_state(&served, uid), KMIP_STATE_PRE_ACTIVE);
	served_stop(&served);
}

/* A warm Get is answered by the worker alone. */
Test(serve, worker_answers_get)
{
	struct served served = { 0 };
	struct slice uid;
	struct ask get;

	served_start(&served, false);
	uid = served_key(&served);
	PAYLOAD(&served, served_get(&served, uid), get);
	get = (struct ask) ASK(GET, get, .unique_identifier = uid);
	served.record_count = 0;
	cr_assert_eq(served_send_worker(&served, served_frame(&served, &get, 1, false)), ERR_OK);
	PAYLOAD(&served, &served_response(&served)->items[0], get);
	cr_assert_eq(served.record_count, 1);
	cr_assert_str_eq(served.records[0].operation, "Get");
	cr_assert(slice_equal_text(uid, served.records[0].uid));
	served_stop(&served);
}

/* vSphere Q1: each version answers in itself. */
Test(serve, versions)
{
	static const enum kmip_version versions[] = { KMIP_1_0, KMIP_1_1, KMIP_1_2, KMIP_1_3,
		KMIP_1_4 };
	struct served served = { 0 };

	served_start(&served, false);
	for (size_t i = 0; i < 5; i++) {
		served.version = versions[i];
		struct slice uid = served_key(&served);
		cr_assert_eq(served_response(&served)->version, versions[i]);
		cr_assert_eq(served_value(&served, uid, "Original Creation Date").type,
			versions[i] >= KMIP_1_2 ? KMIP_TYPE_DATE_TIME : KMIP_TYPE_ANY);
		cr_assert_eq(served_value(&served, uid, "Sensitive").type,
			versions[i] >= KMIP_1_4 ? KMIP_TYPE_BOOLEAN : KMIP_TYPE_ANY);
	}
	served_stop(&served);
}

/* vSphere Q2: another major version; a newer minor one. */
Test(serve, unknown_versions)
{
	struct served served = { 0 };
	struct ask discover = ASK(DISCOVER_VERSIONS, discover_versions);
	struct slice frame;
	uint8_t *bytes;

	served_start(&served, false);
	frame = served_frame(&served, &discover, 1, false);
	bytes = arena_alloc(served.arena, frame.len);
	bytes_copy(bytes, frame.data, frame.len);
	bytes[35] = 2; /* major */
	cr_assert_eq(served_send_worker(&served, slice_of(bytes, frame.len)), ERR_OK);
	struct kmip_response *response = served_response(&served);
	cr_assert_eq(response->count, 1);
	cr_assert_not(response->items[0].operation.has);
	assert_reason(&response->items[0], INVALID_MESSAGE);
	cr_assert_not(served.is_closed);

	bytes[35] = 1;
	bytes[51] = 9; /* minor */
	cr_assert_eq(served_send_worker(&served, slice_of(bytes, frame.len)), ERR_OK);
	response = served_response(&served);
	cr_assert_eq(response->version, KMIP_1_4);
	assert_success(&response->items[0]);
	served_stop(&served);
}

/* vSphere Q12: what is no TTLV gets one answer, and the connection ends. */
Test(serve, garbage)
{
	struct served served = { 0 };
	struct slice frame;
	uint8_t *bytes;
	struct buf out;

	served_start(&served, false);
	frame = hex(served.arena, DISCOVER_ID);
	bytes = arena_alloc(served.arena, frame.len);
	bytes_copy(bytes, frame.data, frame.len);
	bytes[71] = 0x99; /* the type of the batch count's neighbour: a lie about the length */
	for (size_t i = 72; i < frame.len; i++)
		bytes[i] = 0xFF;
	cr_assert_eq(served_send_worker(&served, slice_of(bytes, frame.len)), ERR_OK);
	cr_assert(served.is_closed);
	assert_reason(&served_response(&served)->items[0], INVALID_MESSAGE);
	served_send(&served, slice_of(bytes, frame.len));
	cr_assert(served.is_closed);

	buf_init(&out, 4096);
	cr_assert_eq(kmip_refuse(&out, SLICE_LITERAL("GET / HTTP/1.1\r\n")), ERR_OK);
	served.answer = arena_copy(served.arena, buf_slice(&out));
	buf_free(&out);
	struct kmip_response *response = served_response(&served);
	cr_assert_eq(response->count, 1);
	cr_assert_not(response->items[0].operation.has);
	assert_reason(&response->items[0], INVALID_MESSAGE);
	served_stop(&served);
}

static void never_called(void *ctx, const struct kmip_served *answer)
{
	(void) ctx;
	(void) answer;
	cr_assert(false);
}

/* A cancelled request calls nobody; one that already began its effect finishes it for the audit. */
Test(serve, cancel)
{
	struct served served = { 0 };
	struct kmip_pending *pending;
	struct slice uid;
	struct ask activate;

	served_start(&served, false);
	uid = served_key(&served);
	activate = (struct ask) ASK(ACTIVATE, activate, .unique_identifier = uid);
	cr_assert_eq(kmip_serve_start(&pending, served.server, &served.identity,
			     served_frame(&served, &activate, 1, false), never_called, NULL),
		ERR_OK);
	kmip_cancel(pending);
	cr_assert_eq(served_state(&served, uid), KMIP_STATE_PRE_ACTIVE);
	cr_assert_eq(kmip_serve_start(&pending, served.server, &served.identity,
			     served_frame(&served, &activate, 1, false), never_called, NULL),
		ERR_OK);
	served_stop(&served); /* frees the server with the request still pending */
}
