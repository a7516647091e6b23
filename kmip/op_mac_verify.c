/* SPDX-License-Identifier: Apache-2.0 */
/* MAC Verify (KMIP 1.4, section 4.34): the code comes with one of the pieces, the verdict with the
 * last. A wrong code is an answer, not a failure. */
#include "kmip/maccing.h"
#include "kmip/operations.h"
#include "kmip/pieces.h"

static enum err begin(struct kmip_item *item, struct run *run)
{
	const struct kmip_mac_verify_request *request = item->request;
	struct using_ask ask = { .uid = request->unique_identifier,
		.mask = KMIP_CRYPTOGRAPHIC_USAGE_MASK_MAC_VERIFY,
		.parameters = request->parameters };
	struct using use;
	enum err err;

	TRY(using_begin(&use, item, &ask));
	TRY(maccing_begin(item, run, &use, false));
out:
	return err;
}

enum err op_mac_verify_plan(struct kmip_item *item)
{
	const struct kmip_mac_verify_request *request = item->request;
	struct kmip_mac_verify_response *response = item->response;
	struct pieces pieces = PIECES(KMIP_OPERATION_MAC_VERIFY, request, begin);
	enum err err;

	pieces.uid = request->unique_identifier;
	pieces.verifies = true;
	pieces.expected = request->mac_data;
	TRY(pieces_run(item, &pieces));
	if (pieces.is_done)
		response->validity = KMIP_UINT(pieces.is_valid ? KMIP_VALIDITY_INDICATOR_VALID
							       : KMIP_VALIDITY_INDICATOR_INVALID);
	response->correlation_value = pieces.next;
	TRY(item_uid_text(item, &response->unique_identifier));
out:
	return err;
}
