/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Create Key Pair (KMIP 1.4, section 4.2), in the order of time: the pair is computed on another
 * thread -> the private key is made -> the public key, linked to it -> the private key gets its
 * link. Should one of them fail, nothing of the pair stays.
 */
#include <stdlib.h>
#include "kmip/asymmetric.h"
#include "kmip/linking.h"
#include "kmip/making.h"
#include "kmip/operations.h"
#include "kmip/stored.h"
#include "kmip/unique_name.h"

/* What the other thread sees. */
struct pair_memory {
	struct pkey_wish wish;
	struct pkey *key;
	enum err err;
};

/* What the steps after the first need, in the arena. */
struct pair_plan {
	struct attribute_edits public_edits;
	struct kmip_object public_object;
	struct slice public_digested;
};

static void pair_compute(void *ctx)
{
	struct pair_memory *memory = ctx;

	memory->err = pkey_generate(&memory->key, &memory->wish);
}

static void pair_free(void *ctx)
{
	struct pair_memory *memory = ctx;

	pkey_free(memory->key);
	free(memory);
}

/* ---- attributes ---- */

/* What is said for one key wins over what is said for both (4.2). */
static enum err pair_attributes(struct kmip_item *item, struct attribute_edits *edits,
	const struct kmip_template_attribute *own, const struct kmip_template_attribute *common)
{
	enum err err = ERR_OK;

	if (own != NULL)
		TRY(making_attributes(item, edits, own));
	if (common != NULL)
		TRY(making_more_attributes(item, edits, common));
out:
	return err;
}

/* Curves by length, for clients that name none. */
static const char *curve_by_length(int32_t bits)
{
	switch (bits) {
	case 192:
		return "P-192";
	case 224:
		return "P-224";
	case 256:
		return "P-256";
	case 384:
		return "P-384";
	case 521:
		return "P-521";
	default:
		return NULL;
	}
}

static enum err wish_curve(
	struct kmip_item *item, struct pkey_wish *wish, const struct attribute_edits *edits)
{
	struct codec codec = { .arena = item->arena, .version = KMIP_NEWEST };
	struct kmip_cryptographic_domain_parameters domain = { 0 };
	struct kmip_value value;
	enum err err = ERR_OK;

	wish->algorithm = "EC";
	if (attribute_rules_get(edits, KMIP_ATTRIBUTE_CRYPTOGRAPHIC_DOMAIN_PARAMETERS, &value))
		TRY(kmip_value_read(
			&domain, &codec, &kmip_cryptographic_domain_parameters_table, &value));
	wish->curve = domain.recommended_curve.has
			      ? asymmetric_curve_name(domain.recommended_curve.value)
			      : curve_by_length(edits->key.length_bits);
	TRY(wish->curve == NULL ? ERR_FIELD : ERR_OK);
out:
	return err;
}

static enum err wish_of(
	struct kmip_item *item, struct pkey_wish *wish, const struct attribute_edits *edits)
{
	*wish = (struct pkey_wish){ .bits = (uint32_t) edits->key.length_bits };
	switch (edits->key.algorithm) {
	case KMIP_CRYPTOGRAPHIC_ALGORITHM_RSA:
		wish->algorithm = "RSA";
		return wish->bits == 0 ? ERR_FIELD : ERR_OK;
	case KMIP_CRYPTOGRAPHIC_ALGORITHM_DSA:
		wish->algorithm = "DSA";
		return wish->bits == 2048 || wish->bits == 3072 ? ERR_OK : ERR_FIELD;
	case KMIP_CRYPTOGRAPHIC_ALGORITHM_EC:
	case KMIP_CRYPTOGRAPHIC_ALGORITHM_ECDSA:
	case KMIP_CRYPTOGRAPHIC_ALGORITHM_ECDH:
		return wish_curve(item, wish, edits);
	default:
		return ERR_FIELD;
	}
}

/* ---- the two keys ---- */

static enum err pair_object(struct kmip_item *item, const struct attribute_edits *edits,
	const struct pkey *key, struct kmip_object *object, struct slice *digested)
{
	struct parts {
		struct kmip_key_block block;
		struct kmip_public_key public_key;
		struct kmip_private_key private_key;
	} *parts = ARENA_NEW(item->arena, struct parts);
	struct asymmetric_form form = { .object_type = edits->object_type };
	enum err err = parts == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	TRY(asymmetric_write(item, &parts->block, key, &form));
	parts->block.cryptographic_algorithm = KMIP_UINT(edits->key.algorithm);
	parts->block.cryptographic_length_bits = KMIP_INT(edits->key.length_bits);
	parts->public_key.key_block = parts->private_key.key_block = &parts->block;
	if (edits->object_type == KMIP_OBJECT_TYPE_PUBLIC_KEY)
		object->public_key = &parts->public_key;
	else
		object->private_key = &parts->private_key;
	*digested = parts->block.value->material;
out:
	return err;
}

static enum err pair_judge(struct kmip_item *item, struct attribute_edits *private_edits,
	struct attribute_edits *public_edits, struct pkey_wish *wish)
{
	const struct kmip_create_key_pair_request *request = item->request;
	enum err err;

	TRY(pair_attributes(item, private_edits, request->private_template, request->common));
	TRY(pair_attributes(item, public_edits, request->public_template, request->common));
	if (private_edits->key.algorithm != public_edits->key.algorithm ||
		private_edits->key.length_bits != public_edits->key.length_bits)
		TRY(ERR_FIELD);
	TRY(wish_of(item, wish, private_edits));
	err = unique_name_check(item, public_edits);
	TRY(err == ERR_EXISTS ? ERR_FIELD : err);
out:
	return err;
}

static enum err pair_begin(struct kmip_item *item, const struct pkey_wish *wish)
{
	struct pair_memory *memory = calloc(1, sizeof(*memory));

	if (memory == NULL)
		return ERR_NOMEM;
	memory->wish = *wish;
	item->plan_memory = memory;
	item->free_memory = pair_free;
	item->compute = pair_compute;
	return ERR_AGAIN;
}

static enum err pair_make(
	struct kmip_item *item, struct attribute_edits *private_edits, struct pair_plan *plan)
{
	struct pair_memory *memory = item->plan_memory;
	struct kmip_object private_object = { 0 };
	struct slice digested;
	int32_t bits;
	enum err err;

	TRY(memory->err);
	bits = (int32_t) pkey_bits(memory->key);
	private_edits->key.length_bits = plan->public_edits.key.length_bits = bits;
	TRY(pair_object(item, private_edits, memory->key, &private_object, &digested));
	TRY(pair_object(item, &plan->public_edits, memory->key, &plan->public_object,
		&plan->public_digested));
	TRY(stored_write(item, &private_object));
	TRY(making_generator_of(item, private_edits));
	TRY(making_generator_of(item, &plan->public_edits));
	TRY(making_effect(item, private_edits, digested));
	item->create.unclaimed = true;
	item->plan_result = plan;
out:
	return err;
}

enum err op_create_key_pair_plan(struct kmip_item *item)
{
	struct pair_plan *plan = ARENA_NEW(item->arena, struct pair_plan);
	struct attribute_edits private_edits = making_edits(item, KMIP_OBJECT_TYPE_PRIVATE_KEY);
	struct pkey_wish wish;
	enum err err = plan == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	plan->public_edits = making_edits(item, KMIP_OBJECT_TYPE_PUBLIC_KEY);
	TRY(pair_judge(item, &private_edits, &plan->public_edits, &wish));
	TRY(item->plan_memory == NULL ? pair_begin(item, &wish)
				      : pair_make(item, &private_edits, plan));
out:
	return err;
}

static enum err make_public(struct kmip_item *item)
{
	struct pair_plan *plan = item->plan_result;
	enum err err;

	item_no_effect(item);
	TRY(linking_set(&plan->public_edits, KMIP_LINK_TYPE_PRIVATE_KEY_LINK, &item->made[0]));
	TRY(stored_write(item, &plan->public_object));
	TRY(making_further_effect(item, &plan->public_edits, plan->public_digested));
out:
	return err;
}

enum err op_create_key_pair_finish(struct kmip_item *item)
{
	struct kmip_create_key_pair_response *response = item->response;
	enum err err;

	switch (item->steps) {
	case 1:
		return make_public(item);
	case 2:
		return linking_effect(
			item, &item->made[0], KMIP_LINK_TYPE_PUBLIC_KEY_LINK, &item->made[1]);
	default:
		break;
	}
	TRY(item_uid_text(item, &response->public_key_unique_identifier));
	item->subject.uid = item->made[0];
	item->placeholder = item->subject;
	TRY(item_uid_text(item, &response->private_key_unique_identifier));
out:
	return err;
}
