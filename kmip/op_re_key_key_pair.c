/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Re-key Key Pair (KMIP 1.4, section 4.5; since 1.1), in the order of time: a pair of the old one's
 * kind is computed on another thread -> the private key is made -> the public key, with its links
 * -> both take over the names of the old pair, and the private key gets its links. Should one of
 * them fail, nothing of the new pair stays.
 */
#include "kmip/asymmetric.h"
#include "kmip/linking.h"
#include "kmip/making.h"
#include "kmip/operations.h"
#include "kmip/pairing.h"
#include "kmip/policing.h"
#include "kmip/replacing.h"
#include "kmip/settling.h"
#include "kmip/stored.h"

/* What plan leaves to finish, in the arena. */
struct re_keying {
	struct pairing pairing; /* the new keys */
	struct object *old_private, *old_public;
};

/* The pair that the private key is one of. */
static enum err find_pair(struct kmip_item *item, struct re_keying *re_keying)
{
	const struct kmip_re_key_key_pair_request *request = item->request;
	struct uid public_uid;
	enum err err;

	TRY(item_object(item, request->private_key_unique_identifier, &re_keying->old_private));
	if (re_keying->old_private->dead ||
		re_keying->old_private->type != KMIP_OBJECT_TYPE_PRIVATE_KEY ||
		!linking_find(
			&public_uid, item, re_keying->old_private, KMIP_LINK_TYPE_PUBLIC_KEY_LINK))
		TRY(ERR_DENIED);
	err = item_read(item, &public_uid, &re_keying->old_public);
	TRY(err == ERR_NOT_FOUND || err == ERR_DESTROYED ? ERR_DENIED : err);
	if (re_keying->old_public->dead ||
		re_keying->old_public->type != KMIP_OBJECT_TYPE_PUBLIC_KEY)
		TRY(ERR_DENIED);
	TRY(object_attributes_is_archived(re_keying->old_public) ? ERR_ARCHIVED : ERR_OK);
out:
	return err;
}

static enum err judge_one(struct kmip_item *item, struct attribute_edits *edits,
	const struct object *old, const struct kmip_template_attribute *own)
{
	const struct kmip_re_key_key_pair_request *request = item->request;
	struct replacing replacing = {
		.old = old, .given = own, .common = request->common, .offset = request->offset
	};

	*edits = making_edits(item, old->type);
	return replacing_attributes(item, edits, &replacing);
}

/* The attributes need not tell a curve or group; the key does. Groups of Diffie-Hellman that have
 * no name take too long to make. */
static enum err wish_of(
	struct pkey_wish *wish, char group[PKEY_CURVE_LEN_MAX], const struct pkey *key)
{
	uint32_t algorithm = asymmetric_algorithm(key);

	*wish = (struct pkey_wish){ .algorithm = pkey_algorithm(key), .bits = pkey_bits(key) };
	if (algorithm == KMIP_CRYPTOGRAPHIC_ALGORITHM_RSA ||
		algorithm == KMIP_CRYPTOGRAPHIC_ALGORITHM_DSA)
		return ERR_OK;
	wish->curve = group;
	return algorithm == 0 ? ERR_FEATURE : pkey_curve(group, key);
}

static enum err begin(struct kmip_item *item, const struct re_keying *re_keying)
{
	const struct object *old_public = re_keying->old_public;
	char group[PKEY_CURVE_LEN_MAX];
	struct kmip_object object;
	struct pkey *key = NULL;
	struct pkey_wish wish;
	enum err err;

	TRY(stored_read(item, old_public, &object));
	TRY(asymmetric_open(&key, old_public->type, kmip_object_key_block(&object)));
	TRY(wish_of(&wish, group, key));
	TRY(policing_wish(item, re_keying->pairing.private_edits.key.algorithm, &wish));
	TRY(pairing_begin(item, &wish));
out:
	pkey_free(key);
	return err == ERR_INVALID || err == ERR_FEATURE || err == ERR_KEY_FORMAT ? ERR_DENIED : err;
}

enum err op_re_key_key_pair_plan(struct kmip_item *item)
{
	const struct kmip_re_key_key_pair_request *request = item->request;
	struct kmip_re_key_key_pair_response *response = item->response;
	struct re_keying *re_keying = ARENA_NEW(item->arena, struct re_keying);
	struct pairing *pairing = &re_keying->pairing;
	enum err err = re_keying == NULL ? ERR_NOMEM : ERR_OK;

	TRY(err);
	TRY(find_pair(item, re_keying));
	TRY(judge_one(
		item, &pairing->private_edits, re_keying->old_private, request->private_template));
	TRY(judge_one(
		item, &pairing->public_edits, re_keying->old_public, request->public_template));
	TRY(pairing_judge_names(pairing));
	TRY(item->plan_memory == NULL ? begin(item, re_keying)
				      : pairing_make_private(item, pairing));
	TRY(making_tell(&pairing->private_edits, &response->private_template));
	TRY(making_tell(&pairing->public_edits, &response->public_template));
	item->plan_result = re_keying;
out:
	return err;
}

static enum err settle(struct kmip_item *item, const struct re_keying *re_keying)
{
	enum err err;

	TRY(pairing_settle(item));
	TRY(settling_link(item, &item->made[0], KMIP_LINK_TYPE_REPLACED_OBJECT_LINK,
		&re_keying->old_private->uid));
	TRY(settling_replace(item, re_keying->old_public, &item->made[1]));
	TRY(settling_replace(item, re_keying->old_private, &item->made[0]));
out:
	return err;
}

enum err op_re_key_key_pair_finish(struct kmip_item *item)
{
	struct kmip_re_key_key_pair_response *response = item->response;
	struct re_keying *re_keying = item->plan_result;
	enum err err;

	switch (item->steps) {
	case 1:
		TRY(pairing_make_public(item, &re_keying->pairing));
		return linking_further(
			item, KMIP_LINK_TYPE_REPLACED_OBJECT_LINK, &re_keying->old_public->uid);
	case 2:
		return settle(item, re_keying);
	default:
		break;
	}
	item->subject.uid = item->made[1];
	TRY(item_uid_text(item, &response->public_key_unique_identifier));
	item->subject.uid = item->made[0];
	item->placeholder = item->subject;
	TRY(item_uid_text(item, &response->private_key_unique_identifier));
out:
	return err;
}
