/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/batch_answer.h"
#include "base/log.h"
#include "base/text.h"
#include "kmip/later.h"
#include "kmip/result.h"
#include "kmip/ttlv_read.h"

/* Ours: what items may fill of the longest answer, so that those behind them can say at least that
 * they failed, with ids as long as a request can hold. */
enum { ANSWER_LEN_MAX = KMIP_RESPONSE_LEN_MAX - 2 * KMIP_FRAME_LEN_MAX };

static size_t padded(size_t len)
{
	return TTLV_HEAD_LEN + (len + TTLV_ALIGN - 1) / TTLV_ALIGN * TTLV_ALIGN;
}

/* Section 6.19 wants a Server Correlation Value in every answer, which clients that do not know of
 * it cannot read: it is for those that send such values themselves. */
static bool is_correlated(const struct batch *batch)
{
	const struct kmip_request_header *header = &batch->request.header;

	return batch->request.version >= KMIP_1_4 &&
	       (header->client_correlation.data != NULL || header->server_correlation.data != NULL);
}

size_t batch_head_len(const struct batch *batch)
{
	enum {
		HEADS = 3 * TTLV_HEAD_LEN, /* message, header, version */
		NUMBERS = 3 * (TTLV_HEAD_LEN + TTLV_ALIGN), /* major, minor, batch count */
		STAMP = TTLV_HEAD_LEN + 8
	};

	return HEADS + NUMBERS + STAMP + (is_correlated(batch) ? padded(UUID_TEXT_LEN) : 0);
}

enum err batch_answer_encode(const struct batch *batch, const struct kmip_response_item *items,
	size_t count, struct buf *out)
{
	struct kmip_protocol_version version = kmip_protocol_version(batch->request.version);
	struct kmip_response_header header = {
		.version = &version,
		.time_stamp = KMIP_LONG(batch->now),
		.batch_count = KMIP_INT((int32_t) count),
	};
	const struct kmip_request_header *request = &batch->request.header;
	char correlation[UUID_TEXT_LEN + 1];

	if (is_correlated(batch)) {
		text_uuid(correlation);
		header.server_correlation = slice_of(correlation, UUID_TEXT_LEN);
		log_debug("request-correlated", "server=%s client=%s earlier=%s", correlation,
			log_quoted(request->client_correlation),
			log_quoted(request->server_correlation));
	}
	return kmip_response_encode(out, &header, items);
}

size_t batch_answer_len(const struct kmip_response_item *response)
{
	size_t len = TTLV_HEAD_LEN + padded(sizeof(uint32_t)); /* head and status */

	if (response->operation.has)
		len += padded(sizeof(uint32_t));
	if (response->id.data != NULL)
		len += padded(response->id.len);
	if (response->reason.has)
		len += padded(sizeof(uint32_t));
	if (response->message.data != NULL)
		len += padded(response->message.len);
	if (response->asynchronous_correlation.data != NULL)
		len += padded(response->asynchronous_correlation.len);
	if (response->payload.data != NULL)
		len += padded(response->payload.len);
	return len;
}

/* Maximum Response Size (KMIP 1.4, section 6.3), and ours. */
static bool is_over(const struct batch *batch, size_t len)
{
	const struct kmip_int *limit = &batch->request.header.response_len_max;

	if (len > ANSWER_LEN_MAX)
		return true;
	return limit->has && (limit->value < 0 || len > (size_t) limit->value);
}

/* Of what has changed something the client is told in any case. */
static bool is_too_large(const struct batch *batch, const struct kmip_response_item *response)
{
	return batch->item->steps == 0 &&
	       is_over(batch, batch->response_len + batch_answer_len(response));
}

/* The shortest that the field can be. */
static size_t field_least(const struct kmip_field *field)
{
	switch (field->tag) {
	case KMIP_TAG_UNIQUE_IDENTIFIER:
	case KMIP_TAG_PRIVATE_KEY_UNIQUE_IDENTIFIER:
	case KMIP_TAG_PUBLIC_KEY_UNIQUE_IDENTIFIER:
		return padded(UUID_TEXT_LEN);
	default:
		return field->type == KMIP_TYPE_STRUCTURE ? TTLV_HEAD_LEN
							  : TTLV_HEAD_LEN + TTLV_ALIGN;
	}
}

static bool holds_tag(struct slice payload, uint32_t tag)
{
	struct ttlv_reader reader = ttlv_reader_of(payload);
	struct ttlv_item item;

	while (!ttlv_is_end(&reader) && ttlv_next(&item, &reader) == ERR_OK) {
		if (item.tag == tag)
			return true;
	}
	return false;
}

/* What the effect will fill, as far as the table of the response tells. */
static size_t missing_least(
	const struct kmip_struct *table, enum kmip_version version, struct slice payload)
{
	size_t len = 0;

	for (size_t i = 0; i < table->count; i++) {
		const struct kmip_field *field = &table->fields[i];

		if (field->presence == KMIP_REQUIRED && field->since <= version &&
			version <= field->until && !holds_tag(payload, field->tag))
			len += field_least(field);
	}
	return len;
}

enum err batch_answer_foresee(const struct batch *batch)
{
	const struct kmip_item *item = batch->item;
	const struct kmip_request_item *request = &batch->request.entries[batch->done].item;
	struct kmip_response_item response = { .operation = request->operation, .id = request->id };
	const struct kmip_struct *table = batch->operation->response;
	struct buf payload;
	size_t len;
	enum err err = ERR_OK;

	if (!batch->request.header.response_len_max.has || batch->undo.is_running ||
		item->steps > 0 || item->failure != ERR_OK)
		return ERR_OK;
	buf_init(&payload, KMIP_RESPONSE_LEN_MAX);
	TRY(codec_encode(&payload, item->version, table, item->response));
	len = batch->response_len + batch_answer_len(&response) + TTLV_HEAD_LEN +
	      buf_slice(&payload).len + missing_least(table, item->version, buf_slice(&payload));
	if (is_over(batch, len))
		err = ERR_TOO_LARGE;
out:
	buf_free(&payload);
	return err == ERR_LIMIT ? ERR_TOO_LARGE : err;
}

/* Not copied before it is known to be wanted. */
static enum err answer_own(struct batch *batch, struct kmip_response_item *response)
{
	const struct kmip_item *item = batch->item;
	struct buf payload;
	enum err err;

	buf_init(&payload, KMIP_RESPONSE_LEN_MAX);
	TRY(codec_encode(&payload, item->version, batch->operation->response, item->response));
	response->payload = buf_slice(&payload).len > 0 ? buf_slice(&payload) : SLICE_LITERAL("");
	kmip_result_fill(response, ERR_OK, batch->request.version);
	TRY(is_too_large(batch, response) ? ERR_TOO_LARGE : ERR_OK);
	response->payload = arena_copy(batch->arena, response->payload);
	TRY(response->payload.data == NULL ? ERR_NOMEM : ERR_OK);
out:
	buf_free(&payload);
	return err == ERR_LIMIT ? ERR_TOO_LARGE : err;
}

/* An answer that was kept was encoded in the version of its request. */
static enum err answer_polled(struct batch *batch, struct kmip_response_item *response)
{
	const struct later_answer *polled = batch->item->polled;
	const struct kmip_poll_request *request = batch->item->request;
	struct codec codec = item_codec(batch->item);
	void *payload;
	enum err err;

	response->operation = KMIP_UINT(polled->operation);
	if (polled->is_pending) {
		response->status = KMIP_UINT(KMIP_RESULT_STATUS_OPERATION_PENDING);
		response->asynchronous_correlation = request->correlation_value;
		return ERR_OK;
	}
	TRY(polled->err);
	batch->operation = operation_find(polled->operation, polled->version);
	ASSERT(batch->operation != NULL);
	codec.version = polled->version;
	TRY(kmip_payload_decode(&payload, &codec, batch->operation->response, polled->payload));
	batch->item->response = payload;
	TRY(answer_own(batch, response));
out:
	return err;
}

enum err batch_answer_item(struct batch *batch, struct kmip_response_item *response)
{
	return batch->item->polled != NULL ? answer_polled(batch, response)
					   : answer_own(batch, response);
}
