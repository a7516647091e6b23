/* SPDX-License-Identifier: Apache-2.0 */
/* One request of an operation that takes its data whole or in pieces: what Encrypt, Decrypt, Sign,
 * MAC, Hash and the verifying ones have in common. */
#ifndef KMIP_PIECES_H
#define KMIP_PIECES_H

#include "kmip/item.h"
#include "kmip/run.h"

struct pieces {
	/* Given. */
	uint32_t operation;
	struct slice uid; /* the request's Unique Identifier */
	struct slice data;
	struct slice correlation_value;
	bool init, final;
	bool has_first_only; /* it has what belongs to a first piece alone (4.29, 4.30) */
	bool verifies;
	struct slice expected; /* code or signature that is to be verified: with any piece, once */
	/* Begins what is not under way yet; errors climb, ERR_AGAIN too. */
	enum err (*begin)(struct kmip_item *item, struct run *run);

	/* The outcome, in the arena: */
	bool is_done; /* this was the last piece */
	struct slice out, tag; /* NULL data: nothing */
	struct slice next; /* the Correlation Value to go on with; NULL data when done */
	bool is_valid; /* of a verifying operation that is done: the same as expected */
};

/* Of a request that has these members under their names; `uid` is to be set where there is one. */
#define PIECES(code, request, begins) \
	{ \
		.operation = (code), .data = (request)->data, \
		.correlation_value = (request)->correlation_value, .init = (request)->init.value, \
		.final = (request)->final.value, .begin = (begins) \
	}

/* ERR_NOT_FOUND: no such Correlation Value; ERR_FIELD: it belongs to another key, or indicators or
 * fields are not those of such a piece; ERR_MESSAGE: nothing to process, or nothing to compare it
 * with. */
MUST_USE enum err pieces_run(struct kmip_item *item, struct pieces *pieces);

#endif
