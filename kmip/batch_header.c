/* SPDX-License-Identifier: Apache-2.0 */
#include "kmip/batch_header.h"

static bool names_device(const struct kmip_credential_value *value)
{
	return value->device_serial_number.data != NULL || value->password.data != NULL ||
	       value->device_identifier.data != NULL || value->network_identifier.data != NULL ||
	       value->machine_identifier.data != NULL || value->media_identifier.data != NULL;
}

/* Section 2.1.2: what a credential of its type cannot be without. */
static bool is_whole(const struct kmip_credential *credential, enum kmip_version version)
{
	const struct kmip_credential_value *value = credential->value;

	if (!kmip_enum_is_known(KMIP_SET_CREDENTIAL_TYPE, credential->type.value, version))
		return true;
	switch (credential->type.value) {
	case KMIP_CREDENTIAL_TYPE_USERNAME_AND_PASSWORD:
		return value->username.data != NULL;
	case KMIP_CREDENTIAL_TYPE_DEVICE:
		return names_device(value);
	case KMIP_CREDENTIAL_TYPE_ATTESTATION:
		return value->nonce != NULL && value->attestation_type.has;
	default:
		return true;
	}
}

/* Section 6.6: of its form alone, since the client's certificate says who asks (design D24). There
 * are several from 1.2 on. */
static enum err judge_authentication(
	const struct kmip_authentication *authentication, enum kmip_version version)
{
	if (authentication == NULL)
		return ERR_OK;
	if (authentication->credentials.count > 1 && version < KMIP_1_2)
		return ERR_MESSAGE;
	for (size_t i = 0; i < authentication->credentials.count; i++) {
		if (!is_whole(&authentication->credentials.items[i], version))
			return ERR_MESSAGE;
	}
	return ERR_OK;
}

/* Sections 6.13, 6.14. Items always run in order, so that Batch Order Option changes nothing. */
static enum err judge_options(struct batch *batch)
{
	const struct kmip_request_header *header = &batch->request.header;
	uint32_t option = header->batch_error_option.has
				  ? header->batch_error_option.value
				  : KMIP_BATCH_ERROR_CONTINUATION_OPTION_STOP;

	switch (option) {
	case KMIP_BATCH_ERROR_CONTINUATION_OPTION_STOP:
	case KMIP_BATCH_ERROR_CONTINUATION_OPTION_CONTINUE:
		return ERR_OK;
	case KMIP_BATCH_ERROR_CONTINUATION_OPTION_UNDO:
		/* A single item that fails leaves nothing to undo. */
		return batch->request.count == 1 ? ERR_OK : undo_judge(batch);
	default:
		return ERR_FIELD;
	}
}

enum err batch_header_judge(struct batch *batch)
{
	const struct kmip_request *request = &batch->request;
	enum err err = request->count == 0 ? ERR_MESSAGE : ERR_OK;

	TRY(err);
	TRY(judge_authentication(request->header.authentication, request->version));
	TRY(judge_options(batch));
out:
	return err;
}
