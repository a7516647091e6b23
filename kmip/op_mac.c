/* SPDX-License-Identifier: Apache-2.0 */
/* MAC (KMIP 1.4, section 4.33), whole or in pieces. */
#include "kmip/maccing.h"
#include "kmip/operations.h"
#include "kmip/pieces.h"

static enum err begin(struct kmip_item *item, struct run *run)
{
	const struct kmip_mac_request *request = item->request;
	struct using_ask ask = { .uid = request->unique_identifier,
		.mask = KMIP_CRYPTOGRAPHIC_USAGE_MASK_MAC_GENERATE,
		.protects = true,
		.parameters = request->parameters };
	struct using use;
	enum err err;

	TRY(using_begin(&use, item, &ask));
	TRY(maccing_begin(item, run, &use, true));
	TRY(using_charge(item, use.object, request->data.len));
out:
	return err;
}

enum err op_mac_plan(struct kmip_item *item)
{
	const struct kmip_mac_request *request = item->request;
	struct kmip_mac_response *response = item->response;
	struct pieces pieces = PIECES(KMIP_OPERATION_MAC, request, begin);
	enum err err;

	pieces.uid = request->unique_identifier;
	TRY(pieces_run(item, &pieces));
	response->mac_data = pieces.out;
	response->correlation_value = pieces.next;
	TRY(item_uid_text(item, &response->unique_identifier));
out:
	return err;
}
