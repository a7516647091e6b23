/* SPDX-License-Identifier: Apache-2.0 */
/* MAC's and MAC Verify's common part: from key and parameters to a code. */
#ifndef KMIP_MACCING_H
#define KMIP_MACCING_H

#include "kmip/run.h"
#include "kmip/using.h"

/* HMAC by the key's algorithm or the parameters' hash; CMAC where the parameters name that mode;
 * Poly1305, whose keys are for one message. ERR_FIELD: nothing says how, or it is said in two ways;
 * ERR_ILLEGAL: no symmetric key; ERR_POLICY, where it is made and not verified. */
MUST_USE enum err maccing_begin(
	struct kmip_item *item, struct run *run, const struct using *use, bool protects);

#endif
