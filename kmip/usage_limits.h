/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Usage Limits (KMIP 1.4, section 3.21) of an object. Stored is what the client gave, with the
 * count that it began with; what was charged since the nodes count beside it (keystore/usage.h),
 * and the client is told the difference.
 */
#ifndef KMIP_USAGE_LIMITS_H
#define KMIP_USAGE_LIMITS_H

#include "kmip/object_attributes.h"

/* As a client sees them; *has: false without any. */
MUST_USE enum err usage_limits_read(
	struct kmip_usage_limits *out, const struct object *object, bool *has);
/* How much may be used in all, charges of the past included; negative: no limits. */
MUST_USE enum err usage_limits_allowed(const struct object *object, int64_t *out);
/* The stored value becomes the one that a client sees. */
MUST_USE enum err usage_limits_tell(
	struct kmip_value *value, struct arena *arena, const struct object *object);

#endif
