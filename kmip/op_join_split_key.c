/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Join Split Key (KMIP 1.4, section 4.39): a key or secret out of its parts. Parts that do not
 * belong together, as far as the numbers, the server's own notes and superfluous parts tell, give
 * none: the arithmetic alone would make some key of any parts.
 */
#include "kmip/asymmetric.h"
#include "kmip/making.h"
#include "kmip/operations.h"
#include "kmip/policing.h"
#include "kmip/splitting.h"
#include "kmip/stored.h"

enum { BYTE_BITS = 8 };

struct parts {
	const struct object *objects[SHARING_PARTS_MAX];
	struct kmip_split_key forms[SHARING_PARTS_MAX];
	struct share shares[SHARING_PARTS_MAX];
	size_t count;
	struct sharing how;
};

/* ---- reading ---- */

static enum err read_part(struct kmip_item *item, struct parts *parts, struct slice uid)
{
	struct share *share = &parts->shares[parts->count];
	const struct kmip_key_block *block;
	struct kmip_object form;
	struct object *object;
	enum err err;

	TRY(item_object(item, uid, &object));
	if (object->dead)
		TRY(ERR_DESTROYED);
	TRY(object->type != KMIP_OBJECT_TYPE_SPLIT_KEY ? ERR_FIELD : ERR_OK);
	TRY(stored_read(item, object, &form));
	block = form.split_key->key_block;
	TRY(block->wrapping_data != NULL ? ERR_ILLEGAL : ERR_OK); /* nobody here can open it */
	TRY(block->value == NULL || block->value->material.data == NULL ? ERR_KEY_ABSENT : ERR_OK);
	share->number = (uint32_t) form.split_key->part_identifier.value;
	share->bytes = block->value->material;
	parts->forms[parts->count] = *form.split_key;
	parts->objects[parts->count++] = object;
out:
	return err;
}

static bool same_splitting(const struct object *a, const struct object *b)
{
	struct slice left, right;
	bool has_left = splitting_noted_name(a, &left);
	bool has_right = splitting_noted_name(b, &right);

	return has_left == has_right && slice_equal(left, right);
}

static bool same_numbers(const struct kmip_split_key *a, const struct kmip_split_key *b)
{
	return a->parts.value == b->parts.value && a->threshold.value == b->threshold.value &&
	       a->method.value == b->method.value &&
	       slice_equal(a->prime_field_size, b->prime_field_size);
}

static enum err judge_parts(struct parts *parts)
{
	enum err err = splitting_method(&parts->how, &parts->forms[0]);

	TRY(err == ERR_FIELD ? ERR_CRYPTO : err);
	for (size_t i = 1; i < parts->count; i++) {
		if (!same_numbers(&parts->forms[0], &parts->forms[i]) ||
			!same_splitting(parts->objects[0], parts->objects[i]))
			TRY(ERR_CRYPTO);
	}
	if (parts->count < parts->how.threshold)
		err = ERR_CRYPTO;
out:
	return err;
}

static enum err read_parts(struct kmip_item *item, struct parts *parts)
{
	const struct kmip_join_split_key_request *request = item->request;
	enum err err;

	if (request->unique_identifiers.count > SHARING_PARTS_MAX)
		return ERR_FIELD;
	for (size_t i = 0; i < request->unique_identifiers.count; i++)
		TRY(read_part(item, parts, request->unique_identifiers.items[i]));
	TRY(judge_parts(parts));
out:
	return err;
}

/* ---- joining ---- */

/* Of our own parts it is noted; of others' it is the key's, or as long as the field has. */
static size_t secret_len(const struct parts *parts, const struct attribute_edits *edits)
{
	struct algorithm_key key = edits->key;
	size_t len = splitting_noted_length(parts->objects[0]);

	if (len > 0)
		return len;
	if (key.length_bits > 0 && algorithm_plan_key(&key, &len) == ERR_OK)
		return len;
	return parts->how.prime.len > 1 ? parts->how.prime.len - 1 : 0;
}

static enum err join(struct slice *secret, struct kmip_item *item, struct parts *parts,
	const struct attribute_edits *edits)
{
	enum err err;

	parts->how.secret_len = secret_len(parts, edits);
	err = sharing_join(secret, item->arena, &parts->how, parts->shares, parts->count);
	return err == ERR_FIELD ? ERR_CRYPTO : err; /* parts that no splitting made */
}

/* The form that the parts tell, or the first that fits. */
static enum err find_form(const struct parts *parts, struct kmip_key_block *block)
{
	const uint32_t forms[] = { parts->forms[0].key_block->format.value,
		KMIP_KEY_FORMAT_TYPE_PKCS_8, KMIP_KEY_FORMAT_TYPE_PKCS_1,
		KMIP_KEY_FORMAT_TYPE_ECPRIVATEKEY };

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct pkey *key = NULL;
		enum err err;

		block->format = KMIP_UINT(forms[i]);
		err = asymmetric_open(&key, KMIP_OBJECT_TYPE_PRIVATE_KEY, block);
		pkey_free(key);
		if (err == ERR_OK || err == ERR_NOMEM)
			return err;
	}
	return ERR_CRYPTO;
}

struct joined {
	struct kmip_symmetric_key symmetric;
	struct kmip_private_key private_key;
	struct kmip_secret_data data;
	struct kmip_key_block block;
	struct kmip_key_value value;
};

static enum err shape(struct kmip_item *item, struct joined *joined, const struct parts *parts,
	struct attribute_edits *edits)
{
	const struct kmip_join_split_key_request *request = item->request;
	struct kmip_key_block *block = &joined->block;
	struct kmip_object object = { 0 };
	enum err err = ERR_OK;

	block->value = &joined->value;
	switch (edits->object_type) {
	case KMIP_OBJECT_TYPE_SYMMETRIC_KEY:
		block->format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_RAW);
		TRY(edits->key.algorithm == 0 ? ERR_FIELD : ERR_OK);
		TRY(algorithm_judge_key(&edits->key, joined->value.material.len));
		object.symmetric_key = &joined->symmetric;
		break;
	case KMIP_OBJECT_TYPE_PRIVATE_KEY:
		TRY(find_form(parts, block));
		TRY(policing_block(item, edits->object_type, edits->key.algorithm, block));
		object.private_key = &joined->private_key;
		break;
	default:
		edits->key = (struct algorithm_key){ 0 };
		block->format = KMIP_UINT(KMIP_KEY_FORMAT_TYPE_RAW);
		joined->data.type = request->secret_data_type;
		object.secret_data = &joined->data;
	}
	if (edits->key.algorithm != 0)
		block->cryptographic_algorithm = KMIP_UINT(edits->key.algorithm);
	if (edits->key.length_bits != 0)
		block->cryptographic_length_bits = KMIP_INT(edits->key.length_bits);
	joined->symmetric.key_block = joined->private_key.key_block = joined->data.key_block =
		block;
	TRY(stored_write(item, &object));
out:
	return err;
}

static enum err judge_request(const struct kmip_item *item)
{
	const struct kmip_join_split_key_request *request = item->request;
	bool is_data = request->object_type.value == KMIP_OBJECT_TYPE_SECRET_DATA;

	if (!is_data && request->object_type.value != KMIP_OBJECT_TYPE_SYMMETRIC_KEY &&
		request->object_type.value != KMIP_OBJECT_TYPE_PRIVATE_KEY)
		return ERR_FIELD;
	return request->secret_data_type.has == is_data ? ERR_OK : ERR_FIELD;
}

enum err op_join_split_key_plan(struct kmip_item *item)
{
	const struct kmip_join_split_key_request *request = item->request;
	struct kmip_join_split_key_response *response = item->response;
	struct attribute_edits edits = making_edits(item, request->object_type.value);
	struct parts *parts = ARENA_NEW(item->arena, struct parts);
	struct joined *joined = ARENA_NEW(item->arena, struct joined);
	enum err err = parts == NULL || joined == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	TRY(judge_request(item));
	TRY(read_parts(item, parts));
	if (request->template_attribute != NULL)
		TRY(making_attributes(item, &edits, request->template_attribute));
	for (size_t i = 0; i < parts->count; i++)
		TRY(splitting_hand_on(&edits, parts->objects[i]));
	TRY(join(&joined->value.material, item, parts, &edits));
	TRY(shape(item, joined, parts, &edits));
	TRY(making_effect(item, &edits, joined->value.material));
	TRY(making_tell(&edits, &response->template_attribute));
out:
	return err;
}

enum err op_join_split_key_finish(struct kmip_item *item)
{
	const struct kmip_join_split_key_request *request = item->request;
	struct kmip_join_split_key_response *response = item->response;

	item->placeholder = item->subject;
	response->object_type = request->object_type;
	return item_uid_text(item, &response->unique_identifier);
}
