/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests and responses as wholes: framing, headers, batch items. Payloads are decoded one by one
 * by whoever handles the item, so that a bad payload fails its item alone. Both directions are
 * here, for the server and for clients.
 */
#ifndef KMIP_MESSAGE_H
#define KMIP_MESSAGE_H

#include "kmip/codec.h"

enum {
	KMIP_FRAME_HEAD_LEN = 8,
	/* Ours; published clients stay below 64 KiB. */
	KMIP_FRAME_LEN_MAX = 1024 * 1024,
	/* Ours, of what we send: a Locate of everything. */
	KMIP_RESPONSE_LEN_MAX = 16 * 1024 * 1024,
	/* Ours; the Tape Library profile asks for 32. */
	KMIP_BATCH_MAX = 256
};

/*
 * How long the message is that starts with these eight bytes, head included. ERR_TRUNCATED fewer
 * than eight bytes; ERR_INVALID not the head of a KMIP message; ERR_LIMIT longer than max (at most
 * KMIP_FRAME_LEN_MAX). After an error the connection has lost its framing.
 */
MUST_USE enum err kmip_frame_len(size_t *out, struct slice head, size_t max);

/* A batch item: `err` is why it cannot be handled (ERR_MESSAGE, ERR_FIELD; ERR_FEATURE for a
 * critical extension), while operation and id are there as far as they could be read. */
struct kmip_request_entry {
	enum err err;
	struct kmip_request_item item;
};
struct kmip_request {
	/* What the answer's header must say; valid even when decoding failed. */
	enum kmip_version version;
	bool is_newer; /* of a minor version that we do not know: skip unknown fields in payloads */
	struct kmip_request_header header;
	struct kmip_request_entry *entries;
	size_t count;
};

/*
 * Borrows from the frame. ERR_VERSION: another major version (answer: one item without operation,
 * Invalid Message). ERR_MESSAGE, ERR_FIELD: the message as a whole is wrong, among it a Batch Count
 * that is not the number of items, more than KMIP_BATCH_MAX of them, and from 1.2 on several of
 * which one has no id. A newer minor version is read as KMIP_NEWEST with unknown fields skipped.
 */
MUST_USE enum err kmip_request_decode(
	struct kmip_request *out, struct arena *arena, struct slice frame);
/* Appends a whole message. The payloads are encoded by kmip_payload_encode before. */
MUST_USE enum err kmip_request_encode(struct buf *out, const struct kmip_request_header *header,
	const struct kmip_request_item *items);

/* A response holds header->batch_count items. */
struct kmip_response {
	enum kmip_version version;
	struct kmip_response_header header;
	struct kmip_response_item *items;
	size_t count;
};
MUST_USE enum err kmip_response_decode(
	struct kmip_response *out, struct arena *arena, struct slice frame);
/* Appends a whole message in header.version. header.batch_count must be the number of items. */
MUST_USE enum err kmip_response_encode(struct buf *out, const struct kmip_response_header *header,
	const struct kmip_response_item *items);

/* The tables of an operation's payloads; NULL for operations without rows (not implemented, or not
 * in that version). */
struct kmip_operation_row {
	uint32_t operation;
	const struct kmip_struct *request;
	const struct kmip_struct *response;
};
const struct kmip_operation_row *kmip_operation_find(uint32_t operation, enum kmip_version version);
/* "Get Attributes"; "unknown" for what the specification does not have. */
const char *kmip_operation_name(uint32_t operation);

/* Decodes into a new struct in the codec's arena: *out is a struct kmip_get_request for
 * &kmip_get_request_table. Errors as codec_decode. */
MUST_USE enum err kmip_payload_decode(
	void **out, struct codec *codec, const struct kmip_struct *table, struct slice payload);
/* The same for an item of a request, in the request's version, whose values it must have. */
MUST_USE enum err kmip_request_payload(void **out, const struct kmip_request *request,
	struct arena *arena, const struct kmip_struct *table, struct slice payload);
/* Encoded children in the arena, for the `payload` of an item; never NULL data with ERR_OK.
 * ERR_LIMIT beyond KMIP_RESPONSE_LEN_MAX. */
MUST_USE enum err kmip_payload_encode(struct slice *out, struct codec *codec,
	const struct kmip_struct *table, const void *payload);
/* The version that a header's Protocol Version says, and back. */
enum kmip_version kmip_version_of(const struct kmip_protocol_version *protocol_version);
struct kmip_protocol_version kmip_protocol_version(enum kmip_version version);

#endif
