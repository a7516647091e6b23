/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Using a key for the client (KMIP 1.4, sections 4.29 to 4.34): whether the object may be used for
 * that now, by its state, dates, usage mask and usage limits; with which parameters; and its
 * material.
 */
#ifndef KMIP_USING_H
#define KMIP_USING_H

#include "kmip/item.h"
#include "kmip/object_attributes.h"

struct using
{
	struct object *object;
	struct kmip_object form; /* as it is kept */
	/* The request's, or the object's with the lowest index, or none. */
	struct kmip_cryptographic_parameters parameters;
	uint32_t algorithm; /* Cryptographic Algorithm of the object; 0: none */
	struct slice material; /* of a plain symmetric key or secret; empty for other forms */
};

struct using_ask {
	struct slice uid;
	int32_t mask; /* bits of the Cryptographic Usage Mask that are needed */
	bool is_key; /* what is no key is ERR_ILLEGAL */
	bool protects; /* makes something new: Active only, before Protect Stop; else processes */
	const struct kmip_cryptographic_parameters *parameters; /* the request's, or NULL */
};

/* ERR_DENIED: mask; ERR_STATE: state or dates; ERR_KEY_ABSENT; ERR_AGAIN is to be handed on. */
MUST_USE enum err using_begin(
	struct using *out, struct kmip_item *item, const struct using_ask *ask);
/* ERR_ILLEGAL: its bytes are not those of a symmetric key or a secret, but a part or an encoding.
 */
MUST_USE enum err using_judge_symmetric(const struct using *use);
/* Before what was begun with a key goes on: whether it may be used still. ERR_STATE, ERR_ARCHIVED;
 * errors as item_material, whose judgement of lease, polls and root key holds here, too. */
MUST_USE enum err using_again(
	struct kmip_item *item, const struct uid *uid, bool protects, struct object **out);
/* Active, before Protect Stop, and with a usage that protects in its mask, if it has one. */
bool using_may_protect(const struct kmip_item *item, const struct object *object);
/*
 * Charges the object's Usage Limits, if it has any, with that many bytes or one use: states the
 * effect, and the operation's finish finds the response filled. ERR_DENIED: not so much is left;
 * the effect may find that, too.
 */
MUST_USE enum err using_charge(struct kmip_item *item, const struct object *object, size_t bytes);
/* The same for a further piece of what was charged as one use. */
MUST_USE enum err using_charge_more(
	struct kmip_item *item, const struct object *object, size_t bytes);
/* The same for an amount in the limits' own unit. */
MUST_USE enum err using_charge_units(
	struct kmip_item *item, const struct object *object, int64_t units);

#endif
