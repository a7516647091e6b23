/* SPDX-License-Identifier: Apache-2.0 */
/* RNG Seed (KMIP 1.4, section 4.36): mixed in, and counted as no entropy, since who sent it knows
 * it. */
#include "base/rand.h"
#include "kmip/operations.h"

enum err op_rng_seed_plan(struct kmip_item *item)
{
	const struct kmip_rng_seed_request *request = item->request;
	struct kmip_rng_seed_response *response = item->response;

	rand_stir(request->data);
	response->data_len = KMIP_INT((int32_t) request->data.len);
	return ERR_OK;
}
