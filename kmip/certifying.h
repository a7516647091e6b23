/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Certify and Re-certify have in common: the request is read and the certificate issued on
 * another thread, since signatures take milliseconds.
 */
#ifndef KMIP_CERTIFYING_H
#define KMIP_CERTIFYING_H

#include "kmip/attribute_rules.h"
#include "kmip/authorities.h"
#include "kmip/item.h"

struct certifying {
	struct kmip_uint request_type;
	struct slice request; /* without data: none, the key or the old certificate is certified */
	const struct object *key; /* the Public Key, or NULL */
	const struct object *old; /* the certificate that is renewed, or NULL */
	const struct attribute_edits *edits; /* the certificate's attributes, complete */
};

/* The instance's authority; ERR_OPERATION: it has none. */
MUST_USE enum err certifying_authority(
	const struct kmip_authority **out, const struct kmip_item *item);
/*
 * Has the certificate issued: ERR_AGAIN, to be handed on; plan is run again with plan_memory set.
 * Valid from Activation Date, or now, to Deactivation Date, or for the authority's days; never
 * longer than the authority. ERR_MESSAGE: a request without type; ERR_REQUEST_TYPE; ERR_FIELD: a
 * Deactivation Date behind the authority's end; ERR_ILLEGAL: it has passed; ERR_DENIED: the
 * authority itself is not valid then, or the object is none that can be certified; ERR_STATE: the
 * key is compromised.
 */
MUST_USE enum err certifying_begin(struct kmip_item *item, const struct certifying *certifying);
/* Fills item->create with the certificate and describes it in the edits. ERR_FIELD: no request of
 * that type; ERR_POSSESSION; ERR_OTHER_KEY. *digested: its bytes. */
MUST_USE enum err certifying_end(
	struct kmip_item *item, struct attribute_edits *edits, struct slice *digested);

#endif
