/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/operations.h"

enum err operation_filled(struct kmip_item *item)
{
	(void) item;
	return ERR_OK;
}

static const struct operation operations[] = {
#define SERVED(code, name, since, flags, finish) \
	{ KMIP_OPERATION_##code, since, OPERATION_##flags, &kmip_##name##_request_table, \
		&kmip_##name##_response_table, op_##name##_plan, finish },
#include "kmip/operations.def"
#undef SERVED
};

enum { OPERATIONS_COUNT = sizeof(operations) / sizeof(operations[0]) };

const struct operation *operation_at(size_t i)
{
	return i < OPERATIONS_COUNT ? &operations[i] : NULL;
}

const struct operation *operation_find(uint32_t code, enum kmip_version version)
{
	for (size_t i = 0; i < OPERATIONS_COUNT; i++) {
		if (operations[i].code == code)
			return operations[i].since <= version ? &operations[i] : NULL;
	}
	return NULL;
}
