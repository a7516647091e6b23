/* SPDX-License-Identifier: Apache-2.0 */
/* Hash (KMIP 1.4, section 4.37), whole or in pieces. */
#include "kmip/crypto_names.h"
#include "kmip/operations.h"
#include "kmip/pieces.h"
#include "kmip/policing.h"

static enum err begin(struct kmip_item *item, struct run *run)
{
	const struct kmip_hash_request *request = item->request;
	const char *name = crypto_hash_name(request->parameters->hashing_algorithm.value);

	enum err err = name == NULL ? ERR_FIELD : ERR_OK;

	TRY(err);
	TRY(policing_hash(item, name));
	TRY(digest_new(&run->digest, name));
out:
	return err;
}

enum err op_hash_plan(struct kmip_item *item)
{
	const struct kmip_hash_request *request = item->request;
	struct kmip_hash_response *response = item->response;
	struct pieces pieces = PIECES(KMIP_OPERATION_HASH, request, begin);
	enum err err;

	TRY(pieces_run(item, &pieces));
	response->data = pieces.out;
	response->correlation_value = pieces.next;
out:
	item->subject.has = false; /* no object's */
	return err;
}
