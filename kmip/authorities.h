/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate authorities of instances: what Certify and Re-certify issue with. */
#ifndef KMIP_AUTHORITIES_H
#define KMIP_AUTHORITIES_H

#include "keystore/ids.h"

struct x509_authority;

struct kmip_authority {
	struct instance_id instance;
	struct x509_authority *authority; /* NULL in a worker: that there is one is enough there */
	uint32_t validity_days; /* of what is certified without a Deactivation Date */
};

/* Owns its members. May be exchanged between two requests: whoever works on holds a reference. */
struct kmip_authorities {
	struct kmip_authority *items;
	size_t count;
};

/* NULL: the instance has none, so that the operations are not supported. */
const struct kmip_authority *kmip_authorities_find(
	const struct kmip_authorities *authorities, const struct instance_id *instance);
/* Frees the members and leaves none. */
void kmip_authorities_free(struct kmip_authorities *authorities);

#endif
