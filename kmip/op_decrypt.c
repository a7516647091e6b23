/* SPDX-License-Identifier: Apache-2.0 */
/* Decrypt (KMIP 1.4, section 4.30), whole or in pieces. Before 1.4 the tag of an AEAD stands behind
 * the data, which then comes in one piece. */
#include "kmip/ciphering.h"
#include "kmip/operations.h"
#include "kmip/pieces.h"

/* Cuts the tag off the data of an older client. */
static void split_tag(struct kmip_item *item, const struct using *use, struct ciphering *ciphering,
	struct slice *data)
{
	size_t len = ciphering_tag_len(&use->parameters);

	if (!ciphering_is_aead(use) || item->version >= KMIP_1_4 || data->len < len)
		return;
	ciphering->tag = slice_cut(*data, data->len - len, len);
	data->len -= len;
}

static enum err begin(struct kmip_item *item, struct run *run)
{
	const struct kmip_decrypt_request *request = item->request;
	struct using_ask ask = { .uid = request->unique_identifier,
		.mask = KMIP_CRYPTOGRAPHIC_USAGE_MASK_DECRYPT,
		.parameters = request->parameters };
	struct using use;
	struct ciphering ciphering = {
		.use = &use, .iv = request->iv, .aad = request->aad, .tag = request->tag
	};
	struct pieces *pieces = item->plan_result;
	enum err err;

	TRY(using_begin(&use, item, &ask));
	split_tag(item, &use, &ciphering, &pieces->data);
	TRY(ciphering_begin(item, run, &ciphering));
out:
	return err;
}

enum err op_decrypt_plan(struct kmip_item *item)
{
	const struct kmip_decrypt_request *request = item->request;
	struct kmip_decrypt_response *response = item->response;
	struct pieces pieces = PIECES(KMIP_OPERATION_DECRYPT, request, begin);
	enum err err;

	pieces.uid = request->unique_identifier;
	pieces.has_first_only = request->aad.data != NULL || request->tag.data != NULL;
	item->plan_result = &pieces;
	TRY(pieces_run(item, &pieces));
	response->data = pieces.out;
	response->correlation_value = pieces.next;
	TRY(item_uid_text(item, &response->unique_identifier));
out:
	item->plan_result = NULL;
	return err;
}
