/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests of kmip-probe and what it reads in their answers. The messages are those that
 * vCenter sends: KMIP 1.1, nothing in the header that need not be there, one name for each Get
 * Attributes, and batch item ids "QLKC" that count from 1 in every message.
 */
#ifndef NODE_PROBE_MESSAGE_H
#define NODE_PROBE_MESSAGE_H

#include "kmip/message.h"

enum {
	PROBE_UID_SIZE = 128, /* with the terminating zero; a longer identifier is refused */
	PROBE_TEXT_SIZE = 256,
	PROBE_TAGS_MAX = 8,
	PROBE_REQUEST_LEN_MAX = 16 * 1024
};

struct probe_tag {
	const char *name, *value;
};

struct probe_request {
	enum kmip_operation operation;
	bool is_first; /* the Discover Versions that opens a connection: its item has no id */
	struct slice uid; /* of all but Discover Versions, Query and Create */
	const char *attribute; /* Get Attributes: the one name */
	const struct probe_tag *tags; /* Add Attribute: a batch with one item for each */
	size_t tag_count;
};

/* What an answer says; slices borrow from the arena. */
struct probe_answer {
	enum err err; /* of the first item that failed: what its Result Reason stands for */
	uint32_t reason;
	char text[PROBE_TEXT_SIZE]; /* why, for people; "" when all is well */
	char uid[PROBE_UID_SIZE];
	struct slice key; /* Get: the bytes of a raw key */
	uint32_t state; /* Get Attributes: enum kmip_state; 0: was not in it */
	size_t attribute_count; /* Get Attributes, Add Attribute: how many came */
	struct slice vendor; /* Query */
	const struct kmip_protocol_version *versions; /* Discover Versions */
	size_t version_count;
};

/* Appends the message. ERR_LIMIT, ERR_NOMEM. */
MUST_USE enum err probe_request_encode(
	struct buf *out, struct arena *arena, const struct probe_request *request);
/*
 * ERR_MESSAGE when the frame is no right answer to that request (out->text says why): another
 * version, other ids, missing items, fields that the operation must return. An item that says
 * failure is a right answer: ERR_OK, with out->err.
 */
MUST_USE enum err probe_answer_decode(struct probe_answer *out, struct arena *arena,
	const struct probe_request *request, struct slice frame);

#endif
