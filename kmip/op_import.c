/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Import (KMIP 1.4, section 4.41): an object of another server, or an earlier export of our own,
 * with its attributes. Its Unique Identifier here is assigned by this server, which the section
 * allows: an identifier is the id of a standard key, which a client cannot choose, and two clients
 * on two nodes could choose the same (design D8). What the client called it is kept, and counts as
 * the identifier of an existing object for the next Import.
 *
 * An existing object is replaced only where it could be destroyed, by who could destroy it: the new
 * one is made first, its state is in the key manager; it takes over what the old one was found by,
 * and with that the old one is destroyed.
 */
#include "kmip/changing.h"
#include "kmip/holders.h"
#include "kmip/importing.h"
#include "kmip/making.h"
#include "kmip/operations.h"
#include "kmip/registering.h"
#include "kmip/settling.h"
#include "kmip/unique_name.h"
#include "kmip/unpacking.h"
#include "kmip/wrapping.h"

struct import_plan {
	struct importing importing;
	struct unpacking unpacking; /* with the object, once it is opened */
	const struct object *existing; /* NULL: none */
	bool raises; /* a state above Pre-Active, which must outlast the caches */
};

/* ---- the existing object ---- */

static enum err existing_visit(void *ctx, const struct object *object)
{
	const struct object **existing = ctx;

	*existing = object;
	return ERR_OK;
}

static enum err find_existing(struct kmip_item *item, struct import_plan *plan)
{
	const struct kmip_import_request *request = item->request;
	struct kmip_value named = kmip_value_text(request->unique_identifier);
	struct object *object = NULL;
	struct slice stored;
	struct uid uid;
	enum err err;

	if (uid_parse(&uid, request->unique_identifier) == ERR_OK) {
		err = item_read(item, &uid, &object);
		if (err == ERR_OK && !object->dead)
			plan->existing = object;
		TRY(err == ERR_NOT_FOUND || err == ERR_DESTROYED ? ERR_OK : err);
	}
	TRY(kmip_value_encode(&stored, item->arena, &named));
	if (plan->existing == NULL)
		TRY(holders_find(item, slice_text(IMPORTING_IDENTIFIER), stored, existing_visit,
			&plan->existing));
	if (plan->existing == NULL)
		return ERR_OK;
	if (!request->replace_existing.value)
		TRY(ERR_EXISTS);
	if (object_attributes_is_archived(plan->existing))
		TRY(ERR_ARCHIVED);
	TRY(changing_may_destroy(item, plan->existing));
out:
	return err;
}

/* ---- the new one ---- */

static enum err judge_request(struct kmip_item *item, struct import_plan *plan)
{
	const struct kmip_import_request *request = item->request;
	uint32_t type = kmip_object_type(&request->object);
	struct kmip_key_block *block;

	if (request->unique_identifier.len == 0 ||
		request->unique_identifier.len > OBJECT_NAME_LEN_MAX)
		return ERR_FIELD;
	if (!kmip_enum_is_known(KMIP_SET_OBJECT_TYPE, type, item->version) ||
		(request->object_type.has && request->object_type.value != type))
		return ERR_FIELD;
	plan->importing.edits = making_edits(item, type);
	plan->unpacking.object = request->object;
	block = kmip_object_key_block(&plan->unpacking.object);
	if (block == NULL || block->wrapping_data == NULL ||
		request->key_wrap_type.value != KMIP_KEY_WRAP_TYPE_NOT_WRAPPED)
		return ERR_OK;
	return wrapping_remove(item, block);
}

static enum err note_identifier(const struct kmip_item *item, struct attribute_edits *edits)
{
	const struct kmip_import_request *request = item->request;
	struct kmip_value named = kmip_value_text(request->unique_identifier);

	return attribute_rules_keep(edits, kmip_attribute_row(KMIP_ATTRIBUTE_CUSTOM_ATTRIBUTE),
		slice_text(IMPORTING_IDENTIFIER), &named);
}

/* An earlier import's note is not of this one. */
static void forget_identifier(struct attribute_edits *edits)
{
	size_t kept = 0;

	for (size_t i = 0; i < edits->count; i++) {
		if (!slice_equal_text(edits->items[i].name, IMPORTING_IDENTIFIER))
			edits->items[kept++] = edits->items[i];
	}
	edits->count = kept;
}

static enum err read_object(
	struct kmip_item *item, struct import_plan *plan, struct slice *digested)
{
	const struct kmip_import_request *request = item->request;
	struct attribute_edits *edits = &plan->importing.edits;
	struct slice digest = slice_text(kmip_attribute_row(KMIP_ATTRIBUTE_DIGEST)->name);
	enum err err;

	TRY(importing_attributes(
		&plan->importing, request->attributes.items, request->attributes.count));
	TRY(unpacking_open(item, edits, &plan->unpacking));
	TRY(registering_read(item, edits, &plan->unpacking.object, digested));
	forget_identifier(edits);
	TRY(note_identifier(item, edits));
	TRY(registering_describe(item, edits, &plan->unpacking.object));
	if (attribute_rules_has(edits, digest))
		*digested = SLICE_EMPTY;
out:
	return err;
}

enum err op_import_plan(struct kmip_item *item)
{
	struct import_plan *plan = ARENA_NEW(item->arena, struct import_plan);
	struct object_change *change = &item->change;
	struct slice digested = SLICE_EMPTY;
	enum err err = plan == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	TRY(judge_request(item, plan));
	TRY(find_existing(item, plan));
	TRY(read_object(item, plan, &digested));
	err = unique_name_check_but(
		item, &plan->importing.edits, plan->existing == NULL ? NULL : &plan->existing->uid);
	TRY(err == ERR_EXISTS ? ERR_FIELD : err);
	TRY(making_further_effect(item, &plan->importing.edits, digested));
	TRY(importing_state(item, &plan->importing));
	plan->raises = change->activate || change->deactivate || change->compromise;
	if (plan->unpacking.count == 0 && (plan->raises || plan->existing != NULL))
		TRY(settling_withhold(item));
	TRY(unpacking_first(item, &plan->unpacking));
	item->plan_result = plan;
out:
	return err;
}

/* ---- afterwards ---- */

/* Behind the certificates that came with it. */
static struct kmip_placeholder made_object(const struct kmip_item *item)
{
	const struct import_plan *plan = item->plan_result;

	return (struct kmip_placeholder){ .has = true, .uid = item->made[plan->unpacking.count] };
}

/* Flags and dates once more, this time in the key manager. */
static enum err settle(struct kmip_item *item, const struct object_change *made)
{
	const struct import_plan *plan = item->plan_result;
	struct kmip_placeholder object = made_object(item);
	struct object_change *change;

	settling_begin(item);
	change = settling_change(item, &object.uid);
	change->activate = made->activate;
	change->deactivate = made->deactivate;
	change->compromise = made->compromise;
	bytes_copy(change->dates, made->dates, sizeof(change->dates));
	item->durable |= plan->raises;
	item->archived_too = true;
	return plan->existing == NULL ? ERR_OK : settling_destroy(item, plan->existing);
}

enum err op_import_finish(struct kmip_item *item)
{
	const struct import_plan *plan = item->plan_result;
	struct kmip_import_response *response = item->response;
	struct object_change made = item->change;

	if (item->steps <= plan->unpacking.count)
		return unpacking_next(item, &plan->unpacking);
	if (item->steps == item->made_count && item->settling != NULL)
		return settle(item, &made);
	item->subject = made_object(item);
	item->placeholder = item->subject;
	return item_uid_text(item, &response->unique_identifier);
}
