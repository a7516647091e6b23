/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/batch.h"
#include "base/clock.h"
#include "kmip/batch_answer.h"
#include "kmip/batch_header.h"
#include "kmip/result.h"
#include "kmip/ttlv_read.h"

/* A whole message refused: one item without operation (KMIP 1.4, section 11.1). */
static enum err batch_refuse(struct batch *batch, enum err why)
{
	batch->request.count = 0;
	batch->responses = ARENA_NEW(batch->arena, struct kmip_response_item);
	batch->records = ARENA_NEW(batch->arena, struct kmip_item_record);
	if (batch->responses == NULL || batch->records == NULL)
		return ERR_NOMEM;
	kmip_result_fill(&batch->responses[0], why, batch->request.version);
	batch->records[0] = (struct kmip_item_record){ .instance = batch->identity->instance,
		.client = batch->identity->client,
		.operation = "unknown",
		.uid = "",
		.err = why };
	batch->done = 1;
	return ERR_OK;
}

enum err batch_begin(struct batch *batch, struct slice frame)
{
	enum err err;

	batch->now = clock_wall_seconds();
	err = kmip_request_decode(&batch->request, batch->arena, frame);
	if (err == ERR_NOMEM)
		return err;
	if (err != ERR_OK)
		batch->is_broken = ttlv_check(frame, 0) != ERR_OK;
	else
		err = batch_header_judge(batch);
	if (err != ERR_OK)
		return batch_refuse(batch, err);

	batch->response_len = batch_head_len(batch);
	batch->responses =
		arena_array(batch->arena, batch->request.count, sizeof(struct kmip_response_item));
	batch->records =
		arena_array(batch->arena, batch->request.count, sizeof(struct kmip_item_record));
	if (batch->responses == NULL || batch->records == NULL)
		return ERR_NOMEM;
	return keystore_view_new(
		&batch->view, batch->options->keystore, batch->arena, &batch->identity->instance);
}

enum err batch_begin_refused(struct batch *batch, struct slice head)
{
	batch->now = clock_wall_seconds();
	batch->is_broken = true;
	/* Only for the version that the head may show; it is no message by then. */
	if (kmip_request_decode(&batch->request, batch->arena, head) == ERR_NOMEM)
		return ERR_NOMEM;
	return batch_refuse(batch, ERR_MESSAGE);
}

bool batch_writes(const struct batch *batch)
{
	for (size_t i = 0; i < batch->request.count; i++) {
		const struct operation *operation = operation_find(
			batch->request.entries[i].item.operation.value, batch->request.version);

		if (operation != NULL && (operation->flags & OPERATION_WRITES) != 0)
			return true;
	}
	return false;
}

bool batch_may_wait(const struct batch *batch)
{
	const struct operation *operation;

	if (batch->request.count != 1 || !batch->request.header.asynchronous.value ||
		batch->request.entries[0].err != ERR_OK)
		return false;
	operation = operation_find(
		batch->request.entries[0].item.operation.value, batch->request.version);
	return operation != NULL &&
	       (operation->flags & (OPERATION_WRITES | OPERATION_READS_LATER)) != 0;
}

/* Finds the operation and decodes the payload of the next item, or of one that is judged before. */
static enum err batch_open_item(struct batch *batch)
{
	const struct kmip_request_entry *entry =
		&batch->request.entries[batch->done + batch->undo.ahead];
	struct kmip_item *item = ARENA_NEW(batch->arena, struct kmip_item);
	void *payload;
	enum err err;

	if (item == NULL)
		return ERR_NOMEM;
	item->options = batch->options;
	item->identity = batch->identity;
	item->view = batch->view;
	item->streams = batch->streams;
	item->claims = batch->claims;
	item->laters = batch->laters;
	item->arena = batch->arena;
	item->version = batch->request.version;
	item->now = batch->now;
	batch->item = item;
	batch->fetch_count = 0;
	batch->item_began_us = clock_boot_us();
	batch->operation = operation_find(entry->item.operation.value, batch->request.version);
	if (entry->err != ERR_OK)
		return entry->err;
	if (batch->operation == NULL)
		return ERR_OPERATION;
	err = kmip_request_payload(&payload, &batch->request, batch->arena,
		batch->operation->request, entry->item.payload);
	if (err == ERR_OK)
		item->request = payload;
	return err;
}

/* Runs plan on a clean slate, since it may have run before. */
static enum err batch_plan(struct batch *batch)
{
	struct kmip_item *item = batch->item;
	enum err err;

	item->response = arena_alloc(batch->arena, batch->operation->response->size);
	if (item->response == NULL)
		return ERR_NOMEM;
	item->placeholder = batch->placeholder;
	item->subject.has = false;
	item->polled = NULL;
	item->complaint = SLICE_EMPTY;
	item->settling = NULL;
	item_no_effect(item);
	err = batch->operation->plan(item);
	if (err == ERR_AGAIN && batch->fetch_count == KMIP_FETCHES_MAX)
		return ERR_UNAVAILABLE;
	return err;
}

static void batch_record(struct batch *batch, enum err err)
{
	const struct kmip_placeholder *subject = &batch->item->subject;
	char *uid = subject->has ? arena_alloc(batch->arena, UUID_TEXT_LEN + 1) : NULL;
	uint32_t code = batch->request.entries[batch->done].item.operation.value;

	if (uid != NULL)
		uid_text(uid, &subject->uid);
	batch->records[batch->done] = (struct kmip_item_record){
		.instance = batch->identity->instance,
		.client = batch->identity->client,
		.operation = kmip_operation_name(code),
		.code = code,
		.uid = uid != NULL ? uid : "",
		.err = err,
		.took_us = clock_boot_us() - batch->item_began_us,
	};
}

/* The item is finished with this error: writes its answer and its audit record. */
static void item_free_memory(struct kmip_item *item)
{
	claims_let_go(item->claims, item);
	if (item->free_memory != NULL)
		item->free_memory(item->plan_memory);
	item->free_memory = NULL;
	item->plan_memory = NULL;
}

void batch_drop(struct batch *batch)
{
	if (batch->item != NULL)
		item_free_memory(batch->item);
}

static void batch_finish_item(struct batch *batch, enum err err)
{
	struct kmip_item nobody = { 0 }; /* where there was no memory for one */
	const struct kmip_request_item *request = &batch->request.entries[batch->done].item;
	struct kmip_response_item *response = &batch->responses[batch->done];
	bool may_continue = batch->request.header.batch_error_option.has &&
			    batch->request.header.batch_error_option.value ==
				    KMIP_BATCH_ERROR_CONTINUATION_OPTION_CONTINUE;

	if (batch->item == NULL)
		batch->item = &nobody;
	response->operation = request->operation;
	response->id = request->id;
	if (err == ERR_OK)
		err = batch_answer_item(batch, response);
	/* All that the request wants is more than one request gets. */
	if (err == ERR_NOMEM && arena_is_spent(batch->arena))
		err = ERR_TOO_LARGE;
	if (err != ERR_OK) {
		response->payload = SLICE_EMPTY;
		kmip_result_fill(response, err, batch->request.version);
		if (batch->item->complaint.len > 0)
			response->message = batch->item->complaint;
	}
	batch_record(batch, err);
	batch->response_len += batch_answer_len(response);
	batch->placeholder = batch->item->placeholder;
	batch->is_stopped = err != ERR_OK && !may_continue;
	item_free_memory(batch->item);
	batch->item = NULL;
	batch->done++;
}

static void batch_close_item(struct batch *batch, enum err err)
{
	batch_finish_item(batch, err);
	if (batch->is_stopped)
		undo_begin(batch);
}

/* An item was planned that is not to be done before all behind it were. When one would fail, none
 * of them is done. */
static void batch_looked(struct batch *batch, enum err err)
{
	struct kmip_item *item = batch->item;
	size_t ahead = batch->undo.ahead;

	if (err == ERR_OK) {
		batch_drop(batch);
		batch->item = NULL;
		undo_looked(batch);
		return;
	}
	batch->undo.ahead = 0;
	batch->item = NULL;
	for (size_t i = 0; i < ahead; i++)
		batch_finish_item(batch, ERR_UNDONE);
	batch->item = item;
	batch_close_item(batch, err);
}

/* Something that belongs to an item which failed does not stay: nobody was told of it. */
static enum err undo_check(void *ctx, const struct object *object)
{
	(void) ctx;
	(void) object;
	return ERR_OK;
}

static void batch_end_item(struct batch *batch, enum err err)
{
	struct kmip_item *item = batch->item;
	enum err (*take_back)(struct kmip_item *) = item->take_back;

	if (item->failure == ERR_OK)
		item->failure = err;
	item->take_back = NULL;
	item->is_taking_back =
		item->failure != ERR_OK && take_back != NULL && take_back(item) == ERR_OK;
	if (item->is_taking_back)
		return;
	if (item->failure == ERR_OK || item->made_count == 0) {
		batch_close_item(batch, item->failure);
		return;
	}
	item_no_effect(item);
	item->effect = KMIP_EFFECT_DESTROY;
	item->target =
		(struct kmip_placeholder){ .has = true, .uid = item->made[--item->made_count] };
	item->change.destroy = true;
	item->change.dates[OBJECT_DATE_DESTROYED] = batch->now;
	item->archived_too = true;
	item->check = undo_check;
}

/* The effect against has ended. As long as what was changed points to what was made, that stays;
 * ERR_STATE: nothing was changed. */
static void batch_taken_back(struct kmip_item *item, enum err err)
{
	if (item->is_taking_back && err != ERR_OK && err != ERR_STATE)
		item->made_count = 0;
}

/* No effect begins before it is known how it is taken back, nor one whose answer the client would
 * not take. */
static bool batch_may_effect(struct batch *batch)
{
	enum err err;

	TRY(batch_answer_foresee(batch));
	TRY(undo_prepare(batch));
out:
	if (err != ERR_OK)
		batch_failed(batch, err);
	return err == ERR_OK;
}

enum batch_step batch_run(struct batch *batch)
{
	uint64_t until_us = clock_boot_us() + BATCH_TURN_US_MAX;

	while (batch->done < batch->request.count && !batch->is_stopped) {
		if (batch->item == NULL && clock_boot_us() > until_us)
			return BATCH_PAUSE;
		enum err err = batch->item == NULL ? batch_open_item(batch) : ERR_OK;

		if (batch->item != NULL && batch->item->effect != KMIP_EFFECT_NONE) {
			/* a further one of the same item */
			if (batch_may_effect(batch))
				return BATCH_EFFECT;
			continue;
		}
		if (err == ERR_OK)
			err = batch_plan(batch);
		if (err == ERR_AGAIN)
			return batch->item->compute != NULL ? BATCH_COMPUTE : BATCH_FETCH;
		if (undo_looks_ahead(batch))
			batch_looked(batch, err);
		else if (err != ERR_OK || batch->item->effect == KMIP_EFFECT_NONE)
			batch_close_item(batch, err);
		else if (batch_may_effect(batch))
			return BATCH_EFFECT;
	}
	return batch->item == NULL ? BATCH_DONE : BATCH_EFFECT;
}

void batch_fetched(struct batch *batch, enum err err)
{
	struct kmip_item *item = batch->item;

	ASSERT(item != NULL && batch->fetch_count < KMIP_FETCHES_MAX);
	batch->fetch_count++;
	if (err == ERR_OK)
		return;
	item->failures[item->failure_count].uid = item->needed;
	item->failures[item->failure_count].err =
		err == ERR_AGAIN || err == ERR_LIMIT ? ERR_UNAVAILABLE : err;
	item->failure_count++;
}

void batch_computed(struct batch *batch, enum err err)
{
	struct kmip_item *item = batch->item;

	ASSERT(item != NULL && item->compute != NULL);
	item->compute = NULL;
	batch->fetch_count++;
	if (err != ERR_OK)
		batch_end_item(batch, err == ERR_LIMIT ? ERR_UNAVAILABLE : err);
}

/* What was to be noted in passing could not be: plan judges once more whether the answer holds. */
static bool batch_passes_by(struct kmip_item *item)
{
	bool passes_by = item->in_passing && !item->passes_by;

	item->passes_by |= passes_by;
	return passes_by;
}

void batch_effected(struct batch *batch, enum err err, const struct uid *uid, uint32_t added_index)
{
	struct kmip_item *item = batch->item;

	ASSERT(item != NULL);
	item->effect = KMIP_EFFECT_NONE;
	if (batch->undo.is_running) {
		undo_taken_back(batch, err);
		return;
	}
	if (item->failure != ERR_OK) {
		batch_taken_back(item, err);
		batch_end_item(batch, item->failure);
		return;
	}
	if (err != ERR_OK && batch_passes_by(item))
		return;
	if (err == ERR_AMBIGUOUS) {
		batch_close_item(batch, err);
		return;
	}
	/* What the store finds too long or too many of is the client's attributes (design D10). */
	if (err == ERR_LIMIT)
		err = ERR_FIELD;
	if (err == ERR_OK && uid != NULL) {
		ASSERT(item->made_count < KMIP_MADE_MAX);
		item->made[item->made_count++] = *uid;
		item->subject = (struct kmip_placeholder){ .has = true, .uid = *uid };
	}
	if (err == ERR_OK)
		undo_effected(batch, uid, added_index);
	item->added_index = added_index;
	item->steps++;
	if (err == ERR_OK)
		err = batch->operation->finish(item);
	if (err != ERR_OK || item->effect == KMIP_EFFECT_NONE)
		batch_end_item(batch, err);
}

void batch_failed(struct batch *batch, enum err err)
{
	ASSERT(err != ERR_OK);
	batch->item->effect = KMIP_EFFECT_NONE;
	if (batch->undo.is_running) {
		undo_taken_back(batch, err);
		return;
	}
	if (batch_passes_by(batch->item))
		return;
	batch_taken_back(batch->item, err);
	/* Too many flows at once: our trouble, not a fault of the message. */
	batch_end_item(batch, err == ERR_LIMIT ? ERR_UNAVAILABLE : err);
}

void batch_report(struct batch *batch)
{
	for (; batch->reported < batch->done; batch->reported++) {
		if (batch->options->on_item != NULL)
			batch->options->on_item(
				batch->options->ctx, &batch->records[batch->reported]);
	}
}

enum err batch_encode_pending(const struct batch *batch, struct slice correlation, struct buf *out)
{
	const struct kmip_request_item *request = &batch->request.entries[0].item;
	struct kmip_response_item item = { .operation = request->operation,
		.id = request->id,
		.status = KMIP_UINT(KMIP_RESULT_STATUS_OPERATION_PENDING),
		.asynchronous_correlation = correlation };

	return batch_answer_encode(batch, &item, 1, out);
}

enum err batch_encode(const struct batch *batch, struct buf *out)
{
	return batch_answer_encode(batch, batch->responses, batch->done, out);
}
