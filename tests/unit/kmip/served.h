/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server with a store behind it, for the tests of operations: requests are built and answers read
 * by the codec's tables. The store is the real one over a key manager in memory.
 */
#ifndef TESTS_UNIT_KMIP_SERVED_H
#define TESTS_UNIT_KMIP_SERVED_H

#include "base/clock.h"
#include "base/crypt.h"
#include "base/loop.h"
#include "hex.h"
#include "kmip/attribute.h"
#include "kmip/serve.h"
#include "served_store.h"

enum { SERVED_ITEMS_MAX = 16, SERVED_RECORDS_MAX = 512 };

struct served {
	struct arena *arena;
	struct loop *loop;
	struct served_store *store;
	struct kmip_server *server;
	struct kmip_identity identity;
	enum kmip_version version;
	struct kmip_authorities authorities; /* what Certify is done with, from now on */
	struct kmip_request_header header; /* extras for the next request: limits, options */
	struct slice answer; /* bytes of the last one */
	bool is_answered, is_closed;
	struct kmip_item_record records[SERVED_RECORDS_MAX]; /* audit */
	size_t record_count;
};

static inline void served_on_item(void *ctx, const struct kmip_item_record *record)
{
	struct served *served = ctx;

	cr_assert(served->record_count < SERVED_RECORDS_MAX);
	served->records[served->record_count] = *record;
	served->records[served->record_count++].uid =
		arena_text(served->arena, slice_text(record->uid));
}

static inline void served_start(struct served *served, bool strict_activate)
{
	struct kmip_options options = { .vendor = "test vendor",
		.node_name = "node-1",
		.strict_activate = strict_activate,
		.authorities = &served->authorities,
		.on_item = served_on_item,
		.ctx = served };

	served->arena = test_arena();
	served->version = KMIP_1_1;
	cr_assert_eq(crypt_start(), ERR_OK);
	cr_assert_eq(loop_new(&served->loop), ERR_OK);
	served->store = served_store_new(served->loop);
	cr_assert_eq(
		instance_id_parse(&served->identity.instance, slice_text(SERVED_STORE_INSTANCE)),
		ERR_OK);
	options.keystore = served_store_keystore(served->store);
	options.loop = served->loop;
	cr_assert_eq(kmip_server_new(&served->server, &options), ERR_OK);
}

static inline void served_stop(struct served *served)
{
	kmip_server_free(served->server);
	served_store_free(served->store);
	loop_free(served->loop);
	arena_free(served->arena);
}

static inline void served_on_answer(void *ctx, const struct kmip_served *answer)
{
	struct served *served = ctx;

	served->answer = arena_copy(served->arena, answer->response);
	served->is_closed = answer->close;
	served->is_answered = true;
	loop_stop(served->loop);
}

/* The keeper's way. */
static inline void served_send(struct served *served, struct slice frame)
{
	struct kmip_pending *pending;

	served->is_answered = false;
	cr_assert_eq(kmip_serve_start(&pending, served->server, &served->identity, frame,
			     served_on_answer, served),
		ERR_OK);
	cr_assert_eq(loop_run(served->loop), ERR_OK);
	cr_assert(served->is_answered);
}

/* The worker's way. */
static inline enum err served_send_worker(struct served *served, struct slice frame)
{
	struct buf out;
	enum err err;

	buf_init(&out, KMIP_FRAME_LEN_MAX);
	err = kmip_serve(served->server, &served->identity, frame, &out, &served->is_closed);
	served->answer = arena_copy(served->arena, buf_slice(&out));
	buf_free(&out);
	return err;
}

struct ask {
	uint32_t operation;
	const struct kmip_struct *table;
	const void *request;
};
#define ASK(code, name, ...) \
	{ \
		KMIP_OPERATION_##code, &kmip_##name##_request_table, \
			&(const struct kmip_##name##_request) \
		{ \
			__VA_ARGS__ \
		} \
	}

/* A request with these items; ids as vCenter numbers them when there are several, or always with
 * `ids`. */
static inline struct slice served_frame(
	struct served *served, const struct ask *asks, size_t count, bool ids)
{
	struct kmip_protocol_version version = kmip_protocol_version(served->version);
	struct kmip_request_header header = served->header;
	struct kmip_request_item items[SERVED_ITEMS_MAX] = { 0 };
	struct codec codec = { .arena = served->arena, .version = served->version };
	struct slice frame;
	struct buf buf;

	cr_assert(count <= SERVED_ITEMS_MAX);
	header.version = &version;
	header.batch_count = KMIP_INT((int32_t) count);
	for (size_t i = 0; i < count; i++) {
		uint8_t id[8] = { 'Q', 'L', 'K', 'C', (uint8_t) (i + 1) };

		items[i].operation = KMIP_UINT(asks[i].operation);
		if (ids || count > 1)
			items[i].id = arena_copy(served->arena, slice_of(id, sizeof(id)));
		items[i].payload = SLICE_LITERAL("");
		if (asks[i].table != NULL)
			cr_assert_eq(kmip_payload_encode(&items[i].payload, &codec, asks[i].table,
					     asks[i].request),
				ERR_OK);
	}
	buf_init(&buf, KMIP_FRAME_LEN_MAX);
	cr_assert_eq(kmip_request_encode(&buf, &header, items), ERR_OK);
	frame = arena_copy(served->arena, buf_slice(&buf));
	buf_free(&buf);
	served->header = (struct kmip_request_header){ 0 };
	return frame;
}

/* The frame with the first such text replaced by one of the same length: for what the encoder would
 * not write. */
static inline struct slice served_patch(
	struct served *served, struct slice frame, const char *from, const char *to)
{
	struct slice copy = arena_copy(served->arena, frame);
	size_t len = strlen(from);

	cr_assert_eq(strlen(to), len);
	for (size_t i = 0; i + len <= copy.len; i++) {
		if (slice_equal_text(slice_cut(copy, i, len), from)) {
			bytes_copy((uint8_t *) copy.data + i, to, len);
			return copy;
		}
	}
	cr_assert(false, "%s is not in the frame", from);
	return copy;
}

static inline struct kmip_response *served_response(struct served *served)
{
	struct kmip_response *response = ARENA_NEW(served->arena, struct kmip_response);

	cr_assert_eq(kmip_response_decode(response, served->arena, served->answer), ERR_OK);
	return response;
}

static inline struct kmip_response *served_ask(
	struct served *served, const struct ask *asks, size_t count)
{
	served_send(served, served_frame(served, asks, count, false));
	return served_response(served);
}

/* One item by the keeper; its answer. */
static inline const struct kmip_response_item *served_one(struct served *served, struct ask ask)
{
	struct kmip_response *response = served_ask(served, &ask, 1);

	cr_assert_eq(response->count, 1);
	return &response->items[0];
}
#define ONE(served, code, name, ...) served_one(served, (struct ask) ASK(code, name, __VA_ARGS__))

/* The reason of the failure, 0 on success. */
static inline uint32_t reason_of(const struct kmip_response_item *item)
{
	if (item->status.value == KMIP_RESULT_STATUS_SUCCESS)
		return 0;
	cr_assert(item->reason.has && item->message.len > 0 && item->payload.data == NULL);
	return item->reason.value;
}
#define assert_success(item) cr_assert_eq(reason_of(item), 0)
#define assert_reason(item, name) cr_assert_eq(reason_of(item), KMIP_RESULT_REASON_##name)

static inline const void *served_payload(struct served *served,
	const struct kmip_response_item *item, const struct kmip_struct *table)
{
	struct codec codec = { .arena = served->arena, .version = served->version };
	void *payload;

	cr_assert_eq(reason_of(item), 0);
	cr_assert_eq(kmip_payload_decode(&payload, &codec, table, item->payload), ERR_OK);
	return payload;
}
#define PAYLOAD(served, item, name) \
	((const struct kmip_##name##_response *) served_payload( \
		served, item, &kmip_##name##_response_table))

/* ---- attributes ---- */

static inline struct kmip_attribute attribute_of(const char *name, struct kmip_value value)
{
	return (struct kmip_attribute){ .name = slice_text(name), .value = value };
}
static inline struct kmip_attribute text_of(const char *name, const char *text)
{
	return attribute_of(name, kmip_value_text(slice_text(text)));
}
static inline struct kmip_attribute name_of(struct served *served, const char *text)
{
	struct kmip_name name = { .value = slice_text(text),
		.type = KMIP_UINT(KMIP_NAME_TYPE_UNINTERPRETED_TEXT_STRING) };
	struct kmip_value value;

	cr_assert_eq(kmip_value_write(&value, served->arena, &kmip_name_table, &name), ERR_OK);
	return attribute_of("Name", value);
}

/* Creates a key as vCenter does, plus attributes. */
static inline const struct kmip_response_item *served_create(
	struct served *served, const struct kmip_attribute *more, size_t count)
{
	struct kmip_attribute attributes[32] = {
		attribute_of("Cryptographic Algorithm",
			kmip_value_enum(KMIP_CRYPTOGRAPHIC_ALGORITHM_AES)),
		attribute_of("Cryptographic Usage Mask", kmip_value_integer(12)),
		attribute_of("Cryptographic Length", kmip_value_integer(256)),
	};
	struct kmip_template_attribute template = { .attributes = { attributes, 3 + count } };

	for (size_t i = 0; i < count; i++)
		attributes[3 + i] = more[i];
	return ONE(served, CREATE, create, .object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SYMMETRIC_KEY),
		.template_attribute = &template);
}
static inline struct slice served_key_with(
	struct served *served, const struct kmip_attribute *more, size_t count)
{
	return PAYLOAD(served, served_create(served, more, count), create)->unique_identifier;
}
static inline struct slice served_key(struct served *served)
{
	return served_key_with(served, NULL, 0);
}

/* The value of one attribute; its type is KMIP_TYPE_ANY when there is none. */
static inline struct kmip_value served_value(
	struct served *served, struct slice uid, const char *name)
{
	struct slice names[] = { slice_text(name) };
	const struct kmip_get_attributes_response *response = PAYLOAD(served,
		ONE(served, GET_ATTRIBUTES, get_attributes, .unique_identifier = uid,
			.attribute_names = { names, 1 }),
		get_attributes);

	cr_assert(slice_equal(response->unique_identifier, uid));
	if (response->attributes.count == 0)
		return (struct kmip_value){ .type = KMIP_TYPE_ANY };
	cr_assert(slice_equal_text(response->attributes.items[0].name, name));
	return response->attributes.items[0].value;
}
/* Its Digest is that of these bytes. */
static inline void assert_digest(struct served *served, struct slice uid, struct slice bytes)
{
	struct codec codec = { .arena = served->arena, .version = KMIP_1_4 };
	struct kmip_value value = served_value(served, uid, "Digest");
	uint8_t hash[CRYPT_SHA256_LEN];
	struct kmip_digest digest;

	cr_assert_eq(kmip_value_read(&digest, &codec, &kmip_digest_table, &value), ERR_OK);
	cr_assert_eq(crypt_sha256(hash, bytes), ERR_OK);
	assert_bytes(digest.value, slice_of(hash, sizeof(hash)));
}

static inline uint32_t served_state(struct served *served, struct slice uid)
{
	return served_value(served, uid, "State").u32;
}

static inline const struct kmip_response_item *served_add(
	struct served *served, struct slice uid, struct kmip_attribute attribute)
{
	return ONE(served, ADD_ATTRIBUTE, add_attribute, .unique_identifier = uid,
		.attribute = &attribute);
}
static inline const struct kmip_response_item *served_modify(
	struct served *served, struct slice uid, struct kmip_attribute attribute)
{
	return ONE(served, MODIFY_ATTRIBUTE, modify_attribute, .unique_identifier = uid,
		.attribute = &attribute);
}
static inline const struct kmip_response_item *served_activate(
	struct served *served, struct slice uid)
{
	return ONE(served, ACTIVATE, activate, .unique_identifier = uid);
}
static inline const struct kmip_response_item *served_revoke(
	struct served *served, struct slice uid, uint32_t code)
{
	struct kmip_revocation_reason reason = { .code = KMIP_UINT(code) };

	return ONE(served, REVOKE, revoke, .unique_identifier = uid, .revocation_reason = &reason);
}
static inline const struct kmip_response_item *served_destroy(
	struct served *served, struct slice uid)
{
	return ONE(served, DESTROY, destroy, .unique_identifier = uid);
}
static inline const struct kmip_response_item *served_get(struct served *served, struct slice uid)
{
	return ONE(served, GET, get, .unique_identifier = uid);
}

#endif
