/* SPDX-License-Identifier: Apache-2.0 */
/* Sign (KMIP 1.4, section 4.31): data, whole or in pieces, or a digest that the client made. */
#include "kmip/operations.h"
#include "kmip/pieces.h"
#include "kmip/policing.h"
#include "kmip/signing.h"

static enum err use_key(struct using *use, struct kmip_item *item)
{
	const struct kmip_sign_request *request = item->request;
	struct using_ask ask = { .uid = request->unique_identifier,
		.mask = KMIP_CRYPTOGRAPHIC_USAGE_MASK_SIGN,
		.protects = true,
		.parameters = request->parameters };

	return using_begin(use, item, &ask);
}

static enum err begin(struct kmip_item *item, struct run *run)
{
	const struct kmip_sign_request *request = item->request;
	struct using use;
	enum err err;

	TRY(use_key(&use, item));
	TRY(signing_begin(item, run, &use));
	TRY(using_charge(item, use.object, request->data.len));
out:
	return err;
}

static enum err sign_digest(struct kmip_item *item)
{
	const struct kmip_sign_request *request = item->request;
	struct kmip_sign_response *response = item->response;
	struct policing_signing judged;
	struct pkey *key = NULL;
	struct pkey_use how;
	struct using use;
	struct buf out;
	enum err err;

	buf_init(&out, PKEY_LEN_MAX);
	TRY(use_key(&use, item));
	TRY(signing_use_of_digest(&how, &use));
	TRY(signing_key(&key, &use));
	judged = (struct policing_signing){ key, &how, use.algorithm, request->digested_data.len };
	TRY(policing_sign(item, &judged));
	TRY(pkey_sign_digest(&out, key, &how, request->digested_data));
	response->signature_data = arena_copy(item->arena, buf_slice(&out));
	TRY(response->signature_data.data == NULL ? ERR_NOMEM : ERR_OK);
	TRY(using_charge(item, use.object, request->digested_data.len));
	TRY(item_uid_text(item, &response->unique_identifier));
out:
	pkey_free(key);
	buf_free(&out);
	return err;
}

enum err op_sign_plan(struct kmip_item *item)
{
	const struct kmip_sign_request *request = item->request;
	struct kmip_sign_response *response = item->response;
	struct pieces pieces = PIECES(KMIP_OPERATION_SIGN, request, begin);
	enum err err;

	pieces.uid = request->unique_identifier;
	if (request->digested_data.data != NULL)
		return request->data.data == NULL ? sign_digest(item) : ERR_FIELD;
	TRY(pieces_run(item, &pieces));
	response->signature_data = pieces.out;
	response->correlation_value = pieces.next;
	TRY(item_uid_text(item, &response->unique_identifier));
out:
	return err;
}
