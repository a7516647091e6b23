/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one map from our errors to what a KMIP client is told. No operation writes a reason by
 * itself. Trouble of ours is General Failure, never Item Not Found: clients take that for "the key
 * is gone".
 */
#ifndef KMIP_RESULT_H
#define KMIP_RESULT_H

#include "base/err.h"
#include "kmip/types.h"

struct kmip_result {
	uint32_t status; /* enum kmip_result_status */
	uint32_t reason; /* enum kmip_result_reason; 0 on success */
	const char *message; /* short, without secrets; "" on success */
};

/* Reasons that the version does not have are replaced by older ones. */
struct kmip_result kmip_result_of(enum err err, enum kmip_version version);
/* Puts status, reason and message into an item. */
void kmip_result_fill(struct kmip_response_item *item, enum err err, enum kmip_version version);
/* For clients: the error that a reason stands for; ERR_OK for Success, ERR_UNAVAILABLE for General
 * Failure. */
enum err kmip_result_err(uint32_t status, uint32_t reason);

#endif
