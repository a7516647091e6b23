/* SPDX-License-Identifier: Apache-2.0 */
/* Encrypt's and Decrypt's common part: from key and parameters to a cipher. */
#ifndef KMIP_CIPHERING_H
#define KMIP_CIPHERING_H

#include "kmip/run.h"
#include "kmip/using.h"

struct ciphering {
	const struct using *use;
	bool encrypt;
	struct slice iv; /* the request's; the one that was drawn when there was none */
	struct slice aad, tag;
	bool drew_iv; /* out: the client has to be told */
};

/* ERR_MESSAGE: decrypting without the IV that is needed; ERR_TAG_LENGTH; ERR_FEATURE, ERR_FIELD:
 * mode, padding or key that are not to be had; ERR_POLICY. */
MUST_USE enum err ciphering_begin(
	struct kmip_item *item, struct run *run, struct ciphering *ciphering);
/* Tag length of AEAD parameters: 16 when it is not said. */
size_t ciphering_tag_len(const struct kmip_cryptographic_parameters *parameters);
bool ciphering_is_aead(const struct using *use);

#endif
