/* SPDX-License-Identifier: Apache-2.0 */
/* What a request's header may say (KMIP 1.4, section 6), beyond its form. */
#ifndef KMIP_BATCH_HEADER_H
#define KMIP_BATCH_HEADER_H

#include "kmip/batch.h"

/* An error refuses the whole message. */
MUST_USE enum err batch_header_judge(struct batch *batch);

#endif
