/* SPDX-License-Identifier: Apache-2.0 */
/* Signature Verify (KMIP 1.4, section 4.32): the signature comes with one of the pieces, the
 * verdict with the last. A wrong signature is an answer, not a failure. */
#include "kmip/operations.h"
#include "kmip/pieces.h"
#include "kmip/signing.h"

static enum err use_key(struct using *use, struct kmip_item *item)
{
	const struct kmip_signature_verify_request *request = item->request;
	struct using_ask ask = { .uid = request->unique_identifier,
		.mask = KMIP_CRYPTOGRAPHIC_USAGE_MASK_VERIFY,
		.parameters = request->parameters };

	return using_begin(use, item, &ask);
}

static enum err begin(struct kmip_item *item, struct run *run)
{
	struct using use;
	enum err err;

	TRY(use_key(&use, item));
	TRY(signing_begin_verifying(run, &use));
out:
	return err;
}

static void tell(struct kmip_signature_verify_response *response, bool is_valid)
{
	response->validity = KMIP_UINT(
		is_valid ? KMIP_VALIDITY_INDICATOR_VALID : KMIP_VALIDITY_INDICATOR_INVALID);
}

static enum err verify_digest(struct kmip_item *item)
{
	const struct kmip_signature_verify_request *request = item->request;
	struct kmip_signature_verify_response *response = item->response;
	struct pkey_signed_digest what = { .digest = request->digested_data,
		.signature = request->signature_data };
	struct pkey *key = NULL;
	struct pkey_use how;
	struct using use;
	bool is_valid;
	enum err err;

	TRY(what.signature.len == 0 ? ERR_MESSAGE : ERR_OK);
	TRY(use_key(&use, item));
	TRY(signing_use_of_digest(&how, &use));
	TRY(signing_verifying_key(&key, &use));
	TRY(pkey_verify_digest(&is_valid, key, &how, &what));
	tell(response, is_valid);
	TRY(item_uid_text(item, &response->unique_identifier));
out:
	pkey_free(key);
	return err;
}

enum err op_signature_verify_plan(struct kmip_item *item)
{
	const struct kmip_signature_verify_request *request = item->request;
	struct kmip_signature_verify_response *response = item->response;
	struct pieces pieces = PIECES(KMIP_OPERATION_SIGNATURE_VERIFY, request, begin);
	enum err err;

	pieces.uid = request->unique_identifier;
	pieces.verifies = true;
	pieces.expected = request->signature_data;
	if (request->digested_data.data != NULL)
		return request->data.data == NULL ? verify_digest(item) : ERR_FIELD;
	TRY(pieces_run(item, &pieces));
	if (pieces.is_done)
		tell(response, pieces.is_valid);
	response->correlation_value = pieces.next;
	TRY(item_uid_text(item, &response->unique_identifier));
out:
	return err;
}
