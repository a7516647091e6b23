/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cancel (KMIP 1.4, section 4.27). What has begun to change something goes on to its end; a value
 * that nothing is known of is Unavailable.
 */
#include "kmip/later.h"
#include "kmip/operations.h"

enum err op_cancel_plan(struct kmip_item *item)
{
	const struct kmip_cancel_request *request = item->request;
	struct kmip_cancel_response *response = item->response;
	struct slice id = request->correlation_value;

	if (item->laters == NULL)
		return ERR_AGAIN; /* the keeper's */
	response->correlation_value = id;
	response->result = KMIP_UINT(laters_cancel(item->laters, item->identity, id));
	return ERR_OK;
}
