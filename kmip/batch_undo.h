/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batch Error Continuation Option Undo (KMIP 1.4, section 6.13): what the items of a batch have
 * done is taken back when a later one fails, the latest first: objects that were made are
 * destroyed, attributes get their old values. What cannot be taken back stands at the end of the
 * batch, and is judged, all of it, before the first of it is done. Any other batch is refused
 * before it begins.
 */
#ifndef KMIP_BATCH_UNDO_H
#define KMIP_BATCH_UNDO_H

#include "kmip/item.h"

enum { UNDO_FINAL_MAX = 64 }; /* ours; items that cannot be taken back */

struct batch;
struct undo_step;

/* Embedded in the batch. */
struct undo {
	bool on; /* what is done is noted here */
	bool is_running; /* the batch's item is the one that takes back */
	size_t final; /* the first item that is not taken back: the last one, or several */
	size_t ahead; /* of these, judged by now */
	bool is_judged; /* they are all */
	struct undo_step *steps; /* the latest first */
	struct undo_step *next; /* of the effect that is about to begin */
};

/* ERR_FEATURE: the batch holds what cannot be taken back, nor be judged before the first of it is
 * done. */
MUST_USE enum err undo_judge(struct batch *batch);
/* The next item is to be planned, not to be done: the one `ahead` of those that are done. */
bool undo_looks_ahead(const struct batch *batch);
/* It would be done. */
void undo_looked(struct batch *batch);
/* Before an effect. */
MUST_USE enum err undo_prepare(struct batch *batch);
/* Within the transaction of a change: the object before it. */
MUST_USE enum err undo_note(struct batch *batch, const struct object *object);
/* The effect is done; `made` is NULL for a change. */
void undo_effected(struct batch *batch, const struct uid *made, uint32_t added_index);
/* The last item has failed, and is answered: states the first effect against, if there is one; else
 * the batch is done. */
void undo_begin(struct batch *batch);
/* The effect against has ended; states the next one. */
void undo_taken_back(struct batch *batch, enum err err);

#endif
