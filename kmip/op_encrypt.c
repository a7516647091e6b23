/* SPDX-License-Identifier: Apache-2.0 */
/* Encrypt (KMIP 1.4, section 4.29), whole or in pieces. Before 1.4 the tag of an AEAD stands behind
 * the data. */
#include "kmip/ciphering.h"
#include "kmip/operations.h"
#include "kmip/pieces.h"

static enum err begin(struct kmip_item *item, struct run *run)
{
	const struct kmip_encrypt_request *request = item->request;
	struct kmip_encrypt_response *response = item->response;
	struct using_ask ask = { .uid = request->unique_identifier,
		.mask = KMIP_CRYPTOGRAPHIC_USAGE_MASK_ENCRYPT,
		.protects = true,
		.parameters = request->parameters };
	struct using use;
	struct ciphering ciphering = {
		.use = &use, .encrypt = true, .iv = request->iv, .aad = request->aad
	};
	enum err err;

	TRY(using_begin(&use, item, &ask));
	TRY(ciphering_begin(item, run, &ciphering));
	if (ciphering.drew_iv)
		response->iv = ciphering.iv;
	TRY(using_charge(item, use.object, request->data.len));
out:
	return err;
}

enum err op_encrypt_plan(struct kmip_item *item)
{
	const struct kmip_encrypt_request *request = item->request;
	struct kmip_encrypt_response *response = item->response;
	struct pieces pieces = PIECES(KMIP_OPERATION_ENCRYPT, request, begin);
	enum err err;

	pieces.uid = request->unique_identifier;
	pieces.has_first_only = request->aad.data != NULL;
	TRY(pieces_run(item, &pieces));
	response->data = pieces.out;
	response->tag = pieces.tag;
	response->correlation_value = pieces.next;
	TRY(item_uid_text(item, &response->unique_identifier));
out:
	return err;
}
