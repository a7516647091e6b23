/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/batch_undo.h"
#include "kmip/batch.h"
#include "kmip/result.h"
#include "kmip/unique_name.h"

struct undo_step {
	struct undo_step *before;
	size_t entry; /* the item that did it */
	struct uid uid;
	bool is_made; /* else the edits of `back`, as long as what `done` wrote is there */
	const struct object_edit *done;
	struct object_edit *back; /* in the same order */
	size_t count;
	enum err err; /* of taking it back */
};

/* Attributes on which nothing depends but what clients read: neither who gets a key, nor whether it
 * may be used. */
static bool is_free(struct slice name)
{
	static const enum kmip_attribute_id ids[] = {
		KMIP_ATTRIBUTE_NAME,
		KMIP_ATTRIBUTE_CRYPTOGRAPHIC_PARAMETERS,
		KMIP_ATTRIBUTE_OBJECT_GROUP,
		KMIP_ATTRIBUTE_LINK,
		KMIP_ATTRIBUTE_APPLICATION_SPECIFIC_INFORMATION,
		KMIP_ATTRIBUTE_CONTACT_INFORMATION,
		KMIP_ATTRIBUTE_ALTERNATIVE_NAME,
		KMIP_ATTRIBUTE_DESCRIPTION,
		KMIP_ATTRIBUTE_COMMENT,
	};

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		if (slice_equal_text(name, kmip_attribute_row(ids[i])->name))
			return true;
	}
	return kmip_attribute_is_custom(name);
}

/* The attribute that an item changes; false: it changes none. */
static bool attribute_of(struct slice *name, uint32_t operation, const void *request)
{
	const struct kmip_add_attribute_request *add = request;
	const struct kmip_modify_attribute_request *modify = request;
	const struct kmip_delete_attribute_request *delete = request;

	switch (operation) {
	case KMIP_OPERATION_ADD_ATTRIBUTE:
		*name = add->attribute->name;
		return true;
	case KMIP_OPERATION_MODIFY_ATTRIBUTE:
		*name = modify->attribute->name;
		return true;
	case KMIP_OPERATION_DELETE_ATTRIBUTE:
		*name = delete->attribute_name;
		return true;
	default:
		return false;
	}
}

/* NULL: it fails by itself, and does nothing. */
static enum err entry_request(
	void **out, struct batch *batch, const struct kmip_request_entry *entry)
{
	const struct operation *operation =
		operation_find(entry->item.operation.value, batch->request.version);
	void *payload;
	enum err err;

	*out = NULL;
	if (operation == NULL || entry->err != ERR_OK)
		return ERR_OK;
	err = kmip_request_payload(
		&payload, &batch->request, batch->arena, operation->request, entry->item.payload);
	if (err == ERR_OK)
		*out = payload;
	return err == ERR_NOMEM ? err : ERR_OK;
}

static enum err entry_judge(struct batch *batch, const struct kmip_request_entry *entry)
{
	uint32_t code = entry->item.operation.value;
	const struct operation *operation = operation_find(code, batch->request.version);
	struct slice name;
	void *request;
	enum err err;

	TRY(entry_request(&request, batch, entry));
	if (request == NULL || (operation->flags & OPERATION_WRITES) == 0)
		return ERR_OK;
	if ((operation->flags & OPERATION_UNDONE) == 0)
		return ERR_FEATURE;
	if (attribute_of(&name, code, request) && !is_free(name))
		return ERR_FEATURE;
out:
	return err;
}

/* The object of an item that changes it in one step, for good. */
static bool final_object(struct slice *out, uint32_t operation, const void *request)
{
	const struct kmip_activate_request *activate = request;
	const struct kmip_revoke_request *revoke = request;
	const struct kmip_destroy_request *destroy = request;

	switch (operation) {
	case KMIP_OPERATION_ACTIVATE:
		*out = activate->unique_identifier;
		return true;
	case KMIP_OPERATION_REVOKE:
		*out = revoke->unique_identifier;
		return true;
	case KMIP_OPERATION_DESTROY:
		*out = destroy->unique_identifier;
		return true;
	default:
		return false;
	}
}

/* None may depend on what another one does: each names an object of its own. */
static enum err final_judge(struct batch *batch)
{
	const struct kmip_request_entry *entries = batch->request.entries;
	size_t count = batch->request.count - batch->undo.final, known = 0;
	struct uid uids[UNDO_FINAL_MAX];
	struct slice text;
	void *request;
	enum err err = count > UNDO_FINAL_MAX ? ERR_FEATURE : ERR_OK;

	TRY(err);
	for (size_t i = batch->undo.final; i < batch->request.count; i++) {
		TRY(entry_request(&request, batch, &entries[i]));
		if (request == NULL)
			continue;
		if (!final_object(&text, entries[i].item.operation.value, request) ||
			text.data == NULL)
			TRY(ERR_FEATURE);
		if (uid_parse(&uids[known], text) != ERR_OK)
			continue;
		for (size_t j = 0; j < known; j++)
			TRY(uid_equal(&uids[j], &uids[known]) ? ERR_FEATURE : ERR_OK);
		known++;
	}
out:
	return err;
}

enum err undo_judge(struct batch *batch)
{
	struct undo *undo = &batch->undo;
	size_t last = batch->request.count - 1;
	enum err err = ERR_OK;

	/* Behind the last item nothing can fail. */
	while (undo->final < last && err == ERR_OK) {
		err = entry_judge(batch, &batch->request.entries[undo->final]);
		undo->final += err == ERR_OK ? 1 : 0;
	}
	if (err == ERR_FEATURE)
		err = final_judge(batch);
	undo->on = err == ERR_OK;
	return err;
}

/* ---- judging what cannot be taken back ---- */

bool undo_looks_ahead(const struct batch *batch)
{
	const struct undo *undo = &batch->undo;

	return undo->on && !undo->is_judged && batch->done == undo->final &&
	       undo->final + 1 < batch->request.count;
}

void undo_looked(struct batch *batch)
{
	struct undo *undo = &batch->undo;

	undo->ahead++;
	undo->is_judged = undo->final + undo->ahead == batch->request.count;
	if (undo->is_judged)
		undo->ahead = 0;
}

/* ---- noting ---- */

enum err undo_prepare(struct batch *batch)
{
	struct undo *undo = &batch->undo;

	if (!undo->on || undo->is_running || batch->done >= undo->final)
		return ERR_OK;
	undo->next = ARENA_NEW(batch->arena, struct undo_step);
	if (undo->next == NULL)
		return ERR_NOMEM;
	undo->next->entry = batch->done;
	return ERR_OK;
}

/* A single attribute that was deleted is set again; one of several is added, and gets the first
 * index that is free. */
static enum err edit_back(struct object_edit *back, struct arena *arena,
	const struct object_edit *edit, const struct object *object)
{
	static const struct stamp single;
	const struct object_attribute *old =
		edit->kind == OBJECT_EDIT_ADD
			? NULL
			: object_attribute_find(object, edit->name, edit->index);

	*back = (struct object_edit){
		.kind = OBJECT_EDIT_DELETE, .name = edit->name, .index = edit->index
	};
	if (old == NULL)
		return ERR_OK;
	back->value = arena_copy(arena, old->value);
	if (back->value.data == NULL)
		return ERR_NOMEM;
	back->kind = edit->kind;
	if (edit->kind == OBJECT_EDIT_DELETE)
		back->kind =
			stamp_compare(old->added, single) == 0 ? OBJECT_EDIT_SET : OBJECT_EDIT_ADD;
	return ERR_OK;
}

enum err undo_note(struct batch *batch, const struct object *object)
{
	struct undo_step *step = batch->undo.next;
	const struct object_change *change = &batch->item->change;
	enum err err = ERR_OK;

	if (!batch->undo.on || batch->undo.is_running || step == NULL)
		return ERR_OK;
	if (batch->item->effect == KMIP_EFFECT_CHARGE) {
		batch->undo.next = NULL; /* what was used stays used */
		return ERR_OK;
	}
	step->uid = object->uid;
	step->done = change->edits;
	step->count = change->edit_count;
	step->back = arena_array(batch->arena, step->count, sizeof(*step->back));
	TRY(step->back == NULL ? ERR_NOMEM : ERR_OK);
	for (size_t i = 0; i < step->count; i++)
		TRY(edit_back(&step->back[i], batch->arena, &change->edits[i], object));
out:
	return err;
}

static bool is_made_here(const struct undo *undo, const struct uid *uid)
{
	for (const struct undo_step *step = undo->steps; step != NULL; step = step->before) {
		if (step->is_made && uid_equal(&step->uid, uid))
			return true;
	}
	return false;
}

void undo_effected(struct batch *batch, const struct uid *made, uint32_t added_index)
{
	struct undo *undo = &batch->undo;
	struct undo_step *step = undo->next;

	undo->next = NULL;
	if (step == NULL)
		return;
	if (made != NULL) {
		step->is_made = true;
		step->uid = *made;
	} else if (is_made_here(undo, &step->uid)) {
		return; /* it goes with the object */
	}
	for (size_t i = 0; i < step->count; i++) {
		if (step->done[i].kind == OBJECT_EDIT_ADD)
			step->back[i].index = added_index;
	}
	step->before = undo->steps;
	undo->steps = step;
}

/* ---- taking back ---- */

/* Another client may have written since. */
static enum err undo_check(void *ctx, const struct object *object)
{
	const struct kmip_item *item = ctx;
	const struct undo_step *step = item->plan_result;

	if (step->is_made)
		return ERR_OK;
	if (object->dead)
		return ERR_DESTROYED;
	for (size_t i = 0; i < step->count; i++) {
		const struct object_attribute *now =
			object_attribute_find(object, step->back[i].name, step->back[i].index);

		if (step->done[i].kind == OBJECT_EDIT_DELETE)
			continue;
		if (now == NULL || !slice_equal(now->value, step->done[i].value))
			return ERR_STATE;
	}
	return ERR_OK;
}

/* The edits in reverse. */
static enum err step_edits(struct kmip_item *item, const struct undo_step *step)
{
	struct object_edit *edits = arena_array(item->arena, step->count, sizeof(*edits));
	struct attribute_edits names = { .items = edits, .count = step->count };
	enum err err = edits == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	for (size_t i = 0; i < step->count; i++)
		edits[i] = step->back[step->count - 1 - i];
	TRY(unique_name_check(item, &names));
	item->change.edits = edits;
	item->change.edit_count = step->count;
	item->effect = KMIP_EFFECT_CHANGE;
out:
	return err;
}

static enum err step_state(struct batch *batch, struct undo_step *step)
{
	struct kmip_item *item = batch->item;

	item_no_effect(item);
	item->target = (struct kmip_placeholder){ .has = true, .uid = step->uid };
	item->plan_result = step;
	item->archived_too = true;
	item->check = undo_check;
	if (!step->is_made)
		return step_edits(item, step);
	item->effect = KMIP_EFFECT_DESTROY;
	item->change.destroy = true;
	item->change.dates[OBJECT_DATE_DESTROYED] = batch->now;
	return ERR_OK;
}

/* An item of which something could not be taken back is answered as it was: it holds. */
static void undo_settle(struct batch *batch)
{
	size_t failed = batch->done - 1;

	for (size_t i = 0; i < failed && i < batch->undo.final; i++) {
		bool holds = false;

		for (struct undo_step *step = batch->undo.steps; step; step = step->before)
			holds = holds || (step->entry == i && step->err != ERR_OK);
		if (holds)
			continue;
		batch->responses[i].payload = SLICE_EMPTY;
		kmip_result_fill(&batch->responses[i], ERR_UNDONE, batch->request.version);
		batch->records[i].err = ERR_UNDONE;
		/* Once more: by now it was told that it succeeded. */
		if (i < batch->reported && batch->options->on_item != NULL)
			batch->options->on_item(batch->options->ctx, &batch->records[i]);
	}
	batch->undo.on = false;
}

/* States the effect against the first step that has one; the batch is done behind the last. */
static void undo_go_on(struct batch *batch, struct undo_step *step)
{
	for (; step != NULL; step = step->before) {
		step->err = step_state(batch, step);
		if (step->err == ERR_OK)
			return;
	}
	batch->item = NULL;
	undo_settle(batch);
}

/* What the failed item itself made is gone already. */
static struct undo_step *skip_own(struct undo_step *step, size_t failed)
{
	struct undo_step *first = step;
	struct undo_step **at = &first;

	while (*at != NULL) {
		if ((*at)->entry == failed && (*at)->is_made)
			*at = (*at)->before;
		else
			at = &(*at)->before;
	}
	return first;
}

void undo_begin(struct batch *batch)
{
	struct undo *undo = &batch->undo;

	if (!undo->on || undo->is_running)
		return;
	undo->is_running = true;
	undo->steps = skip_own(undo->steps, batch->done - 1);
	batch->item = ARENA_NEW(batch->arena, struct kmip_item);
	if (batch->item == NULL) {
		undo->on = false; /* all holds */
		return;
	}
	batch->item->options = batch->options;
	batch->item->identity = batch->identity;
	batch->item->view = batch->view;
	batch->item->arena = batch->arena;
	batch->item->version = batch->request.version;
	batch->item->now = batch->now;
	undo_go_on(batch, undo->steps);
}

void undo_taken_back(struct batch *batch, enum err err)
{
	struct undo_step *step = batch->item->plan_result;

	step->err = err;
	undo_go_on(batch, step->before);
}
