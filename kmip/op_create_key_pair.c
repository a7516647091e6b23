/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Create Key Pair (KMIP 1.4, section 4.2), in the order of time: the pair is computed on another
 * thread -> the private key is made -> the public key, linked to it -> both get their names, and
 * the private key its link. Should one of them fail, nothing of the pair stays.
 */
#include "kmip/asymmetric.h"
#include "kmip/making.h"
#include "kmip/operations.h"
#include "kmip/pairing.h"
#include "kmip/policing.h"
#include "kmip/unique_name.h"

/* ---- attributes ---- */

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

/* RFC 7919: SP 800-56A wants groups that everybody knows. */
static enum err wish_group(struct pkey_wish *wish)
{
	wish->algorithm = "DH";
	switch (wish->bits) {
	case 2048:
		wish->curve = "ffdhe2048";
		return ERR_OK;
	case 3072:
		wish->curve = "ffdhe3072";
		return ERR_OK;
	case 4096:
		wish->curve = "ffdhe4096";
		return ERR_OK;
	default:
		return ERR_FIELD;
	}
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
	case KMIP_CRYPTOGRAPHIC_ALGORITHM_DH:
		return wish_group(wish);
	case KMIP_CRYPTOGRAPHIC_ALGORITHM_ECMQV:
	case KMIP_CRYPTOGRAPHIC_ALGORITHM_EC:
	case KMIP_CRYPTOGRAPHIC_ALGORITHM_ECDSA:
	case KMIP_CRYPTOGRAPHIC_ALGORITHM_ECDH:
		return wish_curve(item, wish, edits);
	default:
		return ERR_FIELD;
	}
}

/* ---- the two keys ---- */

static enum err pair_judge(struct kmip_item *item, struct attribute_edits *edits,
	const struct kmip_template_attribute *own)
{
	const struct kmip_create_key_pair_request *request = item->request;
	enum err err;

	TRY(making_joint_attributes(item, edits, own, request->common));
	err = unique_name_check(item, edits);
	TRY(err == ERR_EXISTS ? ERR_FIELD : err);
out:
	return err;
}

enum err op_create_key_pair_plan(struct kmip_item *item)
{
	const struct kmip_create_key_pair_request *request = item->request;
	struct kmip_create_key_pair_response *response = item->response;
	struct pairing *pairing = ARENA_NEW(item->arena, struct pairing);
	struct attribute_edits *private_edits, *public_edits;
	struct pkey_wish wish;
	enum err err = pairing == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	private_edits = &pairing->private_edits;
	public_edits = &pairing->public_edits;
	*private_edits = making_edits(item, KMIP_OBJECT_TYPE_PRIVATE_KEY);
	*public_edits = making_edits(item, KMIP_OBJECT_TYPE_PUBLIC_KEY);
	TRY(pair_judge(item, private_edits, request->private_template));
	TRY(pair_judge(item, public_edits, request->public_template));
	TRY(pairing_judge_names(pairing));
	/* 11.3: no field of the request is required but what attributes say. */
	if (private_edits->key.algorithm == 0 && public_edits->key.algorithm == 0)
		TRY(ERR_MESSAGE);
	if (private_edits->key.algorithm != public_edits->key.algorithm ||
		private_edits->key.length_bits != public_edits->key.length_bits)
		TRY(ERR_FIELD);
	TRY(wish_of(item, &wish, private_edits));
	TRY(policing_wish(item, private_edits->key.algorithm, &wish));
	TRY(item->plan_memory == NULL ? pairing_begin(item, &wish)
				      : pairing_make_private(item, pairing));
	TRY(making_tell(private_edits, &response->private_template));
	TRY(making_tell(public_edits, &response->public_template));
	item->plan_result = pairing;
out:
	return err;
}

enum err op_create_key_pair_finish(struct kmip_item *item)
{
	struct kmip_create_key_pair_response *response = item->response;
	enum err err;

	switch (item->steps) {
	case 1:
		return pairing_make_public(item, item->plan_result);
	case 2:
		return pairing_settle(item);
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
