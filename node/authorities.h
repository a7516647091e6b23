/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate authorities of the instances section, as kmip/ takes them. */
#ifndef NODE_AUTHORITIES_H
#define NODE_AUTHORITIES_H

#include "kmip/authorities.h"
#include "node/config.h"

/* The keeper's: with certificate and key. ERR_CONFIG: one option without the other, or files that
 * do not fit; nothing is to be freed then. One that has expired, or will soon, is logged. */
MUST_USE enum err authorities_load(
	struct kmip_authorities *out, const struct config *config, char why[CONFIG_WHY_MAX]);
/* A worker's: who has one. */
MUST_USE enum err authorities_names(struct kmip_authorities *out, const struct config *config);
/* What replaces `old`, which is freed; `from` is left empty. */
void authorities_exchange(struct kmip_authorities *old, struct kmip_authorities *from);
/* For --check: one sentence for each authority that cannot issue now; false: there is one. */
bool authorities_check(const struct config *config, const struct kmip_authorities *authorities);

#endif
