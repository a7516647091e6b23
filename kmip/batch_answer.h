/* SPDX-License-Identifier: Apache-2.0 */
/* The answers of a batch's items, and how long they are: Maximum Response Size counts them. Private
 * to the engine. */
#ifndef KMIP_BATCH_ANSWER_H
#define KMIP_BATCH_ANSWER_H

#include "kmip/batch.h"

/* What the answer's bytes are without any item. */
size_t batch_head_len(const struct batch *batch);
/* Appends a response message with these items. */
MUST_USE enum err batch_answer_encode(const struct batch *batch,
	const struct kmip_response_item *items, size_t count, struct buf *out);
size_t batch_answer_len(const struct kmip_response_item *response);
/* Before the item under work does its first thing. ERR_TOO_LARGE: even the shortest answer of a
 * success is longer than the client allows; what plan has filled counts whole. */
MUST_USE enum err batch_answer_foresee(const struct batch *batch);
/* Fills what the item under work is answered with when it succeeded: status, payload, and for Poll
 * the operation. Any error is to be answered in its place. */
MUST_USE enum err batch_answer_item(struct batch *batch, struct kmip_response_item *response);

#endif
