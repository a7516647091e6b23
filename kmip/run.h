/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cryptographic operation under way, as Encrypt, Decrypt, Sign, MAC, Hash and their like begin
 * it: fed with one piece or many, ended once. Owns everything in it, key schedules included.
 */
#ifndef KMIP_RUN_H
#define KMIP_RUN_H

#include "base/cipher.h"
#include "base/digest.h"
#include "base/pkey.h"
#include "base/secret.h"
#include "keystore/ids.h"

enum { RUN_WHOLE_LEN_MAX = PKEY_LEN_MAX };

/* An asymmetric key takes its data at once: the pieces are gathered. */
struct run_whole {
	struct pkey *key;
	struct pkey_use use;
	struct secret *label; /* of the use */
	bool encrypts;
	struct buf in;
};

/* A one-time pad: each of its bytes covers one byte of the data. */
struct run_pad {
	struct secret *bytes;
	size_t used;
};

struct run {
	struct run_whole *whole; /* one of the five */
	struct run_pad *pad;
	struct cipher *cipher;
	struct digest *digest;
	struct pkey_signing *signing;
	struct secret
		*expected; /* what is to be verified at the end, came with one of the pieces */
	struct uid uid; /* the key; all zero: none */
	bool seals; /* an AEAD that gives a tag at the end */
	bool joins_tag; /* behind the data, as before KMIP 1.4 */
};

/* ERR_FIELD: longer than the pad. ERR_LIMIT: more than can be held until the end. */
MUST_USE enum err run_update(struct run *run, struct slice piece, struct buf *out);
/* Bytes of the client's that it holds until the end. */
size_t run_held(const struct run *run);
/* A code or a signature that is expected is judged, not given out. The tag of an AEAD goes to
 * `tag`, or behind the data. */
MUST_USE enum err run_finish(struct run *run, struct buf *out, struct buf *tag, bool *is_valid);
/* Of a run that is embedded. */
void run_clear(struct run *run);
void run_free(struct run *run);

#endif
