/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine: takes one request message apart, runs its items one after the other, and gathers the
 * answers. It starts nothing itself: where an item needs a fetch or has an effect, it stops and
 * says so, and whoever drives it (serve.c) comes back with the outcome.
 */
#ifndef KMIP_BATCH_H
#define KMIP_BATCH_H

#include "kmip/batch_undo.h"
#include "kmip/item.h"
#include "kmip/operations.h"

/* Ours: how long items are run one after the other; the last one may go beyond. A loop that stands
 * still for 250 ms costs the node its lease (design D3). */
enum { BATCH_TURN_US_MAX = 50000 };

enum batch_step {
	BATCH_DONE, /* all answers are there */
	BATCH_FETCH, /* batch->item says what it needs; continue with batch_fetched */
	BATCH_PAUSE, /* items are left, but others wait for the loop: continue with batch_run, later
		      */
	BATCH_COMPUTE, /* batch->item->compute is to be run elsewhere; continue with batch_computed
			*/
	BATCH_EFFECT /* batch->item says what is to be done; continue with batch_effected */
};

struct batch {
	/* Given by the driver before batch_begin. */
	const struct kmip_options *options;
	const struct kmip_identity *identity;
	struct arena *arena;
	struct streams *streams; /* NULL in a worker */
	struct claims *claims; /* likewise */
	struct laters *laters; /* likewise */

	struct keystore_view *view;
	struct kmip_request request;
	int64_t now;
	bool is_broken; /* the frame is no TTLV: close after the answer */
	bool is_stopped; /* an item failed, and the client did not ask to continue */
	struct kmip_placeholder placeholder;
	struct undo undo;
	/* The item under work; NULL between items. */
	struct kmip_item *item;
	const struct operation *operation;
	size_t fetch_count;
	uint64_t item_began_us;
	/* Finished items. */
	struct kmip_response_item *responses;
	struct kmip_item_record *records;
	size_t done, reported;
	size_t response_len; /* of the whole message so far */
};

/*
 * Decodes the frame, which must live as long as the arena. A message that is wrong as a whole
 * leaves a batch that is done, with the one answer that it gets. ERR_NOMEM and errors of the store
 * only.
 */
MUST_USE enum err batch_begin(struct batch *batch, struct slice frame);
/* The same for bytes that are no message at all: the one answer that they get. */
MUST_USE enum err batch_begin_refused(struct batch *batch, struct slice head);
/* True when any item's operation may change something. */
bool batch_writes(const struct batch *batch);
/* True when the client wants to be answered later, and can: one item alone, since what follows in a
 * batch may depend on what comes before. */
bool batch_may_wait(const struct batch *batch);
enum batch_step batch_run(struct batch *batch);
void batch_fetched(struct batch *batch, enum err err);
/* ERR_OK: it ran; else why it could not be begun. */
void batch_computed(struct batch *batch, enum err err);
/* Frees what an item under work holds beside the arena: call it before a batch that is not done is
 * given up. */
void batch_drop(struct batch *batch);
/* added_index as keystore_change_start gives it; uid: of the object made, NULL for other effects.
 */
void batch_effected(struct batch *batch, enum err err, const struct uid *uid, uint32_t added_index);
/* What the store is to change, or destroy, for the item's effect. */
void batch_change(struct keystore_change *out, struct batch *batch);
/* Starts the effect of an item that charges its subject; ends as keystore_charge_start. */
MUST_USE enum err batch_charge_start(struct keystore_pending **out, struct batch *batch,
	void (*on_charged)(void *ctx, enum err err, uint32_t unused), void *ctx);
/* The effect could not be started. */
void batch_failed(struct batch *batch, enum err err);
/* Hands the finished items that were not handed out yet to the audit. */
void batch_report(struct batch *batch);
/* Appends the answer that the one item will be answered later, under this Correlation Value. */
MUST_USE enum err batch_encode_pending(
	const struct batch *batch, struct slice correlation, struct buf *out);
/* Appends the response message. */
MUST_USE enum err batch_encode(const struct batch *batch, struct buf *out);

#endif
