/* SPDX-License-Identifier: Apache-2.0 */
/* RNG Retrieve (KMIP 1.4, section 4.35). */
#include "base/rand.h"
#include "kmip/operations.h"

enum { RNG_LEN_MAX = 65536 }; /* ours: nobody needs more in one message */

enum err op_rng_retrieve_plan(struct kmip_item *item)
{
	const struct kmip_rng_retrieve_request *request = item->request;
	struct kmip_rng_retrieve_response *response = item->response;
	uint8_t *bytes;
	size_t len;

	if (request->data_len.value <= 0 || request->data_len.value > RNG_LEN_MAX)
		return ERR_FIELD;
	len = (size_t) request->data_len.value;
	bytes = arena_alloc(item->arena, len);
	if (bytes == NULL)
		return ERR_NOMEM;
	rand_bytes(bytes, len);
	response->data = slice_of(bytes, len);
	return ERR_OK;
}
