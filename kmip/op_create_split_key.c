/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Create Split Key (KMIP 1.4, section 4.38): the parts of a key that is here, or of a new one that
 * is kept nowhere else. Each part links to the one before it, to the one behind it, and to the key.
 * Parts have no Digest: with all but one of the parts it would tell whether a guess is right.
 */
#include "base/rand.h"
#include "base/text.h"
#include "kmip/linking.h"
#include "kmip/making.h"
#include "kmip/operations.h"
#include "kmip/settling.h"
#include "kmip/splitting.h"
#include "kmip/stored.h"

enum { NAME_LEN = 16 };

struct split_plan {
	struct attribute_edits edits; /* of every part */
	struct kmip_split_key form; /* likewise */
	struct kmip_key_block block;
	struct sharing how;
	struct share shares[SHARING_PARTS_MAX];
};

/* ---- the secret ---- */

static bool may_be_split(uint32_t object_type)
{
	return object_type == KMIP_OBJECT_TYPE_SYMMETRIC_KEY ||
	       object_type == KMIP_OBJECT_TYPE_PRIVATE_KEY ||
	       object_type == KMIP_OBJECT_TYPE_SECRET_DATA;
}

/* The key's bytes, in the form that it is kept in; a transparent symmetric key's are Raw. */
static enum err secret_of(struct slice *out, struct split_plan *plan, struct kmip_item *item,
	const struct object *base)
{
	const struct kmip_key_block *block;
	struct kmip_object form;
	enum err err;

	TRY(stored_read(item, base, &form));
	block = kmip_object_key_block(&form);
	TRY(block->wrapping_data != NULL ? ERR_ILLEGAL : ERR_OK); /* nobody here can open it */
	TRY(block->value == NULL ? ERR_KEY_ABSENT : ERR_OK);
	*out = block->value->material;
	plan->block.format = block->format;
	if (out->data == NULL && block->value->transparent != NULL) {
		*out = block->value->transparent->key;
		plan->block.format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_RAW);
	}
	TRY(out->data == NULL ? ERR_KEY_FORMAT : ERR_OK);
out:
	return err;
}

static enum err secret_of_base(
	struct slice *out, struct split_plan *plan, struct kmip_item *item, struct slice uid)
{
	const struct kmip_create_split_key_request *request = item->request;
	uint32_t type = request->object_type.value;
	struct object *base;
	enum err err;

	TRY(item_object(item, uid, &base));
	if (base->dead)
		TRY(ERR_DESTROYED);
	if (!may_be_split(base->type) || (type != KMIP_OBJECT_TYPE_SPLIT_KEY && type != base->type))
		TRY(ERR_FIELD);
	TRY(secret_of(out, plan, item, base));
	/* Where the request says otherwise the key's own count (4.38). */
	plan->edits.key = (struct algorithm_key){ 0 };
	TRY(splitting_hand_on(&plan->edits, base));
	TRY(linking_set(&plan->edits, KMIP_LINK_TYPE_PARENT_LINK, &base->uid));
out:
	return err;
}

static enum err secret_of_new(struct slice *out, struct split_plan *plan, struct kmip_item *item)
{
	const struct kmip_create_split_key_request *request = item->request;
	uint32_t type = request->object_type.value;
	enum err err;

	if (type != KMIP_OBJECT_TYPE_SPLIT_KEY && type != KMIP_OBJECT_TYPE_SYMMETRIC_KEY)
		return ERR_FIELD;
	TRY(making_symmetric_key(item, &plan->edits.key));
	*out = item->create.material;
	plan->block.format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_RAW);
	TRY(making_generator_of(item, &plan->edits));
out:
	return err;
}

/* ---- the parts ---- */

static enum err note_splitting(struct kmip_item *item, struct split_plan *plan, size_t secret_len)
{
	char *text = arena_alloc(item->arena, 2 * NAME_LEN + 1);
	struct kmip_value length = kmip_value_integer((int32_t) secret_len);
	struct kmip_value name;
	uint8_t drawn[NAME_LEN];
	enum err err = text == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	rand_bytes(drawn, sizeof(drawn));
	text_hex(text, slice_of(drawn, sizeof(drawn)));
	name = kmip_value_text(slice_text(text));
	TRY(splitting_note(&plan->edits, SPLITTING_NAME, &name));
	TRY(splitting_note(&plan->edits, SPLITTING_LENGTH, &length));
out:
	return err;
}

static enum err make_part(struct kmip_item *item, const struct split_plan *plan, size_t i)
{
	struct attribute_edits edits = plan->edits;
	struct kmip_split_key form = plan->form;
	struct kmip_key_block block = plan->block;
	struct kmip_key_value value = { .material = plan->shares[i].bytes };
	struct kmip_object object = { .split_key = &form };
	enum err err;

	item_no_effect(item);
	edits.cap = edits.count; /* what is added is this part's alone */
	form.part_identifier = KMIP_INT((int32_t) plan->shares[i].number);
	form.key_block = &block;
	block.value = &value;
	if (i > 0)
		TRY(linking_set(&edits, KMIP_LINK_TYPE_PREVIOUS_LINK, &item->made[i - 1]));
	TRY(stored_write(item, &object));
	TRY(making_further_effect(item, &edits, SLICE_EMPTY));
	TRY(settling_withhold(item));
out:
	return err;
}

static enum err judge_request(struct kmip_item *item, struct split_plan *plan)
{
	const struct kmip_create_split_key_request *request = item->request;
	const char *name = kmip_attribute_row(KMIP_ATTRIBUTE_NAME)->name;
	enum err err;

	plan->form = (struct kmip_split_key){ .parts = request->parts,
		.threshold = request->threshold,
		.method = request->method,
		.prime_field_size = request->prime_field_size };
	TRY(splitting_method(&plan->how, &plan->form));
	if (plan->how.parts > SHARING_PARTS_MAX)
		TRY(ERR_FIELD);
	plan->edits = making_edits(item, KMIP_OBJECT_TYPE_SPLIT_KEY);
	TRY(making_attributes(item, &plan->edits, request->template_attribute));
	/* Several objects cannot have one name (3.2). */
	if (attribute_rules_has(&plan->edits, slice_text(name)))
		err = ERR_FIELD;
out:
	return err;
}

enum err op_create_split_key_plan(struct kmip_item *item)
{
	const struct kmip_create_split_key_request *request = item->request;
	struct kmip_create_split_key_response *response = item->response;
	struct split_plan *plan = ARENA_NEW(item->arena, struct split_plan);
	struct slice uid = request->unique_identifier, secret;
	enum err err = plan == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	TRY(judge_request(item, plan));
	TRY(uid.data != NULL ? secret_of_base(&secret, plan, item, uid)
			     : secret_of_new(&secret, plan, item));
	if (plan->edits.key.algorithm != 0)
		plan->block.cryptographic_algorithm = KMIP_UINT(plan->edits.key.algorithm);
	if (plan->edits.key.length_bits != 0)
		plan->block.cryptographic_length_bits = KMIP_INT(plan->edits.key.length_bits);
	TRY(note_splitting(item, plan, secret.len));
	TRY(sharing_split(plan->shares, item->arena, &plan->how, secret));
	TRY(make_part(item, plan, 0));
	TRY(making_tell(&plan->edits, &response->template_attribute));
	item->plan_result = plan;
out:
	return err;
}

/* All parts are there: each knows the one behind it. That link is written as any attribute is; the
 * way back was made with the part. */
static enum err settle(struct kmip_item *item, size_t parts)
{
	enum err err = ERR_OK;

	settling_begin(item);
	for (size_t i = 0; i + 1 < parts; i++)
		TRY(settling_link(
			item, &item->made[i], KMIP_LINK_TYPE_NEXT_LINK, &item->made[i + 1]));
	item->durable = false;
out:
	return err;
}

static enum err answer(struct kmip_item *item, size_t parts)
{
	struct kmip_create_split_key_response *response = item->response;
	enum err err = ERR_OK;

	response->object_type = KMIP_UINT(KMIP_OBJECT_TYPE_SPLIT_KEY);
	response->unique_identifiers.items = arena_array(item->arena, parts, sizeof(struct slice));
	response->unique_identifiers.count = parts;
	TRY(response->unique_identifiers.items == NULL ? ERR_NOMEM : ERR_OK);
	for (size_t i = parts; i-- > 0;) {
		item->subject = (struct kmip_placeholder){ .has = true, .uid = item->made[i] };
		TRY(item_uid_text(item, &response->unique_identifiers.items[i]));
	}
	item->placeholder = item->subject;
out:
	return err;
}

enum err op_create_split_key_finish(struct kmip_item *item)
{
	const struct split_plan *plan = item->plan_result;
	size_t parts = plan->how.parts;

	if (item->steps < parts)
		return make_part(item, plan, item->steps);
	if (item->steps == parts)
		return settle(item, parts);
	return answer(item, parts);
}
