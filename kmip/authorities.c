/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/authorities.h"
#include <stdlib.h>
#include "base/x509_authority.h"

const struct kmip_authority *kmip_authorities_find(
	const struct kmip_authorities *authorities, const struct instance_id *instance)
{
	for (size_t i = 0; authorities != NULL && i < authorities->count; i++) {
		if (instance_id_equal(&authorities->items[i].instance, instance))
			return &authorities->items[i];
	}
	return NULL;
}

void kmip_authorities_free(struct kmip_authorities *authorities)
{
	for (size_t i = 0; i < authorities->count; i++)
		x509_authority_free(authorities->items[i].authority);
	free(authorities->items);
	*authorities = (struct kmip_authorities){ 0 };
}
