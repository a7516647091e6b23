/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/usage_limits.h"
#include "keystore/usage.h"

static enum err read_stored(struct kmip_usage_limits *out, const struct object *object, bool *has)
{
	struct codec codec = { .version = KMIP_NEWEST };
	struct kmip_value value;

	*has = object_attributes_stored(object, KMIP_ATTRIBUTE_USAGE_LIMITS, &value);
	return *has ? kmip_value_read(out, &codec, &kmip_usage_limits_table, &value) : ERR_OK;
}

enum err usage_limits_read(struct kmip_usage_limits *out, const struct object *object, bool *has)
{
	struct usage sum = usage_sum(object);
	int64_t used = usage_used(&sum);
	enum err err;

	TRY(read_stored(out, object, has));
	if (*has)
		out->count = KMIP_LONG(out->count.value > used ? out->count.value - used : 0);
out:
	return err;
}

enum err usage_limits_allowed(const struct object *object, int64_t *out)
{
	struct kmip_usage_limits limits;
	bool has;
	enum err err;

	TRY(read_stored(&limits, object, &has));
	*out = has ? limits.count.value : -1;
	if (has && *out < 0)
		*out = 0;
out:
	return err;
}

enum err usage_limits_tell(
	struct kmip_value *value, struct arena *arena, const struct object *object)
{
	struct kmip_usage_limits limits;
	bool has;
	enum err err;

	TRY(usage_limits_read(&limits, object, &has));
	if (has)
		TRY(kmip_value_write(value, arena, &kmip_usage_limits_table, &limits));
out:
	return err;
}
