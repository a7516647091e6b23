/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cryptographic operation under way, as Encrypt, Decrypt, Sign, MAC, Hash and their like begin
 * it: fed with one piece or many, ended once. Owns everything in it, key schedules included.
 */
#ifndef KMIP_RUN_H
#define KMIP_RUN_H

#include "base/cipher.h"
#include "base/digest.h"
#include "base/secret.h"
#include "keystore/ids.h"

struct run {
	struct cipher *cipher; /* one of the two */
	struct digest *digest;
	struct secret *expected; /* what is to be verified at the end, came with the first piece */
	struct uid uid; /* the key; all zero: none */
	bool seals; /* an AEAD that gives a tag at the end */
	bool joins_tag; /* behind the data, as before KMIP 1.4 */
};

MUST_USE enum err run_update(struct run *run, struct slice piece, struct buf *out);
/* The tag of an AEAD goes to `tag`, or behind the data. */
MUST_USE enum err run_finish(struct run *run, struct buf *out, struct buf *tag);
void run_free(struct run *run);

#endif
